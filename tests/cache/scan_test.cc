#include <algorithm>
#include <map>
#include <random>
#include <ranges>
#include <utility>

#include "slipstream/cache.h"
#include "tests/cache/cache_testing.h"

/// Scans beside a naive model: a std::map walked from end to end.
namespace slipstream {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;
using ::testing::Pair;

std::vector<std::string> keys_of(const Cache<std::string, int>& cache, const Scan<std::string>& scan) {
  return all_of(cache.keys(scan));
}

class Scans : public ::testing::Test {
 protected:
  Scans() {
    int value = 0;
    for (const char* key : {"a", "user", "user:1", "user:10", "user:2", "userx", "z"})
      EXPECT_TRUE(cache.put(key, value++).ok());
  }
  const TestFolder folder;
  const Cache<std::string, int> cache = open_cache<std::string, int>(folder / "db");
};

TEST_F(Scans, GoThroughKeysInOrder) {
  EXPECT_THAT(all_of(cache.scan()),
              ElementsAre(Pair("a", 0), Pair("user", 1), Pair("user:1", 2), Pair("user:10", 3),
                          Pair("user:2", 4), Pair("userx", 5), Pair("z", 6)));
  EXPECT_THAT(keys_of(cache, {.backwards = true}),
              ElementsAre("z", "userx", "user:2", "user:10", "user:1", "user", "a"));
}

TEST_F(Scans, BeginAtAKeyOrTheNextInTheirDirection) {
  EXPECT_THAT(keys_of(cache, {.from = "user:10"}), ElementsAre("user:10", "user:2", "userx", "z"));
  EXPECT_THAT(keys_of(cache, {.from = "user:15"}), ElementsAre("user:2", "userx", "z"));
  EXPECT_THAT(keys_of(cache, {.from = "zz"}), IsEmpty());
  EXPECT_THAT(keys_of(cache, {.from = "user:1", .backwards = true}), ElementsAre("user:1", "user", "a"));
  EXPECT_THAT(keys_of(cache, {.from = "user:15", .backwards = true}),
              ElementsAre("user:10", "user:1", "user", "a"));
  EXPECT_THAT(keys_of(cache, {.from = "0", .backwards = true}), IsEmpty());
}

TEST_F(Scans, StayInARangeInBothDirections) {
  EXPECT_THAT(keys_of(cache, {.lower = "user", .upper = "user:2"}), ElementsAre("user", "user:1", "user:10"));
  EXPECT_THAT(keys_of(cache, {.lower = "user", .upper = "user:2", .backwards = true}),
              ElementsAre("user:10", "user:1", "user"));
  EXPECT_THAT(keys_of(cache, {.lower = "b", .upper = "b"}), IsEmpty());
  EXPECT_THAT(keys_of(cache, {.lower = "z", .upper = "a", .backwards = true}), IsEmpty());
}

TEST_F(Scans, FindAPrefixInBothDirections) {
  EXPECT_THAT(keys_of(cache, {.prefix = "user:"}), ElementsAre("user:1", "user:10", "user:2"));
  EXPECT_THAT(keys_of(cache, {.prefix = "user:", .backwards = true}),
              ElementsAre("user:2", "user:10", "user:1"));
  EXPECT_THAT(keys_of(cache, {.prefix = "user", .backwards = true}),
              ElementsAre("userx", "user:2", "user:10", "user:1", "user"));
  EXPECT_THAT(keys_of(cache, {.prefix = "nope"}), IsEmpty());
  EXPECT_EQ(keys_of(cache, {.prefix = ""}).size(), 7u);
}

TEST_F(Scans, CombineAllOfIt) {
  EXPECT_THAT(keys_of(cache, {.from = "user:10", .prefix = "user:"}), ElementsAre("user:10", "user:2"));
  EXPECT_THAT(keys_of(cache, {.from = "a", .prefix = "user:"}), ElementsAre("user:1", "user:10", "user:2"));
  EXPECT_THAT(keys_of(cache, {.from = "userx", .prefix = "user:"}), IsEmpty());
  EXPECT_THAT(keys_of(cache, {.from = "userx", .prefix = "user:", .backwards = true}),
              ElementsAre("user:2", "user:10", "user:1"));
  EXPECT_THAT(
      keys_of(cache,
              {.from = "user:10", .lower = "user:1", .upper = "z", .prefix = "user:", .backwards = true}),
      ElementsAre("user:10", "user:1"));
}

TEST_F(Scans, AreRanges) {
  auto keys = cache.keys({.prefix = "user"}) |
              std::views::filter([](const auto& key) { return key.size() > 5; }) | std::views::take(2);
  std::vector<std::string> found;
  std::ranges::copy(keys, std::back_inserter(found));
  EXPECT_THAT(found, ElementsAre("user:1", "user:10"));
  auto scan = cache.scan();
  int sum = 0;
  for (const int value : scan | std::views::values) sum += value;
  EXPECT_EQ(sum, 21);
  EXPECT_TRUE(scan.status().ok());
}

TEST_F(Scans, MayHoldCopiesInStructuredBindings) {
  auto scan = cache.scan({.from = "z"});
  for (const auto& [key, value] : scan) {
    EXPECT_EQ(key, "z");
    EXPECT_EQ(value, 6);
  }
}

TEST(ScansOfTuples, FindTheFirstElements) {
  using Key = std::tuple<std::string, int, double>;
  const TestFolder folder;
  const auto cache = open_cache<Key, int>(folder / "db");
  for (const char* city : {"a", "ab", "b"}) {
    for (const int n : {-1, 2, 300}) ASSERT_TRUE(cache.put({city, n, -0.5}, 0).ok());
  }
  EXPECT_THAT(all_of(cache.keys({.prefix = std::tuple("a")})),
              ElementsAre(Key("a", -1, -0.5), Key("a", 2, -0.5), Key("a", 300, -0.5)));
  EXPECT_THAT(all_of(cache.keys({.prefix = std::pair("ab", 2)})), ElementsAre(Key("ab", 2, -0.5)));
  EXPECT_THAT(all_of(cache.keys({.from = Key("ab", 2, 0), .prefix = std::tuple("ab"), .backwards = true})),
              ElementsAre(Key("ab", 2, -0.5), Key("ab", -1, -0.5)));
}

TEST(ScansOfTimes, FindTheLatestUpToATime) {
  using namespace std::chrono_literals;
  const TestFolder folder;
  const auto cache = open_cache<EventTime, std::string>(folder / "db");
  ASSERT_TRUE(cache.put(EventTime(-10s), "old").ok());
  ASSERT_TRUE(cache.put(EventTime(10s), "ten").ok());
  ASSERT_TRUE(cache.put(EventTime(20s), "twenty").ok());
  const auto latest = [&](Duration at) -> std::string {
    auto scan = cache.scan({.from = EventTime(at), .backwards = true});
    const auto first = scan.begin();
    return first == scan.end() ? "?" : first->second;
  };
  EXPECT_EQ(latest(20s), "twenty");
  EXPECT_EQ(latest(19s), "ten");
  EXPECT_EQ(latest(0s), "old");
  EXPECT_EQ(latest(-11s), "?");
}

// ---------------------------------------------------------------- the model

using Key = std::variant<Bytes, std::string, std::int64_t, double, bool>;

/// The documented order: first the kind, then the value. There is no NaN here.
struct InOrder {
  bool operator()(const Key& a, const Key& b) const {
    return a.index() != b.index() ? a.index() < b.index() : a < b;
  }
};
using Model = std::map<Key, int, InOrder>;

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  unsigned below(unsigned n) { return static_cast<unsigned>(engine_()) % n; }
  std::string text() {
    std::string out;
    for (unsigned n = below(4); n > 0; --n) out += "\0ab\xfe\xff"[below(5)];
    return out;
  }
  Key key() {
    switch (below(5)) {
      case 0:
        return Bytes{text()};
      case 1:
        return text();
      case 2:
        return static_cast<std::int64_t>(below(600)) - 300;
      case 3:
        return static_cast<double>(below(40)) / 4 - 5;
      default:
        return below(2) == 0;
    }
  }

