// What any program made with App takes from its command line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
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

TEST(Program, DrawsItsGraphIntoAFile) {
  const std::string folder = ::testing::TempDir();
  for (const auto& [name, begin] : {std::pair("graph.dot", "digraph"), std::pair("graph.svg", "<?xml")}) {
    const std::string file = folder + name;
    const Ended ended = run({("--graph=" + file).c_str()});
    EXPECT_EQ(ended.code, 0) << ended.err;
    EXPECT_EQ(ended.out, "");
    std::ifstream drawn(file);
    EXPECT_THAT(std::string(std::istreambuf_iterator<char>(drawn), {}),
                AllOf(::testing::StartsWith(begin), HasSubstr("count")));
    std::remove(file.c_str());
  }
}

TEST(Program, SaysWhyItsGraphCannotBeDrawn) {
  const Ended text = run({"--graph=/nowhere/graph.dot"});
  EXPECT_EQ(text.code, 2);
  EXPECT_EQ(text.err, "words: can't write /nowhere/graph.dot: No such file or directory\n");
  const Ended picture = run({"--graph=/nowhere/graph.svg"});
  EXPECT_EQ(picture.code, 2);
  EXPECT_THAT(picture.err,
              HasSubstr("words: can't draw /nowhere/graph.svg: graphviz's dot failed; is graphviz "
                        "installed? --graph=FILE.dot needs nothing\n"));
}

TEST(Program, EndsWithTheCodeOfWhatWentWrong) {
  const Ended bad = run({"--log-level=error"}, [](App& app) {
    app.source("numbers", from(std::vector<std::string>{"1", "two"}))
        .map([](const std::string& s) { return std::stoi(s); })
        .named("parse")
        .sink([](int) {});
  });
  EXPECT_EQ(bad.code, 4);
  EXPECT_EQ(bad.err, "words: parse: in-memory records partition 0 offset 1: stoi\n");
  const Ended twice = run({"--log-level=error"}, [](App& app) {
    app.source(from(std::vector<int>{1}))
        .key_by([](int n) { return n; })
        .count("count")
        .sink([](const auto&) {});
  });
  EXPECT_EQ(twice.code, 2);
  EXPECT_THAT(twice.err, HasSubstr("words: two nodes are named 'count': "));
}

// A program that doesn't give itself to App::main() speaks for itself.
TEST(Library, PrintsNothing) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  for (const bool fails : {false, true}) {
    App app;
    app.source("numbers", from(std::vector<std::string>{"1", fails ? "two" : "2"}))
        .map([](const std::string& s) { return std::stoi(s); })
        .key_by([](int n) { return n; })
        .count("count")
        .sink([](const auto&) {});
    EXPECT_EQ(app.run().ok(), !fails);
  }
  App mistaken;
  EXPECT_FALSE(mistaken.run().ok());
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
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
