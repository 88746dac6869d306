#include "slipstream/cache.h"

#include <cmath>
#include <filesystem>

#include "tests/cache/cache_testing.h"

namespace slipstream {
namespace cache_test {

struct Weather {
  double wind = 0;
  std::optional<std::string> sky;
  friend bool operator==(const Weather&, const Weather&) = default;
};
SLIPSTREAM_FIELDS(Weather, wind, sky)

}  // namespace cache_test

namespace {

using cache_test::Weather;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::Pair;
using ::testing::StartsWith;

TEST(Cache, FindsWhatWasPut) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, Weather>(folder / "db");
  ASSERT_TRUE(cache.put("EWR", {7.5, "é"}).ok());
  ASSERT_TRUE(cache.put("JFK", {1, std::nullopt}).ok());
  EXPECT_EQ(cache.get("EWR").value(), (Weather{7.5, "é"}));
  EXPECT_EQ(cache.get("LGA").value(), std::nullopt);
  EXPECT_EQ(cache.get_or("LGA", {9, {}}).value(), (Weather{9, {}}));
  EXPECT_EQ(cache.get_or("JFK", {9, {}}).value(), (Weather{1, {}}));
  EXPECT_TRUE(cache.contains("EWR").value());
  EXPECT_FALSE(cache.contains("LGA").value());
  ASSERT_TRUE(cache.put("EWR", {8, {}}).ok());
  EXPECT_EQ(cache.get("EWR").value(), (Weather{8, {}}));
}

TEST(Cache, CopiesAreTheSameCache) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  const auto copy = cache;
  ASSERT_TRUE(copy.put("a", 1).ok());
  EXPECT_EQ(cache.get("a").value(), 1);
}

TEST(Cache, RemovesKeys) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  ASSERT_TRUE(cache.put("a", 1).ok());
  ASSERT_TRUE(cache.remove("a").ok());
  EXPECT_EQ(cache.get("a").value(), std::nullopt);
  EXPECT_FALSE(cache.contains("a").value());
  EXPECT_TRUE(cache.remove("never there").ok());
}

TEST(Cache, GetsManyKeysInTheirOrder) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  ASSERT_TRUE(cache.put("a", 1).ok());
  ASSERT_TRUE(cache.put("c", 3).ok());
  EXPECT_THAT(cache.get_many({"c", "b", "a", "c"}).value(),
              ElementsAre(Optional(3), std::nullopt, Optional(1), Optional(3)));
  EXPECT_THAT(cache.get_many({}).value(), IsEmpty());
}

TEST(Cache, TellsWhatMayBeThere) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  ASSERT_TRUE(cache.put("a", 1).ok());
  EXPECT_TRUE(cache.may_exist("a").value());
  EXPECT_FALSE(cache.may_exist("b").value());
  ASSERT_TRUE(cache.flush().ok());
  EXPECT_TRUE(cache.may_exist("a").value());
}

TEST(Cache, KeepsNullsApartFromWhatIsNotThere) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, std::optional<int>>(folder / "db");
  ASSERT_TRUE(cache.put("null", std::nullopt).ok());
  const auto found = cache.get("null").value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(*found, std::nullopt);
  EXPECT_TRUE(cache.contains("null").value());
  EXPECT_FALSE(cache.get("missing").value().has_value());
}

TEST(Cache, RemovesRangesWithoutTheirEnd) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  for (const char* key : {"a", "b", "bb", "c", "d"}) ASSERT_TRUE(cache.put(key, 1).ok());
  ASSERT_TRUE(cache.remove_range("b", "d").ok());
  EXPECT_THAT(all_of(cache.keys()), ElementsAre("a", "d"));
  EXPECT_TRUE(cache.remove_range("z", "a").ok());  // an empty one
  EXPECT_THAT(all_of(cache.keys()), ElementsAre("a", "d"));
}

