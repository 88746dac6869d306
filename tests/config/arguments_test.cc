#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "slipstream/config.h"

namespace slipstream {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<Arguments> parse(std::vector<const char*> words) {
  words.insert(words.begin(), "/usr/bin/flights");
  return parse_arguments(static_cast<int>(words.size()), words.data());
}

std::string message_of(const absl::Status& status) { return std::string(status.message()); }

TEST(Arguments, ReadsTheFlagsEveryProgramHas) {
  const auto arguments = parse({"--config", "a.toml", "--set", "app.x=1=2", "--parallelism=4", "--log-level",
                                "debug", "--print-config", "--graph=g.svg", "--profile"});
  ASSERT_TRUE(arguments.ok()) << arguments.status();
  EXPECT_EQ(arguments->program, "flights");
  EXPECT_EQ(arguments->config_file, "a.toml");
  EXPECT_THAT(arguments->settings,
              ElementsAre(Arguments::Setting{"app.x", "1=2", "--set"},
                          Arguments::Setting{"runtime.parallelism", "4", "--parallelism"},
                          Arguments::Setting{"log.level", "debug", "--log-level"}));
  EXPECT_TRUE(arguments->print_config);
  EXPECT_EQ(arguments->graph, "g.svg");
  EXPECT_TRUE(arguments->profile);
  EXPECT_FALSE(arguments->help);
}

TEST(Arguments, KnowsHelpAndGraphWithoutValues) {
  const auto arguments = parse({"-h", "--graph", "out"});
  ASSERT_TRUE(arguments.ok());
  EXPECT_TRUE(arguments->help);
  EXPECT_EQ(arguments->graph, "");
  EXPECT_THAT(arguments->rest, ElementsAre("out"));
}

TEST(Arguments, LeavesTheRestToTheProgram) {
  const auto arguments = parse({"--out", "dir", "--parallelism", "2", "--", "--help"});
  ASSERT_TRUE(arguments.ok());
  EXPECT_THAT(arguments->rest, ElementsAre("--out", "dir", "--help"));
  EXPECT_FALSE(arguments->help);
}

TEST(Arguments, RefusesFlagsWithoutTheirValue) {
  EXPECT_EQ(message_of(parse({"--config"}).status()), "--config needs a value: --config FILE");
  EXPECT_EQ(message_of(parse({"--config="}).status()), "--config needs a value: --config FILE");
  EXPECT_EQ(message_of(parse({"--parallelism", ""}).status()),
            "--parallelism needs a value: --parallelism N");
  EXPECT_EQ(message_of(parse({"--set", "linger"}).status()), "--set needs key=value, found 'linger'");
  EXPECT_EQ(message_of(parse({"--set", "=3"}).status()), "--set needs key=value, found '=3'");
  EXPECT_EQ(message_of(parse({"--help=me"}).status()), "--help takes no value, found 'me'");
  EXPECT_EQ(parse({"--config"}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Arguments, NamesTheNearestFlagForAMistypedOne) {
  EXPECT_EQ(message_of(check_nothing_left(*parse({"--paralelism=3"}))),
            "unknown flag '--paralelism'; did you mean '--parallelism'?");
  EXPECT_EQ(message_of(check_nothing_left(*parse({"--colour"}))),
            "unknown flag '--colour'; --help lists them");
  EXPECT_EQ(message_of(check_nothing_left(*parse({"now"}))),
            "unexpected argument 'now'; --help lists what there is");
  EXPECT_TRUE(check_nothing_left(*parse({"--help"})).ok());
}

TEST(HelpText, ListsFlagsSettingsAndTheProgramsOwn) {
  const std::pair<std::string, std::string> own[] = {{"--out DIR", "where the results go"}};
  const std::string text = help_text(*parse({}), "Joins flights with the weather.", own);
  EXPECT_THAT(text, HasSubstr("usage: flights [flags]\n\nJoins flights with the weather.\n"));
  EXPECT_THAT(text, HasSubstr("  --out DIR             where the results go\n"));
  EXPECT_THAT(text, HasSubstr("  --graph[=FILE]        print the graph as DOT"));
  EXPECT_THAT(text, HasSubstr("  runtime.memory_budget           Bytes of records in flight"));
}

}  // namespace
}  // namespace slipstream