 private:
  std::mt19937 engine_;
};

struct ModelScan {
  std::optional<Key> from, lower, upper;
  std::optional<std::string> text_prefix;
  bool backwards = false;
};

std::vector<std::pair<Key, int>> scan_model(const Model& model, const ModelScan& scan) {
  std::vector<std::pair<Key, int>> out;
  const InOrder before;
  for (const auto& entry : model) {
    const Key& key = entry.first;
    if (scan.lower && before(key, *scan.lower)) continue;
    if (scan.upper && !before(key, *scan.upper)) continue;
    if (scan.from && (scan.backwards ? before(*scan.from, key) : before(key, *scan.from))) continue;
    if (scan.text_prefix) {
      const auto* text = std::get_if<std::string>(&key);
      if (!text || !text->starts_with(*scan.text_prefix)) continue;
    }
    out.emplace_back(entry);
  }
  if (scan.backwards) std::ranges::reverse(out);
  return out;
}

Scan<Key> real_scan(const ModelScan& scan) {
  Scan<Key> out{.from = scan.from, .lower = scan.lower, .upper = scan.upper, .backwards = scan.backwards};
  if (scan.text_prefix) out.prefix = *scan.text_prefix;
  return out;
}

ModelScan random_scan(Random& random) {
  ModelScan scan;
  if (random.below(2) == 0) scan.from = random.key();
  if (random.below(3) == 0) scan.lower = random.key();
  if (random.below(3) == 0) scan.upper = random.key();
  if (random.below(3) == 0) scan.text_prefix = random.text();
  scan.backwards = random.below(2) == 0;
  return scan;
}