TEST(Cache, KeepsKeysOfDifferentTypesApart) {
  using Any = std::variant<std::string, std::int64_t, double, bool, Bytes>;
  const TestFolder folder;
  const auto cache = open_cache<Any, std::string>(folder / "db");
  const std::vector<Any> keys = {Bytes{"1"}, "1", std::int64_t{1}, 1.0, true};
  for (const Any& key : keys) ASSERT_TRUE(cache.put(key, "at " + std::to_string(key.index())).ok());
  for (const Any& key : keys) EXPECT_EQ(cache.get(key).value(), "at " + std::to_string(key.index()));
  EXPECT_EQ(all_of(cache.keys()), keys);
}

TEST(Cache, SaysWhatCannotBeEncoded) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, double>(folder / "db");
  const absl::Status s = cache.put("a", std::nan(""));
  EXPECT_EQ(s.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(text_of(s), StartsWith("cache '" + folder / "db" + "', key \"a\": "));
  EXPECT_FALSE(cache.contains("a").value());
}

TEST(Cache, SaysWhatCannotBeDecoded) {
  const TestFolder folder;
  {
    const auto texts = open_cache<std::string, std::string>(folder / "db");
    ASSERT_TRUE(texts.put("a", "not a number").ok());
  }
  const auto numbers = open_cache<std::string, int>(folder / "db");
  const auto found = numbers.get("a");
  EXPECT_EQ(found.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(text_of(found), StartsWith("cache '" + folder / "db" + "', key \"a\": "));
  EXPECT_THAT(text_of(numbers.get_many({"a"})), HasSubstr("key \"a\""));
  EXPECT_TRUE(numbers.contains("a").value());
}

TEST(Cache, SaysWhichKeyIsOfAnotherType) {
  const TestFolder folder;
  {
    const auto texts = open_cache<std::string, int>(folder / "db");
    ASSERT_TRUE(texts.put("a", 1).ok());
  }
  const auto numbers = open_cache<int, int>(folder / "db");
  EXPECT_EQ(numbers.get(1).value(), std::nullopt);
  auto keys = numbers.keys();
  EXPECT_TRUE(keys.begin() == keys.end());
  EXPECT_EQ(keys.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(text_of(keys.status()), HasSubstr("key \"a\": the key isn't of the type this cache has"));
}

TEST(Cache, TakesACodec) {
  const TestFolder folder;
  const auto cache = open_cache<int, std::string>(folder / "db", bytes());
  ASSERT_TRUE(cache.put(1, "\xff").ok());
  EXPECT_EQ(cache.get(1).value(), "\xff");
  EXPECT_FALSE((open_cache<int, std::string>(folder / "text").put(1, "\xff").ok()));  // text() by default
}

TEST(Cache, TakesRocksDbsOwnOptions) {
  const TestFolder folder;
  CacheOptions options;
  options.rocksdb = {{"compression", "kZSTD"}, {"max_background_jobs", "4"}};
  const auto cache = open_cache<int, int>(folder / "db", options);
  ASSERT_TRUE(cache.put(1, 1).ok());
  options.path = folder / "other";
  options.rocksdb = {{"no_such", "1"}};
  EXPECT_THAT(text_of(Cache<int, int>::open(folder / "other", options)),
              HasSubstr("options.rocksdb: 'no_such' = '1' is nothing RocksDB takes"));
}

TEST(Cache, ChangesOptionsWhileItIsOpen) {
  const TestFolder folder;
  const auto cache = open_cache<int, int>(folder / "db");
  EXPECT_TRUE(cache.set_options({{"write_buffer_size", "131072"}}).ok());
  EXPECT_TRUE(cache.set_options({{"max_background_jobs", "3"}}).ok());
  EXPECT_THAT(text_of(cache.set_options({{"no_such", "1"}})), HasSubstr("no_such"));
}

TEST(Cache, RefusesImpossibleOptions) {
  const TestFolder folder;
  const auto refusal = [&](const CacheOptions& options) {
    return text_of(Cache<int, int>::open(folder / "db", options));
  };
  EXPECT_THAT(refusal({.ttl = 0s}), HasSubstr("options.ttl is to be more than 0"));
  EXPECT_THAT(refusal({.forgetful = Forgetful{1000}}),
              HasSubstr("forgetful.max_bytes is to be at least 1MiB"));
  EXPECT_THAT(refusal({.memory_budget = 1000}), HasSubstr("memory_budget is to be at least 4MiB"));
  EXPECT_THAT((text_of(Cache<int, int>::open(""))), HasSubstr("a path is needed"));
}

// ---------------------------------------------------------------- wide columns

TEST(Cache, KeepsColumns) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  ASSERT_TRUE(cache.put_entity("e", {{"q", 2}, {"p", 1}}).ok());
  ASSERT_TRUE(cache.put("v", 3).ok());
  EXPECT_EQ(cache.get_entity("e").value(), (Entity<int>{{"p", 1}, {"q", 2}}));
  EXPECT_EQ(cache.get_entity("v").value(), (Entity<int>{{"", 3}}));
  EXPECT_EQ(cache.get_entity("missing").value(), std::nullopt);
  EXPECT_THAT(all_of(cache.entities()),
              ElementsAre(Pair("e", Entity<int>{{"p", 1}, {"q", 2}}), Pair("v", Entity<int>{{"", 3}})));
  EXPECT_THAT(all_of(cache.keys()), ElementsAre("e", "v"));
}

TEST(Cache, DoesNotTakeColumnsForAValue) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  ASSERT_TRUE(cache.put_entity("e", {{"p", 1}}).ok());
  const std::string sentence = "key \"e\": it has columns: use get_entity(), entities()";
  EXPECT_THAT(text_of(cache.get("e")), HasSubstr(sentence));
  EXPECT_THAT(text_of(cache.get_many({"e"})), HasSubstr(sentence));
  auto scan = cache.scan();
  EXPECT_TRUE(scan.begin() == scan.end());
  EXPECT_THAT(text_of(scan.status()), HasSubstr(sentence));
  ASSERT_TRUE(cache.put("e", 5).ok());  // replaces them
  EXPECT_EQ(cache.get("e").value(), 5);
}

