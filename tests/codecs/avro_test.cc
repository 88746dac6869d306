#include "slipstream/avro.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "conformance/codec_conformance.h"
#include "slipstream/time.h"

namespace slipstream {
namespace {

using conformance::check_codec;
using conformance::encoded;
using testing::HasSubstr;

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}
std::string to_hex(std::string_view bytes) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) hex.append(1, kHex[(c >> 4) & 15]).append(1, kHex[c & 15]);
  return hex;
}

enum class Color : std::uint8_t { red, green, blue };
SLIPSTREAM_ENUM(Color, red, green, blue)

struct Item {
  std::string name;
  double price = 0;
  friend bool operator==(const Item&, const Item&) = default;
};
SLIPSTREAM_FIELDS(Item, name, price)

struct Order {
  std::int64_t id = 0;
  std::string shop{};
  std::optional<std::string> note{};
  Color color = Color::red;
  EventTime at{};
  std::chrono::sys_days day{};
  std::vector<Item> items{};
  std::map<std::string, float> rates{};
  bool paid = false;
  friend bool operator==(const Order&, const Order&) = default;
};
SLIPSTREAM_FIELDS(Order, id, shop, note, color, at, day, items, rates, paid)

Order some_order() {
  using namespace std::chrono;
  return {-12345678901,
          "Zürich",
          "ü",
          Color::blue,
          EventTime(sys_days(2023y / 1 / 1) + 10h + 30min + 5us),
          sys_days(1969y / 12 / 31),
          {{"tea", 2.5}, {"", -1e300}},
          {{"eur", 1.5f}},
          true};
}

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
  std::string text{};
  Color color = Color::red;
  EventTime at{};
  std::chrono::sys_seconds second{};
  std::chrono::sys_time<std::chrono::nanoseconds> nano{};
  std::chrono::milliseconds took{};
  std::optional<Item> item{};
  std::vector<std::optional<std::int32_t>> list{};
  std::map<std::string, std::vector<Item>> map{};
  std::map<std::int16_t, bool> flags{};
  friend bool operator==(const Everything&, const Everything&) = default;
};
SLIPSTREAM_FIELDS(Everything, flag, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, text, color, at, second,
                  nano, took, item, list, map, flags)

struct Tree {
  std::int32_t n = 0;
  std::vector<Tree> kids{};
  friend bool operator==(const Tree&, const Tree&) = default;
};
SLIPSTREAM_FIELDS(Tree, n, kids)

template <class T>
struct One {
  T value{};
  friend bool operator==(const One&, const One&) = default;
};
SLIPSTREAM_TEMPLATE_FIELDS((class T), (One<T>), value)

/// {"type":"record","name":"One","fields":[…]}
std::string record(const std::string& fields) {
  return R"({"type": "record", "name": "One", "fields": [)" + fields + "]}";
}
std::string one(const std::string& type, const std::string& more = "") {
  return record(R"({"name": "value", "type": )" + type + more + "}");
}

