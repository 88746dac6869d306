#include "slipstream/ordered_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace slipstream {
namespace ordered_key_test {

enum class Color : std::uint8_t { red, green = 200 };

struct Place {
  std::string city;
  int number = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};
SLIPSTREAM_FIELDS(Place, city, number)

struct Trip {
  Place from;
  std::optional<Place> to;
  EventTime at;
  friend bool operator==(const Trip&, const Trip&) = default;
};
SLIPSTREAM_FIELDS(Trip, from, to, at)

}  // namespace ordered_key_test

namespace {

using detail::ordered_key;
using detail::ordered_key_json;
using detail::read_ordered_key;
using namespace ordered_key_test;
using namespace std::chrono_literals;
using Any =
    std::variant<Bytes, std::string, std::pair<int, std::string>, std::int64_t, double, bool, EventTime>;

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    char digits[4];
    std::snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned char>(c));
    (out += out.empty() ? "" : " ") += digits;
  }
  return out;
}
template <class K>
std::string bytes_of(const K& key) {
  return hex(ordered_key(key));
}
std::string text(std::string_view bytes) { return std::string(bytes); }

// These bytes are on disks: they must not change.
TEST(OrderedKey, BytesArePinned) {
  EXPECT_EQ(bytes_of(text("")), "02 00");
  EXPECT_EQ(bytes_of(text("user")), "02 75 73 65 72 00");
  EXPECT_EQ(bytes_of(std::string("a\0b", 3)), "02 61 00 ff 62 00");
  EXPECT_EQ(bytes_of(Bytes{"\xff"}), "01 ff 00");
  EXPECT_EQ(bytes_of(0), "14");
  EXPECT_EQ(bytes_of(1), "15 01");
  EXPECT_EQ(bytes_of(255), "15 ff");
  EXPECT_EQ(bytes_of(256), "16 01 00");
  EXPECT_EQ(bytes_of(-1), "13 fe");
  EXPECT_EQ(bytes_of(-255), "13 00");
  EXPECT_EQ(bytes_of(-256), "12 fe ff");
  EXPECT_EQ(bytes_of(std::numeric_limits<std::int64_t>::max()), "1c 7f ff ff ff ff ff ff ff");
  EXPECT_EQ(bytes_of(std::numeric_limits<std::int64_t>::min()), "0c 7f ff ff ff ff ff ff ff");
  EXPECT_EQ(bytes_of(std::numeric_limits<std::uint64_t>::max()), "1c ff ff ff ff ff ff ff ff");
  EXPECT_EQ(bytes_of(Color::green), "15 c8");
  EXPECT_EQ(bytes_of(5s), "15 05");
  EXPECT_EQ(bytes_of(1.5), "21 bf f8 00 00 00 00 00 00");
  EXPECT_EQ(bytes_of(-1.5), "21 40 07 ff ff ff ff ff ff");
  EXPECT_EQ(bytes_of(1.5F), "21 bf f8 00 00 00 00 00 00");
  EXPECT_EQ(bytes_of(0.0), "21 80 00 00 00 00 00 00 00");
  EXPECT_EQ(bytes_of(-0.0), "21 80 00 00 00 00 00 00 00");
  EXPECT_EQ(bytes_of(std::nan("")), "21 ff ff ff ff ff ff ff ff");
  EXPECT_EQ(bytes_of(-std::nan("")), "21 ff ff ff ff ff ff ff ff");
  EXPECT_EQ(bytes_of(false), "26");
  EXPECT_EQ(bytes_of(true), "27");
  EXPECT_EQ(bytes_of(EventTime(1us)), "40 80 00 00 00 00 00 00 01");
  EXPECT_EQ(bytes_of(EventTime(-1us)), "40 7f ff ff ff ff ff ff ff");
  EXPECT_EQ(bytes_of(std::chrono::sys_seconds(1s)), bytes_of(EventTime(1s)));
  EXPECT_EQ(bytes_of(std::pair(text("a"), 1)), "02 61 00 15 01");
  EXPECT_EQ(bytes_of(Place{"a", 1}), "02 61 00 15 01");
  EXPECT_EQ(bytes_of(std::tuple(std::optional<int>(), std::optional(1))), "00 15 01");
  EXPECT_EQ(bytes_of(std::tuple(std::pair(1, std::optional<int>()), true)), "05 15 01 00 ff 00 27");
  EXPECT_EQ(bytes_of(Any(std::pair(1, text("a")))), "05 15 01 02 61 00 00");
  EXPECT_EQ(bytes_of(Any(text("a"))), bytes_of(text("a")));
}