TEST(Cache, NamesTheColumnThatCannotBeEncoded) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, double>(folder / "db");
  EXPECT_THAT(text_of(cache.put_entity("e", {{"wind", std::nan("")}})),
              HasSubstr("key \"e\": column 'wind': "));
}

// ---------------------------------------------------------------- expiry

class Expiry : public ::testing::Test {
 protected:
  CacheOptions options(std::optional<Duration> ttl = {}) {
    return {.ttl = ttl, .now = [this] { return now; }};
  }
  const TestFolder folder;
  EventTime now{1000s};
};

TEST_F(Expiry, HidesEntriesFromTheirTimeOn) {
  const auto cache = open_cache<std::string, int>(folder / "db", options(10s));
  ASSERT_TRUE(cache.put("a", 1).ok());
  now += 5s;
  ASSERT_TRUE(cache.put("b", 2).ok());
  ASSERT_TRUE(cache.put_entity("e", {{"p", 1}}).ok());
  now += 5s - 1us;
  EXPECT_EQ(cache.get("a").value(), 1);
  now += 1us;
  EXPECT_EQ(cache.get("a").value(), std::nullopt);
  EXPECT_EQ(cache.get_entity("a").value(), std::nullopt);
  EXPECT_FALSE(cache.contains("a").value());
  EXPECT_FALSE(cache.may_exist("a").value());
  EXPECT_THAT(cache.get_many({"a", "b"}).value(), ElementsAre(std::nullopt, Optional(2)));
  EXPECT_THAT(all_of(cache.keys()), ElementsAre("b", "e"));
  EXPECT_THAT(all_of(cache.keys({.backwards = true})), ElementsAre("e", "b"));
  now += 5s;
  EXPECT_THAT(all_of(cache.keys()), IsEmpty());
}

