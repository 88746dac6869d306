#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "slipstream/time.h"

namespace slipstream::detail {

/// Rows of one key in the order of their times. They come nearly in that order and leave from the front, so
/// both are cheap: dropped rows stay in place until they are half of all, and room is used again.
template <class Value>
class TimeRows {
 public:
  struct Row {
    EventTime time;
    std::uint64_t code;  ///< of the record's id
    Value value;
  };
  using Iterator = typename std::vector<Row>::const_iterator;

  bool empty() const { return first_ == rows_.size(); }
  std::size_t size() const { return rows_.size() - first_; }
  Iterator begin() const { return rows_.begin() + static_cast<std::ptrdiff_t>(first_); }
  Iterator end() const { return rows_.end(); }

  /// The first row at or after `time`.
  Iterator from(EventTime time) const {
    if (size() > kFew) return std::lower_bound(begin(), end(), time, is_before);
    Iterator row = begin();
    while (row != end() && row->time < time) ++row;
    return row;
  }
  /// Behind the rows of the same time.
  void insert(EventTime time, std::uint64_t code, Value value) {
    if (rows_.size() == rows_.capacity() && 2 * first_ >= rows_.size()) compact();
    if (empty() || rows_.back().time <= time) {
      rows_.push_back({time, code, std::move(value)});
      return;
    }
    const auto after = std::upper_bound(begin(), end(), time, is_after);
    rows_.insert(after, {time, code, std::move(value)});
  }
  /// Drops the rows before `time` and says how many.
  std::size_t drop_before(EventTime time) {
    if (empty() || !is_before(*begin(), time)) return 0;
    const auto dropped = static_cast<std::size_t>(from(time) - begin());
    first_ += dropped;
    if (empty()) {
      rows_.clear();
      first_ = 0;
    } else if (first_ > kFew && 2 * first_ >= rows_.size()) {
      compact();
    }
    return dropped;
  }

 private:
  static constexpr std::size_t kFew = 16;

  static bool is_before(const Row& row, EventTime time) { return row.time < time; }
  static bool is_after(EventTime time, const Row& row) { return time < row.time; }
  void compact() {
    rows_.erase(rows_.begin(), begin());
    first_ = 0;
  }

  std::vector<Row> rows_;
  std::size_t first_ = 0;  ///< those before it were dropped
};

}  // namespace slipstream::detail