template <class T>
Codec<T> codec_of(std::string_view schema, std::string_view writer = "") {
  auto codec = avro_with_schema<T>(schema, {.writer_schema = std::string(writer)});
  EXPECT_TRUE(codec.ok()) << codec.status();
  return codec.ok() ? *codec : avro<T>();
}
template <class T>
std::string refusal_of(std::string_view schema, std::string_view writer = "") {
  const auto codec = avro_with_schema<T>(schema, {.writer_schema = std::string(writer)});
  EXPECT_EQ(codec.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(codec.status().message());
}
template <class T>
T read(const Codec<T>& codec, std::string_view bytes) {
  T value{};
  const absl::Status status = codec.make_decoder()(bytes, value);
  EXPECT_TRUE(status.ok()) << status;
  return value;
}
template <class T>
std::string error_of(const Codec<T>& codec, std::string_view bytes) {
  T value{};
  const absl::Status status = codec.make_decoder()(bytes, value);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}
template <class T>
std::string unwritable(const Codec<T>& codec, const T& value) {
  std::string out;
  const absl::Status status = codec.make_encoder()(value, out);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

// ---------------------------------------------------------------- the encoding

/// Written by fastavro 1.13.
TEST(Avro, ReadsAndWritesTheBytesThatOthersDo) {
  constexpr std::string_view kFull =
      "e9f0e0fd5b0e5ac3bc726963680204c3bc048ae8db91aaccf8050104067465610000000000000440009c7500883ce437fe"
      "0002066575720000c03f0001";
  constexpr std::string_view kEmpty = "e9f0e0fd5b0e5ac3bc7269636800048ae8db91aaccf80501000001";
  EXPECT_EQ(to_hex(encoded(avro<Order>(), some_order())), kFull);
  EXPECT_EQ(read(avro<Order>(), from_hex(kFull)), some_order());
  Order bare = some_order();
  bare.note.reset();
  bare.items.clear();
  bare.rates.clear();
  EXPECT_EQ(to_hex(encoded(avro<Order>(), bare)), kEmpty);
  EXPECT_EQ(read(avro<Order>(), from_hex(kEmpty)), bare);
}

TEST(Avro, WritesNumbersAsOthersDo) {
  const std::vector<std::pair<std::int64_t, std::string>> rows = {
      {0, "00"},
      {-1, "01"},
      {1, "02"},
      {-2, "03"},
      {63, "7e"},
      {64, "8001"},
      {-64, "7f"},
      {-65, "8101"},
      {2147483647, "feffffff0f"},
      {-2147483648, "ffffffff0f"},
      {std::numeric_limits<std::int64_t>::max(), "feffffffffffffffff01"},
      {std::numeric_limits<std::int64_t>::min(), "ffffffffffffffffff01"},
  };
  for (const auto& [number, hex] : rows) {
    EXPECT_EQ(to_hex(encoded(avro<std::int64_t>(), number)), hex);
    EXPECT_EQ(read(avro<std::int64_t>(), from_hex(hex)), number);
  }
}

TEST(Avro, ReadsBlocksWithAndWithoutTheirSize) {
  using Numbers = std::vector<std::int32_t>;
  EXPECT_EQ(read(avro<Numbers>(), from_hex("0402040206"
                                           "00")),
            (Numbers{1, 2, 3}));
  EXPECT_EQ(read(avro<Numbers>(), from_hex("0304020402"
                                           "0600")),
            (Numbers{1, 2, 3}))
      << "-2 elements in 2 bytes";
  EXPECT_EQ(encoded(avro<Numbers>(), Numbers{}), std::string(1, '\0'));
}

TEST(Avro, KeepsWhatEveryCodecPromises) {
  Everything full{true,
                  -128,
                  -32768,
                  -2147483647,
                  std::numeric_limits<std::int64_t>::min(),
                  255,
                  65535,
                  4294967295,
                  9223372036854775807u,
                  0.1f,
                  -1e300,
                  "ü",
                  Color::green,
                  EventTime(Duration(-1)),
                  std::chrono::sys_seconds(std::chrono::seconds(-5)),
                  std::chrono::sys_time<std::chrono::nanoseconds>(std::chrono::nanoseconds(123)),
                  std::chrono::milliseconds(7),
                  Item{"a", 1},
                  {{}, 5},
                  {{"k", {{"b", 2}}}, {"", {}}},
                  {{-3, true}}};
  check_codec<Everything>(avro<Everything>(), {full});
  check_codec<Order>(avro<Order>(), {some_order(), {.id = 1}});
  check_codec<Tree>(avro<Tree>(), {{1, {{2, {}}, {3, {{4, {}}}}}}});
  check_codec<std::optional<std::string>>(avro<std::optional<std::string>>(), {"a", std::nullopt});
}

TEST(Avro, DescribesATypeAsASchema) {
  EXPECT_EQ(avro_schema<std::optional<bool>>(), R"(["null","boolean"])");
  EXPECT_EQ(avro_schema<Tree>(),
            R"({"type":"record","name":"slipstream.Tree","fields":[{"name":"n","type":"int"},)"
            R"({"name":"kids","type":{"type":"array","items":"slipstream.Tree"}}]})");
  EXPECT_EQ(avro_schema<Color>(),
            R"({"type":"enum","name":"slipstream.Color","symbols":["red","green","blue"]})");
  const std::string order = avro_schema<Order>();
  EXPECT_THAT(order, HasSubstr(R"({"name":"note","type":["null","string"],"default":null})"));
  EXPECT_THAT(order, HasSubstr(R"({"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}})"));
  EXPECT_THAT(order, HasSubstr(R"({"name":"day","type":{"type":"int","logicalType":"date"}})"));
  EXPECT_THAT(order, HasSubstr(R"({"name":"rates","type":{"type":"map","values":"float"}})"));
  EXPECT_THAT(avro_schema<std::chrono::sys_seconds>(), HasSubstr("timestamp-millis"));
  EXPECT_THAT(avro_schema<std::chrono::sys_time<std::chrono::nanoseconds>>(), HasSubstr("timestamp-nanos"));
  EXPECT_EQ(avro_schema<std::uint32_t>(), "\"long\"");
  EXPECT_THAT(avro_schema<One<std::vector<int>>>(), HasSubstr("\"name\":\"slipstream.One_std__vector_int"));
}

// ---------------------------------------------------------------- evolution

TEST(AvroEvolution, AddedFieldsGetTheirDefaults) {
  const std::string reader = R"({"type": "record", "name": "Order", "fields": [
      {"name": "id", "type": "long"},
      {"name": "shop", "type": "string", "default": "unknown ü"},
      {"name": "note", "type": ["string", "null"], "default": "none"},
      {"name": "color", "type": {"type": "enum", "name": "Color", "symbols": ["red", "blue"]}, "default": "blue"},
      {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 1500},
      {"name": "day", "type": {"type": "int", "logicalType": "date"}, "default": -1},
      {"name": "items", "type": {"type": "array", "items": {"type": "record", "name": "Item", "fields": [
          {"name": "name", "type": "string"}, {"name": "price", "type": "double", "default": 9}]}},
       "default": [{"name": "a", "price": 1.5}, {"name": "b"}]},
      {"name": "rates", "type": {"type": "map", "values": "float"}, "default": {"x": 2}},
      {"name": "paid", "type": "boolean", "default": true}]})";
  const auto codec = codec_of<Order>(
      reader, R"({"type": "record", "name": "O", "fields": [{"name": "id", "type": "int"}]})");
  const Order read_order = read(codec, from_hex("0e"));
  const Order expected{7,
                       "unknown ü",
                       "none",
                       Color::blue,
                       EventTime(std::chrono::milliseconds(1500)),
                       std::chrono::sys_days(std::chrono::days(-1)),
                       {{"a", 1.5}, {"b", 9}},
                       {{"x", 2.0f}},
                       true};
  EXPECT_EQ(read_order, expected);
}

