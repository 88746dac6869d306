#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "tests/cli/process.h"
#include "tests/demo/demo_runs.h"
#include "tests/integration/real_broker.h"

namespace flights {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class FlightsOnTheEmbeddedBroker : public testing::TestWithParam<int> {};

TEST_P(FlightsOnTheEmbeddedBroker, WriteTheExpectedFiles) {
  DemoOptions options = fast(GetParam());
  options.out_folder = folder();
  options.seed = static_cast<std::uint64_t>(GetParam());
  const Shown shown = run(options);
  ASSERT_EQ(shown.status, absl::OkStatus()) << shown.text;
  expect_the_years_files(options.out_folder);
  EXPECT_THAT(shown.text,
              AllOf(HasSubstr("336,776 flights counted + 0 late = 336,776"),
                    HasSubstr("336,776 flights joined  + 0 late = 336,776"),
                    HasSubstr("20 partitions hold all they were sent"),
                    HasSubstr("2013-03-08  EV            164          67      136 min   420 min")));
  std::filesystem::remove_all(options.out_folder);
}

INSTANTIATE_TEST_SUITE_P(Parallelism, FlightsOnTheEmbeddedBroker,
                         testing::ValuesIn(kIsSlow ? std::vector{8} : std::vector{1, 2, 8}));

TEST(FlightsDemo, CountsFlightsThatCameTooLate) {
  DemoOptions options = fast(2);
  options.bound_fraction = 0.1;
  const Shown shown = run(options);
  ASSERT_EQ(shown.status, absl::OkStatus()) << shown.text;
  EXPECT_THAT(shown.text, AllOf(HasSubstr("late = 336,776\n     flight weather"),
                                HasSubstr("late = 336,776\n     out of order"), Not(HasSubstr(" + 0 late"))));
}

/// The counts per partition in each line that says that all of them wait.
std::vector<std::vector<std::int64_t>> counts_while_all_wait(const std::string& text) {
  const std::string begin = "16 of 16 wait for weather, which is held back; read per partition";
  std::vector<std::vector<std::int64_t>> lines;
  for (std::size_t at = 0; (at = text.find(begin, at)) != std::string::npos;) {
    at += begin.size();
    std::istringstream numbers(text.substr(at, text.find('\n', at) - at));
    lines.emplace_back(std::istream_iterator<std::int64_t>(numbers), std::istream_iterator<std::int64_t>());
  }
  return lines;
}

TEST(FlightsDemo, FlightsStandStillWhileTheWeatherIsHeldBack) {
  DemoOptions options = fast(2);
  options.pace = Pace{7s, 5s};
  const Shown shown = run(options);
  ASSERT_EQ(shown.status, absl::OkStatus()) << shown.text;
  const auto lines = counts_while_all_wait(shown.text);
  ASSERT_GE(lines.size(), 2u) << shown.text;
  const auto batch = static_cast<std::int64_t>(options.runtime.batch_max_records);
  for (std::size_t p = 0; p < 16; ++p) {
    ASSERT_EQ(lines.front().size(), 16u);
    ASSERT_EQ(lines.back().size(), 16u);
    EXPECT_LE(lines.back()[p] - lines.front()[p], batch) << "partition " << p;
  }
  EXPECT_THAT(shown.text, testing::ContainsRegex("join holds [0-9,]+, peak [1-9]"));
}

TEST(FlightsDemo, StoppedEarlyItSaysHowFarItGotAndWritesNoFiles) {
  std::stop_source stop;
  stop.request_stop();
  DemoOptions options = fast(2);
  options.pace = kDefaultPace;
  options.out_folder = folder();
  options.stop = stop.get_token();
  const Shown shown = run(options);
  EXPECT_TRUE(absl::IsDeadlineExceeded(shown.status)) << shown.status;
  EXPECT_THAT(
      std::string(shown.status.message()),
      testing::MatchesRegex(
          "stopped early: [0-9,]+ of 336,776 flights and [0-9,]+ of 26,115 observations were read and "
          "drained.*; no result files were written"));
  EXPECT_TRUE(std::filesystem::is_empty(options.out_folder));
  std::filesystem::remove_all(options.out_folder);
}

TEST(FlightsDemo, AnInterruptDrainsAndLeavesNoFiles) {
  const std::string out = folder();
  slipstream::testing::Process demo({slipstream::test::kTool, "demo", "--out", out});
  ASSERT_TRUE(demo.out().wait_for("flights"));
  ASSERT_TRUE(demo.out().wait_for(" read, lag "));
  demo.signal(SIGINT);
  EXPECT_EQ(demo.wait(), 1);
  EXPECT_THAT(demo.err().all(), testing::StartsWith("slipstream demo: stopped early: "));
  EXPECT_TRUE(std::filesystem::is_empty(out));
  std::filesystem::remove_all(out);
}

TEST(FlightsDemo, MistakesInFlagsAreUsageErrors) {
  const auto mistake = [](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {slipstream::test::kTool, "demo"});
    slipstream::testing::Process demo(flags);
    EXPECT_EQ(demo.wait(), 2);
    return demo.err().all();
  };
  EXPECT_EQ(mistake({"--rate", "0s"}),
            "slipstream demo: --rate expects max or a time such as 20s, found '0s'\n");
  EXPECT_EQ(mistake({"--rate", "fast"}),
            "slipstream demo: --rate expects max or a time such as 20s, found 'fast'\n");
  EXPECT_EQ(mistake({"--seed", "-1"}),
            "slipstream demo: --seed expects a whole number from 0 on, found '-1'\n");
  EXPECT_EQ(mistake({"--bound-fraction", "2"}),
            "slipstream demo: --bound-fraction expects a number from 0 to 1, found '2'\n");
  EXPECT_EQ(mistake({"--bound-fraction", "nan"}),
            "slipstream demo: --bound-fraction expects a number from 0 to 1, found 'nan'\n");
  EXPECT_EQ(mistake({"--keep"}), "slipstream demo: --keep is for a real broker: give --bootstrap too\n");
  EXPECT_THAT(mistake({"--data", "/nowhere"}),
              testing::EndsWith("can't read /nowhere/flights.csv.gz: there is no folder /nowhere\n"));
}

