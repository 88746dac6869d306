#include "slipstream/detail/key_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "slipstream/time.h"

namespace slipstream::detail {
namespace {

enum class Side : std::int8_t { left = -1, right = 1 };

struct Place {
  std::string city;
  std::optional<std::int32_t> street;
};
SLIPSTREAM_FIELDS(Place, city, street)

template <class T>
std::string bytes_of(const T& key) {
  std::string out;
  append_key_bytes(key, out);
  return out;
}

/// The keys are given in rising order; every pair's bytes must compare like the keys.
template <class T>
void expect_rising(const std::vector<T>& keys) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    for (std::size_t j = 0; j < keys.size(); ++j) {
      EXPECT_EQ(bytes_of(keys[i]) < bytes_of(keys[j]), i < j) << i << " and " << j;
    }
  }
}

TEST(KeyBytes, AreTheseBytes) {
  EXPECT_EQ(bytes_of(std::int32_t{1}), std::string("\x80\0\0\1", 4));
  EXPECT_EQ(bytes_of(std::int32_t{-1}), "\x7f\xff\xff\xff");
  EXPECT_EQ(bytes_of(std::uint16_t{258}), "\1\2");
  EXPECT_EQ(bytes_of(true), "\1");
  EXPECT_EQ(bytes_of(Side::left), "\x7f");
  EXPECT_EQ(bytes_of(1.0), std::string("\xbf\xf0\0\0\0\0\0\0", 8));
  EXPECT_EQ(bytes_of(-1.0f), std::string("\x40\x7f\xff\xff", 4));
  EXPECT_EQ(bytes_of(std::string("a\0b", 3)), std::string("a\0b", 3));
  EXPECT_EQ(bytes_of(EventTime(Duration(5))), std::string("\x80\0\0\0\0\0\0\5", 8));
  EXPECT_EQ(bytes_of(std::pair(std::string("a\0b", 3), true)), std::string("a\0\xff"
                                                                           "b\0\0\1",
                                                                           7));
  EXPECT_EQ(bytes_of(std::optional<bool>()), std::string("\0", 1));
  EXPECT_EQ(bytes_of(Place{"x", 1}), std::string("x\0\0\1\x80\0\0\1", 8));
}

TEST(KeyBytes, SortLikeTheKeys) {
  expect_rising<std::int64_t>({std::numeric_limits<std::int64_t>::min(), -256, -1, 0, 1, 255, 256,
                               std::numeric_limits<std::int64_t>::max()});
  expect_rising<std::uint8_t>({0, 1, 127, 128, 255});
  const double infinity = std::numeric_limits<double>::infinity();
  expect_rising<double>(
      {-infinity, -1e300, -1, -0.5, -5e-324, 0, 5e-324, 0.5, 1, 1e300, infinity, std::nan("")});
  expect_rising<std::string>({"", std::string("\0", 1), "a", "ab", "b", "\xff"});
  expect_rising<std::optional<std::string>>({std::nullopt, "", std::string("\0", 1), "a"});
  expect_rising<std::pair<std::string, int>>({{"", 5},
                                              {std::string("\0", 1), 1},
                                              {"a", -1},
                                              {"a", 1},
                                              {std::string("a\0", 2), 0},
                                              {"a\1", 0},
                                              {"ab", -9}});
  expect_rising<Place>({{"a", std::nullopt}, {"a", -1}, {"a", 0}, {"b", std::nullopt}});
}

TEST(KeyBytes, AreEqualForEqualFloats) {
  EXPECT_EQ(bytes_of(-0.0), bytes_of(0.0));
  EXPECT_EQ(bytes_of(std::nan("1")), bytes_of(-std::nan("2")));
  EXPECT_EQ(bytes_of(-0.0f), bytes_of(0.0f));
}

TEST(KeyBytes, BorrowPlainStrings) {
  std::string scratch = "old";
  const std::string key = "key";
  EXPECT_EQ(key_bytes(key, scratch).data(), key.data());
  EXPECT_EQ(key_bytes(std::uint16_t{258}, scratch), "\1\2");
}

TEST(KeyBytes, KnowWhatMayBeAKey) {
  EXPECT_TRUE((KeyType<std::tuple<Place, std::string_view, std::chrono::seconds>>));
  EXPECT_FALSE(KeyType<std::vector<int>>);
  EXPECT_FALSE(KeyType<const char*>);
  EXPECT_FALSE(KeyType<long double>);
}

}  // namespace
}  // namespace slipstream::detail
