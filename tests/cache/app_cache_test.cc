#include <cmath>
#include <filesystem>

#include "slipstream/cache.h"
#include "slipstream/slipstream.h"
#include "slipstream/testing.h"
#include "tests/cache/cache_testing.h"
#include "tests/runtime/waiting.h"

/// Caches of an App: when they open, what handlers do with them.
namespace slipstream {
namespace {

using namespace std::chrono_literals;
using test::run_to_end;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

std::vector<std::string> emojis() { return {"🏆", "📞", "🐟", "👌", "🏆", "📞", "🐟", "👌"}; }

/// Runs an App that reads nothing.
absl::Status run_idle(App& app) {
  app.on(from(std::vector<int>{})).handle([](int) {});
  return run_to_end(app).status;
}

/// An App whose state is in a folder that ends with the test.
struct WithState {
  WithState() { app.set("state.dir", folder / "state"); }
  const TestFolder folder;
  App app;
};

class AppCache : public ::testing::Test, protected WithState {};

TEST_F(AppCache, IsWrittenByHandlers) {
  const auto counts = app.cache<std::string, int>("counts");
  std::vector<std::pair<std::string, int>> seen;
  app.on(from(emojis()))
      .handle([counts](const std::string& emoji) {
        return std::pair(emoji, counts.get_or(emoji, 0).value() + 1);
      })
      .to(counts, [&](const std::pair<std::string, int>& count) { seen.push_back(count); });
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(seen, ElementsAre(Pair("🏆", 1), Pair("📞", 1), Pair("🐟", 1), Pair("👌", 1), Pair("🏆", 2),
                                Pair("📞", 2), Pair("🐟", 2), Pair("👌", 2)));
  EXPECT_THAT(all_of(counts.scan()), ElementsAre(Pair("🏆", 2), Pair("🐟", 2), Pair("👌", 2), Pair("📞", 2)));
}

TEST_F(AppCache, IsThereInTheNextRun) {
  const auto count = [&](App& an_app) {
    an_app.set("state.dir", folder / "state");
    const auto counts = an_app.cache<std::string, int>("counts");
    an_app.on(from(emojis()))
        .handle([counts](const std::string& e) { return std::pair(e, counts.get_or(e, 0).value() + 1); })
        .to(counts);
    EXPECT_TRUE(run_to_end(an_app).status.ok());
    return counts.get("🏆").value();
  };
  App first;
  EXPECT_EQ(count(first), 2);
  EXPECT_THAT(
      text_of([&] {
        App meanwhile;
        meanwhile.set("state.dir", folder / "state");
        meanwhile.cache<std::string, int>("counts");
        return run_idle(meanwhile);
      }()),
      HasSubstr("cache 'counts': the database in " + folder / "state/db" + " is in use: this process"));
}

TEST_F(AppCache, IsClosedWithTheApp) {
  auto cache = [&] {
    App inner;
    inner.set("state.dir", folder / "state");
    const auto made = inner.cache<std::string, int>("counts");
    EXPECT_TRUE(run_idle(inner).ok());
    EXPECT_TRUE(made.put("a", 1).ok());  // the run has ended, the App is there
    return made;
  }();
  EXPECT_EQ(text_of(cache.get("a")), "cache 'counts': it was closed");
  const auto again = app.cache<std::string, int>("counts");
  ASSERT_TRUE(run_idle(app).ok());
  EXPECT_EQ(again.get("a").value(), 1);
}

TEST_F(AppCache, TakesTombstonesAndOptionalsAndMessages) {
  const auto cache = app.cache<std::string, int>("x");
  const auto copy = app.cache<std::string, int>("copy");
  using Out = std::pair<std::string, OrTombstone<int>>;
  app.on(from(std::vector<int>{1, 2, -1}))
      .handle([](int n) { return n < 0 ? Out("1", Tombstone{}) : Out(std::to_string(n), n); })
      .to(cache);
  app.on(from(std::vector<int>{7}))
      .handle([](int n) { return Message<std::string, int>{.key = "m", .value = n}; })
      .to(copy);
  app.on(from(std::vector<int>{7}))
      .handle([](int) { return std::pair(std::string("gone"), Tombstone{}); })
      .to(copy);
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(all_of(cache.scan()), ElementsAre(Pair("2", 2)));
  EXPECT_THAT(all_of(copy.scan()), ElementsAre(Pair("m", 7)));
}

TEST_F(AppCache, FailsTheHandlerThatCannotWrite) {
  const auto cache = app.cache<std::string, double>("x");
  app.on(from(std::vector<int>{1, 2}))
      .handle([](int n) { return std::pair("k" + std::to_string(n), n == 2 ? std::nan("") : 1.0); })
      .to(cache)
      .named("writer");
  const absl::Status s = run_to_end(app).status;
  EXPECT_THAT(text_of(s), AllOf(HasSubstr("writer"), HasSubstr("cache 'x', key \"k2\": ")));
  EXPECT_TRUE(cache.contains("k1").value());
}

TEST_F(AppCache, TakesWritesOfParallelHandlers) {
  const auto cache = app.cache<int, int>("x");
  std::vector<int> numbers(5000);
  for (int i = 0; i < 5000; ++i) numbers[static_cast<std::size_t>(i)] = i;
  app.on(from(numbers))
      .parallel_by([](int n) { return n % 16; })
      .handle([cache](int n) { return std::pair(n % 100, cache.get_or(n % 100, 0).value_or(0) + 1); })
      .to(cache);
  ASSERT_TRUE(run_to_end(app).status.ok());
  std::int64_t sum = 0;
  for (const auto& entry : all_of(cache.scan())) sum += entry.second;
  EXPECT_GT(sum, 0);
  EXPECT_EQ(all_of(cache.keys()).size(), 100u);
}

TEST_F(AppCache, IsNotOpenBeforeTheRun) {
  const auto cache = app.cache<int, int>("x");
  const std::string sentence =
      "cache 'x': it isn't open yet; it opens when the App runs, before its sources do";
  EXPECT_EQ(text_of(cache.get(1)), sentence);
  EXPECT_EQ(text_of(cache.put(1, 1)), sentence);
  EXPECT_EQ(text_of(cache.scan().status()), sentence);
  EXPECT_EQ(text_of(cache.create_family("y")), sentence);
  EXPECT_EQ(cache.get(1).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(std::filesystem::exists(folder / "state"));
  ASSERT_TRUE(run_idle(app).ok());
  EXPECT_EQ(cache.get(1).value(), std::nullopt);
}

TEST_F(AppCache, WithAPathIsADatabaseOfItsOwn) {
  const auto shared = app.cache<int, int>("shared");
  const auto own = app.cache<int, int>("own", {.path = folder / "own"});
  ASSERT_TRUE(run_idle(app).ok());
  ASSERT_TRUE(own.put(1, 1).ok());
  EXPECT_EQ(own.path(), folder / "own");
  EXPECT_EQ(shared.path(), folder / "state/db");
  ASSERT_TRUE(own.close().ok());
  EXPECT_TRUE(shared.put(1, 1).ok());
  EXPECT_EQ((open_cache<int, int>(folder / "own").get(1).value()), 1);
}

TEST_F(AppCache, SharesTheAppsDatabase) {
  const auto one = app.cache<int, int>("one");
  const auto two = app.cache<std::string, std::string>("two", bytes());
  ASSERT_TRUE(run_idle(app).ok());
  CacheBatch batch;
  batch.put(one, 1, 10).put(two, "a", "\xff");
  ASSERT_TRUE(batch.write().ok());
  EXPECT_EQ(one.get(1).value(), 10);
  EXPECT_EQ(two.get("a").value(), "\xff");
  EXPECT_THAT(one.families().value(), IsEmpty());
  ASSERT_TRUE(one.create_family("sub").value().put(1, 1).ok());
  EXPECT_THAT(one.families().value(), ElementsAre("sub"));
  EXPECT_THAT(two.families().value(), IsEmpty());
}

TEST_F(AppCache, ExpiresByTheRunsClock) {
  const auto cache = app.cache<std::string, int>("x", {.ttl = 10s});
  const auto ticks = app.source("ticks", from(std::vector<int>{}));
  app.on(ticks).handle([](int n) { return std::pair("k" + std::to_string(n), n); }).to(cache);
  TestDriver driver(app, {.state_dir = folder / "state"});
  driver.push(ticks, 1);
  ASSERT_TRUE(driver.run().ok());
  ASSERT_TRUE(driver.advance_time(6s).ok());
  driver.push(ticks, 2);
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(all_of(cache.keys()), ElementsAre("k1", "k2"));
  ASSERT_TRUE(driver.advance_time(4s).ok());
  EXPECT_THAT(all_of(cache.keys()), ElementsAre("k2"));
}

// ---------------------------------------------------------------- what is refused at the start

/// What run() says of an App with this.
template <class Describe>
std::string refusal(Describe describe, bool has_dir = true) {
  const TestFolder folder;
  App app;
  if (has_dir) app.set("state.dir", folder / "state");
  bool was_read = false;
  app.on(from(std::vector<int>{1})).handle([&](int) { was_read = true; });
  describe(app);
  const absl::Status s = app.run();
  EXPECT_FALSE(s.ok());
  EXPECT_FALSE(was_read);
  return text_of(s);
}

TEST(AppCacheRefusals, NameWhatIsWrong) {
  const auto named = [](const std::string& name) {
    return refusal([&](App& app) { app.cache<int, int>(name); });
  };
  EXPECT_EQ(named("../x"), "cache: a cache can't be called '../x': a name doesn't begin with a dot");
  EXPECT_EQ(
      named("a/b"),
      "cache: a cache can't be called 'a/b': a name has no '/' in it; a folder of its own is options.path");
  EXPECT_EQ(named(""), "cache: a cache can't be called '': a name has at least one character");
  EXPECT_THAT(named(std::string("a\0b", 3)), HasSubstr("has no control characters in it"));
  EXPECT_THAT(named("default"), HasSubstr("can't be called 'default'"));
  EXPECT_THAT(refusal([](App& app) {
                app.cache<int, int>("x");
                app.cache<int, int>("x");
              }),
              HasSubstr("cache 'x' is there twice in this App; copy the handle of the first instead"));
  EXPECT_THAT(refusal([](App& app) { app.cache<int, int>("x", {.access = CacheAccess::secondary}); }),
              HasSubstr("cache 'x': options.access is for a cache with a path of its own"));
  EXPECT_THAT(refusal([](App& app) { app.cache<int, int>("x", {.ttl = -1s}); }),
              HasSubstr("cache 'x': options.ttl is to be more than 0"));
  EXPECT_THAT(refusal([](App& app) {
                app.cache<int, int>("x", {.rocksdb = {{"max_open_files", "1"}}});
              }),
              HasSubstr("is for a database"));
  EXPECT_THAT(refusal([](App& app) { app.cache<int, int>("x", {.now = [] { return EventTime(); }}); }),
              HasSubstr("options.now and log are for a cache with a path"));
}

TEST(AppCacheRefusals, AskForAPlace) {
  EXPECT_EQ(refusal([](App& app) { app.cache<int, int>("x"); }, false),
            "cache 'x' needs a place: set state.dir (--set state.dir=FOLDER, or app.set(\"state.dir\", …)), "
            "or give it "
            "a path of its own");
}

TEST(AppCacheRefusals, EndTheStartWhenADatabaseIsDamaged) {
  const TestFolder folder;
  ASSERT_TRUE((open_cache<int, int>(folder / "db").put(1, 1).ok()));
  std::filesystem::remove(folder / "db/CURRENT");
  EXPECT_THAT(refusal([&](App& app) { app.cache<int, int>("x", {.path = folder / "db"}); }),
              AllOf(HasSubstr("cache 'x': the database in " + folder / "db" + " is damaged"),
                    HasSubstr("`slipstream cache repair")));
}

TEST(AppCacheRefusals, KeepACacheThatKeepsEverythingFromForgetting) {
  const TestFolder folder;
  ASSERT_TRUE((open_cache<int, int>(folder / "db").put(1, 1).ok()));
  EXPECT_THAT(refusal([&](App& app) {
                app.cache<int, int>("x",
                                    {.path = folder / "db", .forgetful = Forgetful{std::size_t{8} << 20}});
              }),
              HasSubstr("cache 'x': it was made to keep everything and can't become forgetful"));
}

}  // namespace
}  // namespace slipstream
