#ifdef SLIPSTREAM_ROCKSDB
#include "slipstream/cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "cli/process.h"

/// slipstream cache verify|repair|dump.
namespace slipstream::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class CacheCommand : public ::testing::Test {
 protected:
  CacheCommand() {
    std::string name = (std::filesystem::temp_directory_path() / "slipstream-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    folder_ = name;
    const auto cache = Cache<std::string, double>::open(path()).value();
    EXPECT_TRUE(cache.put("a", 1.5).ok());
    EXPECT_TRUE(cache.put_entity("e", {{"wind", 2}}).ok());
    EXPECT_TRUE((cache.create_family<std::pair<int, bool>, std::string>("bytes", {}, bytes())
                     ->put({1, true}, "\xff")
                     .ok()));
    EXPECT_TRUE((cache.create_family<int, std::string>("json", {}, bytes())->put(1, R"({"x": "é"})").ok()));
    EXPECT_TRUE(cache.flush().ok());
  }
  ~CacheCommand() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return folder_ + "/db"; }
  void damage_table() const {
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      if (entry.path().extension() != ".sst") continue;
      std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(4);
      file.write("\xff\xff\xff", 3);
    }
  }
  std::string folder_;
};

TEST_F(CacheCommand, DumpsEveryEntryAsALine) {
  const Ended dump = run_tool({"cache", "dump", path()});
  EXPECT_EQ(dump.code, 0) << dump.err;
  EXPECT_EQ(dump.out,
            "{\"family\":\"bytes\",\"key\":[1,true],\"value_base64\":\"/w==\"}\n"
            "{\"family\":\"default\",\"key\":\"a\",\"value\":\"1.5\"}\n"
            "{\"family\":\"default\",\"key\":\"e\",\"column\":\"wind\",\"value\":\"2\"}\n"
            "{\"family\":\"json\",\"key\":1,\"value\":{\"x\": \"é\"}}\n");
  EXPECT_EQ(run_tool({"cache", "dump", path()}).out, dump.out);  // it changes nothing
}

TEST_F(CacheCommand, VerifiesFiles) {
  const Ended whole = run_tool({"cache", "verify", path()});
  EXPECT_EQ(whole.code, 0) << whole.err;
  EXPECT_EQ(whole.out, path() + ": every file is as it was written\n");
  damage_table();
  const Ended damaged = run_tool({"cache", "verify", path()});
  EXPECT_EQ(damaged.code, 4);
  EXPECT_THAT(damaged.err,
              AllOf(StartsWith("slipstream cache: the database in " + path() + " is damaged: "),
                    HasSubstr("checksum mismatch"), HasSubstr("`slipstream cache repair " + path() + "`")));
}

TEST_F(CacheCommand, RepairsWhatDoesNotOpen) {
  std::filesystem::remove(path() + "/CURRENT");
  EXPECT_EQ(run_tool({"cache", "dump", path()}).code, 4);
  const Ended repaired = run_tool({"cache", "repair", path()});
  EXPECT_EQ(repaired.code, 0) << repaired.err;
  EXPECT_EQ(repaired.out, path() + ": what could be read is there\n");
  EXPECT_EQ(run_tool({"cache", "verify", path()}).code, 0);
  const auto cache = Cache<std::string, double>::open(path());
  ASSERT_TRUE(cache.ok()) << cache.status();
  EXPECT_EQ(cache->get("a").value(), 1.5);
  EXPECT_EQ((cache->family<int, std::string>("json", {}, bytes())->get(1).value()), R"({"x": "é"})");
}

TEST_F(CacheCommand, LeavesADatabaseInUseAlone) {
  const auto cache = Cache<std::string, double>::open(path());
  for (const char* action : {"verify", "repair", "dump"}) {
    const Ended refused = run_tool({"cache", action, path()});
    EXPECT_EQ(refused.code, 2);
    EXPECT_EQ(refused.err, "slipstream cache: process " + std::to_string(getpid()) +
                               " has it open: " + path() + " can't be looked after meanwhile\n");
  }
}

TEST_F(CacheCommand, SaysWhatIsWrongWithItsArguments) {
  const Ended mistyped = run_tool({"cache", "verifi", path()});
  EXPECT_EQ(mistyped.code, 2);
  EXPECT_EQ(mistyped.err, "slipstream cache: no action 'verifi'; did you mean 'verify'?\n");
  EXPECT_EQ(run_tool({"cache", "x", path()}).err,
            "slipstream cache: no action 'x'; there are verify, repair and dump\n");
  EXPECT_EQ(run_tool({"cache", "verify"}).err,
            "slipstream cache: PATH is missing; usage: slipstream cache verify|repair|dump PATH\n");
  for (const char* action : {"verify", "repair", "dump"}) {
    const Ended missing = run_tool({"cache", action, folder_ + "/none"});
    EXPECT_EQ(missing.code, 2);
    EXPECT_EQ(missing.err, "slipstream cache: there is no database in " + folder_ + "/none\n");
  }
  EXPECT_THAT(run_tool({"cache", "--help"}).out,
              StartsWith("usage: slipstream cache verify|repair|dump PATH"));
  EXPECT_THAT(run_tool({"--help"}).out, HasSubstr("\n  cache     verify, repair or dump "));
}

}  // namespace
}  // namespace slipstream::testing
#endif