TEST_F(Expiry, IsForEachWriteAnew) {
  const auto cache = open_cache<std::string, int>(folder / "db", options(10s));
  ASSERT_TRUE(cache.put("a", 1).ok());
  now += 9s;
  ASSERT_TRUE(cache.put("a", 2).ok());
  ASSERT_TRUE(cache.put("long", 3, {.ttl = 60s}).ok());
  now += 9s;
  EXPECT_EQ(cache.get("a").value(), 2);
  now += 1s;
  EXPECT_EQ(cache.get("a").value(), std::nullopt);
  EXPECT_EQ(cache.get("long").value(), 3);
}

TEST_F(Expiry, OfASingleWriteNeedsNoOption) {
  const auto cache = open_cache<std::string, int>(folder / "db", options());
  ASSERT_TRUE(cache.put("a", 1, {.ttl = 1s}).ok());
  ASSERT_TRUE(cache.put("b", 1).ok());
  now += 1s;
  EXPECT_THAT(all_of(cache.keys()), ElementsAre("b"));
}

TEST_F(Expiry, HoldsAfterReopeningWithoutTheOption) {
  ASSERT_TRUE((open_cache<std::string, int>(folder / "db", options(10s)).put("a", 1).ok()));
  now += 10s;
  const auto cache = open_cache<std::string, int>(folder / "db", options());
  EXPECT_EQ(cache.get("a").value(), std::nullopt);
}

TEST_F(Expiry, GivesSpaceBackWhenFilesAreRewritten) {
  const auto cache = open_cache<int, std::string>(folder / "db", options(10s));
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(cache.put(i, "x").ok());
  ASSERT_TRUE(cache.flush().ok());
  const auto stored = [&] {
    std::uint64_t entries = 0;
    const auto files = cache.live_files().value();
    for (const CacheFile& file : files) entries += file.entries;
    return entries;
  };
  EXPECT_EQ(stored(), 1000u);
  now += 10s;
  ASSERT_TRUE(cache.compact().ok());
  EXPECT_EQ(stored(), 0u);
}

// ---------------------------------------------------------------- snapshots

TEST(CacheSnapshot, StaysAsItWas) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  ASSERT_TRUE(cache.put("a", 1).ok());
  ASSERT_TRUE(cache.put("b", 1).ok());
  const auto before = cache.snapshot().value();
  ASSERT_TRUE(cache.put("a", 2).ok());
  ASSERT_TRUE(cache.put("aa", 2).ok());
  ASSERT_TRUE(cache.remove("b").ok());
  ASSERT_TRUE(cache.compact().ok());
  EXPECT_EQ(before.get("a").value(), 1);
  EXPECT_TRUE(before.contains("b").value());
  EXPECT_FALSE(before.contains("aa").value());
  EXPECT_THAT(before.get_many({"a", "aa"}).value(), ElementsAre(Optional(1), std::nullopt));
  EXPECT_THAT(all_of(before.scan()), ElementsAre(Pair("a", 1), Pair("b", 1)));
  EXPECT_THAT(all_of(cache.scan()), ElementsAre(Pair("a", 2), Pair("aa", 2)));
}

TEST(CacheRange, IsASnapshot) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(cache.put(key, 1).ok());
  auto scan = cache.scan();
  std::vector<std::pair<std::string, int>> seen;
  for (const auto& entry : scan) {
    if (seen.empty()) {
      ASSERT_TRUE(cache.put("bb", 2).ok());
      ASSERT_TRUE(cache.put("b", 3).ok());
      ASSERT_TRUE(cache.remove("c").ok());
    }
    seen.push_back(entry);
  }
  EXPECT_THAT(seen, ElementsAre(Pair("a", 1), Pair("b", 1), Pair("c", 1)));
  EXPECT_THAT(all_of(cache.scan()), ElementsAre(Pair("a", 1), Pair("b", 3), Pair("bb", 2)));
}

// ---------------------------------------------------------------- column families and batches

