#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include "slipstream/detail/hash.h"
#include "slipstream/fields.h"
#include "slipstream/time.h"

/// The hash decides where state is kept, so it may never change. The expected values were made by another
/// program: SplitMix64 in Python and the xxhsum tool over key bytes written out by hand.
namespace slipstream::conformance {
namespace {

using namespace std::chrono_literals;

enum class Color { red, green, blue };
enum class Deep : std::int8_t { down = -2 };
struct Flight {
  std::string carrier;
  int number = 0;
  Color color = Color::red;
};
SLIPSTREAM_FIELDS(Flight, carrier, number, color)

template <class Key>
void expect_pinned(const Key& key, std::uint64_t hash, std::uint32_t shard) {
  EXPECT_EQ(detail::hash_key(key), hash);
  EXPECT_EQ(detail::shard_of(hash, 128), shard);
}

TEST(KeyHash, IsPinned) {
  EXPECT_EQ(detail::kHashName, "slipstream-hash-1");
  expect_pinned(0, 0xE220A8397B1DCDAF, 113);
  expect_pinned(1, 0x910A2DEC89025CC1, 72);
  expect_pinned(-1, 0xE4D971771B652C20, 114);
  expect_pinned(42, 0xBDD732262FEB6E95, 94);
  expect_pinned(std::int8_t{-128}, 0x91DE0036E7E6BC39, 72);
  expect_pinned(std::uint8_t{255}, 0x338C507146283FB4, 25);
  expect_pinned(std::int16_t{-300}, 0x92D36173B1D10425, 73);
  expect_pinned(std::uint16_t{65535}, 0xCF0F635E85B85D76, 103);
  expect_pinned(INT32_MIN, 0xEE1591EA220FB185, 119);
  expect_pinned(INT32_MAX, 0x61FA36A6261A4BE7, 48);
  expect_pinned(UINT32_MAX, 0x73B13BA2AFF181C0, 57);
  expect_pinned(INT64_MIN, 0x481EC0A212A9F3DB, 36);
  expect_pinned(INT64_MAX, 0x2A67D7552E039EA7, 21);
  expect_pinned(UINT64_MAX, 0xE4D971771B652C20, 114);
  expect_pinned(std::int64_t{1234567890123}, 0x9A253C9557CD08D8, 77);
  expect_pinned(true, 0x910A2DEC89025CC1, 72);
  expect_pinned(false, 0xE220A8397B1DCDAF, 113);
  expect_pinned('a', 0x4F5DA978776A9DB1, 39);
  expect_pinned(Color::green, 0x910A2DEC89025CC1, 72);
  expect_pinned(Deep::down, 0xF3203E9039F4A821, 121);
  expect_pinned(std::string(""), 0x2D06800538D394C2, 22);
  expect_pinned(std::string("a"), 0xE6C632B61E964E1F, 115);
  expect_pinned(std::string("abc"), 0x78AF5F94892F3950, 60);
  expect_pinned(std::string("shop-17"), 0xBB6367C58840BFF6, 93);
  expect_pinned(std::string("N14228"), 0x045BF808CE8196A6, 2);
  expect_pinned(std::string("Zürich"), 0x0BA44FCC12CCA74E, 5);
  expect_pinned(std::string(16, 'x'), 0xDF76FF0D7F0D9EDF, 111);
  expect_pinned(std::string(17, 'x'), 0x89975E6B7D2F5A11, 68);
  expect_pinned(std::string(129, 'x'), 0xE4F9742108FE27DC, 114);
  expect_pinned(std::string(241, 'x'), 0x14DA9E5C301A6A1D, 10);
  expect_pinned(std::string(5000, 'x'), 0x8D8567CBC9EE3D90, 70);
  expect_pinned(std::string("a\0b", 3), 0xD5A06CD078125351, 106);
  expect_pinned(0.0, 0xB7AA1C28D234F8D6, 91);
  expect_pinned(-0.0, 0xB7AA1C28D234F8D6, 91);
  expect_pinned(1.5, 0xD7E17CE6BBBF960D, 107);
  expect_pinned(-1.5, 0x7EB9A28AB737ABC4, 63);
  expect_pinned(1e300, 0x15CFCAFBB15A99E9, 10);
  expect_pinned(std::numeric_limits<double>::infinity(), 0x055D41809C403165, 2);
  expect_pinned(std::numeric_limits<double>::quiet_NaN(), 0x5111C7E47D784413, 40);
  expect_pinned(2.5f, 0x26AF22DA393B04CD, 19);
  expect_pinned(std::pair(1, std::string("a")), 0x8F67B4507D2C3155, 71);
  expect_pinned(std::pair(std::string("a"), 1), 0xCF8242647550882F, 103);
  expect_pinned(std::tuple(std::string("a\0", 2), std::int64_t{-1}, true), 0xCFD70167F44E9C52, 103);
  expect_pinned(std::tuple(std::string("EWR"), std::string("UA")), 0x622468363CC39B60, 49);
  expect_pinned(std::tuple(std::string("EWRU"), std::string("A")), 0x88873B40E2F862D1, 68);
  expect_pinned(std::array<std::uint16_t, 2>{1, 2}, 0xF10EBF7328027806, 120);
  expect_pinned(std::optional<int>(), 0xC44BDFF4074EECDB, 98);
  expect_pinned(std::optional(7), 0xDA6F68AFEDC7300D, 109);
  expect_pinned(std::optional(std::string("a")), 0x8961E9B7059597D7, 68);
  expect_pinned(EventTime(1s), 0x9A03EA74AA938A6E, 77);
  expect_pinned(Duration(-5), 0xBEA39DCAA037AA48, 95);
  expect_pinned((Flight{"UA", 1545, Color::red}), 0x452241527A8590CE, 34);
  expect_pinned((Flight{"", -1, Color::blue}), 0xCDB246FA0A980C4E, 102);
}

TEST(KeyHash, IntegersOfAnyWidthAreOneKey) {
  EXPECT_EQ(detail::hash_key(std::int8_t{-7}), detail::hash_key(std::int64_t{-7}));
  EXPECT_EQ(detail::hash_key(std::uint8_t{7}), detail::hash_key(std::int64_t{7}));
}

TEST(KeyHash, TextIsOneKeyHoweverItIsHeld) {
  EXPECT_EQ(detail::hash_key(std::string("shop-17")), detail::hash_key(std::string_view("shop-17")));
}

TEST(KeyHash, ShardsAreEvenAndLanesShareThem) {
  constexpr std::uint32_t kShards = 128;
  constexpr int kKeys = 128 * 1000;
  std::array<int, kShards> keys{};
  for (int k = 0; k < kKeys; ++k) ++keys[detail::shard_of(detail::hash_key(k), kShards)];
  for (int n : keys) EXPECT_NEAR(n, kKeys / static_cast<int>(kShards), 200);
  for (std::uint32_t lanes : {1u, 3u, 8u, 128u}) {
    std::array<int, kShards> owned{};
    for (std::uint32_t s = 0; s < kShards; ++s) ++owned[detail::lane_of_shard(s, lanes)];
    for (std::uint32_t l = 0; l < kShards; ++l)
      EXPECT_NEAR(owned[l], l < lanes ? double(kShards) / lanes : 0, 1) << l;
  }
}

}  // namespace
}  // namespace slipstream::conformance
