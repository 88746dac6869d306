#include "docs/examples/flights/display.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "docs/examples/flights/text.h"

namespace flights {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

Progress waiting() {
  Progress p;
  p.elapsed = 9.44s;
  p.flights = {.total = 336'776,
               .sent = 185'104,
               .read = 143'027,
               .per_second = 1234.5,
               .out_of_order = 27'892,
               .watermark = std::chrono::sys_days(std::chrono::June / 6 / 2013) + 17h + 28min,
               .per_partition = {8059, 8702, 8642, 9166},
               .waiting = 3,
               .waits_for = "weather"};
  p.weather = {
      .total = 26'115, .sent = 11'167, .read = 11'167, .out_of_order = 2'757, .per_partition = {0, 1}};
  p.is_holding_weather = true;
  p.day_rows = 2'308;
  p.join_rows = 141'522;
  p.join_late = 7;
  p.join_held = 1'505;
  p.join_held_peak = 2'191;
  return p;
}

TEST(FlightsDisplay, DrawsOneScreenOf80Columns) {
  const std::vector<std::string> lines = draw(waiting(), /*color=*/false);
  EXPECT_THAT(
      lines, ElementsAre("   9.4 s  Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec            watermark",
                         "flights   ━━━━━━━━━━━━━━━━━━━━──────                          2013-06-06 17:28",
                         "weather   ━━━━━━━━━━━━━━━━━━━━                                               -", "",
                         "               sent        read         lag   records/s    out of order",
                         "flights     185,104     143,027      42,077       1,234          27,892",
                         "weather      11,167      11,167           0           0           2,757", "",
                         "flights read per partition: 3 of 4 wait for weather, which is held back",
                         "              8,059   8,702   8,642   9,166", "          ", "",
                         "carrier days       2,308 rows   late 0",
                         "flight weather   141,522 rows   late 7   waiting for weather 1,505, peak 2,191"));
}

TEST(FlightsDisplay, SaysTheSameInLinesElsewhere) {
  EXPECT_EQ(
      describe(waiting()),
      "   9.4 s  flights 143,027 read, lag 42,077, to 2013-06-06 17:28, 1,234/s, 27,892 out of order | "
      "weather 11,167 "
      "read, lag 0, to -, 0/s, 2,757 out of order | late 0 (days) 7 (join) | join holds 1,505, peak 2,191\n"
      "          flights: 3 of 4 wait for weather, which is held back; read per partition 8059 8702 8642 "
      "9166");
}

TEST(FlightsText, GroupsDigits) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(grouped(-123), "-123");
}

TEST(FlightsText, TimesAreUtcToTheMinute) {
  EXPECT_EQ(to_text(std::chrono::sys_days(std::chrono::December / 31 / 2013) + 23h + 59min + 59s),
            "2013-12-31 23:59");
  EXPECT_EQ(to_text(slipstream::kMinTime), "-");
  EXPECT_EQ(to_text(slipstream::kMaxTime), "the end");
}

}  // namespace
}  // namespace flights
