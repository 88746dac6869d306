#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "fakes.h"
#include "slipstream/testing.h"

/// What Metrics say of the time of lanes, and of who holds up whom.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

void spend(std::chrono::nanoseconds time) {
  for (const auto end = steady_clock::now() + time; steady_clock::now() < end;) {
  }
}

/// Numbers, counted one by one, on their way to a connector that is full from the start.
struct Jam {
  std::shared_ptr<Journal> journal = std::make_shared<Journal>();
  std::shared_ptr<FakeSource> source =
      std::make_shared<FakeSource>(FakeSource::Options{.name = "in", .finished = false}, journal);
  std::shared_ptr<FakeSink> sink =
      std::make_shared<FakeSink>(FakeSink::Options{.name = "a full connector", .room = 0}, journal);
  App app;
  std::unique_ptr<detail::SimulatedRun> run;

  Jam() {
    app.source("in", decoded(source, text()))
        .key_by(&std::string::size)
        .count("count")
        .map([](const auto& k) { return std::to_string(k.value); })
        .sink(encoded(sink, text()), {.name = "out"});
    RuntimeConfig config;
    config.parallelism = 1;
    config.batch_max_records = 1;
    run = std::make_unique<detail::SimulatedRun>(app.graph(), config, 1, LogHook{});
    EXPECT_EQ(run->open(), absl::OkStatus());
    run->run_until_idle();
  }
  void push_and_run() {
    for (int i = 0; i < 100; ++i) source->push("x");
    run->run_until_idle();
  }
  NodeMetrics node(const std::string& name) const { return *run->metrics().node(name); }
};

TEST(Metrics, NameWhoHoldsUpWhom) {
  Jam jam;
  for (const char* name : {"in", "count", "out"}) EXPECT_EQ(jam.node(name).blocked_by, "") << name;
  jam.push_and_run();
  EXPECT_EQ(jam.node("in").blocked_by, "count");
  EXPECT_EQ(jam.node("count").blocked_by, "out");
  EXPECT_EQ(jam.node("out").blocked_by, "a full connector");
  EXPECT_GT(jam.node("out").queue_bytes, 0u);
  EXPECT_GT(jam.node("count").queue_bytes, 0u);

  jam.sink->make_room(1'000);
  jam.run->run_until_idle();
  EXPECT_EQ(jam.sink->taken(), 100u);
  for (const char* name : {"in", "count", "out"}) {
    EXPECT_EQ(jam.node(name).blocked_by, "") << name;
    EXPECT_EQ(jam.node(name).queue_bytes, 0u) << name;
  }
}

TEST(Metrics, TellWaitingForWorkFromBeingHeldUp) {
  Jam jam;
  spend(20ms);
  jam.push_and_run();
  for (const char* name : {"in", "count", "out"}) {
    EXPECT_GE(jam.node(name).waiting, 20ms) << name;
    EXPECT_LT(jam.node(name).blocked, jam.node(name).waiting) << name;
  }
  const std::chrono::nanoseconds before[] = {jam.node("in").waiting, jam.node("count").waiting,
                                             jam.node("out").waiting};
  spend(20ms);
  jam.sink->make_room(1'000);
  jam.run->run_until_idle();
  int i = 0;
  for (const char* name : {"in", "count", "out"}) {
    EXPECT_GE(jam.node(name).blocked, 20ms) << name;
    EXPECT_LT(jam.node(name).waiting - before[i++], jam.node(name).blocked) << name;
  }
}

TEST(Metrics, ChargeEachNodeOfAChainWithItsOwnTime) {
  App app;
  auto slow = app.source("numbers", from<int>({1, 2, 3})).map([](int n) {
    spend(20ms);
    return n;
  });
  slow.named("slow").map([](int n) { return n; }).named("fast").sink([](int) {}, {.name = "out"});
  TestDriver driver(app);
  ASSERT_EQ(driver.run_to_end(), absl::OkStatus());
  const Metrics m = driver.metrics();
  EXPECT_GE(m.node("slow")->busy, 60ms);
  for (const char* name : {"numbers", "fast", "out"}) EXPECT_LT(m.node(name)->busy, m.node("slow")->busy);
}

}  // namespace
}  // namespace slipstream::test
