#include <dirent.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "probe.h"
#include "slipstream/handler.h"
#include "waiting.h"

/// Lanes: one thread in each, several at once, and nothing left of them afterwards.
namespace slipstream::test {
namespace {

Source<int> numbers(int partitions, int n) {
  std::vector<std::vector<int>> all(static_cast<std::size_t>(partitions));
  for (int i = 0; i < n; ++i) all[static_cast<std::size_t>(i % partitions)].push_back(i);
  return from_partitions(std::move(all));
}

TEST(Lanes, OfOneNodeRunAtTheSameTime) {
  App app;
  app.tune([](RuntimeConfig& c) { c.parallelism = c.threads = 2; });
  Meeting meeting(2);
  std::atomic<int> failures{0};
  std::atomic<bool> been[2] = {};
  ProbeHooks<int> hooks;
  hooks.on_batch = [&](std::uint32_t lane, const auto&) {
    if (!been[lane].exchange(true) && !meeting.arrive_and_wait()) ++failures;
  };
  probe(
      app.source(numbers(1, 1000)), "probe", [](int i) { return i; }, hooks)
      .sink([](int) {});
  const Ended end = run_to_end(app);
  EXPECT_TRUE(end.status.ok()) << end.status;
  EXPECT_TRUE(been[0] && been[1]);
  EXPECT_EQ(failures, 0) << "two lanes never were in their functions together";
}

TEST(Lanes, HaveOneThreadAtATime) {
  constexpr int kLanes = 8;
  App app;
  app.tune([](RuntimeConfig& c) {
    c.parallelism = kLanes;
    c.threads = 8;
    c.batch_max_records = 16;
  });
  std::atomic<bool> inside[kLanes] = {};
  std::atomic<int> intruders{0};
  std::atomic<int> records{0};
  ProbeHooks<int> hooks;
  hooks.on_batch = [&](std::uint32_t lane, const detail::Batch<int>& batch) {
    if (inside[lane].exchange(true)) ++intruders;
    records += static_cast<int>(batch.size());
    std::this_thread::yield();
    if (!inside[lane].exchange(false)) ++intruders;
  };
  probe(
      app.source(numbers(8, 200'000)), "probe", [](int i) { return i; }, hooks)
      .sink([](int) {});
  const Ended end = run_to_end(app);
  EXPECT_TRUE(end.status.ok()) << end.status;
  EXPECT_EQ(intruders, 0);
  EXPECT_EQ(records, 200'000);
}

TEST(Lanes, OwnTheirKeysAlone) {
  constexpr int kLanes = 4;
  App app;
  app.tune([](RuntimeConfig& c) { c.parallelism = c.threads = kLanes; });
  std::set<int> keys[kLanes];
  ProbeHooks<int> hooks;
  hooks.on_batch = [&](std::uint32_t lane, const detail::Batch<int>& batch) {
    for (int i : batch.values) keys[lane].insert(i % 1000);
  };
  probe(
      app.source(numbers(4, 50'000)), "probe", [](int i) { return i % 1000; }, hooks)
      .sink([](int) {});
  ASSERT_TRUE(run_to_end(app).status.ok());
  std::set<int> all;
  std::size_t sum = 0;
  for (const auto& lane : keys) {
    EXPECT_FALSE(lane.empty());
    all.insert(lane.begin(), lane.end());
    sum += lane.size();
  }
  EXPECT_EQ(all.size(), 1000u);
  EXPECT_EQ(sum, 1000u) << "a key was seen in two lanes";
}

TEST(Lanes, RunOnOneThreadToo) {
  App app;
  app.tune([](RuntimeConfig& c) {
    c.parallelism = 3;
    c.threads = 1;
  });
  std::int64_t sum = 0;
  app.source(numbers(3, 30'000))
      .key_by([](int i) { return i % 7; })
      .count("count")
      .sink([&](const Keyed<int, std::int64_t>&) { ++sum; });
  const Ended end = run_to_end(app);
  EXPECT_TRUE(end.status.ok()) << end.status;
  EXPECT_EQ(sum, 30'000);
}

TEST(Apps, RunSideBySide) {
  constexpr int kApps = 4;
  // All are in the middle of their run at once.
  Meeting meeting(kApps);
  std::atomic<int> failures{0};
  std::vector<std::unique_ptr<App>> apps;
  std::vector<std::unique_ptr<slipstream::Run>> runs;
  std::vector<int> sums(kApps);
  for (int a = 0; a < kApps; ++a) {
    apps.push_back(std::make_unique<App>());
    apps.back()->tune([](RuntimeConfig& c) { c.parallelism = c.threads = 2; });
    apps.back()
        ->source(numbers(2, 10'000))
        .key_by([](int i) { return i; })
        .count("count")
        .sink(
            [&, a](const Keyed<int, std::int64_t>&) {
              if (++sums[static_cast<std::size_t>(a)] == 5'000 && !meeting.arrive_and_wait()) ++failures;
            },
            {.blocking = true});
    auto run = apps.back()->start();
    ASSERT_TRUE(run.ok()) << run.status();
    runs.push_back(*std::move(run));
  }
  for (auto& run : runs) EXPECT_TRUE(end_of(*run).ok());
  EXPECT_EQ(sums, std::vector<int>(kApps, 10'000));
  EXPECT_EQ(failures, 0);
}

std::size_t count_entries(const char* folder) {
  DIR* dir = opendir(folder);
  std::size_t n = 0;
  while (readdir(dir)) ++n;
  closedir(dir);
  return n;
}
std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  statm >> total >> resident;
  return resident * 4096;
}

void run_small_app(int i) {
  App app;
  app.tune([](RuntimeConfig& c) { c.parallelism = c.threads = 2; });
  std::atomic<int> seen{0};
  auto counts = app.source(numbers(2, 2'000)).key_by([](int n) { return n % 10; }).count("count");
  counts.sink([&](const Keyed<int, std::int64_t>&) { ++seen; });
  counts.sink([&](const Keyed<int, std::int64_t>&) { ++seen; }, {.blocking = true});
  auto run = app.start();
  ASSERT_TRUE(run.ok()) << run.status();
  if (i % 2 == 0) {
    ASSERT_TRUE(end_of(**run).ok());
    ASSERT_EQ(seen, 4'000);
  }  // else it is destroyed while it runs
}

TEST(Apps, LeaveNothingBehind) {
  for (int i = 0; i < 20; ++i) run_small_app(i);  // what is made once: TBB's threads, the allocator's arenas
  const std::size_t threads = count_entries("/proc/self/task");
  const std::size_t files = count_entries("/proc/self/fd");
  const std::size_t bytes = resident_bytes();
  for (int i = 0; i < 100; ++i) run_small_app(i);
  EXPECT_LE(count_entries("/proc/self/task"), threads);
  EXPECT_LE(count_entries("/proc/self/fd"), files);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they keep freed memory for a while
  EXPECT_LE(resident_bytes(), bytes + (4u << 20));
#else
  EXPECT_GT(bytes, 0u);
#endif
}

/// `token` in all that users give to an App, beside a stream of the App's own.
void describe(App& app, const std::shared_ptr<std::atomic<int>>& token) {
  const auto source = app.source(numbers(1, 10));
  app.on(source).handle([source, token](int n) {
    if (n == 3) source.pause("a moment");
    source.resume("a moment");
    ++*token;
  });
  source.map([source, token](int n) { return n; }).sink([source, token](int) { ++*token; });
  app.at_exit([source, token] { ++*token; });
}

TEST(Apps, LetGoOfWhatHoldsTheirStreams) {
  const auto token = std::make_shared<std::atomic<int>>(0);
  {
    App app;
    describe(app, token);
    EXPECT_TRUE(run_to_end(app).status.ok());
    EXPECT_EQ(*token, 21);
  }
  EXPECT_EQ(token.use_count(), 1);
  {
    App never_run;
    describe(never_run, token);
    never_run.graph();
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Apps, MayGoBeforeTheirRuns) {
  const auto token = std::make_shared<std::atomic<int>>(0);
  auto app = std::make_unique<App>();
  describe(*app, token);
  auto run = app->start();
  ASSERT_TRUE(run.ok()) << run.status();
  app.reset();
  EXPECT_TRUE(end_of(**run).ok());
  EXPECT_EQ(*token, 21);
  run->reset();
  EXPECT_EQ(token.use_count(), 1);
}

}  // namespace
}  // namespace slipstream::test
