#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "fakes.h"
#include "slipstream/async_source.h"
#include "slipstream/handler.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"
#include "slipstream/testing.h"
#include "waiting.h"

/// Going back and forth in a running source, and pausing its partitions one by one.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<int> numbers(int from, int to) {
  std::vector<int> all;
  for (int i = from; i < to; ++i) all.push_back(i);
  return all;
}
std::vector<int> operator+(std::vector<int> a, const std::vector<int>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

RuntimeConfig small_batches(std::uint64_t seed) {
  RuntimeConfig config;
  config.parallelism = 1 + static_cast<int>(seed % 4);
  config.batch_max_records = std::size_t{1} << (seed % 13);
  if (seed % 3 == 0) config.memory_budget = 1;
  return config;
}

/// Runs the App in virtual time.
struct Simulated {
  explicit Simulated(App& app, RuntimeConfig config = {}, std::uint64_t seed = 1)
      : run(app.graph(), std::move(config), seed, LogHook{}) {
    EXPECT_TRUE(run.open().ok()) << run.status();
    run.run_until_idle();
  }
  const PartitionMetrics& partition(std::size_t p) {
    metrics = run.metrics();
    return metrics.partitions[p];
  }
  detail::SimulatedRun run;
  Metrics metrics;
};

void expect_all_accounted_for(const Metrics& metrics) {
  for (const NodeMetrics& n : metrics.nodes) {
    EXPECT_EQ(n.in, n.forwarded + n.absorbed + n.filtered + n.late + n.skipped + n.dead_lettered + n.held)
        << n.name;
  }
}

// ---------------------------------------------------------------- where it goes on

/// A handler that seeks once, when it gets 5.
std::vector<int> sought_at_five(std::int64_t offset, std::uint64_t seed) {
  App app;
  auto source = app.source("numbers", from(numbers(0, 10)));
  std::vector<int> out;
  bool sought = false;
  app.on(source).handle([&](int n) {
    out.push_back(n);
    if (n != 5 || std::exchange(sought, true)) return;
    EXPECT_EQ(source.seek(offset), absl::OkStatus());
  });
  Simulated s(app, small_batches(seed), seed);
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_TRUE(s.run.status().ok()) << s.run.status();
  expect_all_accounted_for(s.run.metrics());
  return out;
}

TEST(Seek, TakesEffectBeforeTheNextMessage) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    EXPECT_EQ(sought_at_five(2, seed), numbers(0, 6) + numbers(2, 10));
    EXPECT_EQ(sought_at_five(6, seed), numbers(0, 10));
    EXPECT_EQ(sought_at_five(8, seed), numbers(0, 6) + numbers(8, 10));
    EXPECT_EQ(sought_at_five(10, seed), numbers(0, 6));
    EXPECT_EQ(sought_at_five(kBeginning, seed), numbers(0, 6) + numbers(0, 10));
    EXPECT_EQ(sought_at_five(kEnd, seed), numbers(0, 6));
  }
}

TEST(Seek, IsTheLastOneWhenThereAreSeveralAtOnce) {
  App app;
  auto source = app.source(from(numbers(0, 10)));
  std::vector<int> out;
  bool sought = false;
  app.on(source).handle([&](int n) {
    out.push_back(n);
    if (n != 5 || std::exchange(sought, true)) return;
    for (const std::int64_t offset : {0, 9, 3}) EXPECT_TRUE(source.seek(offset).ok());
  });
  Simulated s(app);
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_EQ(out, numbers(0, 6) + numbers(3, 10));
}

TEST(Seek, OfOnePartitionLeavesTheOthersAlone) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    App app;
    auto source = app.source(from_partitions<int>({numbers(0, 10), numbers(100, 110)}));
    std::vector<int> first, second;
    bool sought = false;
    app.on(source).handle([&](int n) {
      (n < 100 ? first : second).push_back(n);
      if (n == 5 && !std::exchange(sought, true)) {
        EXPECT_TRUE(source.seek({{0, 1}}).ok());
      }
    });
    Simulated s(app, small_batches(seed), seed);
    EXPECT_TRUE(s.run.run_to_end());
    EXPECT_EQ(first, numbers(0, 6) + numbers(1, 10)) << "seed " << seed;
    EXPECT_EQ(second, numbers(100, 110)) << "seed " << seed;
  }
}

TEST(Seek, ReadsAFinishedPartitionAgainWhileHandlersHaveSomethingOfTheSource) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    App app;
    auto source = app.source(from_partitions<int>({numbers(0, 3), numbers(100, 103)}));
    std::vector<int> first;
    std::size_t messages = 0;
    app.on(source).handle([&](int n) {
      if (n < 100) first.push_back(n);
      if (++messages == 6) {  // the last of both partitions
        EXPECT_TRUE(source.seek({{0, kBeginning}}).ok());
      }
    });
    Simulated s(app, small_batches(seed), seed);
    EXPECT_TRUE(s.run.run_to_end());
    EXPECT_EQ(first, numbers(0, 3) + numbers(0, 3)) << "seed " << seed;
  }
}

