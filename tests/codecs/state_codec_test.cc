#include "slipstream/detail/state_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "slipstream/detail/footprint.h"
#include "slipstream/time.h"

namespace slipstream::detail {
namespace {

enum class Side : std::int16_t { left = -2, right = 5 };

struct Line {
  std::string item;
  std::uint32_t count = 0;
  friend bool operator==(const Line&, const Line&) = default;
};
SLIPSTREAM_FIELDS(Line, item, count)

struct Order {
  std::int64_t id = 0;
  bool paid = false;
  std::optional<double> discount;
  std::vector<Line> lines;
  EventTime at{};
  friend bool operator==(const Order&, const Order&) = default;
};
SLIPSTREAM_FIELDS(Order, id, paid, discount, lines, at)

struct Plain {
  float x, y, z;
  friend bool operator==(const Plain&, const Plain&) = default;
};

template <class T>
std::string stored(const T& value) {
  std::string out;
  store(value, out);
  return out;
}

/// Round trip; no prefix of the bytes is taken for a value; bytes behind the value are left.
template <class T>
void expect_round_trip(const T& value) {
  const std::string bytes = stored(value);
  const std::string longer = bytes + "rest";
  T loaded{};
  std::string_view in = longer;
  ASSERT_TRUE(load(in, loaded)) << schema_of<T>();
  EXPECT_EQ(loaded, value) << schema_of<T>();
  EXPECT_EQ(in, "rest");
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    std::string_view prefix = std::string_view(bytes).substr(0, size);
    EXPECT_FALSE(load(prefix, loaded)) << schema_of<T>() << " cut to " << size << " bytes";
  }
}

TEST(StateCodec, RoundTripsEveryKindOfType) {
  using namespace std::chrono_literals;
  expect_round_trip(true);
  expect_round_trip(std::int8_t{-128});
  expect_round_trip(std::numeric_limits<std::uint64_t>::max());
  expect_round_trip(std::numeric_limits<std::int64_t>::min());
  expect_round_trip(-0.1f);
  expect_round_trip(std::numeric_limits<double>::infinity());
  expect_round_trip(Side::left);
  expect_round_trip(std::string("a\0b", 3));
  expect_round_trip(std::string(300, 'x'));
  expect_round_trip(std::chrono::milliseconds(-5));
  expect_round_trip(std::chrono::duration<double>(0.25));
  expect_round_trip(kMaxTime);
  expect_round_trip(std::optional<std::string>("x"));
  expect_round_trip(std::optional<std::string>());
  expect_round_trip(std::optional<std::optional<int>>(std::optional<int>()));
  expect_round_trip(std::pair<int, std::string>(1, "one"));
  expect_round_trip(std::tuple<int, bool, std::string>(1, true, "one"));
  expect_round_trip(std::array<std::uint16_t, 3>{1, 2, 3});
  expect_round_trip(std::array<std::string, 2>{"a", "b"});
  expect_round_trip(std::vector<double>{1, 2, 3});
  expect_round_trip(std::vector<std::int32_t>{});
  expect_round_trip(std::vector<Side>{Side::left, Side::right});
  expect_round_trip(std::vector<bool>{true, false, true});
  expect_round_trip(std::vector<std::vector<std::string>>{{}, {"a"}, {"b", "c"}});
  expect_round_trip(std::deque<int>{3, 1, 2});
  expect_round_trip(std::map<std::string, int>{{"a", 1}, {"b", 2}});
  expect_round_trip(std::unordered_map<int, std::string>{{1, "a"}, {2, "b"}});
  expect_round_trip(std::set<int>{1, 5, 9});
  expect_round_trip(Plain{1, 2, 3});
  expect_round_trip(Order{7, true, 0.5, {{"tea", 2}, {"", 0}}, EventTime(1s)});
}

TEST(StateCodec, HasThisLayout) {
  EXPECT_EQ(stored(std::int32_t{-2}), std::string("\xfe\xff\xff\xff"));
  EXPECT_EQ(stored(std::string("ab")),
            "\x02"
            "ab");
  EXPECT_EQ(stored(std::string(200, 'x')).substr(0, 3), "\xc8\x01x");
  EXPECT_EQ(stored(std::optional<bool>(true)), "\x01\x01");
  EXPECT_EQ(stored(std::vector<std::uint16_t>{1, 0x203}), std::string("\x02\x01\x00\x03\x02", 5));
  EXPECT_EQ(stored(std::map<std::string, bool>{{"k", true}}), "\x01\x01k\x01");
  EXPECT_EQ(stored(Line{"a", 258}), std::string("\x01"
                                                "a\x02\x01\x00\x00",
                                                6));
}

TEST(StateCodec, DescribesItsLayout) {
  EXPECT_EQ(schema_of<Order>(),
            "{id:i64,paid:bool,discount:?f64,lines:[{item:string,count:u32}],at:time<i64,1/1000000>}");
  EXPECT_EQ((schema_of<std::map<std::string, std::tuple<float, Side>>>()), "[(string,(f32,enum<i16>))]");
  EXPECT_EQ((schema_of<std::array<std::uint8_t, 4>>()), "u8[4]");
  EXPECT_EQ(schema_of<std::chrono::duration<double>>(), "duration<f64,1/1>");
  EXPECT_EQ(schema_of<std::chrono::minutes>(), "duration<i64,60/1>");
  EXPECT_EQ(schema_of<Plain>(), "bytes<12>");
}

TEST(StateCodec, RefusesBytesThatAreNoValue) {
  const auto loads = []<class T>(T value, std::string_view in) { return load(in, value); };
  EXPECT_FALSE(loads(bool{}, "\x02"));
  EXPECT_FALSE(loads(std::optional<bool>{}, "\x02\x01"));
  EXPECT_FALSE(loads(std::string{}, std::string("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01") + "abc"));
  EXPECT_FALSE(loads(std::string{}, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
  EXPECT_FALSE(loads(std::string{}, std::string(11, '\x80')));
  EXPECT_FALSE(loads(std::vector<std::string>{}, std::string("\xff\xff\xff\xff\x0f") + "abc"));
  EXPECT_FALSE(loads(std::vector<double>{}, std::string("\x08") + std::string(63, '\0')));
  EXPECT_FALSE(
      loads(std::vector<double>{}, std::string("\xff\xff\xff\xff\xff\xff\xff\xff\x1f") + "12345678"));
  // A set or map with equal keys was not written by store().
  EXPECT_FALSE(loads(std::set<std::uint8_t>{}, "\x02\x05\x05"));
  EXPECT_FALSE(loads(std::map<std::uint8_t, bool>{}, "\x02\x05\x01\x05\x01"));
}

TEST(StateCodec, OverwritesWhatWasThere) {
  Order order{7, true, 0.5, {{"tea", 2}}, EventTime::max()};
  const std::string bytes = stored(Order{});
  std::string_view in = bytes;
  ASSERT_TRUE(load(in, order));
  EXPECT_EQ(order, Order{});
}

struct Undescribed {
  std::string text;
};
struct Empty {};

TEST(StateCodec, KnowsWhatItCanStore) {
  EXPECT_TRUE(Storable<Order>);
  EXPECT_FALSE(Storable<Undescribed>);
  EXPECT_FALSE(Storable<std::vector<Undescribed>>);
  EXPECT_FALSE(Storable<std::string_view>);
  EXPECT_FALSE(Storable<const char*>);
  EXPECT_FALSE(Storable<int*>);
  EXPECT_FALSE(Storable<int&>);
  EXPECT_FALSE(Storable<Empty>);
  EXPECT_FALSE((Storable<std::array<int, 0>>));
  EXPECT_FALSE(Storable<std::unique_ptr<int>>);
}

TEST(Footprint, IsTheSizeOfFixedTypes) {
  EXPECT_TRUE((kFixedFootprint<std::tuple<int, std::optional<double>, Plain>>));
  EXPECT_TRUE((kFixedFootprint<std::array<int, 4>>));
  EXPECT_FALSE(kFixedFootprint<Order>);
  EXPECT_FALSE(kFixedFootprint<std::optional<std::string>>);
  EXPECT_EQ(footprint(Plain{}), 12u);
}

TEST(Footprint, CountsHeapMemory) {
  EXPECT_EQ(footprint(std::string("short")), sizeof(std::string));
  const std::string text(1000, 'x');
  EXPECT_EQ(footprint(text), sizeof(std::string) + text.capacity() + 1);
  EXPECT_EQ(footprint(std::optional<std::string>(text)), sizeof(std::optional<std::string>) + 1001);
  EXPECT_EQ(footprint(std::optional<std::string>()), sizeof(std::optional<std::string>));
  EXPECT_EQ(footprint(std::vector<std::int32_t>(10)), sizeof(std::vector<std::int32_t>) + 40);
  EXPECT_EQ(footprint(std::vector<std::string>{text}),
            sizeof(std::vector<std::string>) + sizeof(text) + 1001);
  EXPECT_EQ(footprint(std::pair(1, text)), sizeof(std::pair<int, std::string>) + 1001);
  EXPECT_EQ(footprint(std::map<int, int>{{1, 1}}), sizeof(std::map<int, int>) + 8 + kNodeOverhead);
  Order order;
  order.lines.push_back({text, 1});
  EXPECT_EQ(footprint(order), sizeof(Order) + sizeof(Line) + 1001);
}

}  // namespace
}  // namespace slipstream::detail
