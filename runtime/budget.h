#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace slipstream::runtime {

/// Bytes in flight in one run: the credit that sources take and lanes give back. Thread-safe.
class Budget {
 public:
  explicit Budget(std::size_t limit) : limit_(static_cast<std::int64_t>(limit)) {}

  void take(std::size_t bytes) {
    note_peak(used_.fetch_add(static_cast<std::int64_t>(bytes)) + static_cast<std::int64_t>(bytes));
  }
  /// True when there was no room before.
  bool give_back(std::size_t bytes) { return used_.fetch_sub(static_cast<std::int64_t>(bytes)) >= limit_; }
  std::int64_t used() const { return used_.load(); }
  std::int64_t limit() const { return limit_; }
  std::int64_t peak() const { return peak_.load(std::memory_order_relaxed); }
  bool is_over() const { return used() >= limit_; }

  /// Sets aside up to `bytes` of what is free and returns how much; settle() follows.
  std::size_t reserve(std::size_t bytes) {
    std::int64_t used = used_.load();
    for (;;) {
      const std::int64_t free = limit_ - used;
      if (free <= 0) return 0;
      const std::int64_t want =
          free < static_cast<std::int64_t>(bytes) ? free : static_cast<std::int64_t>(bytes);
      if (used_.compare_exchange_weak(used, used + want)) return static_cast<std::size_t>(want);
    }
  }

  /// Turns what was reserved into what is really used.
  void settle(std::size_t reserved, std::size_t bytes) {
    const std::int64_t change = static_cast<std::int64_t>(bytes) - static_cast<std::int64_t>(reserved);
    note_peak(used_.fetch_add(change) + change);
  }

 private:
  void note_peak(std::int64_t now) {
    auto peak = peak_.load(std::memory_order_relaxed);
    while (now > peak && !peak_.compare_exchange_weak(peak, now, std::memory_order_relaxed)) {
    }
  }

  const std::int64_t limit_;
  std::atomic<std::int64_t> used_{0};
  std::atomic<std::int64_t> peak_{0};
};

}  // namespace slipstream::runtime
