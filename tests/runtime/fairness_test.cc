#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "fakes.h"
#include "runtime/engine.h"
#include "runtime/stepped_executor.h"
#include "waiting.h"

/// A source that always has more must not keep one that has little waiting, though they share lanes, threads
/// and the budget. Counted in turns of lanes, not timed.
namespace slipstream::test {
namespace {

constexpr std::size_t kBudgets[] = {1, 10'000, std::size_t{64} << 20};

struct HotAndSlow {
  App app;
  std::shared_ptr<Journal> journal = std::make_shared<Journal>();
  std::shared_ptr<FakeSource> slow;
  std::atomic<std::int64_t> hot_seen{0}, slow_seen{0};

  HotAndSlow()
      : slow(std::make_shared<FakeSource>(FakeSource::Options{.name = "slow", .finished = false}, journal)) {
    auto hot = app.source(
        "hot", generate([n = 0]() mutable { return std::optional("h" + std::to_string(n++ % 100)); }));
    hot.merge(app.source("slow", decoded(slow, text())))
        .key_by([](const std::string& s) { return s; })
        .count("count")
        .sink([this](const Keyed<std::string, std::int64_t>& k) {
          ++(k.key[0] == 'h' ? hot_seen : slow_seen);
        });
  }
  static RuntimeConfig config(std::size_t budget, int parallelism) {
    RuntimeConfig config;
    config.parallelism = parallelism;
    config.memory_budget = budget;
    config.batch_max_records = 64;
    return config;
  }
};

/// The most turns that one record of the slow source took.
int most_turns(runtime::SteppedExecutor& executor, std::size_t budget, int parallelism) {
  HotAndSlow h;
  runtime::Engine engine(*h.app.graph(), HotAndSlow::config(budget, parallelism), {}, executor);
  EXPECT_TRUE(engine.open().ok());
  engine.start();
  int most = 0;
  for (int record = 0; record < 10; ++record) {
    for (int i = 0; i < 50; ++i) executor.step();  // everything full of hot records again
    h.slow->push("slow " + std::to_string(record));
    int turns = 0;
    for (; h.slow_seen == record && turns < 100'000; ++turns) executor.step();
    most = std::max(most, turns);
  }
  EXPECT_GT(h.hot_seen, 0);
  engine.request_stop();
  while (!executor.is_finished() && (executor.step() || executor.skip_to_next())) {
  }
  EXPECT_TRUE(engine.close().ok());
  return most;
}

class FairnessWithin : public testing::TestWithParam<std::size_t> {};

// Four lanes are passed: source, count, sink, and each runs within so many turns of the others, whoever draws
// them.
TEST_P(FairnessWithin, LetsASlowSourceThroughInABoundedNumberOfTurns) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const int parallelism = 1 + static_cast<int>(seed % 4);
    runtime::SteppedExecutor drawn(seed);
    EXPECT_LE(most_turns(drawn, GetParam(), parallelism), 200) << "seed " << seed;
  }
  runtime::SteppedExecutor in_turn;
  EXPECT_LE(most_turns(in_turn, GetParam(), 4), 100);
}

INSTANTIATE_TEST_SUITE_P(Budgets, FairnessWithin, testing::ValuesIn(kBudgets),
                         [](const auto& info) { return "Bytes" + std::to_string(info.param); });

TEST(Fairness, LetsASlowSourceThroughOnOneThread) {
  for (const std::size_t budget : kBudgets) {
    HotAndSlow h;
    h.app.tune([&](RuntimeConfig& c) {
      c = HotAndSlow::config(budget, 3);
      c.threads = 1;
    });
    auto run = h.app.start();
    ASSERT_TRUE(run.ok()) << run.status();
    for (int record = 0; record < 50; ++record) {
      const std::int64_t before = h.hot_seen;
      ASSERT_TRUE(eventually([&] { return h.hot_seen > before; })) << "the hot one goes on as well";
      h.slow->push("slow " + std::to_string(record));
      ASSERT_TRUE(eventually([&] { return h.slow_seen > record; }))
          << "budget " << budget << ", record " << record << describe((*run)->metrics());
    }
    (*run)->stop();
    EXPECT_TRUE(end_of(**run).ok());
  }
}

// Within a source, partitions without event time take turns.
TEST(Fairness, GivesEveryPartitionOfALaneItsTurn) {
  auto journal = std::make_shared<Journal>();
  auto source = std::make_shared<FakeSource>(
      FakeSource::Options{.name = "in", .partitions = 3, .finished = false}, journal);
  App app;
  std::vector<std::string> seen;
  app.source("in", decoded(source, text())).sink([&](const std::string& s) { seen.push_back(s); });
  for (int i = 0; i < 1'000; ++i) source->push("hot", 0);
  runtime::SteppedExecutor executor(1);
  runtime::Engine engine(*app.graph(), HotAndSlow::config(1, 1), {}, executor);
  ASSERT_TRUE(engine.open().ok());
  engine.start();
  while (seen.size() < 10) executor.step();
  source->push("one", 1);
  source->push("two", 2);
  const std::size_t before = seen.size();
  while (seen.size() < before + 10) executor.step();
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "one"), 1);
  EXPECT_EQ(std::count(seen.begin(), seen.end(), "two"), 1);
  source->finish();
  while (!executor.is_finished() && (executor.step() || executor.skip_to_next())) {
  }
  EXPECT_TRUE(engine.close().ok());
}

}  // namespace
}  // namespace slipstream::test