TEST(CacheFamilies, AreCachesOfTheirOwn) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  const auto names = cache.create_family<int, std::string>("names").value();
  ASSERT_TRUE(cache.put("a", 1).ok());
  ASSERT_TRUE(names.put(1, "a").ok());
  EXPECT_THAT(all_of(cache.scan()), ElementsAre(Pair("a", 1)));
  EXPECT_THAT(all_of(names.scan()), ElementsAre(Pair(1, "a")));
  EXPECT_THAT(cache.families().value(), ElementsAre("names"));
  const auto again = cache.family<int, std::string>("names").value();
  EXPECT_EQ(again.get(1).value(), "a");
  const auto deeper = names.create_family("deeper").value();
  EXPECT_THAT(names.families().value(), ElementsAre("deeper"));
  EXPECT_THAT(cache.families().value(), ElementsAre("names"));
}

TEST(CacheFamilies, AreThereAfterReopening) {
  const TestFolder folder;
  {
    const auto cache = open_cache<int, int>(folder / "db");
    ASSERT_TRUE(cache.create_family("x").value().put(1, 10).ok());
    ASSERT_TRUE(cache.create_family("forgetful", {.forgetful = Forgetful{std::size_t{8} << 20}}).ok());
  }
  const auto cache = open_cache<int, int>(folder / "db");
  EXPECT_THAT(cache.families().value(), ElementsAre("forgetful", "x"));
  EXPECT_EQ(cache.family("x")->get(1).value(), 10);
  EXPECT_EQ(cache.family("forgetful")->property("rocksdb.base-level").status().code(), absl::StatusCode::kOk);
}

TEST(CacheFamilies, AreGoneWhenDropped) {
  const TestFolder folder;
  const auto cache = open_cache<int, int>(folder / "db");
  const auto dropped = cache.create_family("x").value();
  ASSERT_TRUE(dropped.put(1, 1).ok());
  ASSERT_TRUE(cache.drop_family("x").ok());
  EXPECT_THAT(text_of(dropped.get(1)), HasSubstr("it was dropped"));
  EXPECT_THAT(cache.families().value(), IsEmpty());
  EXPECT_EQ(cache.create_family("x")->get(1).value(), std::nullopt);
}

