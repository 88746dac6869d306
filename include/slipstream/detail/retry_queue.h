#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>

#include "slipstream/detail/batch.h"
#include "slipstream/error_policy.h"

namespace slipstream::detail {

/// How long to wait after the attempt-th failure: the policy's backoff, twice as long with each, up to a
/// minute.
std::chrono::nanoseconds backoff(const ErrorPolicy& policy, int attempt);

/// A record that waits for a retry, or behind one.
struct WaitingRecord {
  std::unique_ptr<BatchBase> record;  ///< a batch of one
  int attempts = 0;                   ///< failed so far
};

/// The records of one operator that wait for a retry, in queues by unit: a key, or a source partition where
/// there are no keys. A unit's records leave in the order they came.
class RetryQueue {
 public:
  bool empty() const { return units_.empty(); }
  std::size_t size() const { return size_; }
  bool contains(std::uint64_t unit) const { return units_.contains(unit); }

  /// The unit's oldest record has failed for the attempts-th time; it is due again after the policy's
  /// backoff. Returns when.
  std::chrono::nanoseconds put_failed(std::uint64_t unit, WaitingRecord record, const ErrorPolicy& policy,
                                      std::chrono::nanoseconds now);
  /// Another record of a unit that waits already, or one from a snapshot, due at once.
  void put_behind(std::uint64_t unit, WaitingRecord record);
  /// The oldest record of the first unit that is due, with its unit. The unit goes on waiting until
  /// release().
  std::optional<std::pair<std::uint64_t, WaitingRecord>> take_due(std::chrono::nanoseconds now);
  /// After a record taken was dealt with: the unit stops waiting when it has no records left.
  void release(std::uint64_t unit);
  /// The earliest time a record is due.
  std::chrono::nanoseconds next_due() const;
  /// The least event time of the records waiting.
  EventTime oldest() const;

  template <class F>
  void for_each(F&& f) const {
    for (const auto& [unit, queue] : units_) {
      for (const WaitingRecord& waiting : queue.records) f(unit, waiting);
    }
  }

 private:
  struct Queue {
    std::deque<WaitingRecord> records;
    std::chrono::nanoseconds due{0};
  };
  std::map<std::uint64_t, Queue> units_;
  std::size_t size_ = 0;
};

}  // namespace slipstream::detail
