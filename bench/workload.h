#pragma once
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/suite.h"
#include "slipstream/fields.h"
#include "slipstream/time.h"

/// The work of the benches m1 to k2: bids made by a formula, out of order by at most two seconds, and what
/// must come out. docs/benchmarks.md defines it.
namespace slipstream::bench {

constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

struct Bid {
  std::uint64_t auction = 0;
  std::uint64_t bidder = 0;
  std::uint64_t price = 0;
  std::int64_t ts = 0;  ///< milliseconds since 1970
};
SLIPSTREAM_FIELDS(Bid, auction, bidder, price, ts)

constexpr std::int64_t kOutOfOrderMs = 2000;

constexpr Bid make_bid(std::uint64_t i) {
  return {mix64(8 * i) % 10000, mix64(8 * i + 1) % 50000, 100 + mix64(8 * i + 2) % 10000,
          static_cast<std::int64_t>(1'700'000'000'000u + i / 10) -
              static_cast<std::int64_t>(mix64(8 * i + 3) % kOutOfOrderMs)};
}
inline std::vector<Bid> make_bids(std::size_t count) {
  std::vector<Bid> bids(count);
  for (std::size_t i = 0; i < count; ++i) bids[i] = make_bid(i);
  return bids;
}
inline EventTime time_of(const Bid& bid) { return EventTime(std::chrono::milliseconds(bid.ts)); }

/// Count and sum of prices: M1's state and M2's.
struct Total {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  void add(const Bid& bid) {
    ++count;
    sum += bid.price;
  }
};
SLIPSTREAM_FIELDS(Total, count, sum)

constexpr std::int64_t kWindowMs = 10'000;
constexpr std::uint64_t checksum_of_window(std::uint64_t auction, std::int64_t start_ms, const Total& t) {
  return mix64(auction ^ static_cast<std::uint64_t>(start_ms)) * (t.count * 1'000'003 + t.sum);
}

/// K2's result, as Nexmark's query 1: prices in another currency.
struct Converted {
  std::uint64_t auction = 0;
  std::uint64_t bidder = 0;
  double price = 0;
  std::int64_t ts = 0;
};
SLIPSTREAM_FIELDS(Converted, auction, bidder, price, ts)
inline Converted convert(const Bid& b) {
  return {b.auction, b.bidder, static_cast<double>(b.price) * 0.908, b.ts};
}
/// Prices have three digits behind the point.
inline std::uint64_t checksum_of_converted(const Converted& c) {
  return mix64(c.auction ^ c.bidder) * static_cast<std::uint64_t>(c.price * 1000 + 0.5) +
         static_cast<std::uint64_t>(c.ts);
}

constexpr std::int64_t kJoinMs = 1000;  ///< M3: how far apart left and right may be

enum class Task { m1, m2, m3 };
/// Made by loops that do nothing but this. For 100,000, a million and ten million bids.
inline Answer expected(Task task, std::size_t bids) {
  struct Known {
    std::size_t bids;
    Answer answers[3];
  };
  static constexpr Known kKnown[] = {
      {100'000, {{100000, 3060020694}, {16352, 16300713961052930763u}, {45898, 1201785149675}}},
      {1'000'000, {{1000000, 259966015333}, {106348, 4326083135160393312}, {495728, 12895029842474}}},
      {10'000'000, {{10000000, 25547156241318}, {1006301, 2887984238786647297}, {4995029, 129862623385527}}}};
  for (const Known& known : kKnown) {
    if (known.bids == bids) return known.answers[static_cast<int>(task)];
  }
  throw std::runtime_error("no known answer for " + std::to_string(bids) + " bids");
}

}  // namespace slipstream::bench
