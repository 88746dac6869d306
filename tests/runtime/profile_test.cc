#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "runtime/waiting.h"
#include "slipstream/slipstream.h"

/// What --profile says.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

NodeMetrics node(std::string name, std::vector<std::string> from, std::chrono::nanoseconds busy,
                 std::chrono::nanoseconds waiting, std::chrono::nanoseconds blocked,
                 std::string blocked_by = "") {
  NodeMetrics n;
  n.stage = name;
  n.name = std::move(name);
  n.from = std::move(from);
  n.lanes = 1;
  n.in = 1000;
  n.busy = n.busiest = busy;
  n.waiting = waiting;
  n.blocked = blocked;
  n.mostly_blocked_by = std::move(blocked_by);
  return n;
}

TEST(Profile, FollowsWaitingStagesToTheBusyOne) {
  Metrics m;
  m.nodes = {node("orders", {}, 1s, 0s, 9s, "score"), node("score", {"orders"}, 9s, 1s, 0s),
             node("totals", {"score"}, 1s, 9s, 0s), node("out", {"totals"}, 1s, 9s, 0s)};
  EXPECT_EQ(profile_text(m, 10s),
            "where the time went, of 10.0 s:\n"
            "  node    lanes  records in  busy  waiting  blocked  waits for\n"
            "  orders      1        1000  10 %      0 %     90 %  score\n"
            "  score       1        1000  90 %     10 %      0 %\n"
            "  totals      1        1000  10 %     90 %      0 %  score\n"
            "  out         1        1000  10 %     90 %      0 %  score\n"
            "'score' sets the pace\n");
}

TEST(Profile, FollowsBlockedStagesToTheBusyOne) {
  Metrics m;
  m.nodes = {node("orders", {}, 1s, 0s, 9s, "score"), node("score", {"orders"}, 2s, 0s, 8s, "out"),
             node("out", {"score"}, 9s, 1s, 0s)};
  EXPECT_THAT(profile_text(m, 10s), HasSubstr("  orders      1        1000  10 %      0 %     90 %  out\n"));
  EXPECT_THAT(profile_text(m, 10s), HasSubstr("'out' sets the pace\n"));
}

TEST(Profile, NamesTheNodeOfAChainThatTakesTheTime) {
  Metrics m;
  m.nodes = {node("orders", {}, 1s, 0s, 0s), node("parse", {"orders"}, 8s, 0s, 0s),
             node("out", {"parse"}, 1s, 9s, 0s)};
  m.nodes[1].stage = "orders";
  const std::string text = profile_text(m, 10s);
  EXPECT_THAT(text, HasSubstr("  parse       1        1000  80 %                    with orders\n"));
  EXPECT_THAT(text, HasSubstr("  out         1        1000  10 %     90 %      0 %  parse\n"));
  EXPECT_THAT(text, HasSubstr("'parse' sets the pace\n"));
}

TEST(Profile, KnowsWhenTheProgramIsNotToBlame) {
  Metrics m;
  m.nodes = {node("orders", {}, 1s, 9s, 0s), node("out", {"orders"}, 1s, 9s, 0s)};
  const std::string text = profile_text(m, 10s);
  EXPECT_THAT(text,
              HasSubstr("  orders      1        1000  10 %     90 %      0 %  what comes from outside\n"));
  EXPECT_THAT(text, HasSubstr("no node sets the pace: 'orders' waits for what comes from outside\n"));
}

/// All keys are one lane's, so the stage as a whole waits half of the time.
TEST(Profile, LooksAtTheBusiestLane) {
  Metrics m;
  m.nodes = {node("orders", {}, 1s, 0s, 9s, "score"), node("score", {"orders"}, 9s, 11s, 0s)};
  m.nodes[1].lanes = 2;
  EXPECT_THAT(profile_text(m, 10s), HasSubstr("'score' sets the pace\n"));
}

TEST(Profile, OfAnEmptyRunIsATableWithoutLines) {
  EXPECT_EQ(profile_text({}, 0s),
            "where the time went, of 0.0 s:\n  node  lanes  records in  busy  waiting  blocked  waits for\n");
}

struct Seen {
  int times = 0;
};
SLIPSTREAM_FIELDS(Seen, times)

/// Where the slow function is, there the blame goes; the others take microseconds.
std::string profile_with_slow(const std::string& where) {
  const auto work = [&](const char* here) {
    if (here == where) std::this_thread::sleep_for(5ms);
  };
  std::vector<int> numbers(40);
  std::iota(numbers.begin(), numbers.end(), 0);
  App app;
  app.set("runtime.threads", "4");
  app.tune([](RuntimeConfig& config) { config.batch_max_records = 1; });
  app.source("numbers", from(numbers))
      .map([&](int n) { return work("parse"), n; })
      .named("parse")
      .key_by([](int n) { return n; })
      .process<Seen, int>("count",
                          [&](int n, Seen& seen, ProcessContext<int, int>& context) {
                            work("count");
                            context.emit(n + ++seen.times);
                          })
      .sink([&](int) { work("out"); }, {.name = "out"});
  auto run = app.start();
  EXPECT_EQ(run.status(), absl::OkStatus());
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(end_of(**run), absl::OkStatus());
  return profile_text((*run)->metrics(), std::chrono::steady_clock::now() - started);
}

TEST(Profile, NamesTheNodeThatIsSlow) {
  for (const std::string where : {"parse", "count", "out"})
    EXPECT_THAT(profile_with_slow(where), HasSubstr("'" + where + "' sets the pace\n"));
}

}  // namespace
}  // namespace slipstream::test