class Modelled {
 public:
  explicit Modelled(unsigned seed) : random_(seed) {}

  void step(int i) {
    switch (random_.below(20)) {
      case 0:
        return remove_range();
      case 1:
        return batch(i);
      case 2:
        ASSERT_TRUE(cache_.flush().ok());
        return;
      case 3:
        if (random_.below(10) == 0) reopen();
        return;
      case 4:
      case 5:
      case 6:
        return remove();
      case 7:
      case 8:
        return look();
      case 9:
      case 10:
      case 11:
        return scan();
      default:
        return put(i);
    }
  }

 private:
  void put(int value) {
    const Key key = random_.key();
    ASSERT_TRUE(cache_.put(key, value).ok());
    model_[key] = value;
  }
  void remove() {
    const Key key = random_.key();
    ASSERT_TRUE(cache_.remove(key).ok());
    model_.erase(key);
  }
  void remove_range() {
    Key begin = random_.key();
    Key end = random_.key();
    ASSERT_TRUE(cache_.remove_range(begin, end).ok());
    if (InOrder()(begin, end)) model_.erase(model_.lower_bound(begin), model_.lower_bound(end));
  }
  void batch(int value) {
    CacheBatch batch;
    const Key put = random_.key();
    const Key gone = random_.key();
    batch.put(cache_, put, value).remove(cache_, gone);
    ASSERT_TRUE(batch.write().ok());
    model_[put] = value;
    model_.erase(gone);
  }
  void look() {
    const Key key = random_.key();
    const auto expected = model_.find(key);
    const auto found = cache_.get(key).value();
    ASSERT_EQ(found.has_value(), expected != model_.end());
    ASSERT_EQ(cache_.contains(key).value(), found.has_value());
    if (!found) return;
    ASSERT_EQ(*found, expected->second);
    ASSERT_TRUE(cache_.may_exist(key).value());
  }
  void scan() {
    const ModelScan scan = random_scan(random_);
    ASSERT_THAT(all_of(cache_.scan(real_scan(scan))), ElementsAreArray(scan_model(model_, scan)));
  }
  void reopen() {
    ASSERT_TRUE(cache_.close().ok());
    cache_ = open_cache<Key, int>(folder_ / "db");
  }

  const TestFolder folder_;
  Random random_;
  Cache<Key, int> cache_ = open_cache<Key, int>(folder_ / "db");
  Model model_;
};

TEST(CacheBesideAModel, AlwaysHoldsTheSame) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Modelled both(seed);
  for (int i = 0; i < 6000 && !testing::Test::HasFatalFailure(); ++i) both.step(i);
}

}  // namespace
}  // namespace slipstream