TEST(Seek, DropsWhatAPauseHolds) {
  App app;
  auto source = app.source(from(numbers(0, 10)));
  std::vector<int> out;
  app.on(source)
      .handle([&](int n) {
        out.push_back(n);
        if (n == 3 && out.size() == 4) source.pause();
      })
      .named("it");
  Simulated s(app);
  EXPECT_EQ(s.run.metrics().node("it")->held, 6u);
  EXPECT_TRUE(source.seek(1).ok());
  s.run.run_until_idle();
  EXPECT_EQ(s.run.metrics().node("it")->held, 0u);
  EXPECT_EQ(s.partition(0).next_offset, 1);
  source.resume();
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_EQ(out, numbers(0, 4) + numbers(1, 10));
  EXPECT_EQ(s.run.metrics().node("it")->filtered, 6u);
  expect_all_accounted_for(s.run.metrics());
}

TEST(Seek, MarksWhatIsReadAgainAsLate) {
  App app;
  auto source = app.source("numbers", from_partitions<int>({numbers(0, 10), {20}})).event_time([](int n) {
    return EventTime(Duration(1s) * n);
  });
  std::vector<int> out;
  int messages = 0;
  app.on(source).handle([&](int n) {
    out.push_back(n);
    if (++messages == 11) {
      EXPECT_TRUE(source.seek({{0, 5}}).ok());
    }
  });
  RuntimeConfig config;
  config.parallelism = 2;
  Simulated s(app, config);
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_TRUE(s.run.status().ok()) << s.run.status();
  EXPECT_EQ(out.size(), 16u);
}

TEST(Seek, LetsStatelessStreamsFinishWhatTheyHave) {
  App app;
  auto source = app.source(from(numbers(0, 10)));
  std::vector<int> handled, sunk;
  bool sought = false;
  source.map([](int n) { return n; }).sink([&](int n) { sunk.push_back(n); });
  app.on(source).handle([&](int n) {
    handled.push_back(n);
    if (n == 5 && !std::exchange(sought, true)) {
      EXPECT_TRUE(source.seek(8).ok());
    }
  });
  Simulated s(app);
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_EQ(handled, numbers(0, 6) + numbers(8, 10));
  EXPECT_EQ(sunk, numbers(0, 10) + numbers(8, 10));
}

TEST(Seek, WaitsForASourceThatHasToAskFirst) {
  App app;
  std::optional<std::int64_t> answer;
  auto fake = std::make_shared<FakeSource>(
      FakeSource::Options{.finished = false, .on_seek = [&](int, std::int64_t) { return answer; }},
      std::make_shared<Journal>());
  for (const char* m : {"a", "b", "c"}) fake->push(m);
  auto source = app.source(decoded(fake, text()));
  std::vector<std::string> out;
  app.on(source).handle([&](const std::string& m) { out.push_back(m); });
  Simulated s(app);
  EXPECT_TRUE(source.seek(kBeginning).ok());
  s.run.run_until_idle();
  fake->push("d");
  s.run.run_until_idle();
  EXPECT_THAT(out, ElementsAre("a", "b", "c")) << "it isn't known where to go on";
  answer = 1;
  fake->env().wake();
  s.run.run_until_idle();
  EXPECT_THAT(out, ElementsAre("a", "b", "c", "b", "c", "d"));
}

// ---------------------------------------------------------------- commits

TEST(Seek, TakesCommittedOffsetsBackToo) {
  App app;
  auto journal = std::make_shared<Journal>();
  bool known = false;
  auto fake = std::make_shared<FakeSource>(
      FakeSource::Options{.name = "in",
                          .commits = true,
                          .finished = false,
                          .on_seek = [&](int, std::int64_t offset) -> std::optional<std::int64_t> {
                            return known ? std::optional(offset) : std::nullopt;
                          }},
      journal);
  for (int i = 0; i < 10; ++i) fake->push(std::to_string(i));
  auto source = app.source(decoded(fake, text()));
  app.on(source).handle([](const std::string&) {});
  RuntimeConfig config;
  config.commit_interval = 1s;
  Simulated s(app, config);
  s.run.advance_time(1500ms);
  EXPECT_EQ(journal->count("in commit 0:10"), 1u);
  EXPECT_TRUE(source.seek(3).ok());
  s.run.advance_time(1s);
  EXPECT_EQ(journal->count("in commit 0:10"), 1u) << "beyond where it is to go on";
  EXPECT_EQ(journal->count("in commit 0:3"), 1u);
  EXPECT_TRUE(source.seek(0).ok());
  known = true;
  source.pause();
  fake->env().wake();
  s.run.advance_time(1s);
  EXPECT_EQ(journal->count("in commit 0:0"), 1u);
}

