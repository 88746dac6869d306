#include "runtime/tuner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "fakes.h"
#include "pushed_app.h"
#include "runtime/latencies.h"

/// Whether it finds what is best, within its bounds, and says what it does. A formula with noise stands for
/// the program, except in the last tests.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using runtime::Knobs;
using runtime::Latencies;
using runtime::Measured;
using runtime::Tuner;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::Field;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;
using testing::Not;

constexpr int kIntervals = 600;  // a minute: enough to settle from anywhere

/// A program whose batches cost something each, whose memory suffers from large ones, and whose inputs are at
/// most so many per second.
struct System {
  double cost_of_batch = 40;  ///< in records
  double memory = 200'000;    ///< records of a batch that halve the speed
  double most = 20e6;         ///< records per second
  double offered = 1e12;
  double noise = 0.05;  ///< relative, each way

  double speed(const Knobs& knobs) const {
    const auto batch = static_cast<double>(knobs.batch);
    return std::min(offered, most / (1 + cost_of_batch / batch + batch / memory));
  }
  bool lingers() const { return offered < 1e12; }
  /// What may be under way, and half of the linger where there is one.
  double seconds(const Knobs& knobs) const {
    const double under_way = 50e-6 + 32 * static_cast<double>(knobs.batch) / speed(knobs);
    return under_way + (lingers() ? std::chrono::duration<double>(knobs.linger).count() : 0);
  }
  Measured measure(const Knobs& knobs, std::mt19937_64& random) const {
    std::uniform_real_distribution<double> factor(1 - noise, 1 + noise);
    Measured m;
    m.records_per_second = speed(knobs) * factor(random);
    m.p99 = std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 * seconds(knobs) * factor(random)));
    m.lingers = lingers();
    return m;
  }
};

struct Story {
  Knobs end;
  std::vector<Knobs> used;         ///< in each interval
  std::vector<std::string> texts;  ///< decisions, but for those of the debug level
  std::vector<LogLevel> levels;
};

Story run(const System& system, Tuner& tuner, std::uint64_t seed, int intervals = kIntervals) {
  std::mt19937_64 random(seed);
  Story story;
  for (int i = 0; i < intervals; ++i) {
    story.used.push_back(tuner.knobs());
    const auto decision = tuner.observe(system.measure(tuner.knobs(), random));
    if (!decision || decision->level == LogLevel::debug) continue;
    story.texts.push_back(decision->text);
    story.levels.push_back(decision->level);
  }
  story.end = tuner.knobs();
  return story;
}

TuningConfig config(TuningMode mode, std::optional<Duration> target = {}) {
  TuningConfig c;
  c.mode = mode;
  c.target_p99 = target;
  c.batch = {1, 1 << 20};
  return c;
}

/// Of all powers of two between the bounds, the speed of the best that keeps the target.
double best_speed(const System& system, const TuningConfig& c) {
  double best = 0;
  for (std::size_t batch = c.batch.least; batch <= c.batch.most; batch *= 2) {
    const Knobs knobs{batch, c.linger.least};
    const bool keeps =
        !c.target_p99 || system.seconds(knobs) <= std::chrono::duration<double>(*c.target_p99).count();
    if (keeps) best = std::max(best, system.speed(knobs));
  }
  return best;
}

const Knobs kBadStarts[] = {{1, 0ms}, {1 << 20, 100ms}, {16, 100ms}};

TEST(Tuner, ReachesTheBestThroughputFromBadStarts) {
  const TuningConfig c = config(TuningMode::max_throughput);
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    for (const Knobs& start : kBadStarts) {
      Tuner tuner(c, start);
      const Story story = run({}, tuner, seed);
      EXPECT_TRUE(tuner.is_settled()) << "seed " << seed;
      EXPECT_GE(System{}.speed(story.end), 0.9 * best_speed({}, c))
          << "seed " << seed << " from " << start.batch << " to " << story.end.batch;
    }
  }
}

TEST(Tuner, IsNotFooledByOtherWorkThatEndsMeanwhile) {
  System system{.memory = 2e6, .noise = 0};
  Tuner tuner(config(TuningMode::max_throughput), {4096, 0ms});
  system.most /= 2;
  run(system, tuner, 1, 3);
  ASSERT_EQ(tuner.knobs().batch, 262144u) << "about to be tried";
  system.most *= 2;
  EXPECT_THAT(run(system, tuner, 1).texts, Not(Contains(testing::StartsWith("batches of 262144 records"))));
}

