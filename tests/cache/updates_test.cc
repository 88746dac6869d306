#include <atomic>
#include <future>
#include <thread>

#include "slipstream/cache.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"
#include "slipstream/testing.h"
#include "tests/cache/cache_testing.h"
#include "tests/runtime/fakes.h"
#include "tests/runtime/waiting.h"

/// Caches as sources of their updates.
namespace slipstream {
namespace {

using test::end_of;
using test::eventually;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Update = CacheUpdate<std::string, int>;
using Updates = std::vector<Update>;

std::vector<int> up_to(int n) {
  std::vector<int> numbers;
  for (int i = 1; i <= n; ++i) numbers.push_back(i);
  return numbers;
}
const auto kAlwaysA = [](int n) { return std::pair(std::string("a"), n); };
std::vector<int> values_of(const Updates& updates) {
  std::vector<int> values;
  for (const Update& update : updates) values.push_back(update.value.value_or(-1));
  return values;
}
auto noting(Updates& all) {
  return [&all](const Update& update) { all.push_back(update); };
}
PartitionMetrics partition_of(const Metrics& metrics, const std::string& source) {
  for (const PartitionMetrics& p : metrics.partitions) {
    if (p.source == source) return p;
  }
  ADD_FAILURE() << "no source " << source;
  return {};
}

/// An App with a cache, on the caller's thread and in virtual time.
class CacheUpdates : public ::testing::Test {
 protected:
  /// Runs it as far as it goes.
  void run() {
    if (!driver)
      driver.emplace(app, TestOptions{.log = [this](LogLevel, std::string_view, std::string_view m) {
                       log.emplace_back(m);
                     }});
    ASSERT_TRUE(driver->run().ok());
  }
  PartitionMetrics partition(const std::string& source) { return partition_of(driver->metrics(), source); }