TEST(AvroEvolution, AddedOptionalsStayEmpty) {
  struct Before {};
  const auto codec = codec_of<One<std::optional<int>>>(one("[\"null\", \"int\"]"), record(""));
  One<std::optional<int>> out{5};
  ASSERT_TRUE(codec.make_decoder()("", out).ok());
  EXPECT_EQ(out.value, std::nullopt) << "whatever was there";
}

TEST(AvroEvolution, AddedFieldsWithoutADefaultAreRefused) {
  EXPECT_EQ(
      refusal_of<One<int>>(one("\"int\""), record(R"({"name": "valeu", "type": "int"})")),
      "writer_schema: value: missing in record One, without a default and no std::optional; did you mean "
      "'valeu'?");
}

TEST(AvroEvolution, RemovedFieldsAreSkippedWhateverTheyAre) {
  const std::string writer = R"({"type": "record", "name": "One", "fields": [
      {"name": "a", "type": "string"}, {"name": "b", "type": {"type": "array", "items": "long"}},
      {"name": "c", "type": {"type": "map", "values": ["null", "double"]}},
      {"name": "d", "type": {"type": "fixed", "name": "F", "size": 3}}, {"name": "e", "type": "float"},
      {"name": "f", "type": {"type": "enum", "name": "E", "symbols": ["x"]}}, {"name": "g", "type": "boolean"},
      {"name": "value", "type": "int"}, {"name": "h", "type": "bytes"}, {"name": "i", "type": ["null", "One"]}]})";
  const auto codec = codec_of<One<int>>(one("\"int\""), writer);
  const std::string a = "0278", b = "0304020400", c = "0202780000", d = "010203", e = "00000000", f = "00",
                    g = "01";
  EXPECT_EQ(read(codec, from_hex(a + b + c + d + e + f + g + "2a" + "0400ff" + "00")).value, 21);
  EXPECT_EQ(error_of(codec, from_hex(a + b + c + d + e + "02")),
            "f: expected one of 1 symbols, found number 1");
  EXPECT_EQ(error_of(codec, from_hex(a + b + "02027804")),
            "c[\"x\"]: expected one of the 2 branches of a union, found number 2");
}

TEST(AvroEvolution, RenamedFieldsAreFoundByAlias) {
  const std::string reader = one("\"int\"", R"(, "aliases": ["old", "older"])");
  EXPECT_EQ(
      read(codec_of<One<int>>(reader, record(R"({"name": "older", "type": "int"})")), from_hex("02")).value,
      1);
  const std::string both = record(R"({"name": "old", "type": "int"}, {"name": "value", "type": "int"})");
  EXPECT_EQ(read(codec_of<One<int>>(reader, both), from_hex("0204")).value, 2) << "the name goes first";
}