template <class K>
void expect_round_trip(const K& key) {
  K read{};
  ASSERT_TRUE(read_ordered_key(ordered_key(key), read)) << bytes_of(key);
  EXPECT_EQ(ordered_key(read), ordered_key(key));
  if constexpr (std::equality_comparable<K>) {
    EXPECT_TRUE(read == key) << bytes_of(key);
  }
}

TEST(OrderedKey, IsReadBack) {
  expect_round_trip(text("user:1"));
  expect_round_trip(std::string("\0\xff\0", 3));
  expect_round_trip(Bytes{std::string("\0\x01", 2)});
  for (const std::int64_t n :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{255}, std::int64_t{-256},
        std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
    expect_round_trip(n);
  expect_round_trip(std::numeric_limits<std::uint64_t>::max());
  expect_round_trip(std::int8_t{-128});
  expect_round_trip(-2.5F);
  expect_round_trip(std::numeric_limits<double>::infinity());
  expect_round_trip(std::numeric_limits<double>::denorm_min());
  expect_round_trip(Color::green);
  expect_round_trip(EventTime::min());
  expect_round_trip(std::chrono::sys_days(std::chrono::days(20000)));
  expect_round_trip(Trip{{"a", 1}, Place{"b", -7}, EventTime(5us)});
  expect_round_trip(Trip{{"", 0}, std::nullopt, EventTime(-5us)});
  expect_round_trip(std::array<bool, 2>{true, false});
  for (const Any& key : {Any(Bytes{"x"}), Any(text("x")), Any(std::pair(3, text("x"))), Any(std::int64_t{7}),
                         Any(2.5), Any(true), Any(EventTime(9us))})
    expect_round_trip(key);
}

TEST(OrderedKey, OrdersNumbersByValue) {
  const double floats[] = {-std::numeric_limits<double>::infinity(),
                           -1e300,
                           -1.0,
                           -0.5,
                           -1e-300,
                           0.0,
                           1e-300,
                           0.5,
                           1.0,
                           1e300,
                           std::numeric_limits<double>::infinity(),
                           std::nan("")};
  for (std::size_t i = 1; i < std::size(floats); ++i)
    EXPECT_LT(ordered_key(floats[i - 1]), ordered_key(floats[i])) << floats[i];
  const std::int64_t integers[] = {std::numeric_limits<std::int64_t>::min(),
                                   -70000,
                                   -300,
                                   -256,
                                   -255,
                                   -1,
                                   0,
                                   2,
                                   10,
                                   255,
                                   256,
                                   70000,
                                   1099511627776,
                                   std::numeric_limits<std::int64_t>::max()};
  for (std::size_t i = 1; i < std::size(integers); ++i)
    EXPECT_LT(ordered_key(integers[i - 1]), ordered_key(integers[i])) << integers[i];
  EXPECT_LT(ordered_key(std::numeric_limits<std::int64_t>::max()),
            ordered_key(static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) + 1));
}