  const TestFolder folder;
  const Cache<std::string, int> cache = open_cache<std::string, int>(folder / "x");
  App app;
  std::vector<std::string> log;
  Updates seen;
  std::optional<TestDriver> driver;
};

TEST_F(CacheUpdates, AreWhatHandlersWriteAndNothingElse) {
  std::vector<int> stored;
  app.on(from(up_to(2)))
      .handle([this](int n) {
        EXPECT_TRUE(cache.put("silent", n).ok());
        EXPECT_TRUE(cache.remove("silent").ok());
        return std::pair(std::string("a"), n);
      })
      .to(cache, [&](const auto&) { stored.push_back(cache.get("a").value().value()); });
  app.on(from(up_to(1))).handle([](int) { return std::pair(std::string("b"), Tombstone{}); }).to(cache);
  app.on(cache).handle(noting(seen));
  run();
  EXPECT_THAT(seen, ::testing::UnorderedElementsAre(Update{"a", 1}, Update{"a", 2}, Update{"b", {}}));
  EXPECT_THAT(stored, ElementsAre(1, 2));
}

TEST_F(CacheUpdates, AreAStreamToo) {
  const auto big =
      app.source("updates", cache.updates()).filter([](const Update& u) { return *u.value > 1; });
  app.on(from(up_to(3))).handle(kAlwaysA).to(cache);
  driver.emplace(app);
  const auto out = driver->watch(big);
  run();
  EXPECT_EQ(values_of(out->values), (std::vector<int>{2, 3}));
}

TEST_F(CacheUpdates, ComeFromOutsideByPublish) {
  app.on(cache).handle(noting(seen));
  ASSERT_TRUE(cache.publish({"a", 0}).ok());  // nobody listens yet
  run();
  ASSERT_TRUE(cache.publish({"a", 1}).ok());
  ASSERT_TRUE(cache.publish({"a", {}}).ok());
  run();
  EXPECT_THAT(seen, ElementsAre(Update{"a", 1}, Update{"a", {}}));
  EXPECT_EQ(cache.get("a").value(), std::nullopt);
}

TEST_F(CacheUpdates, MayFindTheListenersAppGone) {
  auto listening = std::make_unique<App>();
  listening->on(cache).handle(noting(seen));
  auto theirs = std::make_unique<TestDriver>(*listening);
  ASSERT_TRUE(theirs->run().ok());
  // Between the write, which is to wake the listener, and the end of the handler's turn, when it does.
  app.on(from(up_to(2))).handle(kAlwaysA).to(cache, [&](const auto& written) {
    if (written.second == 1) return;
    theirs.reset();
    listening.reset();
  });
  run();
  EXPECT_EQ(cache.get("a").value(), 2);
  EXPECT_THAT(seen, IsEmpty());
}

TEST_F(CacheUpdates, ThatCouldNotBeWrittenAreNotPublished) {
  app.on(cache).handle(noting(seen));
  run();
  ASSERT_TRUE(cache.close().ok());
  EXPECT_EQ(text_of(cache.publish({"a", 1})), "cache '" + folder / "x" + "': it was closed");
  run();
  EXPECT_THAT(seen, IsEmpty());
}

TEST_F(CacheUpdates, ReachAllWhoListenAndAreReadOnceForHandlersOfTheCache) {
  Updates again, stream;
  app.on(cache).handle(noting(seen));
  app.on(cache).handle([&](const Update& update) {
    again.push_back(update);
    EXPECT_EQ(again.size(), seen.size());  // one after the other, of one source
  });
  app.on(cache.updates({.when_slow = WhenSlow::latest})).handle(noting(stream));
  app.on(from(up_to(100))).handle([](int n) { return std::pair(std::to_string(n), n); }).to(cache);
  run();
  EXPECT_EQ(values_of(seen), up_to(100));
  EXPECT_EQ(values_of(again), up_to(100));
  EXPECT_EQ(values_of(stream), up_to(100));
  EXPECT_EQ(driver->metrics().partitions.size(), 3u);
}

TEST_F(CacheUpdates, ReachThoseWhoComeLateFromThenOn) {
  Updates late;
  App later;
  later.on(cache).handle(noting(late));
  app.on(cache).handle(noting(seen));
  run();
  ASSERT_TRUE(cache.publish({"a", 1}).ok());
  {
    TestDriver second(later);
    ASSERT_TRUE(second.run().ok());
    ASSERT_TRUE(cache.publish({"a", 2}).ok());
    ASSERT_TRUE(second.run().ok());
  }
  ASSERT_TRUE(cache.publish({"a", 3}).ok());
  run();
  EXPECT_EQ(values_of(seen), up_to(3));
  EXPECT_EQ(values_of(late), std::vector<int>{2});
}

TEST_F(CacheUpdates, OfParallelHandlersAreAllThere) {
  app.on(from(up_to(1000)))
      .parallel_by([](int n) { return n % 8; })
      .handle([](int n) { return std::pair(std::to_string(n % 8), n); })
      .to(cache);
  const auto updates = app.source("updates", cache.updates({.capacity = 10}));
  app.on(updates).handle([&](const Update& u) {
    seen.push_back(u);
    if (seen.size() == 1000) updates.stop();
  });
  app.tune([](RuntimeConfig& config) { config.parallelism = 4; });
  ASSERT_TRUE(test::run_to_end(app).status.ok());
  std::map<std::string, int> last;
  for (const Update& u : seen) {
    EXPECT_LT(last[u.key], u.value.value());
    last[u.key] = *u.value;
  }
  EXPECT_EQ(seen.size(), 1000u);
}

// ---------------------------------------------------------------- slow listeners

TEST_F(CacheUpdates, WaitByKeyForWhoWantsTheLatest) {
  const auto updates = app.source("updates", cache.updates({.when_slow = WhenSlow::latest, .capacity = 1}));
  app.on(updates).handle(noting(seen));
  updates.pause();
  run();
  for (const Update& u : Updates{{"a", 1}, {"b", 2}, {"a", 3}, {"c", 4}, {"b", {}}, {"a", 5}})
    ASSERT_TRUE(cache.publish(u).ok());
  EXPECT_EQ(partition("updates").lag, 3);
  updates.resume();
  run();
  EXPECT_THAT(seen, ElementsAre(Update{"a", 5}, Update{"b", {}}, Update{"c", 4}));
  EXPECT_EQ(partition("updates").lag, 0);
  seen.clear();
  updates.pause();
  run();
  for (const Update& u : Updates{{"b", 6}, {"a", 7}, {"b", 8}}) ASSERT_TRUE(cache.publish(u).ok());
  updates.resume();
  run();
  EXPECT_THAT(seen, ElementsAre(Update{"b", 8}, Update{"a", 7}));
}

TEST_F(CacheUpdates, AreDroppedAndCountedForWhoWantsThat) {
  const auto updates = app.source("updates", cache.updates({.when_slow = WhenSlow::drop, .capacity = 3}));
  app.on(updates).handle(noting(seen));
  app.on(from(up_to(10))).handle(kAlwaysA).to(cache);
  updates.pause();
  run();
  EXPECT_EQ(partition("updates").dropped, 7u);
  EXPECT_EQ(partition("updates").lag, 3);
  EXPECT_THAT(log, ElementsAre("updates of cache '" + folder / "x" +
                               "': 3 wait, so the oldest are dropped from now on; metrics count them"));
  updates.resume();
  run();
  EXPECT_EQ(values_of(seen), (std::vector<int>{8, 9, 10}));
  EXPECT_EQ(partition("updates").records, 3u);
}

/// Handlers that write to the cache, and a listener that takes nothing until it is let go.
class FullCacheUpdates : public CacheUpdates {
 protected:
  FullCacheUpdates() { updates.pause(); }
  /// Listens at last.
  void let_go() {
    updates.resume();
    run();
  }
  const std::string reason = "updates of cache '" + folder / "x" + "'";
  SourceStream<Update> updates = app.source("updates", cache.updates({.capacity = 4}));
  int bystander = 0;
};

TEST_F(FullCacheUpdates, HoldTheHandlersThatWriteAndNobodyElse) {
  const auto numbers = app.source("numbers", from(up_to(20)));
  app.on(numbers).handle(kAlwaysA).to(cache);
  app.on(from(up_to(20))).handle([&](int) { ++bystander; });
  app.on(updates).handle(noting(seen));
  run();
  EXPECT_EQ(cache.get("a").value(), 4);
  EXPECT_EQ(partition("updates").lag, 4);
  EXPECT_EQ(driver->metrics().partitions.size(), 3u);
  EXPECT_EQ(bystander, 20);
  let_go();
  EXPECT_EQ(values_of(seen), up_to(20));
  EXPECT_EQ(cache.get("a").value(), 20);
}

TEST_F(FullCacheUpdates, SayInTheMetricsWhoWaitsForWhom) {
  const auto numbers = app.source("numbers", generate([n = 0]() mutable { return std::optional(++n); }));
  app.on(numbers).handle(kAlwaysA).to(cache);
  app.on(updates).handle(noting(seen));
  app.tune([](RuntimeConfig& config) { config.parallelism = 1; });
  auto run = app.start();
  ASSERT_TRUE(run.ok());
  EXPECT_TRUE(eventually([&] {
    const auto gates = partition_of((*run)->metrics(), "numbers").gates;
    return std::find(gates.begin(), gates.end(), reason) != gates.end();
  }));
  (*run)->stop();
  EXPECT_TRUE(end_of(**run).ok());
}

TEST_F(FullCacheUpdates, HoldWhatComesThroughProxiesAndOtherCaches) {
  const auto other = open_cache<std::string, int>(folder / "other");
  const auto numbers = app.source("numbers", from(std::vector<int>{}));
  const auto proxy = app.proxy<int>("proxy");
  app.on(numbers).handle([](int n) { return n; }).to(proxy);
  app.on(proxy).handle(kAlwaysA).to(other);
  app.on(other).handle([](const Update& u) { return std::pair(u.key, u.value.value()); }).to(cache);
  app.on(updates).handle(noting(seen));
  driver.emplace(app);
  for (const int n : up_to(20)) {
    driver->push(numbers, n);
    run();
  }
  EXPECT_EQ(other.get("a").value(), 4);
  EXPECT_EQ(partition("numbers").gates, std::vector<std::string>{reason});
  let_go();
  EXPECT_EQ(values_of(seen), up_to(20));
}

TEST_F(FullCacheUpdates, DoNotHoldHandlersThatListenToTheSameCache) {
  app.on(from(up_to(3))).handle(kAlwaysA).to(cache);
  app.on(updates)
      .handle([&](const Update& u) -> std::optional<std::pair<std::string, int>> {
        seen.push_back(u);
        if (*u.value >= 1000) return {};
        return std::pair(u.key, *u.value + 10);
      })
      .to(cache);
  run();
  let_go();
  EXPECT_EQ(seen.size(), 303u);
}

TEST_F(FullCacheUpdates, HoldAHandlersNextMessageOnly) {
  app.on(app.source("numbers", from(up_to(2))))
      .handle([](int n) -> Generator<std::pair<std::string, int>> {
        for (int i = 0; i < 100; ++i) co_yield {"a", n};
      })
      .to(cache);
  app.on(updates).handle(noting(seen));
  run();
  EXPECT_EQ(partition("updates").lag, 100);
  let_go();
  EXPECT_EQ(seen.size(), 200u);
}

TEST_F(FullCacheUpdates, OfSeveralListenersHoldUntilTheLastHasRoom) {
  const auto slower = app.source("slower", cache.updates({.capacity = 4}));
  Updates also;
  app.on(slower).handle(noting(also));
  app.on(updates).handle(noting(seen));
  app.on(from(up_to(20))).handle(kAlwaysA).to(cache);
  slower.pause();
  run();
  let_go();
  EXPECT_EQ(values_of(seen), up_to(4));
  slower.resume();
  run();
  EXPECT_EQ(values_of(seen), up_to(20));
  EXPECT_EQ(values_of(also), up_to(20));
}

TEST_F(FullCacheUpdates, DoNotKeepARunFromStopping) {
  std::atomic<int> written{0};
  app.on(from(up_to(1000))).handle(kAlwaysA).to(cache, [&](const auto&) { ++written; });
  app.on(updates).handle(noting(seen));
  auto run = app.start();
  ASSERT_TRUE(run.ok());
  ASSERT_TRUE(eventually([&] { return written == 4; }));
  (*run)->stop();
  EXPECT_TRUE(end_of(**run).ok());
  EXPECT_EQ((*run)->held_report(), "");  // what was read is handled
  const PartitionMetrics numbers = partition_of((*run)->metrics(), "in-memory records");
  EXPECT_EQ(numbers.records, static_cast<std::uint64_t>(written));
  EXPECT_THAT(seen, IsEmpty());
}

TEST_F(FullCacheUpdates, DoNotKeepTheRunOfAnotherAppFromStopping) {
  app.on(updates).handle(noting(seen));
  run();
  std::atomic<int> written{0};
  App writer;
  writer.on(from(up_to(1000))).handle(kAlwaysA).to(cache, [&](const auto&) { ++written; });
  auto running = writer.start();
  ASSERT_TRUE(running.ok());
  ASSERT_TRUE(eventually([&] { return written == 4; }));
  (*running)->stop();
  EXPECT_TRUE(end_of(**running).ok());
  EXPECT_EQ((*running)->held_report(), "");
}

TEST_F(FullCacheUpdates, DoNotKeepWhatWasReadFromBeingCommitted) {
  const auto journal = std::make_shared<test::Journal>();
  const auto in = std::make_shared<test::FakeSource>(
      test::FakeSource::Options{.name = "in", .commits = true, .finished = false}, journal);
  for (const int n : up_to(20)) in->push(std::to_string(n));
  app.on(decoded(in, text()))
      .handle([](const std::string& m) { return std::pair(std::string("a"), std::stoi(m)); })
      .to(cache);
  app.on(updates).handle(noting(seen));
  run();
  EXPECT_EQ(cache.get("a").value(), 4);
  ASSERT_TRUE(driver->advance_time(std::chrono::seconds(3)).ok());
  EXPECT_GT(journal->count("in commit 0:20"), 0u);
  EXPECT_EQ(cache.get("a").value(), 20);
  in->push("21");
  run();
  EXPECT_EQ(cache.get("a").value(), 20);  // and then they hold again
  let_go();
  EXPECT_EQ(values_of(seen), up_to(21));
}

TEST_F(FullCacheUpdates, DoNotHoldAnybodyOnceTheListenerWasStopped) {
  app.on(from(up_to(1000))).handle(kAlwaysA).to(cache);
  app.on(updates).handle(noting(seen));
  run();
  EXPECT_EQ(cache.get("a").value(), 4);
  updates.stop();
  ASSERT_TRUE(driver->run_to_end().ok());
  EXPECT_EQ(cache.get("a").value(), 1000);
  EXPECT_THAT(seen, IsEmpty());
}

TEST_F(FullCacheUpdates, HoldThoseOfAnotherAppUntilTheListenersHasEnded) {
  app.on(updates).handle(noting(seen));
  run();
  App writer;
  writer.on(from(up_to(1000))).handle(kAlwaysA).to(cache);
  TestDriver second(writer);
  ASSERT_TRUE(second.run().ok());
  EXPECT_EQ(cache.get("a").value(), 4);
  driver.reset();
  ASSERT_TRUE(second.run_to_end().ok());
  EXPECT_EQ(cache.get("a").value(), 1000);
}

/// Threads outside of handlers.
class FullCacheUpdatesFromOutside : public FullCacheUpdates {
 protected:
  /// Publishes 1 to n in a thread of its own.
  void publish(int n) {
    publisher = std::async(std::launch::async, [this, n] {
      for (int i = 1; i <= n; ++i) {
        EXPECT_TRUE(cache.publish({"a", i}).ok());
        published = i;
      }
    });
  }
  bool has_ended() { return publisher.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  void start() {
    app.on(updates).handle([this](const Update& u) {
      seen.push_back(u);
      if (u.value == 100) updates.stop();
    });
    auto started = app.start();
    ASSERT_TRUE(started.ok());
    running = *std::move(started);
  }
  std::atomic<int> published{0};
  std::future<void> publisher;
  std::unique_ptr<slipstream::Run> running;  // ends first: the publisher may wait for it
};

TEST_F(FullCacheUpdatesFromOutside, MakePublishWait) {
  start();
  publish(100);
  ASSERT_TRUE(eventually([&] { return partition_of(running->metrics(), "updates").lag == 4; }));
  EXPECT_EQ(published, 3);  // the fourth waits
  EXPECT_FALSE(has_ended());
  updates.resume();
  EXPECT_TRUE(end_of(*running).ok());
  publisher.get();
  EXPECT_EQ(values_of(seen), up_to(100));
}

TEST_F(FullCacheUpdatesFromOutside, LetPublishGoWhenTheRunStops) {
  start();
  publish(100);
  ASSERT_TRUE(eventually([&] { return published == 3; }));
  running->stop();
  publisher.get();
  EXPECT_TRUE(end_of(*running).ok());
  EXPECT_EQ(cache.get("a").value(), 100);
}

TEST_F(FullCacheUpdatesFromOutside, LetPublishGoWhenTheRunFails) {
  app.on(from(up_to(1))).handle([this](int) {
    if (!eventually([&] { return published == 3; })) return;
    throw std::runtime_error("it broke");
  });
  start();
  publish(100);
  EXPECT_THAT(text_of(end_of(*running)), HasSubstr("it broke"));
  publisher.get();
  EXPECT_EQ(cache.get("a").value(), 100);
}

TEST_F(FullCacheUpdatesFromOutside, DoNotMakePublishWaitInAHandler) {
  app.on(from(up_to(20))).handle([this](int n) { EXPECT_TRUE(cache.publish({"a", n}).ok()); });
  app.on(updates).handle(noting(seen));
  run();
  EXPECT_EQ(cache.get("a").value(), 20);
  let_go();
  EXPECT_EQ(values_of(seen), up_to(20));
}

TEST_F(CacheUpdates, ComeInTheOrderInWhichTheirKeyIsWritten) {
  app.on(cache.updates({.when_slow = WhenSlow::latest})).handle(noting(seen));
  auto run = app.start();
  ASSERT_TRUE(run.ok());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) EXPECT_TRUE(cache.publish({std::to_string(i % 4), 4 * i + t}).ok());
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(eventually(
      [&] { return partition_of((*run)->metrics(), "updates of cache '" + folder / "x" + "'").lag == 0; }));
  (*run)->stop();
  ASSERT_TRUE(end_of(**run).ok());
  std::map<std::string, int> last;
  for (const Update& u : seen) last[u.key] = u.value.value();
  EXPECT_THAT(all_of(cache.scan()), ElementsAreArray(last));
}

TEST_F(CacheUpdates, NeedRoomForOne) {
  app.on(cache.updates({.capacity = 0})).handle(noting(seen));
  EXPECT_THAT(text_of(app.run()), HasSubstr("options.capacity is to be at least 1"));
}

TEST_F(CacheUpdates, OfACacheThatGoesWithItsAppDoNoHarm) {
  const auto left = [] {
    const TestFolder folder;
    App inner;
    inner.set("state.dir", folder / "state");
    const auto counts = inner.cache<std::string, int>("counts");
    inner.on(counts).handle([](const Update&) {});
    auto run = inner.start();
    EXPECT_TRUE(run.ok());
    EXPECT_TRUE(counts.publish({"a", 1}).ok());
    return counts;
  }();
  EXPECT_EQ(text_of(left.publish({"a", 2})), "cache 'counts': it was closed");
}

}  // namespace
}  // namespace slipstream