TEST(FlightsDemo, AFolderThatCannotBeWrittenToIsSaidAtOnce) {
  DemoOptions options = fast(1);
  options.out_folder = "/proc/results";
  EXPECT_EQ(run(options).status, absl::FailedPreconditionError(
                                     "can't write to folder '/proc/results': No such file or directory"));
}

TEST(FlightsTopics, APartitionThatLacksRecordsIsNamed) {
  auto topics = Topics::embedded();
  ASSERT_EQ(topics.status(), absl::OkStatus());
  auto producer = slipstream::kafka::Producer::connect((*topics)->client());
  ASSERT_EQ(producer.status(), absl::OkStatus());
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(producer->produce("weather", {.partition = 2, .value = "x"}), absl::OkStatus());
  ASSERT_EQ(producer->flush(), absl::OkStatus());
  const std::vector<std::int64_t> all = {0, 0, 3, 0};
  EXPECT_EQ(check_complete((*topics)->client(), "weather", all), absl::OkStatus());
  const std::vector<std::int64_t> more = {0, 0, 4, 0};
  EXPECT_EQ(check_complete((*topics)->client(), "weather", more),
            absl::UnavailableError(
                "topic 'weather' partition 2: 4 records were sent, but the broker has offsets 0 to 3: it "
                "lost records or somebody else writes there"));
}

TEST(FlightsTopics, WhatAnEmbeddedBrokerForgetsIsNoticed) {
  auto topics = Topics::embedded();
  ASSERT_EQ(topics.status(), absl::OkStatus());
  auto producer = slipstream::kafka::Producer::connect((*topics)->client());
  ASSERT_EQ(producer.status(), absl::OkStatus());
  const std::string large(100'000, 'x');
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(producer->produce("weather", {.partition = 1, .value = large}), absl::OkStatus());
  }
  ASSERT_EQ(producer->flush(), absl::OkStatus());
  const std::vector<std::int64_t> sent = {0, 100, 0, 0};
  const absl::Status status = check_complete((*topics)->client(), "weather", sent);
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(
      std::string(status.message()),
      testing::StartsWith("topic 'weather' partition 1: 100 records were sent, but the broker has offsets "));
}

}  // namespace
}  // namespace flights
