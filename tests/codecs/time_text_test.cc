#include "connectors/codecs/time_text.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

namespace slipstream::codecs {
namespace {

std::string text_of(const Instant& time) {
  std::string out;
  append_time(time, out);
  return out;
}

TEST(TimeText, ReadsIso8601) {
  const struct {
    std::string_view text;
    Instant time;
  } kCases[] = {
      {"1970-01-01", {0, 0}},
      {"1970-01-01T00:00:00Z", {0, 0}},
      {"2013-01-01T10:15:00Z", {1357035300, 0}},
      {"2013-01-01 10:15:00z", {1357035300, 0}},
      {"2013-01-01t10:15", {1357035300, 0}},
      {"2013-01-01T10:15:00.25Z", {1357035300, 250000000}},
      {"2013-01-01T10:15:00,000000001Z", {1357035300, 1}},
      {"2013-01-01T10:15:00.1234567899Z", {1357035300, 123456789}},
      {"2013-01-01T10:15:00+02:00", {1357035300 - 7200, 0}},
      {"2013-01-01T10:15:00-0530", {1357035300 + 19800, 0}},
      {"2013-01-01T10:15:00+02", {1357035300 - 7200, 0}},
      {"1969-12-31T23:59:59.5Z", {-1, 500000000}},
      {"2000-02-29T00:00:00Z", {951782400, 0}},
      {"2024-12-31T23:59:59Z", {1735689599, 0}},
      {"0000-01-01T00:00:00Z", {-62167219200, 0}},
      {"9999-12-31T23:59:59Z", {253402300799, 0}},
      {"+294247-01-10T04:00:54.775807Z", {9223372036854, 775807000}},
      {"-290308-12-21T19:59:05.224192Z", {-9223372036855, 224192000}},
  };
  for (const auto& c : kCases) EXPECT_EQ(parse_time(c.text), c.time) << c.text;
}

TEST(TimeText, RefusesEverythingElse) {
  for (const std::string_view text : {"",
                                      "2013",
                                      "2013-01",
                                      "2013-1-1",
                                      "2013-13-01",
                                      "2013-00-01",
                                      "2013-02-29",
                                      "1900-02-29",
                                      "2013-04-31",
                                      "2013-01-00",
                                      "2013-01-01T",
                                      "2013-01-01T10",
                                      "2013-01-01T24:00:00Z",
                                      "2013-01-01T10:60:00Z",
                                      "2013-01-01T10:15:60Z",
                                      "2013-01-01T10:15:00.Z",
                                      "2013-01-01T10:15:00Zx",
                                      "2013-01-01T10:15:00+2",
                                      "2013-01-01T10:15:00+24:00",
                                      "2013-01-01T10:15:00+02:60",
                                      "2013-01-01T10:15:00+02:",
                                      "13-01-01",
                                      "12013-01-01",
                                      "2013/01/01",
                                      " 2013-01-01",
                                      "2013-01-01 ",
                                      "+1234567890123-01-01",
                                      "now"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

TEST(TimeText, WritesTheShortestOfNoMilliMicroOrNanoseconds) {
  EXPECT_EQ(text_of({1357035300, 0}), "2013-01-01T10:15:00Z");
  EXPECT_EQ(text_of({1357035300, 250000000}), "2013-01-01T10:15:00.250Z");
  EXPECT_EQ(text_of({1357035300, 1000}), "2013-01-01T10:15:00.000001Z");
  EXPECT_EQ(text_of({-1, 999999999}), "1969-12-31T23:59:59.999999999Z");
  EXPECT_EQ(text_of({253402300800, 0}), "+010000-01-01T00:00:00Z");
  EXPECT_EQ(text_of({-62167219201, 0}), "-000001-12-31T23:59:59Z");
}

/// Against the standard library's calendar, inside its range of years, and at the ends of EventTime.
TEST(TimeText, AgreesWithTheCalendarOfTheStandardLibrary) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<std::int64_t> any_second(-900'000'000'000, 900'000'000'000);
  for (int i = 0; i < 20'000; ++i) {
    const std::int64_t second = any_second(random);
    const std::chrono::sys_seconds time{std::chrono::seconds(second)};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(time - day);
    const int year = static_cast<int>(date.year());
    char expected[64];
    std::snprintf(expected, sizeof(expected),
                  year < 0      ? "-%06d"
                  : year > 9999 ? "+%06d"
                                : "%04d",
                  std::abs(year));
    std::snprintf(expected + std::string_view(expected).size(), 32, "-%02u-%02uT%02d:%02d:%02dZ",
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    ASSERT_EQ(text_of({second, 0}), expected);
    ASSERT_EQ(parse_time(expected), (Instant{second, 0})) << expected;
  }
}

}  // namespace
}  // namespace slipstream::codecs