TEST(CacheFamilies, SayWhatIsWrongWithAName) {
  const TestFolder folder;
  const auto cache = open_cache<int, int>(folder / "db");
  ASSERT_TRUE(cache.create_family("x").ok());
  EXPECT_EQ(cache.create_family("x").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(cache.family("y").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(cache.drop_family("y").code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(text_of(cache.family("y")),
              HasSubstr("column family 'y': there is no column family of this name"));
  EXPECT_THAT(text_of(cache.create_family("../y")), HasSubstr("doesn't begin with a dot"));
  EXPECT_THAT(text_of(cache.create_family("a/b")), HasSubstr("has no '/' in it"));
  EXPECT_THAT(text_of(cache.create_family("")), HasSubstr("has at least one character"));
  EXPECT_THAT(text_of(cache.create_family(std::string("a\0", 2))), HasSubstr("has no control characters"));
  EXPECT_THAT(text_of(cache.create_family(std::string(201, 'a'))), HasSubstr("has at most 200 bytes"));
  EXPECT_THAT(text_of(cache.create_family("y", {.access = CacheAccess::read_only})),
              HasSubstr("options.access"));
  EXPECT_THAT(text_of(cache.create_family("y", {.rocksdb = {{"max_background_jobs", "2"}}})),
              HasSubstr("is for a database"));
}

TEST(CacheBatch, IsWrittenAsAWhole) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  const auto other = cache.create_family<int, std::string>("other").value();
  ASSERT_TRUE(cache.put("gone", 1).ok());
  for (const char* key : {"r1", "r2", "r3"}) ASSERT_TRUE(cache.put(key, 1).ok());
  CacheBatch batch;
  batch.put(cache, "a", 1).put(other, 1, "a").remove(cache, "gone").remove_range(cache, "r1", "r3");
  batch.put_entity(cache, "e", {{"p", 1}});
  EXPECT_FALSE(cache.contains("a").value());
  ASSERT_TRUE(batch.write().ok());
  EXPECT_TRUE(batch.empty());
  EXPECT_THAT(all_of(cache.keys()), ElementsAre("a", "e", "r3"));
  EXPECT_EQ(other.get(1).value(), "a");
  EXPECT_TRUE(batch.write().ok());  // nothing
}

TEST(CacheBatch, WritesNothingWhenAValueIsBad) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, double>(folder / "db");
  CacheBatch batch;
  batch.put(cache, "a", 1).put(cache, "b", std::nan("")).put(cache, "c", 1);
  EXPECT_THAT(text_of(batch.write()), HasSubstr("key \"b\""));
  EXPECT_THAT(all_of(cache.keys()), IsEmpty());
}

TEST(CacheBatch, IsOfOneDatabase) {
  const TestFolder folder;
  const auto one = open_cache<int, int>(folder / "one");
  const auto two = open_cache<int, int>(folder / "two");
  CacheBatch batch;
  batch.put(one, 1, 1).put(two, 1, 1);
  EXPECT_THAT(text_of(batch.write()), HasSubstr("a batch writes to one database"));
  EXPECT_FALSE(one.contains(1).value());
}

// ---------------------------------------------------------------- looking after it

TEST(Cache, CompactsAndFlushes) {
  const TestFolder folder;
  const auto cache = open_cache<int, std::string>(folder / "db");
  EXPECT_THAT(cache.live_files().value(), IsEmpty());
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(cache.put(i, "x").ok());
    ASSERT_TRUE(cache.flush().ok());
  }
  ASSERT_TRUE(cache.compact().ok());
  std::uint64_t entries = 0;
  const auto files = cache.live_files().value();
  for (const CacheFile& file : files) {
    EXPECT_TRUE(std::filesystem::exists(file.path)) << file.path;
    EXPECT_EQ(file.bytes, std::filesystem::file_size(file.path));
    entries += file.entries;
  }
  EXPECT_EQ(entries, 100u);
  EXPECT_TRUE(cache.compact(10, 20).ok());
  EXPECT_TRUE(cache.flush_wal().ok());
  EXPECT_TRUE(cache.verify().ok());
}

