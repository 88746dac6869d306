#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "connectors/rocksdb/errors.h"
#include "slipstream/cache.h"
#include "tests/cache/cache_testing.h"
#include "tests/runtime/child.h"

/// What is there again, and what is refused.
namespace slipstream {
namespace {

namespace fs = std::filesystem;
using test::Child;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

/// Writes until it is killed, and says after each hundredth put which keys are written.
int write_until_killed(const std::string& path) {
  const auto cache = open_cache<int, std::string>(path);
  for (int i = 0;; ++i) {
    if (!cache.put(i, std::string(100, 'x')).ok()) return 1;
    if (i % 100 == 99) std::printf("<%d>\n", i), std::fflush(stdout);
  }
}

TEST(CacheDurability, KeepsEveryPutWhenTheProcessIsKilled) {
  if (Child::is_one()) std::_Exit(write_until_killed(Child::argument()));
  const TestFolder folder;
  Child child(folder / "db");
  ASSERT_TRUE(child.prints("<20099>"));
  child.signal(SIGKILL);
  EXPECT_EQ(child.exit_code(), -1);
  const std::string& said = child.output();
  const int last = std::atoi(said.c_str() + said.rfind('<') + 1);
  const auto cache = open_cache<int, std::string>(folder / "db");
  int expected = 0;
  auto scan = cache.scan();
  for (const auto& [key, value] : scan) {
    ASSERT_EQ(key, expected++);  // no holes
    ASSERT_EQ(value, std::string(100, 'x'));
  }
  ASSERT_TRUE(scan.status().ok()) << scan.status();
  EXPECT_GT(expected, last);
}

TEST(CacheDurability, KeepsBatchesWholeWhenTheProcessIsKilled) {
  const auto write = [](const std::string& path) {
    const auto cache = open_cache<int, int>(path);
    const auto other = cache.create_family("other").value();
    for (int i = 0;; ++i) {
      CacheBatch batch;
      batch.put(cache, i, i).put(other, i, i).put(cache, -i - 1, i);
      if (!batch.write().ok()) return 1;
      if (i % 100 == 99) std::printf("<%d>\n", i), std::fflush(stdout);
    }
  };
  if (Child::is_one()) std::_Exit(write(Child::argument()));
  const TestFolder folder;
  Child child(folder / "db");
  ASSERT_TRUE(child.prints("<4999>"));
  child.signal(SIGKILL);
  child.exit_code();
  const auto cache = open_cache<int, int>(folder / "db");
  const auto keys = all_of(cache.keys());
  const auto others = all_of(cache.family("other")->keys());
  EXPECT_GE(others.size(), 5000u);
  EXPECT_EQ(keys.size(), 2 * others.size());
}

TEST(CacheDurability, SaysWhichProcessHasIt) {
  const auto hold = [](const std::string& path) {
    const auto cache = open_cache<int, int>(path);
    std::printf("<open>\n"), std::fflush(stdout);
    for (;;) ::pause();
  };
  if (Child::is_one()) hold(Child::argument());
  const TestFolder folder;
  Child child(folder / "db");
  ASSERT_TRUE(child.prints("<open>"));
  const auto second = Cache<int, int>::open(folder / "db");
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(text_of(second),
              AllOf(HasSubstr("the database in " + folder / "db" + " is in use: process "),
                    EndsWith(" has it open; one process may write (CacheAccess::secondary may "
                             "look on)")));
  const auto reader = Cache<int, int>::open(folder / "db", {.access = CacheAccess::read_only});
  EXPECT_THAT(text_of(reader), HasSubstr("has it open and writes to"));
  EXPECT_THAT(text_of(verify_cache(folder / "db")), HasSubstr("can't be looked after meanwhile"));
  EXPECT_THAT(text_of(repair_cache(folder / "db")), HasSubstr("can't be looked after meanwhile"));
  EXPECT_THAT(text_of(destroy_cache(folder / "db")), HasSubstr("can't be looked after meanwhile"));
}

TEST(CacheDurability, SaysWhenThisProcessHasIt) {
  const TestFolder folder;
  const auto cache = open_cache<int, int>(folder / "db");
  EXPECT_THAT((text_of(Cache<int, int>::open(folder / "db"))), HasSubstr("this process has it open already"));
  ASSERT_TRUE(cache.put(1, 1).ok());  // and still has
  EXPECT_THAT(text_of(verify_cache(folder / "db")), HasSubstr("this process has it open already"));
}

// ---------------------------------------------------------------- other ways to look

TEST(CacheReadOnly, ReadsWhatIsThere) {
  const TestFolder folder;
  {
    const auto cache = open_cache<int, int>(folder / "db");
    ASSERT_TRUE(cache.put(1, 10).ok());
    ASSERT_TRUE(cache.put_entity(2, {{"p", 1}}).ok());
    ASSERT_TRUE(cache.create_family("x").value().put(1, 100).ok());
  }
  const auto cache = open_cache<int, int>(folder / "db", CacheOptions{.access = CacheAccess::read_only});
  EXPECT_EQ(cache.get(1).value(), 10);
  EXPECT_EQ(cache.get_entity(2).value(), (Entity<int>{{"p", 1}}));
  EXPECT_THAT(all_of(cache.keys({.backwards = true})), ElementsAre(2, 1));
  EXPECT_EQ(cache.family("x")->get(1).value(), 100);
  const std::string sentence = "cache '" + folder / "db" + "': it was opened to be read only";
  EXPECT_EQ(text_of(cache.put(1, 1)), sentence);
  EXPECT_EQ(text_of(cache.remove(1)), sentence);
  EXPECT_EQ(text_of(cache.compact()), sentence);
  EXPECT_EQ(text_of(cache.create_family("y")), sentence);
  EXPECT_THAT(text_of(cache.catch_up()), HasSubstr("is for caches opened with CacheAccess::secondary"));
  const auto second = open_cache<int, int>(folder / "db", CacheOptions{.access = CacheAccess::read_only});
  EXPECT_EQ(second.get(1).value(), 10);
}

TEST(CacheReadOnly, NeedsADatabase) {
  const TestFolder folder;
  for (const auto access : {CacheAccess::read_only, CacheAccess::secondary}) {
    const auto cache = Cache<int, int>::open(folder / "db", {.access = access});
    EXPECT_EQ(cache.status().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(text_of(cache), HasSubstr("there is no database in " + folder / "db"));
  }
  const auto cache = Cache<int, int>::open(folder / "db", {.create_if_missing = false});
  EXPECT_EQ(cache.status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(fs::exists(folder / "db"));
}

TEST(CacheSecondary, FollowsOneThatWrites) {
  const TestFolder folder;
  const auto primary = open_cache<int, int>(folder / "db");
  ASSERT_TRUE(primary.put(1, 10).ok());
  const auto secondary = open_cache<int, int>(folder / "db", CacheOptions{.access = CacheAccess::secondary});
  EXPECT_EQ(secondary.get(1).value(), 10);
  ASSERT_TRUE(primary.put(2, 20).ok());
  ASSERT_TRUE(primary.put_entity(3, {{"p", 30}}).ok());
  ASSERT_TRUE(primary.remove(1).ok());
  EXPECT_EQ(secondary.get(2).value(), std::nullopt);
  ASSERT_TRUE(secondary.catch_up().ok());
  EXPECT_EQ(secondary.get(2).value(), 20);
  EXPECT_EQ(secondary.get_entity(3).value(), (Entity<int>{{"p", 30}}));
  EXPECT_THAT(secondary.get_many({2, 1}).value(), ElementsAre(20, std::nullopt));
  EXPECT_THAT(all_of(secondary.keys()), ElementsAre(2, 3));
  ASSERT_TRUE(primary.flush().ok());
  ASSERT_TRUE(primary.compact().ok());
  ASSERT_TRUE(secondary.catch_up().ok());
  EXPECT_THAT(all_of(secondary.keys({.backwards = true})), ElementsAre(3, 2));
  EXPECT_THAT(secondary.get_many({2, 1}).value(), ElementsAre(20, std::nullopt));
  EXPECT_THAT(text_of(secondary.put(1, 1)), HasSubstr("it was opened to be read only"));
  EXPECT_THAT(text_of(primary.catch_up()), HasSubstr("is for caches opened with CacheAccess::secondary"));
}

// ---------------------------------------------------------------- damage

void change_byte(const fs::path& file, std::uintmax_t at) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(static_cast<std::streamoff>(at));
  const int byte = stream.get();
  stream.seekp(static_cast<std::streamoff>(at));
  stream.put(static_cast<char>(byte ^ 0x55));
}

/// A database of 1010 keys in two files, closed.
class CacheDamage : public ::testing::Test {
 protected:
  CacheDamage() { EXPECT_TRUE(written(path).close().ok()); }
  static Cache<int, std::string> written(const std::string& path) {
    const auto cache = open_cache<int, std::string>(path);
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(cache.put(i, "value " + std::to_string(i)).ok());
    EXPECT_TRUE(cache.flush().ok());
    for (int i = 1000; i < 1010; ++i) EXPECT_TRUE(cache.put(i, "value " + std::to_string(i)).ok());
    return cache;
  }
  /// As if the process had died: with ten keys in the log.
  void crash() const {
    const auto cache = written(folder / "crashing");
    fs::remove_all(path);
    fs::copy(folder / "crashing", path);
  }
  fs::path file(std::string_view begin, std::string_view end) const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(path)) {
      const std::string name = entry.path().filename();
      if (name.starts_with(begin) && name.ends_with(end) && fs::file_size(entry) > 0) found.push_back(entry);
    }
    EXPECT_FALSE(found.empty()) << begin << " " << end;
    return *std::max_element(found.begin(), found.end());
  }
  void expect_refusal(const std::string& how) const {
    for (int attempt = 0; attempt < 2; ++attempt) {  // it doesn't wear off
      const auto cache = Cache<int, std::string>::open(path);
      ASSERT_EQ(cache.status().code(), absl::StatusCode::kDataLoss) << how;
      EXPECT_THAT(text_of(cache),
                  AllOf(HasSubstr("cache '" + path + "': the database in " + path + " is damaged: "),
                        HasSubstr(how), HasSubstr("`slipstream cache repair " + path + "`")));
    }
    EXPECT_EQ(verify_cache(path).code(), absl::StatusCode::kDataLoss);
  }
  std::vector<int> keys_after_repair() const {
    const absl::Status repaired = repair_cache(path);
    EXPECT_TRUE(repaired.ok()) << repaired;
    EXPECT_TRUE(verify_cache(path).ok());
    return all_of(open_cache<int, std::string>(path).keys());
  }
  const TestFolder folder;
  const std::string path = folder / "db";
};

TEST(CacheErrors, OfAFullDiskSayWhatToDo) {
  EXPECT_EQ(
      rocks::to_status(rocksdb::Status::NoSpace("While appending to file: /d/000004.log"), "/d"),
      absl::ResourceExhaustedError(
          "no space is left for the database in /d (IO error: No space left on device: While appending to "
          "file: /d/000004.log); what was written before is safe: free some and start again"));
}

TEST_F(CacheDamage, IsNoneWhenNothingHappened) {
  EXPECT_TRUE(verify_cache(path).ok());
  EXPECT_EQ(all_of(open_cache<int, std::string>(path).keys()).size(), 1010u);
}

TEST_F(CacheDamage, OfCurrentIsRefused) {
  fs::remove(path + "/CURRENT");
  expect_refusal("its file CURRENT is missing");
  EXPECT_EQ(keys_after_repair().size(), 1010u);
}

TEST_F(CacheDamage, OfACutManifestIsRefused) {
  const fs::path manifest = file("MANIFEST-", "");
  fs::resize_file(manifest, fs::file_size(manifest) / 2);
  expect_refusal(manifest.filename().string() + " has ");
  EXPECT_EQ(keys_after_repair().size(), 1010u);
}

TEST_F(CacheDamage, OfALostTableIsRefused) {
  fs::remove(file("0", ".sst"));
  expect_refusal(".sst is missing");
  EXPECT_EQ(keys_after_repair().size(), 1000u);
}

TEST_F(CacheDamage, OfTheMiddleOfALogIsRefusedAfterACrashToo) {
  crash();
  const fs::path log = file("0", ".log");
  change_byte(log, fs::file_size(log) / 2);
  expect_refusal("checksum mismatch");
  EXPECT_GE(keys_after_repair().size(), 1000u);
}

TEST_F(CacheDamage, IsNoneWhereALogBreaksOffAfterACrash) {
  crash();
  const fs::path log = file("0", ".log");
  fs::resize_file(log, fs::file_size(log) - 1);
  EXPECT_EQ(all_of(open_cache<int, std::string>(path).keys()).size(), 1009u);
}

TEST_F(CacheDamage, OfCurrentIsRefusedAfterACrashToo) {
  crash();
  fs::remove(path + "/CURRENT");
  expect_refusal("its file CURRENT is missing");
  EXPECT_EQ(keys_after_repair().size(), 1010u);
}

TEST_F(CacheDamage, OfAManifestIsRefusedAfterACrashToo) {
  crash();
  const fs::path manifest = file("MANIFEST-", "");
  fs::remove(manifest);
  expect_refusal("its file " + manifest.filename().string() + " is missing");
  EXPECT_EQ(keys_after_repair().size(), 1010u);
}

TEST_F(CacheDamage, OfALostLogIsRefusedAfterACrashToo) {
  crash();
  fs::remove(file("0", ".log"));
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().extension() == ".log") fs::remove(entry.path());
  }
  expect_refusal("the log of its last writes is missing");
  EXPECT_EQ(keys_after_repair().size(), 1000u);
}

