#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include "probe.h"
#include "runtime/engine.h"
#include "slipstream/testing.h"
#include "waiting.h"

/// What holds on the way from one lane to another: order, and watermarks that keep behind the records they
/// speak of.
namespace slipstream::test {
namespace {

struct Tick {
  std::int64_t key = 0;
  EventTime at;
};

constexpr auto time_of(std::int64_t n) { return EventTime(Duration(n)); }

/// One source of ticks in order, n of them in each partition.
Source<Tick> ticks(int partitions, std::int64_t n) {
  std::vector<std::vector<Tick>> all(static_cast<std::size_t>(partitions));
  for (auto& partition : all) {
    for (std::int64_t i = 0; i < n; ++i) partition.push_back({i, time_of(i)});
  }
  return from_partitions(std::move(all));
}

struct LaneView {
  EventTime watermark = kMinTime;
  std::int64_t overtaken = 0;
  std::int64_t went_back = 0;
  std::int64_t records = 0;
  std::int64_t disordered = 0;
  std::map<std::uint32_t, std::int64_t> last_offset;  // by partition
};

class Channels : public testing::TestWithParam<int> {};

// Records come in order, so none may ever be older than a watermark that its lane was told; the runtime
// itself fails the run when a sequence number is missing.
TEST_P(Channels, KeepOrderAndNoWatermarkOvertakesARecord) {
  constexpr int kPartitions = 4;
  constexpr std::int64_t kEach = 100'000;
  const int parallelism = GetParam();
  App app;
  app.tune([&](RuntimeConfig& c) {
    c.parallelism = parallelism;
    c.threads = parallelism;
    c.batch_max_records = 64;
  });
  std::vector<LaneView> lanes(static_cast<std::size_t>(parallelism));
  ProbeHooks<Tick> hooks;
  hooks.on_batch = [&](std::uint32_t lane, const detail::Batch<Tick>& batch) {
    LaneView& view = lanes[lane];
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const RecordId id = batch.ids[i];
      auto [last, is_first] = view.last_offset.emplace(id.partition, -1);
      view.disordered += id.offset <= last->second;
      last->second = id.offset;
      view.overtaken += batch.times[i] < view.watermark;
      ++view.records;
    }
  };
  hooks.on_watermark = [&](std::uint32_t lane, EventTime to) {
    lanes[lane].went_back += to <= lanes[lane].watermark;
    lanes[lane].watermark = to;
  };
  probe(app.source(ticks(kPartitions, kEach)).event_time(&Tick::at), "probe", &Tick::key, hooks)
      .sink([](const Tick&) {});

  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  std::int64_t records = 0;
  for (const LaneView& view : lanes) {
    EXPECT_EQ(view.overtaken, 0);
    EXPECT_EQ(view.went_back, 0);
    EXPECT_EQ(view.disordered, 0);
    EXPECT_EQ(view.watermark, kMaxTime) << "a lane never heard that its input ended";
    records += view.records;
  }
  EXPECT_EQ(records, kPartitions * kEach);
}

INSTANTIATE_TEST_SUITE_P(Parallelism, Channels, testing::Values(1, 2, 8));

TEST(Watermark, ReachesLanesThatGetNoRecords) {
  App app;
  std::vector<EventTime> seen(4, kMinTime);
  ProbeHooks<Tick> hooks;
  hooks.on_watermark = [&](std::uint32_t lane, EventTime to) { seen[lane] = to; };
  auto source = app.source(from(std::vector<Tick>{})).event_time(&Tick::at);
  probe(
      source, "probe", [](const Tick&) { return 1; }, hooks)
      .sink([](const Tick&) {});
  TestDriver driver(app, {.parallelism = 4});
  driver.push(source, {1, time_of(70)});
  ASSERT_TRUE(driver.run().ok());
  for (EventTime lane : seen) EXPECT_EQ(lane, time_of(70));
}

TEST(Watermark, IsTheLeastOfUnfinishedPartitions) {
  App app;
  EventTime seen = kMinTime;
  ProbeHooks<Tick> hooks;
  hooks.on_watermark = [&](std::uint32_t, EventTime to) { seen = to; };
  auto source = app.source(from(std::vector<Tick>{})).event_time(&Tick::at);
  probe(source, "probe", &Tick::key, hooks).sink([](const Tick&) {});
  TestDriver driver(app, {.parallelism = 1, .partitions = 2});
  driver.push(source, {1, time_of(70)}, 0);
  ASSERT_TRUE(driver.run().ok());
  EXPECT_EQ(seen, kMinTime) << "nothing is known of partition 1";
  driver.push(source, {1, time_of(50)}, 1);
  ASSERT_TRUE(driver.run().ok());
  EXPECT_EQ(seen, time_of(50));
  driver.finish(source);
  ASSERT_TRUE(driver.run_to_end().ok());
  EXPECT_EQ(seen, kMaxTime);
}

/// Runs the lanes a test picks, when it picks them.
class PickedExecutor final : public runtime::Executor {
 public:
  void add(runtime::Lane& lane) override { lanes_.push_back(&lane); }
  void schedule(runtime::Lane& lane) override { ready_.insert(&lane); }
  void yield(runtime::Lane& lane) override { ready_.insert(&lane); }
  std::chrono::nanoseconds now() const override { return {}; }
  std::chrono::nanoseconds to_utc() const override { return {}; }
  void call_at(std::chrono::nanoseconds, std::function<void()>) override {}
  void finish() override { finished_ = true; }
  void wait() override {}
  void stop() override {}

