#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "bench/by_hand.h"
#include "bench/workload.h"

/// M1, M2 and M3 as loops.
namespace slipstream::bench::by_hand {

template <template <class> class Map>
class RunningTotals {
 public:
  struct Row {
    std::uint64_t auction, price;
  };
  static std::uint64_t key(const Bid& b) { return b.auction; }
  static std::int64_t time(const Bid&) { return 0; }
  static Row row(const Bid& b, std::size_t) { return {b.auction, b.price}; }

  void apply(const Row& row) {
    Total& total = totals_[row.auction];
    ++total.count;
    total.sum += row.price;
    ++answer_.count;
    answer_.checksum += total.sum;
  }
  void advance(std::int64_t) {}
  Answer finish() { return answer_; }

 private:
  Map<Total> totals_;
  Answer answer_;
};

template <template <class> class Map>
class WindowTotals {
 public:
  struct Row {
    std::uint64_t auction, price;
    std::int64_t ts;
  };
  static std::uint64_t key(const Bid& b) { return b.auction; }
  static std::int64_t time(const Bid& b) { return b.ts; }
  static Row row(const Bid& b, std::size_t) { return {b.auction, b.price, b.ts}; }

  void apply(const Row& row) {
    if (row.ts < start_ || row.ts >= start_ + kWindowMs) select(row.ts / kWindowMs * kWindowMs);
    Total& total = (*totals_)[row.auction];
    ++total.count;
    total.sum += row.price;
  }
  void advance(std::int64_t largest) {
    while (!windows_.empty() && windows_.front()->start + kWindowMs <= largest - kOutOfOrderMs) close_first();
  }
  Answer finish() {
    while (!windows_.empty()) close_first();
    return answer_;
  }

 private:
  struct Window {
    std::int64_t start = 0;
    Map<Total> totals;
  };

  void select(std::int64_t start) {
    auto at = windows_.begin();
    while (at != windows_.end() && (*at)->start < start) ++at;
    if (at == windows_.end() || (*at)->start != start) {
      if (spare_.empty()) spare_.push_back(std::make_unique<Window>());
      at = windows_.insert(at, std::move(spare_.back()));
      spare_.pop_back();
      (*at)->start = start;
    }
    start_ = start;
    totals_ = &(*at)->totals;
  }
  void close_first() {
    Window& window = *windows_.front();
    window.totals.for_each([&](std::uint64_t auction, const Total& total) {
      ++answer_.count;
      answer_.checksum += checksum_of_window(auction, window.start, total);
    });
    window.totals.clear();
    spare_.push_back(std::move(windows_.front()));
    windows_.erase(windows_.begin());
    start_ = INT64_MAX - kWindowMs;  // select again
  }

  std::vector<std::unique_ptr<Window>> windows_, spare_;  ///< open ones by start; emptied ones
  std::int64_t start_ = INT64_MAX - kWindowMs;            ///< of the window used last
  Map<Total>* totals_ = nullptr;
  Answer answer_;
};

/// Left bids have even indices, right ones odd.
template <template <class> class Map>
class IntervalJoin {
 public:
  struct Row {
    std::uint64_t auction, price;
    std::int64_t ts;
    std::size_t side;
  };
  static std::uint64_t key(const Bid& b) { return b.auction; }
  static std::int64_t time(const Bid& b) { return b.ts; }
  static Row row(const Bid& b, std::size_t i) { return {b.auction, b.price, b.ts, i & 1}; }

  void apply(const Row& row) {
    Sides& sides = sides_[row.auction];
    std::vector<Entry>& others = sides[row.side ^ 1];
    // Without branches: whether a bid matches or is still needed can't be predicted.
    std::size_t kept = 0;
    for (const Entry other : others) {
      others[kept] = other;
      kept += other.ts >= oldest_;
      const bool matches = static_cast<std::uint64_t>(other.ts - row.ts + kJoinMs) <= 2 * kJoinMs;
      answer_.count += matches;
      answer_.checksum += matches ? other.price * row.price : 0;
    }
    others.resize(kept);
    sides[row.side].push_back({row.ts, row.price});
  }
  void advance(std::int64_t largest) { oldest_ = largest - kOutOfOrderMs - kJoinMs; }
  Answer finish() { return answer_; }

 private:
  struct Entry {
    std::int64_t ts;
    std::uint64_t price;
  };
  using Sides = std::array<std::vector<Entry>, 2>;

  Map<Sides> sides_;
  std::int64_t oldest_ = 0;  ///< that may still match what comes
  Answer answer_;
};

}  // namespace slipstream::bench::by_hand