TEST(AvroEvolution, NumbersWidenAndTextIsBytes) {
  EXPECT_EQ(read(codec_of<One<std::int64_t>>(one("\"long\""), one("\"int\"")), from_hex("03")).value, -2);
  EXPECT_EQ(read(codec_of<One<float>>(one("\"float\""), one("\"int\"")), from_hex("03")).value, -2.0f);
  EXPECT_EQ(read(codec_of<One<double>>(one("\"double\""), one("\"long\"")), from_hex("03")).value, -2.0);
  EXPECT_EQ(read(codec_of<One<double>>(one("\"double\""), one("\"float\"")), from_hex("0000c03f")).value,
            1.5);
  EXPECT_EQ(read(codec_of<One<std::string>>(one("\"string\""), one("\"bytes\"")), from_hex("02ff")).value,
            "\xff");
  EXPECT_EQ(read(codec_of<One<std::string>>(one("\"bytes\""), one("\"string\"")), from_hex("0261")).value,
            "a");
  EXPECT_EQ(refusal_of<One<int>>(one("\"int\""), one("\"long\"")),
            "writer_schema: value: long can't be read as int");
  EXPECT_EQ(refusal_of<One<std::int64_t>>(one("\"long\""), one("\"double\"")),
            "writer_schema: value: double can't be read as long");
  EXPECT_EQ(refusal_of<One<std::string>>(one("\"string\""), one("[\"int\", \"boolean\"]")),
            "writer_schema: value: boolean can't be read as string");
}

TEST(AvroEvolution, FieldsMayBecomeOptionalAndBack) {
  using Maybe = One<std::optional<std::int64_t>>;
  const std::string maybe = one("[\"null\", \"long\"]");
  EXPECT_EQ(read(codec_of<Maybe>(maybe, one("\"int\"")), from_hex("0a")).value, 5);
  EXPECT_EQ(read(codec_of<Maybe>(maybe, one("\"null\"")), "").value, std::nullopt);
  EXPECT_EQ(read(codec_of<Maybe>(maybe, one("[\"int\", \"null\"]")), from_hex("000a")).value, 5);
  EXPECT_EQ(read(codec_of<Maybe>(maybe, one("[\"int\", \"null\"]")), from_hex("02")).value, std::nullopt);
  const auto back = codec_of<One<std::int64_t>>(one("\"long\""), maybe);
  EXPECT_EQ(read(back, from_hex("020a")).value, 5);
  EXPECT_EQ(error_of(back, from_hex("00")), "value: null can't be read as long");
}

TEST(AvroEvolution, UnionBranchesThatCannotBeReadAreErrorsWhereTheyCome) {
  const auto codec = codec_of<One<std::string>>(one("\"string\""), one("[\"int\", \"string\"]"));
  EXPECT_EQ(read(codec, from_hex("020261")).value, "a");
  EXPECT_EQ(error_of(codec, from_hex("0002")), "value: int can't be read as string");
}

TEST(AvroEvolution, UnknownSymbolsAreTheDefaultOrErrors) {
  const std::string writer = one(R"({"type": "enum", "name": "C", "symbols": ["green", "gren", "violet"]})");
  const std::string plain = one(R"({"type": "enum", "name": "C", "symbols": ["red", "green", "blue"]})");
  const auto codec = codec_of<One<Color>>(plain, writer);
  EXPECT_EQ(read(codec, from_hex("00")).value, Color::green);
  EXPECT_EQ(error_of(codec, from_hex("02")),
            "value: expected one of red, green, blue, found \"gren\"; did you mean 'green'?");
  const auto lenient = codec_of<One<Color>>(
      one(R"({"type": "enum", "name": "C", "symbols": ["red", "green", "blue"], "default": "blue"})"),
      writer);
  EXPECT_EQ(read(lenient, from_hex("04")).value, Color::blue);
}

TEST(AvroEvolution, RecordsThatContainThemselvesAreResolved) {
  const std::string writer = R"({"type": "record", "name": "T", "fields": [{"name": "x", "type": "string"},
      {"name": "kids", "type": {"type": "array", "items": ["null", "T"]}}, {"name": "n", "type": "int"}]})";
  const auto codec = codec_of<Tree>(avro_schema<Tree>(), writer);
  EXPECT_EQ(read(codec, from_hex("0261"
                                 "02"
                                 "02"
                                 "0262"
                                 "00"
                                 "04"
                                 "00"
                                 "02")),
            (Tree{1, {{2, {}}}}));
  EXPECT_EQ(error_of(codec, from_hex("0261"
                                     "02"
                                     "00"
                                     "00"
                                     "02")),
            "kids[0]: null can't be read as record slipstream.Tree");
}

// ---------------------------------------------------------------- times

