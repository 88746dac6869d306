#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "slipstream/app.h"

/// What a wrongly described program is told before it runs. Line numbers are those of this file.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;

struct Row {
  int key = 0;
  EventTime at;
};
SLIPSTREAM_FIELDS(Row, key, at)

Source<Row> no_rows() { return from(std::vector<Row>{}); }
const auto kNothing = [](const auto&) {};
const auto kFirst = [](const Row& l, const Row*) { return l.key; };

std::string complaint(const std::function<void(App&)>& build) {
  App app;
  build(app);
  const absl::Status s = app.run();
  EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument) << s;
  return std::string(s.message());
}

TEST(Mistakes, NothingToRun) {
  EXPECT_EQ(complaint([](App&) {}), "there is nothing to run: no source was added to the App");
}

TEST(Mistakes, NoParallelism) {
  EXPECT_EQ(complaint([](App& app) {
              app.source(no_rows()).sink(kNothing);
              app.tune([](RuntimeConfig& c) { c.parallelism = 0; });
            }),
            "the parallelism must be at least 1");
}

TEST(Mistakes, ACircleOfDependencies) {
  EXPECT_EQ(complaint([](App& app) {
              auto a = app.source("a", no_rows()).event_time(&Row::at);
              auto b = app.source("b", no_rows()).event_time(&Row::at).depends_on(a);
              auto c = app.source("c", no_rows()).event_time(&Row::at).depends_on(b);
              a.depends_on(c);
            }),
            "depends_on() makes a circle: source 'a' would wait for itself");
}

TEST(Mistakes, ADependencyOnItself) {
  EXPECT_EQ(complaint([](App& app) {
              auto a = app.source("a", no_rows()).event_time(&Row::at);
              a.depends_on(a.map([](const Row& r) { return r; }));
            }),
            "depends_on() makes a circle: source 'a' would wait for itself");
}

TEST(Mistakes, DeadLettersNobodyReads) {
  EXPECT_EQ(complaint([](App& app) {
              app.source("rows", no_rows()).on_error(ErrorPolicy::dead_letter()).sink(kNothing);
            }),
            "'rows' diverts records to dead letters, but nothing reads App::dead_letters(); give it a sink");
}

TEST(Mistakes, ConfiguringANodeThatIsNotThere) {
  EXPECT_EQ(complaint([](App& app) {
              app.source("rows", no_rows()).sink(kNothing);
              app.tune([](RuntimeConfig& c) { c.nodes["row"].parallelism = 2; });
            }),
            "the configuration speaks of node 'row', which the program doesn't have");
}

TEST(Mistakes, StreamsOfTwoApps) {
  App other;
  auto stranger = other.source(no_rows()).event_time(&Row::at);
  EXPECT_EQ(complaint([&](App& app) { app.source(no_rows()).merge(stranger).sink(kNothing); }),
            "merge() of streams that belong to different Apps");
  EXPECT_EQ(complaint([&](App& app) { app.source(no_rows()).event_time(&Row::at).depends_on(stranger).sink(kNothing); }),
            "depends_on() of a stream of another App");
  EXPECT_EQ(complaint([&](App& app) {
              app.source(no_rows()).event_time(&Row::at).key_by(&Row::key).as_of_join("join", stranger.key_by(&Row::key), {}, kFirst).sink(kNothing);
            }),
            "join: the right side belongs to another App");
}

TEST(Mistakes, NegativeTimes) {
  EXPECT_EQ(complaint([](App& app) { app.source("rows", no_rows()).event_time(&Row::at, {.max_out_of_orderness = -1s}).sink(kNothing); }),
            "rows: max_out_of_orderness is negative");
  EXPECT_EQ(complaint([](App& app) {
              auto a = app.source("a", no_rows()).event_time(&Row::at);
              app.source("b", no_rows()).event_time(&Row::at).depends_on(a, {.max_lag = -1s}).sink(kNothing);
            }),
            "b: max_lag is negative");
  EXPECT_EQ(complaint([](App& app) {
              auto a = app.source("a", no_rows()).event_time(&Row::at).key_by(&Row::key);
              a.as_of_join("join", a, {.tolerance = -1s}, kFirst).sink(kNothing);
            }),
            "join: the tolerance is negative");
}

TEST(Mistakes, WindowsOfNoSize) {
  for (const Tumbling window : {tumbling(0s), tumbling(-1s), tumbling(1s, -1s), tumbling(1s, 1s)}) {
    EXPECT_EQ(complaint([&](App& app) { app.source(no_rows()).event_time(&Row::at).key_by(&Row::key).window(window).count("counts").sink(kNothing); }),
              "counts: a tumbling window needs size > 0 and 0 <= offset < size");
  }
}

TEST(Mistakes, AreSaidByEveryWayToRun) {
  App started, stepped;
  EXPECT_EQ(started.start().status().message(), "there is nothing to run: no source was added to the App");
  EXPECT_EQ(stepped.start_stepped().status().message(), "there is nothing to run: no source was added to the App");
}

}  // namespace
}  // namespace slipstream::test