// ---------------------------------------------------------------- what can't be

absl::Status seek_error(const std::function<absl::Status(const SourceStream<int>&)>& seek, Source<int> from) {
  App app;
  auto source = app.source("numbers", from);
  absl::Status status;
  bool asked = false;
  app.on(source).handle([&](int) {
    if (!std::exchange(asked, true)) status = seek(source);
  });
  const Ended end = run_to_end(app);
  EXPECT_TRUE(end.status.ok()) << end.status;
  return status;
}

TEST(Seek, SaysWhatIsWrongWithAnOffsetOrAPartition) {
  const auto two = [] { return from_partitions<int>({{1}, {2}}); };
  EXPECT_EQ(seek_error([](const auto& s) { return s.seek(-3); }, two()),
            absl::InvalidArgumentError("numbers partition 0: there is no offset -3; give one from 0 on, "
                                       "kBeginning (-2) or kEnd (-1)"));
  EXPECT_EQ(seek_error(
                [](const auto& s) {
                  return s.seek({{0, 0}, {7, 0}});
                },
                two()),
            absl::InvalidArgumentError("numbers has no partition 7 to seek in; it has 2"));
  EXPECT_EQ(seek_error(
                [](const auto& s) {
                  return s.seek({{-1, 0}});
                },
                two()),
            absl::InvalidArgumentError("numbers has no partition -1 to seek in; it has 2"));
  EXPECT_EQ(seek_error([](const auto& s) { return s.seek({}); }, two()), absl::OkStatus());
}

TEST(Seek, NeedsASourceThatCanReadAgain) {
  EXPECT_EQ(seek_error([](const auto& s) { return s.seek(0); },
                       generate([n = 0]() mutable { return n < 3 ? std::optional(n++) : std::nullopt; })),
            absl::UnimplementedError("numbers can't be sought: what it has had it can't read again"));
}

TEST(Seek, NeedsARunAndASourceThatHasNotEnded) {
  App app;
  auto source = app.source("numbers", from(numbers(0, 3)));
  app.on(source).handle([](int) {});
  EXPECT_EQ(source.seek(0), absl::FailedPreconditionError("a source can be sought only while it runs; where "
                                                          "it starts is said where it is made"));
  app.on(from(std::vector<int>{1})).handle([](int) {});
  auto endless = app.source("endless", from<int>({1}));
  app.on(endless).handle([](int) {});
  endless.pause();
  Simulated s(app);
  EXPECT_EQ(source.seek(0),
            absl::FailedPreconditionError("numbers partition 0 has ended: all of it was read and handled"));
  EXPECT_EQ(endless.seek({}), absl::OkStatus()) << "none of its partitions";
  endless.stop();
  EXPECT_EQ(endless.seek(0), absl::FailedPreconditionError("endless was stopped: nothing can be sought"));
  EXPECT_TRUE(s.run.run_to_end());
}

TEST(Seek, IsRefusedInFrontOfKeyedState) {
  App app;
  auto source = app.source("numbers", from(numbers(0, 3)));
  source.key_by([](int n) { return n; }).count("count").sink([](const auto&) {});
  absl::Status status;
  app.on(source).handle([&](int) { status = source.seek(0); });
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_EQ(status,
            absl::UnimplementedError(
                "numbers can't be sought: 'count' behind it keeps state, which its records are part of "
                "already"));
}

TEST(Seek, ToAnOffsetThatIsNotThereEndsTheRun) {
  App app;
  auto source = app.source("numbers", from(numbers(0, 3)));
  app.on(source).handle([&](int) { (void)source.seek(4); });
  EXPECT_EQ(run_to_end(app).status,
            absl::OutOfRangeError("numbers: in-memory records partition 0: the sought offset 4 is outside of "
                                  "what there is, 0 to 3"));
}

// ---------------------------------------------------------------- partitions paused one by one

TEST(PausePartition, HoldsOnlyItsRecords) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    App app;
    auto source = app.source("numbers", from_partitions<int>({numbers(0, 10), numbers(100, 110)}));
    std::vector<int> first, second;
    app.on(source)
        .handle([&](int n) {
          (n < 100 ? first : second).push_back(n);
          if (n == 3) source.pause("break", 0);
        })
        .named("it");
    Simulated s(app, small_batches(seed), seed);
    EXPECT_FALSE(s.run.run_to_end());
    EXPECT_EQ(first, numbers(0, 4));
    EXPECT_EQ(second, numbers(100, 110));
    if (s.partition(0).state == "active") {
      EXPECT_THAT(s.partition(0).gates, ElementsAre("break"));
    }
    EXPECT_THAT(s.partition(1).gates, IsEmpty());
    source.resume("break");
    EXPECT_FALSE(s.run.run_to_end()) << "a reason of the whole source is another one";
    source.resume("break", 0);
    EXPECT_TRUE(s.run.run_to_end());
    EXPECT_EQ(first, numbers(0, 10));
    expect_all_accounted_for(s.run.metrics());
  }
}

