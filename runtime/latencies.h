#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "slipstream/detail/operator.h"

namespace slipstream::runtime {

/// How long records were under way, counted by one lane and read by anyone. Times are sorted into buckets of
/// an eighth of a power of two of microseconds, as in an HdrHistogram: a quantile is the upper edge of its
/// bucket, so at most an eighth too long and never too short, up to half an hour.
class Latencies {
 public:
  static constexpr std::size_t kBuckets = 232;
  using Counts = std::array<std::uint64_t, kBuckets>;

  void add(std::chrono::nanoseconds took, std::uint64_t records) { counters_[bucket_of(took)] += records; }
  void add_to(Counts& counts) const {
    for (std::size_t i = 0; i < kBuckets; ++i) counts[i] += counters_[i].get();
  }

  static std::size_t bucket_of(std::chrono::nanoseconds took) {
    const auto us = static_cast<std::uint64_t>(std::clamp<std::int64_t>(took.count() / 1000, 0, INT32_MAX));
    if (us < 8) return us;
    const int shift = static_cast<int>(std::bit_width(us)) - 4;
    return 8 * static_cast<std::size_t>(shift) + (us >> shift);
  }
  static std::chrono::nanoseconds upper_edge(std::size_t bucket) {
    if (bucket < 8) return std::chrono::microseconds(bucket + 1);
    return std::chrono::microseconds((bucket % 8 + 9) << (bucket / 8 - 1));
  }
  /// Zero when nothing was counted.
  static std::chrono::nanoseconds quantile(const Counts& counts, double part) {
    std::uint64_t total = 0;
    for (const std::uint64_t n : counts) total += n;
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets && total > 0; ++i) {
      seen += counts[i];
      if (static_cast<double>(seen) >= part * static_cast<double>(total)) return upper_edge(i);
    }
    return std::chrono::nanoseconds(0);
  }

 private:
  std::array<detail::Counter, kBuckets> counters_;
};

}  // namespace slipstream::runtime