TEST(Tuner, CrossesPlateaus) {
  // Bytes limit a batch, say, so nothing changes from 20,000 records on.
  struct Plateau {
    System system;
    Knobs cut(Knobs knobs) const { return {std::min<std::size_t>(knobs.batch, 20'000), knobs.linger}; }
  } plateau{{.memory = 10'000}};
  Tuner tuner(config(TuningMode::max_throughput), {1 << 20, 0ms});
  std::mt19937_64 random(1);
  for (int i = 0; i < kIntervals; ++i)
    tuner.observe(plateau.system.measure(plateau.cut(tuner.knobs()), random));
  EXPECT_GE(plateau.system.speed(plateau.cut(tuner.knobs())),
            0.9 * best_speed(plateau.system, config(TuningMode::max_throughput)));
}

TEST(Tuner, HoldsTheTargetWithTheMostRecordsItAllows) {
  for (const Duration target : {Duration(1ms), Duration(5ms), Duration(50ms)}) {
    const TuningConfig c = config(TuningMode::target_p99, target);
    const System system{};
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
      for (const Knobs& start : kBadStarts) {
        Tuner tuner(c, start);
        const Story story = run(system, tuner, seed);
        EXPECT_LE(system.seconds(story.end), std::chrono::duration<double>(target).count())
            << "seed " << seed << " from " << start.batch << " to " << story.end.batch;
        EXPECT_GE(system.speed(story.end), 0.75 * best_speed(system, c))
            << "seed " << seed << " from " << start.batch << " to " << story.end.batch;
      }
    }
  }
}

TEST(Tuner, ShortensTheLingerOfATrickleThatIsTooSlow) {
  const System trickle{.offered = 100'000};
  Tuner tuner(config(TuningMode::target_p99, 10ms), {64, 100ms});
  const Story story = run(trickle, tuner, 1);
  EXPECT_LE(story.end.linger, 10ms);
  EXPECT_LE(trickle.seconds(story.end), 0.010);
}

TEST(Tuner, SaysWhenTheTargetIsOutOfReachAndGoesAsNearAsItCan) {
  TuningConfig c = config(TuningMode::target_p99, 100us);
  c.batch = {1024, 65536};
  Tuner tuner(c, {65536, 0ms});
  const Story story = run({}, tuner, 1);
  EXPECT_EQ(story.end.batch, 1024u);
  EXPECT_THAT(story.texts,
              Contains(AllOf(HasSubstr("tuning.target_p99 of 100us can't be held within tuning.batch "
                                       "and tuning.linger; the best there is are batches of 1024 "
                                       "records, linger 0ms: "),
                             HasSubstr("records/s, p99 "))));
  EXPECT_THAT(story.levels, Contains(LogLevel::warning));
}

TEST(Tuner, IsAsFastAsItCanWhereTheP99IsNotOfItsMaking) {
  const TuningConfig c = config(TuningMode::target_p99, 2ms);
  const System system{};
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    Tuner tuner(c, {1, 0ms});
    std::mt19937_64 random(seed);
    for (int i = 0; i < kIntervals; ++i) {
      Measured m = system.measure(tuner.knobs(), random);
      m.p99 = std::max(*m.p99, std::chrono::nanoseconds(20ms + random() % 1000 * 1us));
      tuner.observe(m);
    }
    EXPECT_GE(system.speed(tuner.knobs()), 0.8 * best_speed(system, config(TuningMode::max_throughput)))
        << "seed " << seed << ": " << tuner.knobs().batch;
  }
}

TEST(Tuner, LooksEverMoreRarelyWhileTheTargetIsOutOfReach) {
  TuningConfig c = config(TuningMode::target_p99, 100us);
  c.batch = {1024, 65536};
  Tuner tuner(c, {1024, 0ms});
  const Story story = run({}, tuner, 1, 6000);
  EXPECT_LE(std::count(story.levels.begin(), story.levels.end(), LogLevel::warning), 15) << "in ten minutes";
}

TEST(Tuner, NeverLeavesItsBounds) {
  TuningConfig c = config(TuningMode::max_throughput);
  c.batch = {100, 3000};
  c.linger = {Duration(2ms), Duration(7ms)};
  for (const Knobs& start : kBadStarts) {
    Tuner tuner(c, start);
    const Story story = run({.offered = 1e6, .noise = 0.3}, tuner, 1, 3000);
    EXPECT_THAT(story.used, Each(Field(&Knobs::batch, AllOf(Ge(100u), Le(3000u)))));
    EXPECT_THAT(story.used, Each(Field(&Knobs::linger, AllOf(Ge(Duration(2ms)), Le(Duration(7ms))))));
  }
}

TEST(Tuner, StaysPutWhereItHasSettled) {
  Tuner tuner(config(TuningMode::max_throughput), {1, 0ms});
  run({}, tuner, 1);
  ASSERT_TRUE(tuner.is_settled());
  const Knobs settled = tuner.knobs();
  const Story after = run({}, tuner, 2, 3000);
  EXPECT_THAT(after.used, Each(settled));
  EXPECT_THAT(after.texts, testing::IsEmpty());
}

TEST(Tuner, LooksAgainWhenTheLoadIsAnotherOne) {
  const TuningConfig c = config(TuningMode::max_throughput);
  Tuner tuner(c, {1, 0ms});
  run({}, tuner, 1);
  ASSERT_TRUE(tuner.is_settled());
  const System dearer{.cost_of_batch = 20'000, .memory = 20e6};
  const Story story = run(dearer, tuner, 2);
  EXPECT_THAT(story.texts, Contains(HasSubstr("as the load is another one")));
  EXPECT_GE(dearer.speed(story.end), 0.9 * best_speed(dearer, c));
}

TEST(Tuner, TellsWhatItTookAndWhereItSettled) {
  Tuner tuner(config(TuningMode::max_throughput), {1, 5ms});
  const Story story = run({.noise = 0}, tuner, 1, 200);
  ASSERT_THAT(story.texts, testing::SizeIs(Ge(2u)));
  EXPECT_EQ(
      story.texts.front(),
      "batches of 64 records, linger 5ms: 12.3 M records/s, p99 216us instead of 488 k records/s, p99 116us");
  EXPECT_THAT(story.texts.back(), testing::StartsWith("settled on batches of "));
}

TEST(Tuner, LearnsNothingWhileNothingIsRead) {
  Tuner tuner(config(TuningMode::max_throughput), {64, 5ms});
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(tuner.observe(Measured{}), std::nullopt);
  EXPECT_EQ(tuner.knobs(), (Knobs{64, 5ms}));
}

TEST(Tuner, SaysOnceThatItCannotHoldATargetWithoutLatencies) {
  Tuner tuner(config(TuningMode::target_p99, 5ms), {64, 5ms});
  std::vector<std::string> texts;
  for (int i = 0; i < 1000; ++i) {
    for (const Measured& m : {Measured{1e6, {}, false}, Measured{}}) {
      if (const auto decision = tuner.observe(m)) texts.push_back(decision->text);
    }
  }
  EXPECT_THAT(texts, testing::ElementsAre(HasSubstr("none reaches the end of its way")));
}

TEST(Latencies, AreNeverToldTooShortAndAtMostAnEighthTooLong) {
  for (std::int64_t us = 1; us < 1'000'000'000; us += 1 + us / 100) {
    const auto edge = Latencies::upper_edge(Latencies::bucket_of(std::chrono::microseconds(us))).count();
    EXPECT_GT(edge, 1000 * us);
    EXPECT_LE(edge, 1000 * (us + std::max<std::int64_t>(1, us / 8)));
  }
}

TEST(Latencies, QuantilesCountRecordsNotBatches) {
  Latencies latencies;
  latencies.add(20us, 98);
  latencies.add(3ms, 2);
  Latencies::Counts counts{};
  EXPECT_EQ(Latencies::quantile(counts, 0.99), 0ns);
  latencies.add_to(counts);
  EXPECT_EQ(Latencies::quantile(counts, 0.5), 22us);
  EXPECT_EQ(Latencies::quantile(counts, 0.99), 3072us);
}

struct TunedApp : PushedApp {
  absl::Status open(const TuningConfig& tuning) {
    RuntimeConfig config;
    config.batch_max_records = 1'000'000;
    config.tuning = tuning;
    return PushedApp::open(config);
  }
  /// As many records in each interval as fit into it: `speed` of the largest batch that was used in the last.
  void push_for(int intervals, const std::function<int(std::size_t)>& speed) {
    std::size_t largest = 1;
    for (int i = 0; i < intervals; ++i) {
      for (int n = speed(largest); n > 0; --n) source->push("x");
      run->advance_time(100ms);
      largest = sizes.empty() ? 1 : *std::max_element(sizes.begin(), sizes.end());
      if (i + 1 < intervals) sizes.clear();
    }
  }
};

TEST(Tuning, DecisionsReachTheLanesAndTheLog) {
  TuningConfig tuning = config(TuningMode::max_throughput);
  tuning.batch = {1, 128};
  TunedApp t;
  ASSERT_EQ(t.open(tuning), absl::OkStatus());
  EXPECT_THAT(t.log, testing::IsEmpty());
  // Small batches are faster in this program.
  t.push_for(120, [](std::size_t largest) { return 2000 / static_cast<int>(largest + 9); });
  ASSERT_THAT(t.log, Contains(testing::StartsWith(
                         "tuning: batches of 2 records, linger 5ms: 1.81 k records/s, p99 1us instead of ")));
  EXPECT_EQ(t.log.back(), "tuning: settled on batches of 1 records, linger 5ms: 2 k records/s, p99 1us");
  EXPECT_THAT(t.sizes, Each(1u));
}

/// A record every 50 ms in front of a sink that takes one every 50 ms, 40 ms later, so that there is always
/// one under way and the next lingers.
struct TunedTrickle {
  std::shared_ptr<Journal> journal = std::make_shared<Journal>();
  std::shared_ptr<FakeSource> source =
      std::make_shared<FakeSource>(FakeSource::Options{.finished = false}, journal);
  std::shared_ptr<FakeSink> sink =
      std::make_shared<FakeSink>(FakeSink::Options{.name = "out", .room = 0}, journal);
  App app;
  std::vector<std::string> log;
  std::unique_ptr<detail::SimulatedRun> run;
  std::int64_t pushed = 0;

  TunedTrickle() {
    app.source(decoded(source, text())).sink(encoded(sink, text()));
    RuntimeConfig c;
    c.linger = 100ms;
    c.tuning = config(TuningMode::target_p99, 1ms);
    c.tuning.batch = {1, 1};
    run = std::make_unique<detail::SimulatedRun>(
        app.graph(), c, 1,
        [this](LogLevel, std::string_view, std::string_view message) { log.emplace_back(message); });
    EXPECT_EQ(run->open(), absl::OkStatus());
    push();
  }
  void push() {
    source->push("x");
    ++pushed;
    run->run_until_idle();
  }
  /// How often a record was read before the sink had taken the one before it.
  int cycles(int n) {
    int early = 0;
    for (int i = 0; i < n; ++i) {
      push();
      run->advance_time(40ms);
      early += source->read_so_far() == pushed ? 1 : 0;
      sink->make_room(1);
      run->run_until_idle();
      run->advance_time(10ms);
    }
    return early;
  }
};

TEST(Tuning, ATimeInWhichARecordLingersIsAPartOfItsWay) {
  TunedTrickle t;
  t.cycles(20);
  ASSERT_THAT(t.log, Not(testing::IsEmpty()));
  EXPECT_THAT(t.log.front(), HasSubstr("p99 90.1ms with batches of 1 records, linger 100ms"))
      << "40 ms until it was read, 50 until it was taken";
}

TEST(Tuning, LanesLingerAsTheTunerWants) {
  TunedTrickle t;
  EXPECT_EQ(t.cycles(6), 0);
  EXPECT_GT(t.cycles(20), 0) << "with 100 ms / 64";
}

TEST(Tuning, IsOffByDefault) {
  EXPECT_EQ(RuntimeConfig().tuning.mode, TuningMode::off);
  TunedApp t;
  ASSERT_EQ(t.open({}), absl::OkStatus());
  t.push_for(120, [](std::size_t) { return 600; });
  EXPECT_THAT(t.log, testing::IsEmpty());
  EXPECT_THAT(t.sizes, Contains(344u)) << "600 - 256: as before";
}

TEST(Tuning, TargetNeedsATarget) {
  TunedApp t;
  EXPECT_EQ(t.open(config(TuningMode::target_p99)),
            absl::InvalidArgumentError("tuning.mode = \"target_p99\" needs a target: say tuning.target_p99 = "
                                       "\"5ms\" or how long it may be"));
}

}  // namespace
}  // namespace slipstream::test