TEST(AvroTimes, AreReadInTheUnitOfTheWriterAndWrittenInTheSchemas) {
  const auto at =
      EventTime(std::chrono::sys_days(std::chrono::year(2023) / 1 / 1)) + std::chrono::minutes(630);
  const std::string millis = one(R"({"type": "long", "logicalType": "timestamp-millis"})");
  const std::string micros = one(R"({"type": "long", "logicalType": "timestamp-micros"})");
  const std::string nanos = one(R"({"type": "long", "logicalType": "timestamp-nanos"})");
  const std::string date = one(R"({"type": "int", "logicalType": "date"})");
  using Time = One<EventTime>;
  EXPECT_EQ(to_hex(encoded(codec_of<Time>(millis), Time{at + Duration(500'999)})), "e8c88ccead61")
      << "as fastavro";
  EXPECT_EQ(read(codec_of<Time>(micros, millis), from_hex("e8c88ccead61")).value, at + Duration(500'000));
  EXPECT_EQ(encoded(codec_of<Time>(millis), Time{EventTime(Duration(-1))}), "\x01") << "rounded down";
  EXPECT_EQ(read(codec_of<Time>(micros, nanos), from_hex("01")).value, EventTime(Duration(-1)))
      << "rounded down";
  EXPECT_EQ(read(codec_of<Time>(micros, date), from_hex("02")).value, EventTime(std::chrono::days(1)));
  EXPECT_EQ(read(codec_of<Time>(millis, one("\"long\"")), from_hex("02")).value, EventTime(Duration(1000)))
      << "a reader may say what the writer didn't";
  EXPECT_EQ(error_of(codec_of<Time>(millis), from_hex("feffffffffffffffff01")),
            "value: expected a time that its type holds, found 9223372036854775807");
  EXPECT_EQ(unwritable(codec_of<Time>(nanos), Time{kMaxTime}),
            "value: a number of more than 64 bits can't be written as long");
  EXPECT_EQ(
      refusal_of<Time>(one("\"long\"")),
      "value: expected a timestamp or date, found long without such a logicalType; give the unit in a schema "
      R"(of yours, such as {"type": "long", "logicalType": "timestamp-millis"})");
  EXPECT_EQ(read(codec_of<One<std::int64_t>>(millis), from_hex("02")).value, 1) << "or as the number it is";
}

// ---------------------------------------------------------------- what doesn't fit

TEST(AvroErrors, OfWhatTheSchemaSaysAndTheTypeIsNot) {
  const auto refused = [](const std::string& type) { return refusal_of<One<std::vector<int>>>(one(type)); };
  EXPECT_EQ(refused("\"string\""), "value: expected an array, found string");
  EXPECT_EQ(refused(R"({"type": "array", "items": "string"})"),
            "value[]: expected int or long, found string");
  EXPECT_EQ(refusal_of<One<bool>>(one("\"int\"")), "value: expected boolean, found int");
  EXPECT_EQ(refusal_of<One<std::string>>(one("\"int\"")),
            "value: expected string, bytes or fixed, found int");
  EXPECT_EQ(refusal_of<One<Color>>(one("\"string\"")), "value: expected an enum, found string");
  EXPECT_EQ(refusal_of<One<double>>(one("\"string\"")), "value: expected a number, found string");
  EXPECT_EQ(refusal_of<One<Item>>(one(R"({"type": "map", "values": "int"})")),
            "value: expected a record, found map");
  EXPECT_EQ((refusal_of<One<std::map<std::string, int>>>(one("\"null\""))),
            "value: null can't be read: it is no std::optional");
  EXPECT_EQ(refusal_of<One<std::optional<EventTime>>>(one("[\"null\", \"string\"]")),
            "value: expected a timestamp or date, found string");
}

TEST(AvroErrors, OfRecords) {
  EXPECT_EQ(error_of(avro<Order>(), ""), "id: the record ends too early");
  EXPECT_EQ(error_of(avro<Order>(), from_hex("ffffffffffffffffffff01")),
            "id: expected a number of at most 64 bits");
  EXPECT_EQ(error_of(avro<std::string>(), from_hex("8080808010")),
            "the record ends too early: 2147483648 bytes expected, 0 left");
  EXPECT_EQ(error_of(avro<std::string>(), from_hex("01")), "expected a length, found -1");
  EXPECT_EQ(error_of(avro<std::string>(), from_hex("02ff")), "not UTF-8 at byte 0 of \"\\xff\"");
  EXPECT_EQ(error_of(avro<bool>(), from_hex("02")), "expected the byte 0 or 1 of a boolean, found \"\\x02\"");
  EXPECT_EQ(error_of(avro<std::int8_t>(), from_hex("8002")),
            "expected an integer from -128 to 127, found 128");
  EXPECT_EQ(error_of(avro<std::uint32_t>(), from_hex("01")),
            "expected an integer from 0 to 4294967295, found -1");
  EXPECT_EQ(error_of(avro<int>(), from_hex("8080808010")), "expected an int, found 2147483648");
  EXPECT_EQ(
      error_of(avro<bool>(), from_hex("0100")),
      "expected the end of the record, found 1 more of its 2 bytes; was it written with another schema?");
  EXPECT_EQ(error_of(codec_of<One<float>>(one("\"double\"")), from_hex("9c7500883ce437fe")).substr(0, 45),
            "value: expected a number within ±3.4e38, fou");
  using Map = std::map<std::uint8_t, int>;
  EXPECT_EQ(error_of(avro<Map>(), from_hex("02027802")), "[\"x\"]: expected an integer from 0 to 255 as key");
  EXPECT_EQ(error_of(avro<Map>(), from_hex("04023102023102")), "[\"1\"]: comes twice");
  EXPECT_EQ(error_of(avro<std::map<std::string, int>>(), from_hex("0202ff02")),
            "[\"\\xff\"]: not UTF-8 at byte 0 of the key");
  EXPECT_EQ(error_of(avro<std::map<std::string, int>>(), from_hex("0208")),
            "[a key]: the record ends too early: 4 bytes expected, 0 left");
  EXPECT_EQ(error_of(avro<std::vector<std::optional<int>>>(), from_hex("04000405")),
            "[1]: expected one of the 2 branches of a union, found number 2");
  EXPECT_EQ(error_of(avro<std::vector<int>>(), from_hex("0101")), "a block of -1 bytes");
  EXPECT_EQ(error_of(codec_of<One<Color>>(one(avro_schema<Color>())), from_hex("06")),
            "value: expected one of 3 symbols, found number 3");
}

TEST(AvroErrors, OfValuesThatTheSchemaCannotHold) {
  EXPECT_EQ(unwritable(codec_of<One<std::int64_t>>(one("\"int\"")), {2147483648}),
            "value: 2147483648 can't be written as int");
  EXPECT_EQ(unwritable(avro<std::uint64_t>(), std::uint64_t{9223372036854775808u}),
            "a number of more than 64 bits can't be written as long");
  EXPECT_THAT(unwritable(codec_of<One<double>>(one("\"float\"")), {1e300}),
              HasSubstr("can't be written as float"));
  EXPECT_EQ(unwritable(avro<std::vector<std::string>>(), {"a", "\xff"}),
            "[1]: not UTF-8 at byte 0 of \"\\xff\"");
  EXPECT_EQ(unwritable(avro<std::map<std::string, int>>(), {{"\xff", 1}}),
            "[\"\\xff\"]: not UTF-8 at byte 0 of \"\\xff\"");
  EXPECT_EQ(
      unwritable(codec_of<One<std::string>>(one(R"({"type": "fixed", "name": "F", "size": 2})")), {"a"}),
      "value: 1 bytes can't be written as fixed F of 2");
  EXPECT_EQ(unwritable(avro<Color>(), static_cast<Color>(9)),
            "the enum value 9 has no name (there are: red, green, blue)");
  EXPECT_EQ(
      unwritable(codec_of<One<Color>>(one(R"({"type": "enum", "name": "C", "symbols": ["blue"]})")), {}),
      "value: the symbol red isn't in enum C");
}

TEST(AvroErrors, OfSchemasThatOnlyReadOrOnlyWrite) {
  const std::string wide = record(R"({"name": "value", "type": "int"}, {"name": "more", "type": "string"})");
  EXPECT_EQ(read(codec_of<One<int>>(wide), from_hex("020261")).value, 1);
  EXPECT_EQ(
      unwritable(codec_of<One<int>>(wide), {1}),
      "can't be written with this schema: more: record One has this field, without a default; the struct "
      "hasn't");
  const std::string defaulted =
      record(R"({"name": "value", "type": "int"}, {"name": "more", "type": "string", "default": "b"})");
  EXPECT_EQ(to_hex(encoded(codec_of<One<int>>(defaulted), {1})), "020262");
  EXPECT_EQ(
      unwritable(codec_of<One<std::optional<int>>>(record(R"({"name": "valeu", "type": "int"})")), {1}),
      "can't be written with this schema: valeu: record One has this field, without a default; the struct "
      "hasn't");
  EXPECT_EQ(unwritable(codec_of<One<std::optional<int>>>(record("")), {1}),
            "can't be written with this schema: value: the struct has this field, record One hasn't");
  EXPECT_EQ(unwritable(codec_of<One<std::optional<int>>>(one("\"int\"")), {1}),
            "can't be written with this schema: value: an optional can't be written as int");
  EXPECT_EQ(unwritable(codec_of<One<double>>(one("\"int\"")), {1}),
            "can't be written with this schema: value: a floating-point number can't be written as int");
  EXPECT_EQ(unwritable(codec_of<One<std::optional<int>>>(one("[\"int\", \"string\"]")), {1}),
            "can't be written with this schema: value: an optional can't be written as union of int, string, "
            "without null");
}

TEST(AvroErrors, OfSchemas) {
  const auto error = [](const std::string& schema) {
    const std::string message = refusal_of<One<int>>(schema);
    EXPECT_THAT(message, testing::StartsWith("Avro schema: "));
    return message.substr(13);
  };
  EXPECT_THAT(error(""), HasSubstr("not JSON"));
  EXPECT_THAT(error("{"), HasSubstr("not JSON"));
  EXPECT_EQ(error("7"), "expected a type's name, an object or an array, found 7");
  EXPECT_EQ(error("\"strin\""), "unknown type \"strin\"; did you mean 'string'?");
  EXPECT_EQ(error("{}"), "an object without \"type\"");
  EXPECT_EQ(error("[]"), "a union of nothing");
  EXPECT_EQ(error(R"(["int", ["null"]])"), "[1]: a union directly in a union");
  EXPECT_EQ(error(R"(["int", "int"])"), "[1]: int comes twice in a union");
  EXPECT_EQ(error(R"({"type": "record"})"), "a record without \"name\"");
  EXPECT_EQ(error(R"({"type": "record", "name": "1"})"), "\"1\" is no name");
  EXPECT_EQ(error(R"({"type": "record", "name": "R", "namespace": "a..b"})"), "\"a..b\" is no namespace");
  EXPECT_EQ(error(R"({"type": "record", "name": "R"})"), "a record without \"fields\"");
  EXPECT_EQ(error(record("7")), "fields[0]: a field needs \"name\" and \"type\"");
  EXPECT_EQ(error(record(R"({"name": "a-b", "type": "int"})")), "fields[0]: \"a-b\" is no name");
  EXPECT_EQ(error(record(R"({"name": "a", "type": "int"}, {"name": "a", "type": "int"})")),
            "fields[1]: the field \"a\" comes twice");
  EXPECT_EQ(error(one("\"nt\"")), "fields[0].type: unknown type \"nt\"; did you mean 'int'?");
  EXPECT_EQ(error(one("\"int\"", R"(, "aliases": "a")")), "fields[0]: \"aliases\" isn't an array");
  EXPECT_EQ(error(one("\"int\"", R"(, "aliases": [1])")), "fields[0]: an alias isn't a name");
  EXPECT_EQ(error(one(R"({"type": "record", "name": "One", "fields": []})")),
            "fields[0].type: \"One\" is defined twice");
  EXPECT_EQ(error(one(R"({"type": "array"})")), "fields[0].type: a array without \"items\"");
  EXPECT_EQ(error(one(R"({"type": "map", "values": 1})")),
            "fields[0].type.values: expected a type's name, an object or an array, found 1");
  EXPECT_EQ(error(one(R"({"type": "fixed", "name": "F", "size": -1})")),
            "fields[0].type: expected \"size\" from 0 to 1073741824");
  EXPECT_EQ(error(one(R"({"type": "enum", "name": "E"})")), "fields[0].type: an enum without \"symbols\"");
  EXPECT_EQ(error(one(R"({"type": "enum", "name": "E", "symbols": ["a-b"]})")),
            "fields[0].type: \"a-b\" is no symbol");
  EXPECT_EQ(error(one(R"({"type": "enum", "name": "E", "symbols": ["a", "a"]})")),
            "fields[0].type: the symbol \"a\" comes twice");
  EXPECT_EQ(error(one(R"({"type": "enum", "name": "E", "symbols": ["a"], "default": "b"})")),
            "fields[0].type: the default \"b\" is none of the symbols");
  EXPECT_THAT(error("\"" + std::string(std::size_t{1} << 20, 'a') + "\""), HasSubstr("1 MiB is the most"));
  std::string deep;
  for (int i = 0; i < 70; ++i) deep += R"({"type": "array", "items": )";
  EXPECT_THAT(error(deep + "\"int\"" + std::string(70, '}')), HasSubstr("nested deeper than 64"));
}

TEST(AvroErrors, OfDefaults) {
  const auto error = [](const std::string& type, const std::string& value) {
    return refusal_of<One<int>>(one(type, ", \"default\": " + value));
  };
  const std::string where = "Avro schema: the default of field \"value\" of record One: ";
  EXPECT_EQ(error("\"int\"", "\"1\""), where + "expected int, found \"1\"");
  EXPECT_EQ(error("\"int\"", "2147483648"), where + "expected int, found 2147483648");
  EXPECT_EQ(error("[\"null\", \"int\"]", "1"), where + "expected null, found 1") << "of the first branch";
  EXPECT_EQ(error("\"boolean\"", "1"), where + "expected boolean, found 1");
  EXPECT_EQ(error("\"double\"", "\"1\""), where + "expected double, found \"1\"");
  EXPECT_EQ(error("\"bytes\"", "\"€\""), where + "expected bytes, found \"€\"");
  EXPECT_EQ(error(R"({"type": "fixed", "name": "F", "size": 2})", "\"a\""),
            where + "expected fixed F, found \"a\"");
  EXPECT_EQ(error(R"({"type": "enum", "name": "E", "symbols": ["a"]})", "\"b\""),
            where + "expected enum E, found \"b\"");
  EXPECT_EQ(error(R"({"type": "array", "items": "int"})", "{}"), where + "expected array, found {}");
  EXPECT_EQ(error(avro_schema<Item>(), "{\"name\":\"a\"}"), where + "no value for its field \"price\"");
  EXPECT_EQ(error(avro_schema<Item>(), "1"), where + "expected record slipstream.Item, found 1");
  EXPECT_EQ(error("[\"One\", \"null\"]", "{}"), where + "nested deeper than 64");
  const auto bytes = codec_of<One<std::string>>(one("\"bytes\"", R"(, "default": "a\u00ff")"), record(""));
  EXPECT_EQ(read(bytes, "").value, "a\xff");
}

// ---------------------------------------------------------------- bytes from anyone

TEST(AvroLimits, LengthsAreNotBelieved) {
  EXPECT_EQ(error_of(avro<std::vector<int>>(), from_hex("feffffffffffffffff01")),
            "says that 9223372036854775807 elements follow, in 0 bytes");
  EXPECT_EQ(error_of(avro<std::vector<int>>(), from_hex("ffffffffffffffffff01"
                                                        "00")),
            "says that 9223372036854775808 elements follow, in 0 bytes");
  EXPECT_EQ(error_of(avro<std::string>(), from_hex("feffffffffffffffff01")),
            "the record ends too early: 9223372036854775807 bytes expected, 0 left");
}

TEST(AvroLimits, ElementsWithoutBytesAreCounted) {
  using Nothings = One<std::vector<std::optional<int>>>;
  const auto codec = codec_of<Nothings>(one(R"({"type": "array", "items": ["null", "int"]})"),
                                        one(R"({"type": "array", "items": "null"})"));
  EXPECT_EQ(read(codec, from_hex("d00f00")).value.size(), 1000u);
  EXPECT_EQ(error_of(codec, from_hex("feffffff0f00")),
            "value: says that 2147483647 elements follow, in 1 bytes");
  const std::string block = from_hex("c09a0c");  // 100,000 of them, in one block after another
  EXPECT_THAT(error_of(codec, block + block), HasSubstr("says that 100000 elements follow"));
  const auto dropped = codec_of<One<int>>(one("\"int\""), record(R"({"name": "a", "type":
      {"type": "array", "items": "null"}}, {"name": "value", "type": "int"})"));
  EXPECT_THAT(error_of(dropped, from_hex("feffffff0f0002")),
              HasSubstr("says that 2147483647 elements follow"));
}

TEST(AvroLimits, NestingEnds) {
  std::string bytes;
  for (int i = 0; i < 100'000; ++i) bytes += from_hex("0202");
  EXPECT_THAT(error_of(avro<Tree>(), bytes), HasSubstr("nested deeper than 64"));
  const std::string list =
      R"({"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]})";
  const auto dropped = codec_of<One<std::optional<int>>>(one("[\"null\", \"int\"]"), list);
  EXPECT_THAT(error_of(dropped, std::string(1'000'000, '\x02')), HasSubstr("nested deeper than 64"));
  const std::string endless = R"({"type": "record", "name": "L", "fields": [{"name": "next", "type": "L"}]})";
  EXPECT_THAT(error_of(codec_of<One<std::optional<int>>>(one("[\"null\", \"int\"]"), endless), ""),
              HasSubstr("nested deeper than 64"));
  Tree tree;
  for (int i = 0; i < 70; ++i) tree = Tree{i, {tree}};
  EXPECT_THAT(unwritable(avro<Tree>(), tree), HasSubstr("nested deeper than 64"));
}

TEST(AvroLimits, DefaultsThatHoldEachOtherEnd) {
  std::string schema = R"({"type": "record", "name": "R0", "fields": []})";
  for (int i = 1; i < 30; ++i) {
    const std::string inner = "\"R" + std::to_string(i - 1) + "\"";
    schema = R"({"type": "record", "name": "R)" + std::to_string(i) +
             R"(", "fields": [{"name": "a", "type": )" + schema +
             R"(, "default": {}}, {"name": "b", "type": )" + inner + R"(, "default": {}}]})";
  }
  EXPECT_THAT(refusal_of<One<int>>(schema), HasSubstr("too large"));
}

}  // namespace
}  // namespace slipstream
