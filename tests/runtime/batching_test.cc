#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "fakes.h"
#include "pushed_app.h"

/// How much a source lane reads at a time: little at first, much under load, and a trickle when it is idle.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

TEST(Batches, GrowUnderLoadUpToTheLimitAndBeginSmallAgain) {
  PushedApp app;
  RuntimeConfig config;
  config.batch_max_records = 1'000;
  ASSERT_EQ(app.open(config), absl::OkStatus());
  app.run->run_until_idle();
  const auto push = [&](int n) {
    for (int i = 0; i < n; ++i) app.source->push("x");
    app.run->run_until_idle();
    return std::exchange(app.sizes, {});
  };
  EXPECT_THAT(push(3'000), ElementsAre(256, 512, 1'000, 1'000, 232));
  EXPECT_THAT(push(1), ElementsAre(1));
  EXPECT_THAT(push(1'000), ElementsAre(256, 512, 232));
}

/// A source that trickles in front of a sink that is full.
struct Trickle {
  std::shared_ptr<Journal> journal = std::make_shared<Journal>();
  std::shared_ptr<FakeSource> source =
      std::make_shared<FakeSource>(FakeSource::Options{.finished = false}, journal);
  std::shared_ptr<FakeSink> sink =
      std::make_shared<FakeSink>(FakeSink::Options{.name = "out", .room = 1}, journal);
  App app;
  std::unique_ptr<detail::SimulatedRun> run;

  Trickle() {
    app.source(decoded(source, text())).sink(encoded(sink, text()));
    RuntimeConfig config;
    config.linger = 20ms;
    run = std::make_unique<detail::SimulatedRun>(app.graph(), config, 1, LogHook{});
    EXPECT_EQ(run->open(), absl::OkStatus());
    run->run_until_idle();
  }
  std::int64_t push(const std::string& value) {
    source->push(value);
    run->run_until_idle();
    return source->read_so_far();
  }
};

TEST(Linger, LetsRecordsWaitForCompanyOnlyWhileTheLanesBehindAreBusy) {
  Trickle t;
  EXPECT_EQ(t.push("taken at once"), 1);
  EXPECT_EQ(t.push("read at once, as nothing is under way"), 2);
  EXPECT_EQ(t.push("waits"), 2);
  t.run->advance_time(19ms);
  EXPECT_EQ(t.push("waits, too"), 2);
  t.run->advance_time(1ms);
  EXPECT_EQ(t.source->read_so_far(), 4) << "20 ms after the last read";
}

TEST(Linger, EndsWhenTheLanesBehindAreIdle) {
  Trickle t;
  t.push("taken at once");
  t.push("is under way");
  EXPECT_EQ(t.push("waits"), 2);
  t.sink->make_room(2);
  t.run->run_until_idle();
  EXPECT_EQ(t.source->read_so_far(), 3);
  EXPECT_EQ(t.sink->taken(), 3u);
}

}  // namespace
}  // namespace slipstream::test
