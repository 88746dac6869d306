#include "slipstream/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <random>
#include <vector>

#include "conformance/codec_conformance.h"
#include "slipstream/time.h"

namespace slipstream {
namespace {

using conformance::check_codec;

enum class Color { red, green };
SLIPSTREAM_ENUM(Color, red, green)

struct Flight {
  EventTime scheduled{};
  std::string carrier{};
  std::int32_t flight = 0;
  std::optional<double> dep_delay{};
  std::optional<std::string> tail{};
  bool on_time = false;
  std::optional<Color> color{};
  friend bool operator==(const Flight&, const Flight&) = default;
};
SLIPSTREAM_FIELDS(Flight, scheduled, carrier, flight, dep_delay, tail, on_time, color)

struct Window {
  std::uint8_t start = 0;
  std::uint8_t end = 0;
  friend bool operator==(const Window&, const Window&) = default;
};
SLIPSTREAM_FIELDS(Window, start, end)

template <class Value>
struct Row {
  std::string key;
  Window window;
  Value value;
  friend bool operator==(const Row&, const Row&) = default;
};
SLIPSTREAM_TEMPLATE_FIELDS((class Value), (Row<Value>), key, window, value)

struct Name {
  std::string name;
  friend bool operator==(const Name&, const Name&) = default;
};
SLIPSTREAM_FIELDS(Name, name)

template <class T>
std::string error_of(std::string_view line, CsvOptions options = {}) {
  T out{};
  const absl::Status status = csv<T>(options).make_decoder()(line, out);
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}
template <class T>
T decoded(std::string_view line, CsvOptions options = {}) {
  T out{};
  const absl::Status status = csv<T>(options).make_decoder()(line, out);
  EXPECT_TRUE(status.ok()) << status << " in " << line;
  return out;
}
template <class T>
std::string encoded(const T& value, CsvOptions options = {}) {
  return conformance::encoded(csv<T>(options), value);
}

const EventTime kScheduled{std::chrono::seconds(1357035300)};

TEST(Csv, WritesFieldsInOrder) {
  EXPECT_EQ(encoded(Flight{kScheduled, "UA", 1545, 2.5, "N14228", true, Color::green}),
            "2013-01-01T10:15:00Z,UA,1545,2.5,N14228,true,green");
  EXPECT_EQ(encoded(Flight{.scheduled = kScheduled}), "2013-01-01T10:15:00Z,,0,,,false,");
  EXPECT_EQ(encoded(Row<float>{"k", {1, 2}, 0.1f}), "k,1,2,0.1");
  EXPECT_EQ(csv_header<Flight>(), "scheduled,carrier,flight,dep_delay,tail,on_time,color");
  EXPECT_EQ((csv_header<Row<int>>({.separator = '\t'})), "key\twindow.start\twindow.end\tvalue");
}

TEST(Csv, QuotesWhereItMust) {
  using Pair = Row<std::string>;
  EXPECT_EQ(encoded(Pair{"a,b", {}, "c\"d"}), R"("a,b",0,0,"c""d")");
  EXPECT_EQ(encoded(Pair{"a\nb", {}, "c\rd"}), "\"a\nb\",0,0,\"c\rd\"");
  EXPECT_EQ(encoded(Pair{"a;b", {}, "c,d"}, {.separator = ';'}), "\"a;b\";0;0;c,d");
  EXPECT_EQ(encoded(Flight{.tail = ""}), "1970-01-01T00:00:00Z,,0,,\"\",false,");
  EXPECT_EQ(encoded(Name{""}), "\"\"");
}

TEST(Csv, ReadsQuotedAndPlainFields) {
  using Pair = Row<std::string>;
  EXPECT_EQ(decoded<Pair>(R"("a,b",1,"2","c""d""")"), (Pair{"a,b", {1, 2}, "c\"d\""}));
  EXPECT_EQ(decoded<Pair>("\"a\r\nb\",0,0, c \r\n"), (Pair{"a\r\nb", {}, " c "}));
  EXPECT_EQ(decoded<Pair>("a;0;0;\"\"\r", {.separator = ';'}), (Pair{"a", {}, ""}));
  EXPECT_EQ(decoded<Pair>(",0,0,\n"), Pair{});
  EXPECT_EQ(decoded<Name>(""), Name{});
  EXPECT_EQ(decoded<Name>("\"\"\"\""), Name{"\""});
}

TEST(Csv, ReadsValues) {
  EXPECT_EQ(decoded<Flight>("1357035300000,UA,1545.0,-1e2,,1,red"),
            (Flight{kScheduled, "UA", 1545, -100.0, std::nullopt, true, Color::red}));
  EXPECT_EQ(decoded<Flight>("2013-01-01 11:15+01:00,,0,,\"\",FALSE,"),
            (Flight{.scheduled = kScheduled, .tail = ""}));
}

TEST(Csv, OverwritesWhatWasThere) {
  Flight flight{kScheduled, "UA", 1, 1.0, "x", true, Color::green};
  ASSERT_TRUE(csv<Flight>().make_decoder()("1970-01-01,,0,,,0,", flight).ok());
  EXPECT_EQ(flight, Flight{});
}

TEST(Csv, SaysWhichColumnWhatWasExpectedAndWhatWasFound) {
  using Number = Row<double>;
  const struct {
    std::string error;
    std::string expected;
  } kCases[] = {
      {error_of<Number>("a,1,300,1"),
       "window.end (column 3): expected an integer from 0 to 255, found \"300\""},
      {error_of<Number>("a,1,,1"), "window.end (column 3): expected an integer from 0 to 255, found nothing"},
      {error_of<Number>("a,-1,2,1"),
       "window.start (column 2): expected an integer from 0 to 255, found \"-1\""},
      {error_of<Number>("a,1.5,2,1"),
       "window.start (column 2): expected an integer from 0 to 255, found \"1.5\""},
      {error_of<Number>("a, 1,2,1"),
       "window.start (column 2): expected an integer from 0 to 255, found \" 1\""},
      {error_of<Number>("a,1,2,nan"), "value (column 4): expected a number within ±1.8e308, found \"nan\""},
      {error_of<Number>("a,1,2,inf"), "value (column 4): expected a number within ±1.8e308, found \"inf\""},
      {error_of<Number>("a,1,2,1x\x01"),
       "value (column 4): expected a number within ±1.8e308, found \"1x\\x01\""},
      {error_of<Row<bool>>("a,1,2,yes"), "value (column 4): expected true or false, found \"yes\""},
      {error_of<Row<Color>>("a,1,2,gren"),
       "value (column 4): expected one of red, green, found \"gren\"; did you mean 'green'?"},
      {error_of<Row<EventTime>>("a,1,2,"),
       "value (column 4): expected a time such as 2013-01-01T10:15:00Z or milliseconds since 1970, found "
       "nothing"},
      {error_of<Number>("a,1,2"), "the row has 3 columns, expected 4: key, window.start, window.end, value"},
      {error_of<Number>("a"), "the row has 1 column, expected 4: key, window.start, window.end, value"},
      {error_of<Number>("a,1,2,3,4"),
       "the row has 5 columns, expected 4: key, window.start, window.end, value"},
      {error_of<Number>("\"a,1,2,3"), "key (column 1): the quoted field is not closed"},
      {error_of<Number>("\"a\"b,1,2,3"), "key (column 1): text behind the closing quote"},
      {error_of<Number>("a\"b,1,2,3"), "key (column 1): a quote in a field that doesn't start with one"},
      {error_of<Number>("a\xff,1,2,3"), "not UTF-8 at byte 1"},
      {error_of<Name>("a", {.separator = 'x'}),
       "CSV can't be separated by \"x\", which values may hold; use one of , ; | or a tab"},
      {error_of<Name>("a", {.separator = '\n'}),
       "CSV can't be separated by \"\\x0a\", which values may hold; use one of , ; | or a tab"},
  };
  for (const auto& c : kCases) EXPECT_EQ(c.error, c.expected);
}

TEST(Csv, RefusesToWriteWhatItCannotHold) {
  const auto error_of = [](const auto& value) {
    std::string out;
    return std::string(csv<std::decay_t<decltype(value)>>().make_encoder()(value, out).message());
  };
  EXPECT_EQ(
      error_of(Row<double>{"", {}, std::nan("")}),
      "value (column 4): NaN can't be written as text; use std::optional for a value that may be missing");
  EXPECT_EQ(error_of(Row<Color>{"", {}, Color{7}}),
            "value (column 4): the enum value 7 has no name (there are: red, green)");
  EXPECT_EQ(error_of(Name{"\xff"}), "name (column 1): not UTF-8 at byte 0 of \"\\xff\"");
}

TEST(CsvHeader, FindsColumnsByNameAndIgnoresOthers) {
  const auto codec = csv_with_header<Row<int>>("\xef\xbb\xbfother,value,\"window.end\",key,window.start\r\n");
  ASSERT_TRUE(codec.ok()) << codec.status();
  Row<int> row;
  ASSERT_TRUE(codec->make_decoder()("\"x,\",5,2,k,1", row).ok());
  EXPECT_EQ(row, (Row<int>{"k", {1, 2}, 5}));
  EXPECT_EQ(conformance::encoded(*codec, row), ",5,2,k,1");

  EXPECT_EQ(codec->make_decoder()("x,5,300,k,1", row).message(),
            "window.end (column 3): expected an integer from 0 to 255, found \"300\"");
  EXPECT_EQ(codec->make_decoder()("a\"b,5,2,k,1", row).message(),
            "column 1: a quote in a field that doesn't start with one");
  EXPECT_EQ(codec->make_decoder()("x,5", row).message(),
            "the row has 2 columns, expected 5: (ignored), value, window.end, key, window.start");
}

TEST(CsvHeader, SaysWhatIsWrongWithIt) {
  const auto error_of = [](std::string_view header, CsvOptions options = {}) {
    return std::string(csv_with_header<Row<int>>(header, options).status().message());
  };
  EXPECT_EQ(error_of("key,window.start,window.ned,value"),
            "CSV header: no column \"window.end\"; did you mean 'window.ned'?");
  EXPECT_EQ(error_of(""), "CSV header: no column \"key\"");
  EXPECT_EQ(error_of("key,window.start,window.end,value,key"), "CSV header: column \"key\" comes twice");
  EXPECT_EQ(error_of("key,\"window"), "CSV header, column 2: the quoted field is not closed");
  EXPECT_EQ(error_of("key", {.separator = '.'}),
            "CSV can't be separated by \".\", which values may hold; use one of , ; | or a tab");
  EXPECT_EQ(error_of("x,,", {}), "CSV header: no column \"key\"");
  EXPECT_EQ(error_of("x,x,key,window.start,window.end,value"), "");
}

TEST(CsvContinues, SaysWhetherAQuotedFieldIsOpen) {
  EXPECT_FALSE(csv_continues("a,b", false));
  EXPECT_TRUE(csv_continues("a,\"b", false));
  EXPECT_TRUE(csv_continues("\"", false));
  EXPECT_FALSE(csv_continues("\"\"", false));
  EXPECT_TRUE(csv_continues("\"\"\"", false));
  EXPECT_FALSE(csv_continues("\"a\"\"b\"", false));
  EXPECT_TRUE(csv_continues("\"a\"\"b\"\"", false));
  EXPECT_TRUE(csv_continues("\"a\",\"", false));
  EXPECT_TRUE(csv_continues("b,\"\"", true));
  EXPECT_FALSE(csv_continues("b\",c", true));
  EXPECT_TRUE(csv_continues("b\",\"c", true));
  EXPECT_TRUE(csv_continues("", true));
  EXPECT_FALSE(csv_continues("", false));
  EXPECT_FALSE(csv_continues("a\"b", false))
      << "a quote inside a plain field opens nothing; decoding refuses it";
  EXPECT_FALSE(csv_continues("a,\"b\"c\"d", false));
  EXPECT_TRUE(csv_continues("a;\"b", false, {.separator = ';'}));
  EXPECT_FALSE(csv_continues("a,\"b", false, {.separator = ';'}));
}

/// Rows written one per line are found again by lines, whatever is in them.
TEST(Csv, RoundTripsRandomRowsThroughLines) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto text = [&random] {
    static constexpr std::string_view kParts[] = {"a", "\"", ",", "\n", "\r", "ä", ";", "\r\n", "", " "};
    std::string out;
    for (std::size_t n = random() % 5; n > 0; --n) out += kParts[random() % std::size(kParts)];
    return out;
  };
  const Codec<Flight> codec = csv<Flight>();
  std::vector<Flight> flights;
  std::string file;
  for (int i = 0; i < 2'000; ++i) {
    flights.push_back(
        {.scheduled = EventTime(Duration(static_cast<std::int64_t>(random()))),
         .carrier = text(),
         .flight = static_cast<std::int32_t>(random()),
         .dep_delay = random() % 2 ? std::optional(std::ldexp(1.0, static_cast<int>(random() % 100) - 50))
                                   : std::nullopt,
         .tail = random() % 2 ? std::optional(text()) : std::nullopt,
         .on_time = random() % 2 == 0,
         .color = random() % 2 ? std::optional(Color::green) : std::nullopt});
    ASSERT_TRUE(codec.make_encoder()(flights.back(), file).ok());
    file += "\n";
  }
  const auto decode = codec.make_decoder();
  std::vector<Flight> read;
  std::string record;
  bool is_open = false;
  for (std::string_view rest = file; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    record.append(line);
    is_open = csv_continues(line, is_open);
    if (is_open) {
      record.push_back('\n');
      continue;
    }
    const absl::Status status = decode(record, read.emplace_back());
    ASSERT_TRUE(status.ok()) << status << " in " << record;
    record.clear();
  }
  EXPECT_EQ(read, flights);
}

TEST(Csv, Conforms) {
  check_codec<Flight>(csv<Flight>(), {Flight{},
                                      {kScheduled, "UA,\"x\"\n", -7, -0.5, "", true, Color::green},
                                      {kMaxTime, "ä", 1545, std::nullopt, "N14228", false, std::nullopt}});
  check_codec<Name>(csv<Name>({.separator = '\t'}), {{""}, {"a"}, {"a\tb"}});
  check_codec<Row<int>>(*csv_with_header<Row<int>>("value,x,window.end,key,window.start"),
                        {{"k", {1, 2}, 3}});
}

}  // namespace
}  // namespace slipstream