TEST(Cache, TellsItsPropertiesAndPosition) {
  const TestFolder folder;
  const auto cache = open_cache<int, int>(folder / "db");
  const auto before = cache.latest_sequence_number().value();
  ASSERT_TRUE(cache.put(1, 1).ok());
  EXPECT_EQ(cache.latest_sequence_number().value(), before + 1);
  EXPECT_EQ(cache.property("rocksdb.estimate-num-keys").value(), "1");
  EXPECT_EQ(cache.property("rocksdb.nonsense").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(text_of(cache.property("rocksdb.nonsense")), HasSubstr("has no property 'rocksdb.nonsense'"));
  EXPECT_EQ(cache.path(), folder / "db");
}

TEST(Cache, TakesInFiles) {
  const TestFolder folder;
  const auto cache = open_cache<int, std::string>(folder / "db");
  ASSERT_TRUE(cache.put(2, "old").ok());
  auto writer = cache.file_writer(folder / "new.sst").value();
  for (int i = 1; i <= 3; ++i) ASSERT_TRUE(writer.put(i, "new").ok());
  EXPECT_THAT(text_of(writer.put(3, "again")), HasSubstr("key 3: it isn't after the key before, 3"));
  ASSERT_TRUE(writer.finish().ok());
  ASSERT_TRUE(cache.ingest({folder / "new.sst"}).ok());
  EXPECT_TRUE(std::filesystem::exists(folder / "new.sst"));
  EXPECT_THAT(all_of(cache.scan()), ElementsAre(Pair(1, "new"), Pair(2, "new"), Pair(3, "new")));
  auto another = cache.file_writer(folder / "more.sst").value();
  ASSERT_TRUE(another.put(9, "moved").ok());
  ASSERT_TRUE(another.finish().ok());
  ASSERT_TRUE(cache.ingest({folder / "more.sst"}, true).ok());
  EXPECT_FALSE(std::filesystem::exists(folder / "more.sst"));
  EXPECT_EQ(cache.get(9).value(), "moved");
}

TEST(Cache, SaysWhatIsWrongWithAFile) {
  const TestFolder folder;
  const auto cache = open_cache<int, int>(folder / "db");
  EXPECT_THAT(text_of(cache.ingest({folder / "missing.sst"})), HasSubstr("missing.sst"));
  EXPECT_THAT(text_of(cache.file_writer(folder / "no/such/folder.sst")), HasSubstr("no/such/folder.sst"));
  auto empty = cache.file_writer(folder / "empty.sst").value();
  EXPECT_THAT(text_of(empty.finish()), HasSubstr("nothing was put into it"));
}

// ---------------------------------------------------------------- closing

TEST(Cache, RefusesEverythingAfterItWasClosed) {
  const TestFolder folder;
  const auto cache = open_cache<int, int>(folder / "db");
  const auto family = cache.create_family("x").value();
  ASSERT_TRUE(cache.put(1, 1).ok());
  ASSERT_TRUE(cache.put(2, 2).ok());
  const auto snapshot = cache.snapshot().value();
  auto scan = cache.scan();
  auto at = scan.begin();
  CacheBatch batch;
  batch.put(cache, 1, 1);
  ASSERT_TRUE(cache.close().ok());
  const std::string sentence = "cache '" + folder / "db" + "': it was closed";
  EXPECT_EQ(text_of(cache.get(1)), sentence);
  EXPECT_EQ(cache.get(1).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(text_of(cache.put(1, 1)), sentence);
  EXPECT_EQ(text_of(cache.remove(1)), sentence);
  EXPECT_EQ(text_of(cache.get_many({1})), sentence);
  EXPECT_EQ(text_of(cache.snapshot()), sentence);
  EXPECT_EQ(text_of(cache.transaction(1)), sentence);
  EXPECT_EQ(text_of(cache.scan().status()), sentence);
  EXPECT_EQ(text_of(cache.flush()), sentence);
  EXPECT_EQ(text_of(cache.families()), sentence);
  EXPECT_EQ(text_of(batch.write()), sentence);
  EXPECT_EQ(text_of(snapshot.get(1)), sentence);
  EXPECT_THAT(text_of(family.get(1)), HasSubstr("it was closed"));
  EXPECT_EQ(at->first, 1);  // what it had read
  ++at;
  EXPECT_TRUE(at == scan.end());
  EXPECT_EQ(text_of(scan.status()), sentence);
  EXPECT_TRUE(cache.close().ok());
}

TEST(Cache, ClosesWithItsLastHandle) {
  const TestFolder folder;
  ASSERT_TRUE((open_cache<int, int>(folder / "db").put(1, 1).ok()));
  EXPECT_EQ((open_cache<int, int>(folder / "db").get(1).value()), 1);
}

TEST(Cache, LogsAnErrorOfAScanThatNobodyLookedAt) {
  const TestFolder folder;
  std::vector<std::string> log;
  CacheOptions options;
  options.log = [&](LogLevel level, std::string_view, std::string_view message) {
    if (level == LogLevel::error) log.emplace_back(message);
  };
  const auto cache = open_cache<int, int>(folder / "db", options);
  ASSERT_TRUE(cache.put_entity(1, {{"p", 1}}).ok());
  for (const auto& entry : cache.scan()) ADD_FAILURE() << entry.first;
  EXPECT_THAT(log, ElementsAre(HasSubstr("a scan ended early and nobody asked why: cache ")));
  (void)cache.scan().status();
  EXPECT_EQ(log.size(), 1u);
}

}  // namespace
}  // namespace slipstream