// The order of the original, but for its negative floats, and with what it doesn't have in between.
TEST(OrderedKey, OrdersKindsOfKeys) {
  const Any keys[] = {Bytes{"a"},
                      Bytes{"b"},
                      Bytes{"\xff"},
                      text(""),
                      text("Z"),
                      text("a"),
                      text("aa"),
                      text("b"),
                      text("é"),
                      std::pair(-1, text("z")),
                      std::pair(1, text("")),
                      std::int64_t{-300},
                      std::int64_t{0},
                      std::int64_t{1099511627776},
                      -2.5,
                      0.0,
                      100.25,
                      false,
                      true,
                      EventTime(-1us),
                      EventTime(1us)};
  for (std::size_t i = 1; i < std::size(keys); ++i)
    EXPECT_LT(ordered_key(keys[i - 1]), ordered_key(keys[i])) << i;
}

TEST(OrderedKey, IsTheSameForAllIntegerTypes) {
  EXPECT_EQ(ordered_key(std::int8_t{-3}), ordered_key(std::int64_t{-3}));
  EXPECT_EQ(ordered_key(std::uint8_t{200}), ordered_key(std::int64_t{200}));
  std::uint8_t small = 0;
  EXPECT_TRUE(read_ordered_key(ordered_key(255), small));
  EXPECT_FALSE(read_ordered_key(ordered_key(256), small));
  EXPECT_FALSE(read_ordered_key(ordered_key(-1), small));
  float narrow = 0;
  EXPECT_TRUE(read_ordered_key(ordered_key(0.5), narrow));
  EXPECT_FALSE(read_ordered_key(ordered_key(0.1), narrow));
  std::chrono::sys_seconds seconds;
  EXPECT_FALSE(read_ordered_key(ordered_key(EventTime(1500ms)), seconds));
}

TEST(OrderedKey, OfOneTypeIsNoneOfAnother) {
  std::string read;
  std::int64_t number = 0;
  EXPECT_FALSE(read_ordered_key(ordered_key(1), read));
  EXPECT_FALSE(read_ordered_key(ordered_key(text("1")), number));
  EXPECT_FALSE(read_ordered_key(ordered_key(1.0), number));
  EXPECT_FALSE(read_ordered_key(ordered_key(std::pair(1, 2)), number));
  EXPECT_FALSE(read_ordered_key("", number));
  std::pair<int, int> two;
  EXPECT_FALSE(read_ordered_key(ordered_key(1), two));
}

TEST(OrderedKey, IsReadOnlyAsItIsWritten) {
  std::int64_t number = 0;
  EXPECT_FALSE(read_ordered_key(text("\x15\x00") + '\0', number));
  EXPECT_FALSE(read_ordered_key(std::string("\x16\x00\x01", 3), number));  // 1 in two bytes
  EXPECT_FALSE(read_ordered_key("\x15", number));                          // cut
  EXPECT_FALSE(read_ordered_key(std::string("\x13\xff", 2), number));      // minus zero
  EXPECT_FALSE(read_ordered_key(std::string("\x0c\xff\xff\xff\xff\xff\xff\xff\xff", 9), number));
  double real = 0;
  EXPECT_FALSE(read_ordered_key(std::string("\x21\x7f\xff\xff\xff\xff\xff\xff\xff", 9), real));  // -0.0
  EXPECT_FALSE(
      read_ordered_key(std::string("\x21\xff\xf8\x00\x00\x00\x00\x00\x00", 9), real));  // another NaN
  std::string cut;
  EXPECT_FALSE(read_ordered_key("\x02user", cut));
}

/// Compares as the documentation says, without the bytes.
bool is_before(const std::tuple<std::string, int, double>& a, const std::tuple<std::string, int, double>& b) {
  return a < b;  // no NaN among them
}

TEST(OrderedKey, OrdersTuplesAsTheyCompare) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto key = [&] {
    std::string t;
    for (unsigned i = random() % 4; i > 0; --i) t += "\0\1a\xfe\xff"[random() % 5];
    return std::tuple(t, static_cast<int>(random() % 600) - 300, static_cast<double>(random() % 9) / 2 - 2);
  };
  for (int i = 0; i < 20'000; ++i) {
    const auto a = key();
    const auto b = key();
    ASSERT_EQ(is_before(a, b), ordered_key(a) < ordered_key(b)) << bytes_of(a) << " | " << bytes_of(b);
    expect_round_trip(a);
  }
}

