#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "conformance/codec_conformance.h"
#include "slipstream/json.h"
#include "slipstream/time.h"

/// What is expected was written by CPython 3.11: json.dumps(value, default=str).
namespace slipstream {
namespace {

using conformance::check_codec;
using conformance::encoded;

constexpr JsonOptions kPython{.style = JsonStyle::python};

enum class Color : std::uint8_t { red, green };
SLIPSTREAM_ENUM(Color, red, green)

struct Sale {
  std::string shop;
  std::optional<double> euros{};
  std::vector<bool>::size_type items = 0;
  bool is_paid = false;
  Color color = Color::red;
  EventTime at{};
  std::chrono::seconds took{};
  std::map<std::int32_t, std::string> notes{};
  friend bool operator==(const Sale&, const Sale&) = default;
};
SLIPSTREAM_FIELDS(Sale, shop, euros, items, is_paid, color, at, took, notes)

template <class T>
std::string python(const T& value) {
  return encoded(json<T>(kPython), value);
}
template <class T>
std::string error_of(std::string_view bytes) {
  T value{};
  const absl::Status status = json<T>(kPython).make_decoder()(bytes, value);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bytes;
  return std::string(status.message());
}
template <class T>
T read(std::string_view bytes) {
  T value{};
  const absl::Status status = json<T>(kPython).make_decoder()(bytes, value);
  EXPECT_TRUE(status.ok()) << bytes << ": " << status;
  return value;
}

TEST(PythonJson, WritesFloatsAsRepr) {
  const std::vector<std::pair<double, std::string>> rows = {
      {0x0.0p+0, "0.0"},
      {-0x0.0p+0, "-0.0"},
      {0x1.0000000000000p+0, "1.0"},
      {-0x1.8000000000000p+0, "-1.5"},
      {0x1.999999999999ap-4, "0.1"},
      {0x1.5555555555555p-2, "0.3333333333333333"},
      {0x1.c6bf526340000p+49, "1000000000000000.0"},
      {0x1.1c37937e07fffp+53, "9999999999999998.0"},
      {0x1.1c37937e08000p+53, "1e+16"},
      {0x1.5ee2a2eb5a5c4p+53, "1.2345678901234568e+16"},
      {0x1.b69b4ba630f35p+56, "1.2345678901234568e+17"},
      {0x1.0f0cf064dd592p+73, "1e+22"},
      {0x1.249ad2594c37dp+332, "1e+100"},
      {0x1.fffffffffffffp+1023, "1.7976931348623157e+308"},
      {0x0.0000000000001p-1022, "5e-324"},
      {0x1.0000000000000p-1022, "2.2250738585072014e-308"},
      {0x1.a36e2eb1c432dp-14, "0.0001"},
      {0x1.a36371ea531a8p-14, "9.999e-05"},
      {0x1.02e4b6ce5dc68p-13, "0.00012345"},
      {0x1.4f8b588e368f1p-17, "1e-05"},
      {0x1.ad7f29abcaf48p-24, "1e-07"},
      {0x1.49da7e361ce4cp-33, "1.5e-10"},
      {0x1.921fb54442d18p+1, "3.141592653589793"},
      {0x1.a36e2eb1c432dp-16, "2.5e-05"},
      {0x1.9000000000000p+6, "100.0"},
      {0x1.86a0000000000p+16, "100000.0"},
      {0x1.e240c9fbe76c9p+16, "123456.789"},
      {0x1.0000000000000p+53, "9007199254740992.0"},
      {-0x1.4f8b588e368f1p-17, "-1e-05"},
      {0x1.1666666666666p+2, "4.35"},
      {-0x1.74de452e6b438p+811, "-1.989032661366619e+244"},
      {0x1.3270e269e0d37p+594, "7.761117632285041e+178"},
      {0x1.c7fd0a6a3a450p-826, "3.980498358697587e-249"},
      {-0x1.f0824128b2f33p+292, "-1.5432835417340557e+88"},
      {0x1.8e811892f902bp-638, "1.3647584518757569e-192"},
      {-0x1.1985d5d9dc9f8p-684, "-1.3701135617873088e-206"},
      {-0x1.25d940ed90475p+655, "-1.7160537630466207e+197"},
      {0x1.675cc81e74ef5p-144, "6.294675241195386e-44"},
      {0x1.0a35a099950d8p-671, "1.0613447212142254e-202"},
      {0x1.d549b6f03675ap+689, "4.708325160387546e+207"},
      {0x1.c172411e20b8fp-38, "6.387016158513563e-12"},
      {-0x1.16ece1738f7d9p-814, "-9.973130378568733e-246"},
      {0x1.1ddb66cad4a26p-781, "8.779753225680271e-236"},
      {-0x1.192cfd3ac94afp-755, "-5.795503248498993e-228"},
      {-0x1.c105d1fb17c23p+809, "-5.988180159386011e+243"},
      {-0x1.0b33839263059p-488, "-1.306052388527796e-147"},
      {-0x1.f48f1a09f76b5p-684, "-2.436117699484841e-206"},
      {0x1.630f1f29d0da9p-770, "2.233386999150174e-232"},
      {-0x1.60af593bd04cfp-673, "-3.51527970626667e-203"},
      {0x1.1e29c658cda14p-820, "1.5987381841032883e-247"},
      {0x1.8d190f9ebdaccp-118, "4.6678633181812096e-36"},
      {-0x1.1973e0becd7b0p-791, "-8.441872792105456e-239"},
      {0x1.7beaddbc496cbp-478, "1.9015657400796622e-144"},
      {0x1.cb2424a23d596p+693, "7.370437700706684e+208"},
      {-0x1.a63ec24ede6a4p-857, "-1.7163996725272777e-258"},
      {-0x1.766581e27a1c0p-733, "-3.2367190832119987e-221"},
  };
  for (const auto& [number, text] : rows) {
    EXPECT_EQ(python(number), text);
    EXPECT_EQ(read<double>(text), number);
  }
  EXPECT_EQ(python(0.1f), "0.1");
  EXPECT_EQ(python(16777216.0f), "16777216.0");
}

TEST(PythonJson, WritesNanAndInfinityAndReadsThem) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(python(std::nan("")), "NaN");
  EXPECT_EQ(python(std::vector<double>{kInfinity, -kInfinity}), "[Infinity, -Infinity]");
  EXPECT_TRUE(std::isnan(read<double>("NaN")));
  EXPECT_TRUE(std::isnan(read<float>("NaN")));
  EXPECT_EQ(read<std::vector<double>>("[Infinity, -Infinity]"), (std::vector<double>{kInfinity, -kInfinity}));
  EXPECT_EQ(read<Sale>(R"({"x": [NaN], "shop": "a", "items": 0, "is_paid": false, "color": "red",)"
                       R"( "at": 0, "took": 0, "notes": {}})"),
            Sale{"a"});
  EXPECT_THAT(error_of<int>("NaN"), testing::HasSubstr("expected an integer"));
  double value;
  EXPECT_FALSE(json<double>().make_decoder()("NaN", value).ok()) << "which isn't JSON";
}

TEST(PythonJson, EscapesWhatIsNotAscii) {
  EXPECT_EQ(python(std::string("\"\\/\b\f\n\r\t\0\x1f\x7f", 11)), R"("\"\\/\b\f\n\r\t\u0000\u001f\u007f")");
  EXPECT_EQ(python(std::string("é€🏆\U0010ffff\u0800\uffff")),
            R"("\u00e9\u20ac\ud83c\udfc6\udbff\udfff\u0800\uffff")");
  std::string out;
  EXPECT_EQ(json<std::string>(kPython).make_encoder()("a\xff", out).message(),
            "not UTF-8 at byte 1 of \"a\\xff\"");
}

TEST(PythonJson, WritesTimesAsDatetimes) {
  const auto time = [](std::int64_t micros) { return python(EventTime(Duration(micros))); };
  EXPECT_EQ(time(0), "\"1970-01-01 00:00:00+00:00\"");
  EXPECT_EQ(time(1672569000000005), "\"2023-01-01 10:30:00.000005+00:00\"");
  EXPECT_EQ(time(-1), "\"1969-12-31 23:59:59.999999+00:00\"");
  EXPECT_EQ(time(-62135596800000000), "\"0001-01-01 00:00:00+00:00\"");
  EXPECT_EQ(time(253402300799999999), "\"9999-12-31 23:59:59.999999+00:00\"");
  std::string out;
  const auto encode = json<EventTime>(kPython).make_encoder();
  for (const std::int64_t beyond : {-62135596800000001, 253402300800000000}) {
    EXPECT_EQ(encode(EventTime(Duration(beyond)), out).message(),
              "Python has no datetime outside the years 1 to 9999");
  }
  const std::chrono::sys_time<std::chrono::nanoseconds> fine(std::chrono::nanoseconds(-1));
  EXPECT_EQ(python(fine), "\"1969-12-31 23:59:59.999999+00:00\"");
}

TEST(PythonJson, WritesDurationsAsTimedeltas) {
  const std::vector<std::pair<std::int64_t, std::string>> rows = {
      {5400000000, "\"1:30:00\""},
      {0, "\"0:00:00\""},
      {1, "\"0:00:00.000001\""},
      {86405000000, "\"1 day, 0:00:05\""},
      {-1, "\"-1 day, 23:59:59.999999\""},
      {-252000000000, "\"-3 days, 2:00:00\""},
      {34560000500000, "\"400 days, 0:00:00.500000\""},
  };
  for (const auto& [micros, text] : rows) {
    EXPECT_EQ(python(Duration(micros)), text);
    EXPECT_EQ(read<Duration>(text), Duration(micros));
  }
  EXPECT_EQ(python(std::chrono::duration<double>(5400.5)), "\"1:30:00.500000\"");
  EXPECT_EQ(read<std::chrono::duration<double>>("\"1:30:00.500000\"").count(), 5400.5);
  EXPECT_EQ(read<std::chrono::hours>("\"-1 day, 23:59:59\"").count(), -1) << "rounded down";
  EXPECT_EQ(read<std::chrono::hours>("3").count(), 3) << "as compact has it";
  for (const char* text : {"\"\"", "\"1:30\"", "\"24:00:00\"", "\"1:60:00\"", "\"1:00:00.5\"", "\"1 day\"",
                           "\"1:-3:00\"", "\"1:00:00x\"", "\"x day, 1:00:00\""}) {
    EXPECT_THAT(error_of<Duration>(text), testing::HasSubstr("expected an integer")) << text;
  }
  EXPECT_THAT(error_of<std::chrono::microseconds>("\"9999999999999 days, 0:00:00\""),
              testing::HasSubstr("expected an integer"));
  std::string out;
  EXPECT_EQ(
      json<std::chrono::hours>(kPython).make_encoder()(std::chrono::hours(24'000'000'000), out).message(),
      "Python has no timedelta of more than 999999999 days");
  EXPECT_EQ(json<std::chrono::duration<double>>(kPython)
                .make_encoder()(std::chrono::duration<double>(std::nan("")), out)
                .message(),
            "Python has no timedelta of more than 999999999 days");
}

TEST(PythonJson, WritesWholeRecords) {
  const auto at = EventTime(std::chrono::sys_days(std::chrono::year(2023) / 1 / 1));
  EXPECT_EQ(python(Sale{"é", 2.0, 3, true, Color::green, at, std::chrono::seconds(90), {{1, "a"}, {2, ""}}}),
            R"({"shop": "\u00e9", "euros": 2.0, "items": 3, "is_paid": true, "color": "green", )"
            R"("at": "2023-01-01 00:00:00+00:00", "took": "0:01:30", "notes": {"1": "a", "2": ""}})");
  EXPECT_EQ(python(Sale{}), R"({"shop": "", "euros": null, "items": 0, "is_paid": false, "color": "red", )"
                            R"("at": "1970-01-01 00:00:00+00:00", "took": "0:00:00", "notes": {}})");
}

TEST(PythonJson, MakesTextOfKeys) {
  EXPECT_EQ(python(std::map<bool, int>{{false, 1}, {true, 2}}), R"({"false": 1, "true": 2})");
  EXPECT_EQ(python(std::map<double, int>{{1.0, 1}, {1.5, 2}, {1e16, 3}}),
            R"({"1.0": 1, "1.5": 2, "1e+16": 3})");
  EXPECT_EQ(python(std::map<double, int>{{std::numeric_limits<double>::infinity(), 1}}),
            R"({"Infinity": 1})");
  EXPECT_EQ(python(std::map<std::string, int>{{"é", 1}}), R"({"\u00e9": 1})");
}

TEST(PythonJson, KeepsWhatEveryCodecPromises) {
  const auto at = EventTime(std::chrono::sys_days(std::chrono::year(2023) / 1 / 1)) + Duration(5);
  check_codec<Sale>(json<Sale>(kPython),
                    {Sale{}, {"é", 1e-7, 1, true, Color::green, at, std::chrono::seconds(-90), {{-7, "x"}}}});
  check_codec<std::map<double, float>>(
      json<std::map<double, float>>(kPython),
      {{{-std::numeric_limits<double>::infinity(), 0.1f}, {1e300, std::numeric_limits<float>::infinity()}}});
}

TEST(JsonKeys, MayBeNumbersBoolsAndEnums) {
  using Map = std::map<Color, std::map<std::uint8_t, int>>;
  const Codec<Map> codec = json<Map>();
  check_codec<Map>(codec, {{{Color::green, {{1, 2}, {255, 3}}}}, {{Color::red, {}}}});
  EXPECT_EQ(encoded(codec, Map{{Color::green, {{1, 2}}}}), R"({"green":{"1":2}})");
  Map out;
  const auto error = [&](std::string_view bytes) {
    return std::string(codec.make_decoder()(bytes, out).message());
  };
  EXPECT_EQ(error(R"({"gren":{}})"),
            "[\"gren\"]: expected one of red, green as key, found \"gren\"; did you mean 'green'?");
  EXPECT_EQ(error(R"({"red":{"256":1}})"),
            "[\"red\"][\"256\"]: expected an integer from 0 to 255 as key, found \"256\"");
  EXPECT_EQ(error(R"({"red":{"01":1}})"),
            "[\"red\"][\"01\"]: expected an integer from 0 to 255 as key, found \"01\"");
  EXPECT_EQ(error(R"({"red":{"1":1,"1.0":2}})"), "[\"red\"][\"1.0\"]: comes twice");
  std::string text;
  EXPECT_EQ(codec.make_encoder()({{static_cast<Color>(9), {}}}, text).message(),
            "[a key]: the enum value 9 has no name (there are: red, green)");
  const auto encode_numbers = json<std::map<double, int>>().make_encoder();
  EXPECT_EQ(encode_numbers({{std::nan(""), 1}}, text).message(),
            "[a key]: NaN can't be written as text; use std::optional for a value that may be missing");
}

}  // namespace
}  // namespace slipstream
