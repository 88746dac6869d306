#include <atomic>
#include <functional>
#include <thread>

#include "slipstream/cache.h"
#include "slipstream/detail/mutex.h"
#include "tests/cache/cache_testing.h"

namespace slipstream {
namespace {

using ::testing::HasSubstr;

/// Runs f(i) in n threads at once.
template <class F>
void in_threads(int n, F f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < n; ++i) threads.emplace_back(f, i);
  for (std::thread& thread : threads) thread.join();
}

TEST(CacheTransaction, MakesReadingAndWritingOne) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 500;
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  in_threads(kThreads, [&](int) {
    for (int i = 0; i < kRounds; ++i) {
      const auto hold = cache.transaction("counter");
      ASSERT_TRUE(hold.ok());
      ASSERT_TRUE(cache.put("counter", cache.get_or("counter", 0).value() + 1).ok());
    }
  });
  EXPECT_EQ(cache.get("counter").value(), kThreads * kRounds);
}

TEST(CacheTransaction, LetsNobodyElseInUntilItEnds) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  auto mine = std::make_optional(cache.transaction("a").value());
  std::atomic<bool> ended{false};
  std::atomic<bool> was_ended{false};
  std::thread other([&] {
    const auto theirs = cache.transaction("a");
    was_ended = ended.load();
  });
  // Others do as they like meanwhile: without a transaction, or with other keys.
  EXPECT_TRUE(cache.put("a", 1).ok());
  in_threads(3, [&](int i) { EXPECT_TRUE(cache.transaction("b" + std::to_string(i)).ok()); });
  ended = true;
  mine.reset();
  other.join();
  EXPECT_TRUE(was_ended);
}

TEST(CacheTransaction, OfAKeyIsNoneOfTheSameKeyInAnotherFamily) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  const auto family = cache.create_family("x").value();
  const auto one = cache.transaction("a");
  EXPECT_TRUE(family.transaction("a").ok());
}

TEST(CacheTransaction, IsRefusedToTheThreadThatHasIt) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  {
    const auto one = cache.transaction("a");
    const auto two = cache.transaction("a");
    EXPECT_EQ(two.status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(text_of(two), HasSubstr("key \"a\": this thread has a transaction of this key already"));
  }
  EXPECT_TRUE(cache.transaction("a").ok());
}

TEST(Cache, IsUsedByManyThreadsWhileItCloses) {
  for (int round = 0; round < 20; ++round) {
    const TestFolder folder;
    const auto cache = open_cache<int, int>(folder / "db");
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(cache.put(i, i).ok());
    std::atomic<int> working{0};
    std::thread closing([&] {
      while (working < 3) std::this_thread::yield();
      EXPECT_TRUE(cache.close().ok());
    });
    in_threads(3, [&](int thread) {
      const auto is_closed = [](const absl::Status& s) {
        EXPECT_TRUE(s.ok() || text_of(s).ends_with("it was closed")) << s;
        return !s.ok();
      };
      for (int i = 0;; ++i) {
        if (i == 10) ++working;
        if (thread == 0 && is_closed(cache.put(i % 100, i))) return;
        if (thread == 1 && is_closed(cache.get(i % 100).status())) return;
        if (thread == 2) {
          auto scan = cache.scan();
          for (const auto& [key, value] : scan) EXPECT_EQ(value % 100, key);
          if (is_closed(scan.status())) return;
        }
      }
    });
    closing.join();
  }
}

TEST(Cache, ClosesWhenAScanHasReadTheEntryItIsAt) {
  const TestFolder folder;
  std::function<void()> while_reading;
  std::atomic<bool> has_closed{false};
  Codec<std::string> codec = text();
  codec.make_decoder = [&while_reading] {
    return [&while_reading, decode = text().make_decoder()](std::string_view bytes, std::string& out) {
      while_reading();
      return decode(bytes, out);
    };
  };
  const auto cache = open_cache<int, std::string>(folder / "db", codec);
  ASSERT_TRUE(cache.put(1, "one").ok());
  ASSERT_TRUE(cache.put(2, "two").ok());
  auto scan = cache.scan();
  std::thread closing;
  while_reading = [&] {
    closing = std::thread([&] {
      EXPECT_TRUE(cache.close().ok());
      has_closed = true;
    });
    while (cache.contains(1).ok()) std::this_thread::yield();
    // Longer than it takes to close.
    const auto enough = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
    while (!has_closed && std::chrono::steady_clock::now() < enough) std::this_thread::yield();
    EXPECT_FALSE(has_closed);
  };
  auto at = scan.begin();
  ASSERT_TRUE(at != scan.end());
  EXPECT_EQ(at->second, "one");
  closing.join();
  ++at;
  EXPECT_TRUE(at == scan.end());
  EXPECT_THAT(text_of(scan.status()), HasSubstr("it was closed"));
}

TEST(Cache, HoldsOnlyUsableSnapshotsWhileItCloses) {
  const TestFolder folder;
  const auto cache = open_cache<int, int>(folder / "db");
  auto snapshot = std::make_optional(cache.snapshot().value());
  auto scan = std::make_optional(snapshot->scan());
  ASSERT_TRUE(cache.close().ok());
  scan.reset();  // both after the database
  snapshot.reset();
}

}  // namespace
}  // namespace slipstream
