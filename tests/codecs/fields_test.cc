#include "slipstream/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace market {

struct Order {
  std::string shop;
  std::int64_t id;
  double amount;
};
SLIPSTREAM_FIELDS(Order, shop, id, amount)

struct Derived : Order {};
struct Longer : Order {
  bool paid;
};
SLIPSTREAM_FIELDS(Longer, id, paid)

enum class Color : std::uint8_t { red, green = 7, blue };
SLIPSTREAM_ENUM(Color, red, green, blue)

template <class Key, class Value>
struct Pair {
  Key key;
  Value value;
};
SLIPSTREAM_TEMPLATE_FIELDS((class Key, class Value), (Pair<Key, Value>), key, value)

struct Wide {
  int f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16;
  int g1, g2, g3, g4, g5, g6, g7, g8, g9, g10, g11, g12, g13, g14, g15, g16;
};
SLIPSTREAM_FIELDS(Wide, f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, f13, f14, f15, f16, g1, g2, g3, g4,
                  g5, g6, g7, g8, g9, g10, g11, g12, g13, g14, g15, g16)

enum Many {
  a1,
  a2,
  a3,
  a4,
  a5,
  a6,
  a7,
  a8,
  b1,
  b2,
  b3,
  b4,
  b5,
  b6,
  b7,
  b8,
  c1,
  c2,
  c3,
  c4,
  c5,
  c6,
  c7,
  c8,
  d1,
  d2,
  d3,
  d4,
  d5,
  d6,
  d7,
  d8,
  e1,
  e2,
  e3,
  e4,
  e5,
  e6,
  e7,
  e8,
  f1,
  f2,
  f3,
  f4,
  f5,
  f6,
  f7,
  f8,
  g1,
  g2,
  g3,
  g4,
  g5,
  g6,
  g7,
  g8,
  h1,
  h2,
  h3,
  h4,
  h5,
  h6,
  h7,
  h8
};
SLIPSTREAM_ENUM(Many, a1, a2, a3, a4, a5, a6, a7, a8, b1, b2, b3, b4, b5, b6, b7, b8, c1, c2, c3, c4, c5, c6,
                c7, c8, d1, d2, d3, d4, d5, d6, d7, d8, e1, e2, e3, e4, e5, e6, e7, e8, f1, f2, f3, f4, f5,
                f6, f7, f8, g1, g2, g3, g4, g5, g6, g7, g8, h1, h2, h3, h4, h5, h6, h7, h8)

}  // namespace market

namespace slipstream {
namespace {

template <class T>
std::vector<std::string> field_names() {
  return with_fields<T>(
      [](const auto&... field) { return std::vector<std::string>{std::string(field.name)...}; });
}

TEST(Fields, KeepsNamesInTheGivenOrder) {
  EXPECT_THAT(field_names<market::Order>(), testing::ElementsAre("shop", "id", "amount"));
  EXPECT_THAT((field_names<market::Pair<int, market::Order>>()), testing::ElementsAre("key", "value"));
}

TEST(Fields, GivesMembersAndOffsets) {
  market::Longer order{{"x", 1, 2.0}, true};
  with_fields<market::Longer>([&](const auto& id, const auto& paid) {
    EXPECT_EQ(&(order.*id.member), &order.id);
    EXPECT_EQ(reinterpret_cast<char*>(&order) + id.offset, reinterpret_cast<char*>(&order.id));
    EXPECT_EQ(reinterpret_cast<char*>(&order) + paid.offset, reinterpret_cast<char*>(&order.paid));
  });
}

TEST(Fields, TakesThirtyTwoFieldsAndSixtyFourEnumerators) {
  EXPECT_EQ(field_names<market::Wide>().size(), 32u);
  EXPECT_EQ(field_names<market::Wide>().back(), "g16");
  EXPECT_EQ(enum_name(market::h8), "h8");
}

TEST(Fields, AreNotInherited) {
  EXPECT_TRUE(HasFields<market::Order>);
  EXPECT_FALSE(HasFields<market::Derived>);
  EXPECT_FALSE(HasFields<int>);
}

TEST(Enumerators, HaveNames) {
  static_assert(enum_name(market::Color::green) == "green");
  EXPECT_EQ(enum_name(market::Color::blue), "blue");
  EXPECT_EQ(enum_name(market::Color{99}), "");
  EXPECT_EQ(enum_value<market::Color>("green"), market::Color::green);
  EXPECT_EQ(enum_value<market::Color>("Green"), std::nullopt);
}

}  // namespace
}  // namespace slipstream
