#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "slipstream/detail/hash.h"
#include "slipstream/detail/key_table.h"

/// KeyTable beside std::map, under random changes.
namespace slipstream::conformance {
namespace {

using detail::KeyTable;

template <class Key>
using Hash = std::uint64_t (*)(const Key&);

/// Good, all in few homes, and all in one: long runs that wrap around the end of the table.
std::uint64_t good(const std::string& key) { return detail::hash_key(key); }
std::uint64_t poor(const std::string& key) { return (detail::hash_key(key) % 4) * 6 + 10; }
std::uint64_t none(const std::string&) { return UINT64_MAX; }

template <class Table, class Model>
void expect_equal(Table& table, const Model& model, Hash<std::string> hash) {
  ASSERT_EQ(table.size(), model.size());
  ASSERT_EQ(table.empty(), model.empty());
  std::map<std::string, std::int64_t> walked, visited;
  std::size_t at = 0;
  while (auto* slot = table.next(at)) {
    ASSERT_TRUE(walked.emplace(slot->key, *slot->value).second) << slot->key << " twice";
    ++at;
  }
  table.for_each([&](const std::string& key, const auto& value) { visited.emplace(key, *value); });
  ASSERT_EQ(walked, model);
  ASSERT_EQ(visited, model);
  for (int k = 0; k < 200; ++k) {
    const std::string key = "a key with a number " + std::to_string(k);
    const auto* found = table.find(key, hash(key));
    ASSERT_EQ(found != nullptr, model.contains(key)) << key;
    if (found) {
      ASSERT_EQ(**found, model.at(key));
    }
  }
}

void churn(Hash<std::string> hash, std::uint64_t seed, std::size_t keys, int steps) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  KeyTable<std::string, std::shared_ptr<std::int64_t>> table;  // a value that is lost or freed twice shows
  std::map<std::string, std::int64_t> model;
  std::uint32_t guess = 0;
  for (int i = 0; i < steps; ++i) {
    const std::string key = "a key with a number " + std::to_string(random() % keys);
    if (random() % 3 == 0) {
      ASSERT_EQ(table.erase(key, hash(key)), model.erase(key) > 0);
    } else {
      bool is_new = false;
      // Good guesses, old ones, and some of slots that aren't there.
      if (random() % 2 == 0)
        guess =
            random() % 2 == 0 ? table.guess(hash(key)) : static_cast<std::uint32_t>(random() % (2 * keys));
      auto& value =
          random() % 2 == 0 ? table(key, hash(key), guess, &is_new) : table(key, hash(key), &is_new);
      ASSERT_EQ(is_new, !model.contains(key));
      ASSERT_EQ(value == nullptr, is_new);
      value = std::make_shared<std::int64_t>(i);
      model[key] = i;
    }
    if (random() % 64 == 0) expect_equal(table, model, hash);
    if (random() % 512 == 0) {
      table.clear();
      model.clear();
    }
    if (random() % 512 == 0) {
      auto moved = std::move(table);
      ASSERT_EQ(moved.size(), model.size());
      table = std::move(moved);
    }
    if (testing::Test::HasFatalFailure()) return;
  }
  expect_equal(table, model, hash);
}

TEST(KeyTable, IsAMapUnderRandomChanges) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) churn(good, seed, 200, 3000);
}
TEST(KeyTable, IsAMapWhenManyHashesCollide) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) churn(poor, seed, 40, 2000);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) churn(none, seed, 30, 2000);
}

TEST(KeyTable, GuessesRightWhenHashesDiffer) {
  KeyTable<std::int64_t, std::int64_t> table;
  EXPECT_EQ(table.guess(1), table.kNoSlot);
  for (std::int64_t k = 0; k < 1000; ++k) table(k, detail::hash_key(k)) = k;
  for (std::int64_t k = 0; k < 1000; ++k) {
    EXPECT_EQ(table.next(std::size_t{table.guess(detail::hash_key(k))})->key, k);
  }
}

TEST(KeyTable, SaysWhatItTakes) {
  KeyTable<std::int64_t, std::int64_t> table;
  for (std::int64_t k = 0; k < 10000; ++k) {
    table(k, detail::hash_key(k)) = k;
    ASSERT_LE(table.size(), table.capacity());
  }
  // Per key it may hold: the slot, what leads back from it, and two places.
  EXPECT_EQ(table.table_bytes(), table.capacity() * (2 * sizeof(std::int64_t) + 4 + 2 * 8));
}

TEST(KeyTable, AWalkGoesOnWhereItStopped) {
  KeyTable<std::int64_t, std::int64_t> table;
  for (std::int64_t k = 0; k < 1000; ++k) table(k, detail::hash_key(k)) = k;
  std::int64_t sum = 0;
  std::size_t at = 0;
  for (bool more = true; more;) {
    for (int i = 0; i < 7; ++i) {
      auto* slot = table.next(at);
      more = slot != nullptr;
      if (!more) break;
      sum += slot->value;
      ++at;
    }
  }
  EXPECT_EQ(sum, 999 * 1000 / 2);
}

struct alignas(64) Wide {
  std::int64_t value = 0;
};
TEST(KeyTable, KeepsTheAlignmentOfItsValues) {
  KeyTable<std::int64_t, Wide> table;
  for (std::int64_t k = 0; k < 100; ++k) {
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(&table(k, detail::hash_key(k))) % 64, 0u);
  }
}

}  // namespace
}  // namespace slipstream::conformance
