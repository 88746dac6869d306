#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "slipstream/time.h"

namespace slipstream::detail {

/// Rows of one key in the order of their times, in one piece of memory. They come nearly in that order, and
/// those before a horizon that moves on are of no use: they are dropped when room is wanted, so that most
/// inserts are a push_back.
template <class Value>
class TimeRows {
 public:
  struct Row {
    EventTime time;
    std::uint64_t code;  ///< of the record's id
    Value value;
  };
  using Iterator = typename std::vector<Row>::const_iterator;

  bool empty() const { return rows_.empty(); }
  std::size_t size() const { return rows_.size(); }
  Iterator begin() const { return rows_.begin(); }
  Iterator end() const { return rows_.end(); }

  /// The first row at or after `time`.
  Iterator from(EventTime time) const {
    if (rows_.size() > kFew) return std::lower_bound(begin(), end(), time, is_before);
    Iterator row = begin();
    while (row != end() && row->time < time) ++row;
    return row;
  }
  /// Behind the rows of the same time. Returns how many rows before the horizon were dropped for it.
  std::size_t insert(EventTime time, std::uint64_t code, Value value, EventTime horizon) {
    const std::size_t dropped = rows_.size() == rows_.capacity() ? make_room(horizon) : 0;
    if (rows_.empty() || rows_.back().time <= time) {
      rows_.push_back({time, code, std::move(value)});
    } else {
      rows_.insert(std::upper_bound(begin(), end(), time, is_after), {time, code, std::move(value)});
    }
    return dropped;
  }
  /// Drops the rows before `time` and says how many.
  std::size_t drop_before(EventTime time) {
    const auto keep = from(time);
    const auto dropped = static_cast<std::size_t>(keep - begin());
    rows_.erase(begin(), keep);
    return dropped;
  }
  /// Asks for the memory that from() and insert() will touch.
  void prefetch_front() const { __builtin_prefetch(rows_.data()); }
  void prefetch_back() const { __builtin_prefetch(rows_.data() + rows_.size()); }

 private:
  static constexpr std::size_t kFew = 16;

  static bool is_before(const Row& row, EventTime time) { return row.time < time; }
  static bool is_after(EventTime time, const Row& row) { return time < row.time; }
  /// A quarter is free then, so that dropping moves each row a few times at most.
  std::size_t make_room(EventTime horizon) {
    const std::size_t dropped = drop_before(horizon);
    if (4 * rows_.size() >= 3 * rows_.capacity()) rows_.reserve(std::max(kLeast, 2 * rows_.capacity()));
    return dropped;
  }
  static constexpr std::size_t kLeast = 4;

  std::vector<Row> rows_;
};

}  // namespace slipstream::detail
