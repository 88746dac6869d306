#include "slipstream/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "conformance/codec_conformance.h"
#include "slipstream/time.h"

namespace slipstream {
namespace {

using conformance::check_codec;

enum class Color : std::int8_t { red, green, dark_blue = -3 };
SLIPSTREAM_ENUM(Color, red, green, dark_blue)

struct Item {
  std::string name;
  std::uint8_t price = 0;
  friend bool operator==(const Item&, const Item&) = default;
};
SLIPSTREAM_FIELDS(Item, name, price)

struct Order {
  std::int64_t id = 0;
  std::optional<std::string> note{};
  std::vector<Item> items{};
  std::map<std::string, double> rates{};
  friend bool operator==(const Order&, const Order&) = default;
};
SLIPSTREAM_FIELDS(Order, id, note, items, rates)

struct Envelope {
  Order order;
};
SLIPSTREAM_FIELDS(Envelope, order)

struct Everything {
  bool flag = false;
  std::int8_t i8 = 0;
  std::int16_t i16 = 0;
  std::int32_t i32 = 0;
  std::int64_t i64 = 0;
  std::uint8_t u8 = 0;
  std::uint16_t u16 = 0;
  std::uint32_t u32 = 0;
  std::uint64_t u64 = 0;
  float f32 = 0;
  double f64 = 0;
  std::string text;
  Color color = Color::red;
  EventTime at{};
  std::chrono::sys_seconds second{};
  std::chrono::sys_time<std::chrono::nanoseconds> nano{};
  std::chrono::milliseconds took{};
  std::chrono::duration<double> exact{};
  std::optional<Item> item{};
  std::vector<std::optional<std::int32_t>> list{};
  std::deque<bool> bits{};
  std::map<std::string, std::vector<Item>> map{};
  friend bool operator==(const Everything&, const Everything&) = default;
};
SLIPSTREAM_FIELDS(Everything, flag, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, text, color, at, second,
                  nano, took, exact, item, list, bits, map)

struct Tree {
  std::int32_t n = 0;
  std::vector<Tree> kids;
};
SLIPSTREAM_FIELDS(Tree, n, kids)

template <class T>
std::string error_of(std::string_view text) {
  T out{};
  const absl::Status status = json<T>().make_decoder()(text, out);
  if (status.ok()) return "no error";
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

template <class T>
T decoded(std::string_view text) {
  T out{};
  const absl::Status status = json<T>().make_decoder()(text, out);
  EXPECT_TRUE(status.ok()) << status << " in " << text;
  return out;
}

template <class T>
std::string encoded(const T& value) {
  return conformance::encoded(json<T>(), value);
}

template <class T>
std::string encode_error(const T& value) {
  std::string out;
  const absl::Status status = json<T>().make_encoder()(value, out);
  return status.ok() ? "no error" : std::string(status.message());
}

TEST(Json, WritesCompactObjectsInFieldOrder) {
  EXPECT_EQ(encoded(Order{7, "n\"\\\n\x01\xc3\xa4", {{"tea", 3}, {"", 255}}, {{"a", 0.1}, {"b", -2}}}),
            R"({"id":7,"note":"n\"\\\n\u0001ä","items":[{"name":"tea","price":3},{"name":"","price":255}],)"
            R"("rates":{"a":0.1,"b":-2}})");
}

TEST(Json, LeavesEmptyOptionalsOutOfObjectsAndWritesNullElsewhere) {
  EXPECT_EQ(encoded(Order{}), R"({"id":0,"items":[],"rates":{}})");
  EXPECT_EQ(encoded(std::vector<std::optional<int>>{1, std::nullopt}), "[1,null]");
  EXPECT_EQ(encoded(std::optional<int>()), "null");
}

TEST(Json, WritesNumbersInTheShortestForm) {
  EXPECT_EQ(encoded(std::vector<double>{0.1, 1, -0.0, 1e20, 1e21, 5e-324, 1.7976931348623157e308}),
            "[0.1,1,-0,1e+20,1e+21,5e-324,1.7976931348623157e+308]");
  EXPECT_EQ(encoded(std::vector<float>{0.1f, 16777216}), "[0.1,16777216]");
  EXPECT_EQ(encoded(std::vector<std::int64_t>{std::numeric_limits<std::int64_t>::min()}),
            "[-9223372036854775808]");
  EXPECT_EQ(encoded(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(encoded(std::int8_t{-7}), "-7");
}

TEST(Json, WritesTimesEnumsAndDurations) {
  using namespace std::chrono_literals;
  EXPECT_EQ(encoded(EventTime(1357035300s + 250ms)), R"("2013-01-01T10:15:00.250Z")");
  EXPECT_EQ(encoded(kMaxTime), R"("+294247-01-10T04:00:54.775807Z")");
  EXPECT_EQ(encoded(Color::dark_blue), R"("dark_blue")");
  EXPECT_EQ(encoded(std::chrono::minutes(-5)), "-5");
  EXPECT_EQ(encoded(std::chrono::duration<double>(0.25)), "0.25");
}

TEST(Json, RefusesToWriteWhatJsonCannotHold) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(encode_error(Order{.rates = {{"a", std::nan("")}}}),
            "rates[\"a\"]: NaN can't be written as text; use std::optional for a value that may be missing");
  EXPECT_EQ(encode_error(infinity),
            "infinity can't be written as text; use std::optional for a value that may be missing");
  EXPECT_EQ(encode_error(-infinity),
            "-infinity can't be written as text; use std::optional for a value that may be missing");
  EXPECT_EQ(encode_error(std::vector<Color>{Color::red, Color{9}}),
            "[1]: the enum value 9 has no name (there are: red, green, dark_blue)");
  EXPECT_EQ(encode_error(Order{.items = {{"a\xff", 1}}}), "items[0].name: not UTF-8 at byte 1 of \"a\\xff\"");
  EXPECT_EQ(encode_error(std::map<std::string, int>{{"\x80", 1}}),
            "[\"\\x80\"]: not UTF-8 at byte 0 of \"\\x80\"");
}

TEST(Json, ReadsFieldsInAnyOrderAndIgnoresUnknownOnes) {
  const Item expected{"tea", 3};
  EXPECT_EQ(decoded<Item>(R"({"price":3,"name":"tea"})"), expected);
  EXPECT_EQ(decoded<Item>(" {\n\t\"name\" : \"tea\" , \"price\" : 3 }\r\n"), expected);
  EXPECT_EQ(decoded<Item>(
                R"({"nam":1,"names":[],"name":"tea","":{},"pricey":null,"price":3,"x":[{"a":[1.5e3,"}"]}]})"),
            expected);
  EXPECT_EQ(decoded<Item>(R"({"n\u0061me":"tea","pri\u0063e":3,"o\"dd":true})"), expected);
}

TEST(Json, ReadsEveryStringEscape) {
  EXPECT_EQ(decoded<std::string>(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(decoded<std::string>(R"("a\u0000\u00e4\u20AC\ud83d\ude00z")"), std::string("a\0ä€😀z", 12));
}

TEST(Json, ReadsNumbersThatFit) {
  EXPECT_EQ(decoded<std::uint8_t>("255"), 255);
  EXPECT_EQ(decoded<std::int8_t>("-128"), -128);
  EXPECT_EQ(decoded<std::int64_t>("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(decoded<std::int64_t>("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(decoded<std::uint64_t>("18446744073709551615"), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(decoded<std::int32_t>("2.0"), 2);
  EXPECT_EQ(decoded<std::int32_t>("1e3"), 1000);
  EXPECT_EQ(decoded<std::uint32_t>("-0"), 0u);
  EXPECT_EQ(decoded<double>("5"), 5.0);
  EXPECT_EQ(decoded<double>("1e-999"), 0.0);
  EXPECT_EQ(decoded<double>("18446744073709551616"), 18446744073709551616.0);
  EXPECT_EQ(decoded<float>("1e-99"), 0.0f);
  // The nearest float; by way of the nearest double it would be 1.0000002.
  EXPECT_EQ(decoded<float>("1.00000017881393432617187499"), 1.00000011920928955078125f);
}

TEST(Json, ReadsTimesAsTextOrMilliseconds) {
  using namespace std::chrono_literals;
  EXPECT_EQ(decoded<EventTime>(R"("2013-01-01T12:15:00.25+02:00")"), EventTime(1357035300s + 250ms));
  EXPECT_EQ(decoded<EventTime>("1357035300250"), EventTime(1357035300s + 250ms));
  EXPECT_EQ(decoded<EventTime>("-1"), EventTime(-1ms));
  EXPECT_EQ(decoded<std::chrono::sys_seconds>("-1"), std::chrono::sys_seconds(-1s));
  EXPECT_EQ(decoded<std::chrono::sys_seconds>(R"("1969-12-31T23:59:59.5Z")"), std::chrono::sys_seconds(-1s));
  EXPECT_EQ(decoded<std::chrono::sys_days>(R"("2013-01-01T12:15:00Z")"),
            std::chrono::sys_days(std::chrono::days(15706)));
}

TEST(Json, ReadsNullOnlyIntoOptionals) {
  EXPECT_EQ(decoded<std::optional<int>>("null"), std::nullopt);
  EXPECT_EQ(decoded<Order>(R"({"id":1,"note":null,"items":[],"rates":{}})"), (Order{.id = 1}));
  EXPECT_EQ(decoded<std::vector<std::optional<int>>>("[null,1]"),
            (std::vector<std::optional<int>>{std::nullopt, 1}));
  EXPECT_EQ(error_of<Item>(R"({"name":null,"price":1})"), "name: expected a string, found null");
  EXPECT_EQ(error_of<std::vector<int>>("[null]"),
            "[0]: expected an integer from -2147483648 to 2147483647, found null");
}

TEST(Json, OverwritesWhatWasThere) {
  Order order{1, "old", {{"a", 1}}, {{"x", 1}}};
  ASSERT_TRUE(json<Order>().make_decoder()(R"({"id":2,"items":[],"rates":{}})", order).ok());
  EXPECT_EQ(order, (Order{.id = 2}));
}

TEST(Json, SaysWhereWhatWasExpectedAndWhatWasFound) {
  const struct {
    std::string error;
    std::string expected;
  } kCases[] = {
      {error_of<Envelope>(
           R"({"order":{"id":1,"items":[{"name":"a","price":1},{"name":"b","price":300}],"rates":{}}})"),
       "order.items[1].price: expected an integer from 0 to 255, found 300"},
      {error_of<Envelope>(R"({"order":{"id":1,"items":[{"name":"a"}],"rates":{}}})"),
       "order.items[0].price: missing, and not a std::optional"},
      {error_of<Order>(R"({"id":1,"items":[],"rates":{"a b":"x"}})"),
       "rates[\"a b\"]: expected a number within ±1.8e308, found \"x\""},
      {error_of<Envelope>("{}"), "order: missing, and not a std::optional"},
      {error_of<Item>("5"), "expected an object, found 5"},
      {error_of<Item>("[1,2]"), "expected an object, found an array"},
      {error_of<Item>(""), "expected an object, found nothing"},
      {error_of<Item>(" \n"), "expected an object, found nothing"},
      {error_of<std::vector<int>>("{}"), "expected an array, found an object"},
      {error_of<std::map<std::string, int>>("[]"), "expected an object, found an array"},
      {error_of<Item>(R"({"name":1,"price":1})"), "name: expected a string, found 1"},
      {error_of<std::uint8_t>("-1"), "expected an integer from 0 to 255, found -1"},
      {error_of<std::uint64_t>("-1"), "expected an integer from 0 to 18446744073709551615, found -1"},
      {error_of<std::int8_t>("128"), "expected an integer from -128 to 127, found 128"},
      {error_of<std::int16_t>("1.5"), "expected an integer from -32768 to 32767, found 1.5"},
      {error_of<std::int64_t>("9223372036854775808"),
       "expected an integer from -9223372036854775808 to 9223372036854775807, found 9223372036854775808"},
      {error_of<std::uint32_t>("true"), "expected an integer from 0 to 4294967295, found true"},
      {error_of<std::uint32_t>(R"("1")"), "expected an integer from 0 to 4294967295, found \"1\""},
      {error_of<double>("1e999"), "expected a number within ±1.8e308, found 1e999"},
      {error_of<float>("1e39"), "expected a number within ±3.4e38, found 1e39"},
      {error_of<bool>("1"), "expected true or false, found 1"},
      {error_of<bool>(R"("true")"), "expected true or false, found \"true\""},
      {error_of<Color>(R"("gren")"),
       "expected one of red, green, dark_blue, found \"gren\"; did you mean 'green'?"},
      {error_of<Color>("1"), "expected one of red, green, dark_blue, found 1"},
      {error_of<EventTime>(R"("yesterday")"),
       "expected a time such as 2013-01-01T10:15:00Z or milliseconds since 1970, found \"yesterday\""},
      {error_of<EventTime>("true"),
       "expected a time such as 2013-01-01T10:15:00Z or milliseconds since 1970, found true"},
      {error_of<EventTime>("9223372036854775807"),
       "expected a time such as 2013-01-01T10:15:00Z or milliseconds since 1970, found 9223372036854775807"},
      {error_of<EventTime>(R"("+300000-01-01")"),
       "expected a time such as 2013-01-01T10:15:00Z or milliseconds since 1970, found \"+300000-01-01\""},
      {error_of<std::chrono::milliseconds>("0.5"),
       "expected an integer from -9223372036854775808 to 9223372036854775807, found 0.5"},
      {error_of<Item>(R"({"name":"a","price":1,"name":"b"})"), "name: comes twice"},
      {error_of<std::map<std::string, int>>(R"({"a":1,"a":2})"), "[\"a\"]: comes twice"},
      {error_of<std::vector<int>>(R"(["a long text that goes on and on without an end"])"),
       "[0]: expected an integer from -2147483648 to 2147483647, found \"a long text that goes on and on "
       "without…"},
      {error_of<Color>("\"a\\u0007\\u00e4\""), "expected one of red, green, dark_blue, found \"a\\x07ä\""},
  };
  for (const auto& c : kCases) EXPECT_EQ(c.error, c.expected);
}

TEST(Json, RefusesWhatIsNotJson) {
  const struct {
    std::string_view text;
    std::string expected;
  } kCases[] = {
      {"{", "not JSON: it ends too early"},
      {R"({"name")", "not JSON: it ends too early"},
      {R"({"name":)", "name: not JSON: it ends too early"},
      {R"({"name":"a")", "not JSON: it ends too early"},
      {R"({"name":"a",)", "not JSON: it ends too early"},
      {R"({"name":"a)", "not JSON: a string is not closed"},
      {R"({"name":"a","price":1}})", "expected the end of the record, found \"}\""},
      {R"({"name":"a","price":1} {"name":"b","price":2})",
       "expected the end of the record, found \"{\"name\":\"b\",\"price\":2}\""},
      {R"({"name":"a","price":1,})", "not JSON at byte 22, near \"}\""},
      {R"({"name" "a"})", "not JSON at byte 8, near \"\"a\"}\""},
      {R"({name:"a"})", "not JSON at byte 1, near \"name:\"a\"}\""},
      {R"({"name":a})", "name: not JSON at byte 8, near \"a}\""},
      {R"({"name":"a","price":01})", "price: not JSON at byte 20, near \"01}\""},
      {R"({"name":"a","price":1x})", "price: not JSON at byte 20, near \"1x}\""},
      {R"({"name":"a","price":1."0"})", "price: not JSON at byte 20, near \"1.\"0\"}\""},
      {R"({"name":"a","price":NaN})", "price: not JSON at byte 20, near \"NaN}\""},
      {R"({"name":"a","price":+1})", "price: not JSON at byte 20, near \"+1}\""},
      {R"({"name":"\q","price":1})", "name: not JSON: a bad escape in the string \"\\q\""},
      {R"({"name":"\ud800","price":1})", "name: not JSON: a bad escape in the string \"\\ud800\""},
      {R"({"name":"\udc00\ud800","price":1})",
       "name: not JSON: a bad escape in the string \"\\udc00\\ud800\""},
      {R"({"name":"\u12g4","price":1})", "name: not JSON: a bad escape in the string \"\\u12g4\""},
      {"{\"name\":\"a\nb\",\"price\":1}", "not JSON: a control character in a string is not escaped"},
      {"{\"name\":\"a\xffz\",\"price\":1}", "not UTF-8 at byte 10"},
      {"{\"name\":\"\xed\xa0\x80\",\"price\":1}", "not UTF-8 at byte 9"},
      {"\xef\xbb\xbf{}", "not JSON at byte 0, near \"\xef\xbb\xbf{}\""},
      // Values that nobody reads are checked too.
      {R"({"x":tru,"name":"a","price":1})", "not JSON at byte 5, near \"tru,\"name\":\"a\",\"price\":1}\""},
      {R"({"x":[1 2],"name":"a","price":1})", "not JSON at byte 8, near \"2],\"name\":\"a\",\"price\":1}\""},
      {R"({"x":{"y":1,},"name":"a","price":1})",
       "not JSON at byte 12, near \"},\"name\":\"a\",\"price\":1}\""},
      {R"({"x":"\q","name":"a","price":1})", "not JSON: a bad escape in the string \"\\q\""},
      {R"({"\q":1,"name":"a","price":1})", "not JSON: a bad escape in the string \"\\q\""},
  };
  for (const auto& c : kCases) EXPECT_EQ(error_of<Item>(c.text), c.expected) << c.text;
}

std::string nested(int depth) {
  std::string text = R"({"n":1,"kids":[]})";
  for (int i = 1; i < depth; ++i) text = R"({"n":1,"kids":[)" + text + "]}";
  return text;
}

TEST(Json, RefusesMoreThan64Levels) {
  Tree tree = decoded<Tree>(nested(32));
  EXPECT_EQ(encoded(tree), nested(32));
  EXPECT_THAT(error_of<Tree>(nested(33)), testing::EndsWith("kids[0]: nested deeper than 64"));
  EXPECT_THAT(encode_error(Tree{1, {tree}}), testing::EndsWith("kids[0]: nested deeper than 64"));

  const auto unknown = [](std::size_t depth) {
    return R"({"x":)" + std::string(depth, '[') + std::string(depth, ']') + R"(,"name":"a","price":1})";
  };
  EXPECT_EQ(error_of<Item>(unknown(63)), "no error");
  EXPECT_EQ(error_of<Item>(unknown(64)), "nested deeper than 64");
  EXPECT_EQ(error_of<Item>(unknown(100'000)), "nested deeper than 64");
  EXPECT_EQ(error_of<Item>(R"({"x":)" + std::string(100'000, '{')),
            "not JSON at byte 6, near \"" + std::string(40, '{') + "…\"");
}

TEST(Json, ReadsLargeRecordsBetweenSmallOnes) {
  const auto decode = json<std::vector<std::string>>().make_decoder();
  const std::vector<std::string> large(10'000, "some text");
  std::vector<std::string> out;
  for (const auto& value : {std::vector<std::string>{"a"}, large, std::vector<std::string>{"b"}}) {
    ASSERT_TRUE(decode(encoded(value), out).ok());
    EXPECT_EQ(out, value);
  }
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  /// Any bits, often few, so that small numbers and limits come up.
  template <class T>
  T integer() {
    return static_cast<T>(engine_() >> (engine_() % 64));
  }
  template <class Float, class Bits>
  Float finite() {
    Float value;
    do value = std::bit_cast<Float>(static_cast<Bits>(engine_()));
    while (!std::isfinite(value));
    return value;
  }
  std::size_t size() { return engine_() % 4; }
  std::string text() {
    static constexpr std::string_view kParts[] = {"a",  "\"", "\\", "\n", "ä", "€",
                                                  "😀", "{",  ",",  ":",  "]", "\x7f"};
    std::string out;
    for (std::size_t n = engine_() % 12; n > 0; --n) out += kParts[engine_() % std::size(kParts)];
    return out;
  }
  Item item() { return {text(), integer<std::uint8_t>()}; }

 private:
  std::mt19937_64 engine_;
};

Everything random_value(Random& r) {
  using namespace std::chrono;
  Everything v{.flag = r.size() % 2 == 0,
               .i8 = r.integer<std::int8_t>(),
               .i16 = r.integer<std::int16_t>(),
               .i32 = r.integer<std::int32_t>(),
               .i64 = r.integer<std::int64_t>(),
               .u8 = r.integer<std::uint8_t>(),
               .u16 = r.integer<std::uint16_t>(),
               .u32 = r.integer<std::uint32_t>(),
               .u64 = r.integer<std::uint64_t>(),
               .f32 = r.finite<float, std::uint32_t>(),
               .f64 = r.finite<double, std::uint64_t>(),
               .text = r.text(),
               .color = r.size() == 0 ? Color::dark_blue : Color::green,
               .at = EventTime(Duration(r.integer<std::int64_t>())),
               .second = sys_seconds(seconds(r.integer<std::int64_t>() >> 8)),
               .nano = sys_time<nanoseconds>(nanoseconds(r.integer<std::int64_t>())),
               .took = milliseconds(r.integer<std::int64_t>()),
               .exact = duration<double>(r.finite<double, std::uint64_t>())};
  if (r.size() > 0) v.item = r.item();
  for (std::size_t n = r.size(); n > 0; --n) {
    v.list.push_back(r.size() > 0 ? std::optional(r.integer<std::int32_t>()) : std::nullopt);
    v.bits.push_back(r.size() > 1);
    v.map[r.text()] = {r.item(), r.item()};
  }
  return v;
}

TEST(Json, RoundTripsRandomValues) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const auto encode = json<Everything>().make_encoder();
  const auto decode = json<Everything>().make_decoder();
  Everything out;
  for (int i = 0; i < 5'000; ++i) {
    const Everything value = random_value(random);
    std::string text;
    ASSERT_TRUE(encode(value, text).ok());
    const absl::Status status = decode(text, out);
    ASSERT_TRUE(status.ok()) << status << " in " << text;
    ASSERT_EQ(out, value) << text;
  }
}

TEST(Json, Conforms) {
  Random random(42);
  check_codec<Everything>(json<Everything>(),
                          {random_value(random), random_value(random), random_value(random)});
  check_codec<std::string>(json<std::string>(), {"", "text", "\"quoted\""});
  check_codec<std::int64_t>(json<std::int64_t>(), {0, -1, 1234567890123456789});
  check_codec<std::optional<double>>(json<std::optional<double>>(), {std::nullopt, 0.5, -1e300});
  check_codec<std::vector<Item>>(json<std::vector<Item>>(), {{}, {{"a", 1}}, {{"a", 1}, {"b", 2}}});
}

}  // namespace
}  // namespace slipstream