  /// Runs the lanes of the node of that name until none of them asks for more.
  void run(std::string_view name) {
    for (bool ran = true; ran;) {
      ran = false;
      for (runtime::Lane* lane : lanes_) {
        if (lane->stage().node->name != name || ready_.erase(lane) == 0) continue;
        lane->run();
        ran = true;
      }
    }
  }
  bool is_finished() const { return finished_; }

 private:
  std::vector<runtime::Lane*> lanes_;
  std::set<runtime::Lane*> ready_;
  bool finished_ = false;
};

class Controls : public testing::Test {
 protected:
  Controls() {
    hooks.on_batch = [this](std::uint32_t, const detail::Batch<Tick>& batch) { records += batch.size(); };
    hooks.on_watermark = [this](std::uint32_t, EventTime to) { told.push_back(to); };
    config.batch_max_records = 1;
    config.parallelism = 1;
  }
  /// Source and probe, and whether a record gets from one to the other.
  void run(std::int64_t n, bool pass) {
    auto source = app.source("source", ticks(1, n)).event_time(&Tick::at);
    probe(source.filter([pass](const Tick&) { return pass; }), "probe", &Tick::key, hooks);
    runtime::Engine engine(*app.graph(), config, nullptr, executor);
    ASSERT_TRUE(engine.open().ok());
    engine.start();
    while (!executor.is_finished()) {
      executor.run("source");
      const std::size_t before = told.size();
      executor.run("probe");
      most_at_once = std::max(most_at_once, told.size() - before);
    }
    EXPECT_TRUE(engine.close().ok());
  }
  App app;
  RuntimeConfig config;
  PickedExecutor executor;
  ProbeHooks<Tick> hooks;
  std::vector<EventTime> told;
  std::size_t records = 0;
  std::size_t most_at_once = 0;
};

TEST_F(Controls, OfALaneThatTakesNothingBecomeOne) {
  run(10'000, false);
  EXPECT_EQ(told, (std::vector<EventTime>{time_of(9'998), kMaxTime}))
      << "the end says all of the last record";
}

TEST_F(Controls, AreNoMoreThanTheBatchesBetweenThem) {
  run(10'000, true);
  EXPECT_EQ(records, 10'000u);
  EXPECT_EQ(told.size(), 10'000u);
  EXPECT_LE(most_at_once, 17u) << "16 batches may be under way to a lane";
}

}  // namespace
}  // namespace slipstream::test
