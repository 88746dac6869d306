// What any program made with App takes from its command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "slipstream/slipstream.h"

namespace slipstream {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;

struct Ended {
  int code = 0;
  std::string out;
  std::string err;
};

/// A program that counts three words, run with these arguments.
Ended run(
    std::vector<const char*> words, const std::function<void(App&)>& prepare = [](App&) {}) {
  words.insert(words.begin(), "/usr/bin/words");
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  App app(static_cast<int>(words.size()), words.data(), "Counts words.");
  prepare(app);
  app.source("text", from(std::vector<std::string>{"a", "b", "a"}))
      .key_by([](const std::string& word) { return word; })
      .count("count")
      .sink([](const Keyed<std::string, std::int64_t>&) {});
  const int code = app.main();
  return {code, ::testing::internal::GetCapturedStdout(), ::testing::internal::GetCapturedStderr()};
}

TEST(Program, RunsToItsEnd) {
  const Ended ended = run({"--parallelism", "2", "--log-level", "warning"});
  EXPECT_EQ(ended.code, 0) << ended.err;
}

TEST(Program, ExplainsItself) {
  const Ended ended = run({"--help", "--nonsense"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.out,
              AllOf(HasSubstr("usage: words [flags]\n\nCounts words.\n"), HasSubstr("--parallelism N")));
}

TEST(Program, PrintsItsSettings) {
  const Ended ended =
      run({"--print-config", "--parallelism=3"}, [](App& app) { app.set("runtime.shards", "16"); });
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.out, AllOf(ContainsRegex("runtime.parallelism = 3 +# --parallelism\n"),
                               ContainsRegex("runtime.shards = 16 +# code\n")));
}

TEST(Program, DrawsItsGraph) {
  const Ended ended = run({"--graph"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.out, AllOf(HasSubstr("digraph"), HasSubstr("count")));
}

TEST(Program, DrawsNamesWithQuotesInThem) {
  const Ended ended = run({"--graph"}, [](App& app) {
    app.source(from(std::vector<int>{1})).named(R"(the "first" \ source)").sink([](int) {});
  });
  EXPECT_EQ(ended.code, 0);
  EXPECT_THAT(ended.out, HasSubstr(R"(label="source\nthe \"first\" \\ source"])"));
}

TEST(Program, RefusesMistakesInItsCommandLine) {
  const std::pair<std::vector<const char*>, std::string> cases[] = {
      {{"--paralelism=2"}, "words: unknown flag '--paralelism'; did you mean '--parallelism'?\n"},
      {{"now"}, "words: unexpected argument 'now'; --help lists what there is\n"},
      {{"--set"}, "words: --set needs a value: --set KEY=VALUE\n"},
      {{"--set", "runtime.liger=1ms"},
       "words: --set runtime.liger: unknown key 'runtime.liger'; did you mean 'runtime.linger'?\n"},
      {{"--parallelism", "0"},
       "words: --parallelism: runtime.parallelism expects an integer from 1 to 1024, found '0'\n"},
      {{"--log-level=loud"},
       "words: --log-level: log.level expects debug, info, warning or error, found 'loud'\n"},
      {{"--set", "node.cuont.parallelism=1"},
       "words: --set: node.cuont.parallelism: no node has the name 'cuont'; did you mean 'count'?\n"},
      {{"--config", "missing.toml"},
       "words: can't read the config file 'missing.toml': No such file or directory\n"},
  };
  for (const auto& [words, message] : cases) {
    const Ended ended = run(words);
    EXPECT_EQ(ended.code, 2) << message;
    EXPECT_EQ(ended.err, message);
  }
}

TEST(Program, MayHaveArgumentsOfItsOwn) {
  std::vector<std::string> own;
  const Ended ended = run({"--out", "dir", "--log-level=error"}, [&own](App& app) { own = app.arguments(); });
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(own, ::testing::ElementsAre("--out", "dir"));
}

}  // namespace
}  // namespace slipstream
