#include <rocksdb/perf_context.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "slipstream/cache.h"
#include "tests/cache/cache_testing.h"

/// What is kept, what is forgotten, and how much memory it takes.
namespace slipstream {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

/// A kilobyte that doesn't compress.
std::string kilobyte(int i) {
  std::string out(1000, '\0');
  std::uint64_t random = static_cast<std::uint64_t>(i);
  for (std::size_t at = 0; at < out.size(); at += sizeof(random)) {
    random = random * 6364136223846793005 + 1442695040888963407;
    std::memcpy(out.data() + at, &random, sizeof(random));
  }
  return out;
}
Cache<int, std::string> filled(const std::string& path, int count, CacheOptions options = {}) {
  const auto cache = open_cache<int, std::string>(path, bytes(), options);
  for (int i = 0; i < count; ++i) EXPECT_TRUE(cache.put(i, kilobyte(i)).ok());
  EXPECT_TRUE(cache.flush().ok());
  return cache;
}
int count(const Cache<int, std::string>& cache) { return static_cast<int>(all_of(cache.keys()).size()); }

TEST(Cache, KeepsAllOf200MB) {
  constexpr int kMany = 200'000;
  const TestFolder folder;
  const auto cache = filled(folder / "db", kMany);
  EXPECT_EQ(count(cache), kMany);
  for (int i = 0; i < kMany; i += 997) ASSERT_EQ(cache.get(i).value(), kilobyte(i)) << i;
  EXPECT_EQ(cache.forgotten(), 0u);
}

TEST(ForgetfulCache, DropsTheOldestAndCountsThem) {
  constexpr int kMany = 20'000;
  const TestFolder folder;
  const auto cache = filled(folder / "db", kMany, {.forgetful = Forgetful{8 * kMiB}});
  // What is dropped is dropped in the background, after the last file was written.
  for (int before = -1, now = count(cache); now != before; now = count(cache)) {
    before = now;
    ASSERT_TRUE(cache.compact().ok());
  }
  const int left = count(cache);
  EXPECT_GT(left, 4000);
  EXPECT_LT(left, 9000);
  EXPECT_EQ(cache.forgotten(), static_cast<std::uint64_t>(kMany - left));
  EXPECT_TRUE(cache.contains(kMany - 1).value());
  EXPECT_FALSE(cache.contains(0).value());
  EXPECT_EQ(all_of(cache.keys()).front(), kMany - left);  // the newest, without holes
}

TEST(ForgetfulCache, MayBeginToKeepEverything) {
  const TestFolder folder;
  filled(folder / "db", 100, {.forgetful = Forgetful{8 * kMiB}});
  const auto cache = filled(folder / "db", 20'000);
  EXPECT_EQ(count(cache), 20'000);
}

TEST(CacheMemory, StaysInItsBudget) {
  constexpr std::size_t kBudget = 8 * kMiB;
  const TestFolder folder;
  const auto cache = filled(folder / "db", 30'000, {.memory_budget = kBudget});
  const auto used = [&] { return std::stoull(cache.property("rocksdb.block-cache-usage").value()); };
  EXPECT_EQ(cache.property("rocksdb.block-cache-capacity").value(), std::to_string(kBudget));
  std::uint64_t most = 0;
  for (int i = 0; i < 30'000; ++i) {
    ASSERT_TRUE(cache.get(i).ok());
    ASSERT_TRUE(cache.put(30'000 + i, kilobyte(i)).ok());
    if (i % 100 == 0) most = std::max<std::uint64_t>(most, used());
  }
  EXPECT_GT(most, kBudget / 2);  // it is used, by writes too
  EXPECT_LE(most, kBudget + kBudget / 4);
}

TEST(CacheMemory, GetsReadBlocksNotWholeIndexes) {
  constexpr int kMany = 500'000;  // a filter of 600 KiB, more than an eighth of the budget, a shard
  const TestFolder folder;
  const auto cache = open_cache<int, int>(folder / "db", CacheOptions{.memory_budget = 4 * kMiB});
  for (int i = 0; i < kMany; ++i) ASSERT_TRUE(cache.put(i, i).ok());
  ASSERT_TRUE(cache.compact().ok());
  const auto get = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const int key = static_cast<int>(std::int64_t{i} * 1'000'003 % kMany);
      EXPECT_EQ(cache.get(key).value(), key);
    }
  };
  get(2000);
  rocksdb::SetPerfLevel(rocksdb::kEnableCount);
  rocksdb::get_perf_context()->Reset();
  get(1000);
  rocksdb::SetPerfLevel(rocksdb::kDisable);
  // A data block of 4 KiB, and at times its part of the index and the filter.
  EXPECT_LE(rocksdb::get_perf_context()->block_read_byte, 1000 * 3 * 4096);
}

}  // namespace
}  // namespace slipstream
