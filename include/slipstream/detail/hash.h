#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "slipstream/detail/key_bytes.h"

/// The pinned hash that decides which shard, and so which lane, owns a key. It is part of the state format:
/// the same in every process, build and version (a golden test holds 50 keys).
///
/// "slipstream-hash-1": integers, enums and bool: the SplitMix64 finalizer (Steele, Lea, Flood 2014) of the
/// value widened to 64 bits; text: XXH3-64 of its bytes; everything else: XXH3-64 of its canonical key bytes.
namespace slipstream::detail {

inline constexpr std::string_view kHashName = "slipstream-hash-1";

constexpr std::uint64_t hash_integer(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}
std::uint64_t hash_bytes(std::string_view bytes);

template <class Key>
std::uint64_t hash_key(const Key& key) {
  if constexpr (std::is_integral_v<Key> || std::is_enum_v<Key>) {
    return hash_integer(static_cast<std::uint64_t>(key));
  } else if constexpr (std::is_convertible_v<const Key&, std::string_view>) {
    return hash_bytes(key);
  } else {
    std::string canonical;
    append_key_bytes(key, canonical);
    return hash_bytes(canonical);
  }
}

constexpr std::uint32_t shard_of(std::uint64_t hash, std::uint32_t shards) {
  return static_cast<std::uint32_t>(((hash >> 32) * shards) >> 32);
}
constexpr std::uint32_t lane_of_shard(std::uint32_t shard, std::uint32_t lanes) { return shard % lanes; }

}  // namespace slipstream::detail