template <class K>
std::string prefix(const KeyPrefix<K>& prefix) {
  return hex(prefix.bytes());
}

TEST(KeyPrefix, IsWhatKeysBeginWith) {
  EXPECT_EQ(prefix<std::string>("us"), "02 75 73");
  EXPECT_EQ(prefix<std::string>({}), "");
  EXPECT_EQ(prefix<Bytes>(Bytes{"us"}), "01 75 73");
  EXPECT_EQ(prefix<Any>("us"), "02 75 73");
  EXPECT_EQ(prefix<Place>(std::tuple("us")), "02 75 73 00");
  EXPECT_EQ((prefix<std::pair<int, double>>(std::tuple(1))), "15 01");
  EXPECT_EQ(prefix<Trip>(std::tuple(Place{"a", 1})), "05 02 61 00 15 01 00");
  EXPECT_FALSE((std::constructible_from<KeyPrefix<std::int64_t>, int>));
  EXPECT_FALSE((std::constructible_from<KeyPrefix<Place>, std::tuple<std::string, int, int>>));
}

TEST(OrderedKeyJson, ShowsKeysToPeople) {
  EXPECT_EQ(ordered_key_json(ordered_key(text("user:\"1\""))), R"("user:\"1\"")");
  EXPECT_EQ(ordered_key_json(ordered_key(text("\xff"))), R"({"text":"ff"})");
  EXPECT_EQ(ordered_key_json(ordered_key(Bytes{"\xff"})), R"({"bytes":"ff"})");
  EXPECT_EQ(ordered_key_json(ordered_key(-17)), "-17");
  EXPECT_EQ(ordered_key_json(ordered_key(std::numeric_limits<std::int64_t>::min())), "-9223372036854775808");
  EXPECT_EQ(ordered_key_json(ordered_key(1.0)), "1.0");
  EXPECT_EQ(ordered_key_json(ordered_key(2.5)), "2.5");
  EXPECT_EQ(ordered_key_json(ordered_key(std::nan(""))), R"({"float":"nan"})");
  EXPECT_EQ(ordered_key_json(ordered_key(-std::numeric_limits<double>::infinity())), R"({"float":"-inf"})");
  EXPECT_EQ(ordered_key_json(ordered_key(true)), "true");
  EXPECT_EQ(ordered_key_json(ordered_key(EventTime(1356998400s))), R"({"time":"2013-01-01T00:00:00Z"})");
  EXPECT_EQ(ordered_key_json(ordered_key(Trip{{"a", 1}, std::nullopt, EventTime(0s)})),
            R"([["a",1],null,{"time":"1970-01-01T00:00:00Z"}])");
  EXPECT_EQ(ordered_key_json(""), "[]");
  EXPECT_EQ(ordered_key_json("\x02user"), R"({"unreadable":"0275736572"})");
  EXPECT_EQ(ordered_key_json(std::string(1000, '\x05')).substr(0, 20), R"({"unreadable":"05050)");
}

TEST(OrderedKeyText, CutsWhatIsLong) {
  const std::string shown = detail::ordered_key_text(ordered_key(std::string(1000, 'a')));
  EXPECT_EQ(shown, "\"" + std::string(99, 'a') + "…");
}

static_assert(OrderedKey<std::string> && OrderedKey<Any> && OrderedKey<Trip>);
static_assert(!OrderedKey<std::optional<int>>);
static_assert(!OrderedKey<std::variant<int, long>>);  // which one is 1?
static_assert(!OrderedKey<std::vector<int>> && !OrderedKey<long double> && !OrderedKey<void*>);
static_assert(!OrderedKey<std::chrono::steady_clock::time_point>);
static_assert(!OrderedKey<std::chrono::sys_time<std::chrono::nanoseconds>>);  // finer than EventTime

}  // namespace
}  // namespace slipstream
