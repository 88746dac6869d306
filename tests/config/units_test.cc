#include "slipstream/detail/units.h"

#include <gtest/gtest.h>

namespace slipstream::detail {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, ReadsNumbersWithUnits) {
  const std::pair<const char*, Duration> cases[] = {
      {"5ms", 5ms}, {"10s", 10s}, {"1h", 1h}, {"1h30m", 90min}, {"1.5s", 1500ms},
      {"2d", 48h},  {"7us", 7us}, {"0", 0us}, {"0s", 0us},      {"30min", 30min}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_duration(text), expected) << text;
}

TEST(ParseDuration, RefusesEverythingElse) {
  for (const char* text :
       {"", "5", "ms", "-5ms", "5 ms", "5msec", "1.5us", "1..5s", "5ms ", "1e3s", "9999999999d"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(FormatDuration, IsShortAndExact) {
  const std::pair<Duration, const char*> cases[] = {{5ms, "5ms"}, {90s, "90s"}, {120s, "2min"},
                                                    {48h, "2d"},  {1us, "1us"}, {0us, "0"}};
  for (const auto& [duration, expected] : cases) {
    EXPECT_EQ(format_duration(duration), expected);
    EXPECT_EQ(parse_duration(expected), duration);
  }
}

TEST(ParseBytes, ReadsNumbersWithUnits) {
  const std::pair<const char*, std::size_t> cases[] = {
      {"64MiB", 67'108'864}, {"10kB", 10'000}, {"4096", 4096},          {"1GB", 1'000'000'000},
      {"1.5KiB", 1536},      {"0", 0},         {"3GiB", 3'221'225'472}, {"12B", 12}};
  for (const auto& [text, expected] : cases) EXPECT_EQ(parse_bytes(text), expected) << text;
}

TEST(ParseBytes, RefusesEverythingElse) {
  for (const char* text : {"", "MiB", "-1kB", "64 MiB", "64mib", "64M", "1.5", "99999999999999GB"}) {
    EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
  }
}

TEST(FormatBytes, IsShortAndExact) {
  const std::pair<std::size_t, const char*> cases[] = {
      {67'108'864, "64MiB"}, {10'000, "10kB"}, {1001, "1001B"}, {0, "0"}};
  for (const auto& [bytes, expected] : cases) {
    EXPECT_EQ(format_bytes(bytes), expected);
    EXPECT_EQ(parse_bytes(expected), bytes);
  }
}

TEST(OneLine, EscapesControlBytesAndCuts) {
  EXPECT_EQ(one_line("plain ünïcode"), "plain ünïcode");
  EXPECT_EQ(one_line("a\nb\tc\x1b[31m"), "a\\nb\\tc\\x1b[31m");
  EXPECT_EQ(one_line("abcdef", 3), "abc…");
  EXPECT_EQ(one_line("abü", 3), "ab…");
}

}  // namespace
}  // namespace slipstream::detail