TEST_F(CacheDamage, OfATableIsFoundWhenItIsRead) {
  const fs::path table = file("0", ".sst");  // of the last ten keys
  change_byte(table, 50);
  EXPECT_EQ(verify_cache(path).code(), absl::StatusCode::kDataLoss);
  const auto cache = open_cache<int, std::string>(path);  // nobody has looked at the blocks yet
  const auto found = cache.get(1005);
  EXPECT_EQ(found.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(text_of(found), AllOf(HasSubstr("key 1005: the database in "), HasSubstr("checksum mismatch"),
                                    HasSubstr("`slipstream cache repair ")));
  auto scan = cache.scan({.from = 1000});
  EXPECT_TRUE(scan.begin() == scan.end());
  EXPECT_EQ(scan.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(cache.verify().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(cache.get(5).value(), "value 5");
  ASSERT_TRUE(cache.close().ok());
  // The file is put aside as a whole.
  EXPECT_EQ(keys_after_repair().size(), 1000u);
  EXPECT_TRUE(fs::exists(path + "/lost/" + table.filename().string()));
}

class CacheDamageOfFamilies : public CacheDamage {
 protected:
  static void add_families(const Cache<int, std::string>& cache) {
    for (const char* name : {"x", "y"}) {
      CacheOptions options;
      if (*name == 'y') options.forgetful = Forgetful{std::size_t{8} << 20};
      const auto family = cache.create_family(name, options).value();
      for (int i = 0; i < 5; ++i) ASSERT_TRUE(family.put(i, name).ok());
      ASSERT_TRUE(family.flush().ok());
      for (int i = 5; i < 10; ++i) ASSERT_TRUE(family.put(i, name).ok());
    }
  }
  void cut_manifest() const {
    const fs::path manifest = file("MANIFEST-", "");
    fs::resize_file(manifest, fs::file_size(manifest) / 2);
  }
  void expect_families(std::size_t keys) const {
    const auto cache = open_cache<int, std::string>(path);
    EXPECT_THAT(cache.families().value(), ElementsAre("x", "y"));
    for (const char* name : {"x", "y"}) {
      const auto found = all_of(cache.family(name)->scan());
      EXPECT_GE(found.size(), keys) << name;
      for (const auto& [key, value] : found) EXPECT_EQ(value, name);
    }
    EXPECT_TRUE(cache.verify().ok());
  }
};

TEST_F(CacheDamageOfFamilies, IsRepairedWithoutLossWhenItWasClosed) {
  add_families(open_cache<int, std::string>(path));
  cut_manifest();
  EXPECT_EQ(keys_after_repair().size(), 1010u);
  expect_families(10);
}

TEST_F(CacheDamageOfFamilies, LeavesWhatWasInFilesAfterACrash) {
  {
    const auto cache = written(folder / "crashing");
    add_families(cache);
    fs::remove_all(path);
    fs::copy(folder / "crashing", path);
  }
  fs::remove(path + "/CURRENT");
  fs::remove(file("MANIFEST-", ""));
  EXPECT_GE(keys_after_repair().size(), 1000u);
  expect_families(5);
}

TEST_F(CacheDamage, OfTheListOfFilesIsRefused) {
  std::ofstream(path + "/FILES") << "nonsense\n";
  expect_refusal("its file FILES isn't as it was written");
}

TEST_F(CacheDamage, IsNoneInACopyTakenWhileItWasOpen) {
  const auto cache = open_cache<int, std::string>(path);
  EXPECT_FALSE(fs::exists(path + "/FILES"));
  ASSERT_TRUE(cache.flush().ok());
  fs::copy(path, folder / "copy");
  fs::remove(folder / "copy" + "/LOCK");
  EXPECT_EQ(all_of(open_cache<int, std::string>(folder / "copy").keys()).size(), 1010u);
}

TEST(CacheFolder, MustNotHoldOtherThings) {
  const TestFolder folder;
  std::ofstream(folder / "notes.txt") << "mine";
  const auto cache = Cache<int, int>::open(folder.path());
  EXPECT_EQ(cache.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(text_of(cache),
              HasSubstr("holds other files and no database; a cache needs a folder of its own"));
  EXPECT_TRUE(destroy_cache(folder.path()).ok());
  EXPECT_TRUE(fs::exists(folder / "notes.txt"));
  EXPECT_THAT((text_of(Cache<int, int>::open(folder / "notes.txt"))), HasSubstr("notes.txt"));
}

TEST(CacheFolder, IsMade) {
  const TestFolder folder;
  ASSERT_TRUE((open_cache<int, int>(folder / "a/b/c").put(1, 1).ok()));
  EXPECT_TRUE(fs::exists(folder / "a/b/c/CURRENT"));
}

TEST(DestroyCache, LeavesNothing) {
  const TestFolder folder;
  ASSERT_TRUE((open_cache<int, int>(folder / "db").create_family("x")->put(1, 1).ok()));
  ASSERT_TRUE(destroy_cache(folder / "db").ok());
  EXPECT_FALSE(fs::exists(folder / "db"));
  EXPECT_TRUE(destroy_cache(folder / "db").ok());
  EXPECT_THAT(all_of(open_cache<int, int>(folder / "db").keys()), IsEmpty());
}

TEST(DumpCache, TellsEverything) {
  const TestFolder folder;
  {
    const auto cache = open_cache<std::string, int>(folder / "db");
    ASSERT_TRUE(cache.put("a", 1).ok());
    ASSERT_TRUE(cache.put("gone", 1, {.ttl = std::chrono::microseconds(1)}).ok());
    ASSERT_TRUE(cache.put_entity("e", {{"p", 2}, {"q", 3}}).ok());
    ASSERT_TRUE((cache.create_family<std::pair<int, bool>, std::string>("x")->put({1, true}, "text").ok()));
  }
  std::vector<std::string> lines;
  ASSERT_TRUE(dump_cache(folder / "db", [&](const CacheDumpEntry& entry) {
                lines.push_back(std::string(entry.family) + " " + std::string(entry.key) + " " +
                                (entry.is_column ? std::string(entry.column) + "=" : "") +
                                std::string(entry.value));
                return absl::OkStatus();
              }).ok());
  EXPECT_THAT(lines,
              ElementsAre("default \"a\" 1", "default \"e\" p=2", "default \"e\" q=3", "x [1,true] text"));
  EXPECT_THAT(
      text_of(dump_cache(folder / "db", [](const CacheDumpEntry&) { return absl::AbortedError("enough"); })),
      "enough");
  EXPECT_EQ(dump_cache(folder / "none", {}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(verify_cache(folder / "none").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(repair_cache(folder / "none").code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace slipstream