TEST(PausePartition, ShowsItsReasonsBesideTheSources) {
  App app;
  auto source = app.source(from_partitions<int>({numbers(0, 10), numbers(100, 110)}));
  app.on(source).handle([](int) {});
  source.pause("all");
  source.pause("one", 1);
  source.pause("all", 1);
  Simulated s(app);
  EXPECT_THAT(s.partition(0).gates, ElementsAre("all"));
  EXPECT_THAT(s.partition(1).gates, ElementsAre("all", "one"));
  source.resume("all");
  s.run.run_until_idle();
  EXPECT_THAT(s.partition(0).gates, IsEmpty());
  EXPECT_THAT(s.partition(1).gates, ElementsAre("one", "all"));
  EXPECT_EQ(s.partition(1).records, 0u) << "what is paused at the start isn't read";
  source.resume("one", 1);
  source.resume("all", 1);
  EXPECT_TRUE(s.run.run_to_end());
}

/// Pauses, resumes and seeks at random from within the handler, and checks each message against what may come
/// next of its partition.
TEST(PausePartition, AndSeekKeepEveryPartitionsOrder) {
  constexpr int kPartitions = 5, kLength = 60;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    App app;
    std::vector<std::vector<int>> records;
    for (int p = 0; p < kPartitions; ++p) records.push_back(numbers(p * 1000, p * 1000 + kLength));
    auto source = app.source("numbers", from_partitions(records));
    std::map<int, int> next;
    std::map<int, bool> paused;
    int seeks = 0;
    bool all_paused = false;
    app.on(source).handle([&](int n) {
      const int p = n / 1000, at = n % 1000;
      EXPECT_EQ(at, next[p]) << "partition " << p;
      EXPECT_FALSE(paused[p] || all_paused) << "partition " << p;
      next[p] = at + 1;
      const int other = static_cast<int>(random() % kPartitions);
      switch (random() % 12) {
        case 0:
        case 1:
          source.pause("test", other);
          paused[other] = true;
          break;
        case 2:
          source.resume("test", other);
          paused[other] = false;
          break;
        case 3:
          if (++seeks > 20) break;
          next[other] = static_cast<int>(random() % kLength);
          EXPECT_TRUE(source.seek({{other, next[other]}}).ok());
          break;
        case 4:
          source.pause("all");
          all_paused = true;
          break;
        default:
          break;
      }
    });
    Simulated s(app, small_batches(random()), seed);
    while (!s.run.run_to_end()) {
      all_paused = false;
      paused.clear();
      source.resume("all");
      for (int p = 0; p < kPartitions; ++p) source.resume("test", p);
    }
    EXPECT_TRUE(s.run.status().ok()) << s.run.status();
    for (int p = 0; p < kPartitions; ++p) EXPECT_EQ(next[p], kLength) << "partition " << p;
    expect_all_accounted_for(s.run.metrics());
    if (HasFailure()) break;
  }
}

/// Real threads; for the sanitizers, too.
TEST(Seek, FromAnotherThreadLosesAndDoublesNothing) {
  App app;
  auto source =
      app.source("numbers", from_partitions<int>({numbers(0, 2000), numbers(0, 2000), numbers(0, 10)}));
  source.pause("keeps the source open", 2);
  std::atomic<int> handled{0};
  std::map<std::uint32_t, int> next;
  int wrong = 0;
  app.on(source).handle([&](int n, const HandlerContext& c) {
    int& expected = next[c.record.id.partition];
    if (n != expected && n != 7) ++wrong;
    expected = n + 1;
    ++handled;
  });
  app.tune([](RuntimeConfig& c) { c.parallelism = c.threads = 4; });
  auto run = app.start();
  ASSERT_TRUE(run.ok()) << run.status();
  for (int i = 0; i < 100; ++i) {
    const int before = handled;
    ASSERT_EQ(source.seek(7), absl::OkStatus());
    ASSERT_TRUE(eventually([&] { return handled > before; }));
  }
  source.resume("keeps the source open", 2);
  EXPECT_TRUE(end_of(**run).ok());
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(next[0], 2000);
  EXPECT_EQ(next[1], 2000);
}

}  // namespace
}  // namespace slipstream::test
