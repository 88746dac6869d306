#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "slipstream/detail/footprint.h"
#include "slipstream/record.h"

namespace slipstream::detail {

class LaneServices;

/// What travels in a channel from one lane to another. Linked into the receiver's inbox, so sending allocates
/// nothing beyond the message itself.
struct Message {
  enum class Kind : std::uint8_t { batch, control };

  explicit Message(Kind k) : kind(k) {}
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  virtual ~Message() = default;

  std::atomic<Message*> next{nullptr};
  std::uint64_t sequence = 0;  ///< contiguous within a channel
  std::uint32_t channel = 0;   ///< the receiver's number of the channel
  LaneServices* sender = nullptr;
  const Kind kind;
};

/// Walks picked elements of a column, which are moved out. As a range it lets a vector take them in one go:
/// without a look at its capacity for each, and without zeros first.
template <class C>
class Picked {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = C;
  using difference_type = std::ptrdiff_t;
  using pointer = C*;
  using reference = C&&;

  Picked(C* from, const std::uint32_t* pick) : from_(from), pick_(pick) {}
  C&& operator*() const { return std::move(from_[*pick_]); }
  Picked& operator++() {
    ++pick_;
    return *this;
  }
  bool operator==(const Picked& o) const { return pick_ == o.pick_; }

 private:
  C* from_;
  const std::uint32_t* pick_;
};

/// to = the picked elements of from, moved; a column that isn't there stays so.
template <class C>
void gather_column(std::vector<C>& from, std::span<const std::uint32_t> picks, std::vector<C>& to) {
  to.clear();
  if (from.empty()) return;
  if (to.capacity() < picks.size()) to.reserve(picks.size() + picks.size() / 8);  // shares vary a little
  const std::uint32_t* const first = picks.data();
  to.assign(Picked<C>(from.data(), first), Picked<C>(from.data(), first + picks.size()));
}

/// The ids of a batch's records. Records read together share source, partition and a base offset, so an id
/// costs four bytes; records that waited in state carry their ids whole.
class IdColumn {
 public:
  /// Starts a column of records of one partition; the i-th appended has offset base + delta.
  void start(std::uint32_t source, std::uint32_t partition, std::int64_t base) {
    clear();
    head_ = {source, partition, base, 0};
    started_ = true;
  }
  void clear() {
    deltas_.clear();
    ns_.clear();
    full_.clear();
    started_ = false;
  }
  std::size_t size() const { return full_.empty() ? deltas_.size() : full_.size(); }
  void reserve(std::size_t n) { full_.empty() ? deltas_.reserve(n) : full_.reserve(n); }

  RecordId operator[](std::size_t i) const {
    if (!full_.empty()) [[unlikely]]
      return full_[i];
    return {head_.source, head_.partition, head_.offset + deltas_[i], ns_.empty() ? 0 : ns_[i]};
  }

  /// Appends an offset of the started partition.
  void push_offset(std::int64_t offset) {
    const std::int64_t delta = offset - head_.offset;
    if (full_.empty() && delta >= 0 && delta <= UINT32_MAX && ns_.empty()) {
      deltas_.push_back(static_cast<std::uint32_t>(delta));
    } else {
      push({head_.source, head_.partition, offset, 0});
    }
  }
  /// Appends `count` consecutive offsets.
  void push_offsets(std::int64_t first, std::size_t count) {
    const std::int64_t delta = first - head_.offset;
    if (!full_.empty() || !ns_.empty() || delta < 0 ||
        delta + static_cast<std::int64_t>(count) > UINT32_MAX) {
      for (std::size_t i = 0; i < count; ++i) push_offset(first + static_cast<std::int64_t>(i));
      return;
    }
    const std::size_t before = deltas_.size();
    deltas_.resize(before + count);
    std::iota(deltas_.begin() + static_cast<std::ptrdiff_t>(before), deltas_.end(),
              static_cast<std::uint32_t>(delta));
  }
  /// Becomes the picked ids of another column, in that order. Each is picked once at most.
  void gather(IdColumn& from, std::span<const std::uint32_t> picks) {
    head_ = from.head_;
    started_ = from.started_;
    gather_column(from.deltas_, picks, deltas_);
    gather_column(from.ns_, picks, ns_);
    gather_column(from.full_, picks, full_);
  }

  void push(const RecordId& id) {
    if (size() == 0 && !started_) start(id.source, id.partition, id.offset);
    const std::int64_t delta = id.offset - head_.offset;
    const bool compact = full_.empty() && id.source == head_.source && id.partition == head_.partition &&
                         delta >= 0 && delta <= UINT32_MAX;
    if (!compact) {
      push_full(id);
      return;
    }
    if (id.n != 0 && ns_.empty()) ns_.resize(deltas_.size());
    deltas_.push_back(static_cast<std::uint32_t>(delta));
    if (id.n != 0 || !ns_.empty()) ns_.push_back(id.n);
  }
  /// Appends the i-th id of another column.
  void push_from(const IdColumn& other, std::size_t i) {
    if (started_ && full_.empty() && other.full_.empty() && ns_.empty() && other.ns_.empty() &&
        same_head(other)) {
      deltas_.push_back(other.deltas_[i]);
    } else if (!started_ && size() == 0 && other.full_.empty()) {
      start(other.head_.source, other.head_.partition, other.head_.offset);
      push(other[i]);
    } else {
      push(other[i]);
    }
  }
  void truncate(std::size_t n) {
    if (!full_.empty()) {
      full_.resize(n);
    } else {
      deltas_.resize(n);
      if (!ns_.empty()) ns_.resize(n);
    }
  }
  /// Keeps the record at `from` as the record at `to`; to <= from. Used with truncate() to filter in place.
  void move_down(std::size_t from, std::size_t to) {
    if (!full_.empty()) {
      full_[to] = full_[from];
    } else {
      deltas_[to] = deltas_[from];
      if (!ns_.empty()) ns_[to] = ns_[from];
    }
  }

 private:
  bool same_head(const IdColumn& o) const {
    return head_.source == o.head_.source && head_.partition == o.head_.partition &&
           head_.offset == o.head_.offset;
  }
  void push_full(const RecordId& id) {
    if (full_.empty() && !deltas_.empty()) {
      std::vector<RecordId> all(deltas_.size());
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = (*this)[i];
      full_ = std::move(all);
      deltas_.clear();
      ns_.clear();
    }
    full_.push_back(id);
  }

  RecordId head_;
  std::vector<std::uint32_t> deltas_;
  std::vector<std::uint32_t> ns_;  ///< empty: all 0
  std::vector<RecordId> full_;     ///< when not empty, the only column in use
  bool started_ = false;
};

/// The n of the j-th output made from a record whose own n is `parent`. Unique while no record makes more
/// than 65,536 outputs in two steps one after the other.
constexpr std::uint32_t output_number(std::uint32_t parent, std::size_t j) {
  return (parent << 16) + static_cast<std::uint32_t>(j);
}

/// What a record's event time and id take in a batch beside its value.
inline constexpr std::size_t kColumnBytes = sizeof(EventTime) + sizeof(std::uint32_t);

class SpentBatches;

/// The columns every batch has, whatever its record type. Optional columns are empty when no record needs
/// them.
struct BatchBase : Message {
  BatchBase() : Message(Kind::batch) {}

  std::vector<EventTime> times;  ///< empty: the stream has no event time
  IdColumn ids;
  std::vector<HeadersPtr> headers;  ///< optional
  /// Optional: the source partition's watermark when the record was read. Only batches with a late record
  /// have it, so lateness doesn't depend on how far other partitions or lanes have got.
  std::vector<EventTime> stamps;
  std::int64_t read_at = 0;      ///< nanoseconds of the runtime's clock when its records were; 0: nobody asks
  std::size_t bytes = 0;         ///< what the batch is charged with
  SpentBatches* home = nullptr;  ///< where it goes when it is consumed; null: it is destroyed

  /// Empties the batch, which keeps its memory, and says how much that is.
  virtual std::size_t recycle() = 0;

  EventTime time(std::size_t i) const { return times.empty() ? kMinTime : times[i]; }
  const Headers* header(std::size_t i) const { return headers.empty() ? nullptr : headers[i].get(); }
  RecordInfo info(std::size_t i) const { return {time(i), ids[i], header(i)}; }
  /// Whether the record came after its own partition's watermark had passed `end`.
  bool is_late_for(std::size_t i, EventTime end) const {
    return !stamps.empty() && is_window_complete(end, stamps[i]);
  }
  bool is_late_record(std::size_t i) const { return !stamps.empty() && is_late(times[i], stamps[i]); }

  /// Appends everything but the value of another batch's i-th record.
  void append_columns(const BatchBase& from, std::size_t i) {
    const std::size_t size = ids.size();
    ids.push_from(from.ids, i);
    append_optional(from, i, size);
  }
  /// The same for the j-th output made from that record.
  void append_columns(const BatchBase& from, std::size_t i, std::size_t j) {
    const std::size_t size = ids.size();
    RecordId id = from.ids[i];
    id.n = output_number(id.n, j);
    ids.push(id);
    append_optional(from, i, size);
  }
  /// Appends the columns of a record that waited in state or was made by an operator.
  void append_columns(EventTime time, const RecordId& id, const HeadersPtr& record_headers = nullptr,
                      EventTime stamp = kMinTime) {
    const std::size_t size = ids.size();
    ids.push(id);
    times.resize(size, kMinTime);
    times.push_back(time);
    if (record_headers || !headers.empty()) {
      headers.resize(size);
      headers.push_back(record_headers);
    }
    if (stamp != kMinTime || !stamps.empty()) {
      stamps.resize(size, kMinTime);
      stamps.push_back(stamp);
    }
  }
  /// Takes the picked records' columns from another batch; this one is empty.
  void gather_columns(BatchBase& from, std::span<const std::uint32_t> picks) {
    gather_column(from.times, picks, times);
    ids.gather(from.ids, picks);
    gather_column(from.headers, picks, headers);
    gather_column(from.stamps, picks, stamps);
  }
  void truncate_columns(std::size_t n) {
    ids.truncate(n);
    if (!times.empty()) times.resize(n);
    if (!headers.empty()) headers.resize(n);
    if (!stamps.empty()) stamps.resize(n);
  }
  void move_columns_down(std::size_t from, std::size_t to) {
    if (from == to) return;
    ids.move_down(from, to);
    if (!times.empty()) times[to] = times[from];
    if (!headers.empty()) headers[to] = std::move(headers[from]);
    if (!stamps.empty()) stamps[to] = stamps[from];
  }
  void clear_columns() {
    times.clear();
    ids.clear();
    headers.clear();
    stamps.clear();
  }
  /// Takes all columns of another batch; the values are the caller's business.
  /// The other gets the memory of this one's, to fill again.
  void take_columns(BatchBase& from) {
    clear_columns();
    times.swap(from.times);
    std::swap(ids, from.ids);
    headers.swap(from.headers);
    stamps.swap(from.stamps);
  }
  void copy_columns(const BatchBase& from) {
    times = from.times;
    ids = from.ids;
    headers = from.headers;
    stamps = from.stamps;
  }

 private:
  void append_optional(const BatchBase& from, std::size_t i, std::size_t size) {
    if (!from.times.empty() || !times.empty()) {
      times.resize(size, kMinTime);
      times.push_back(from.time(i));
    }
    if (!from.headers.empty() || !headers.empty()) {
      headers.resize(size);
      headers.push_back(from.headers.empty() ? nullptr : from.headers[i]);
    }
    if (!from.stamps.empty() || !stamps.empty()) {
      stamps.resize(size, kMinTime);
      stamps.push_back(from.stamps.empty() ? kMinTime : from.stamps[i]);
    }
  }
};

/// Batches that were consumed, on their way back to the one lane that fills them again, so that records on
/// the move need no allocations. Given back by any thread, taken by that lane.
///
/// Two lists linked by Message::next:
///  1. returned_ is pushed to by anyone, one batch at a time, and taken whole by the owner: nobody takes a
///     single batch from it, so none can come back unnoticed between a look and an exchange.
///  2. ready_ belongs to the owner.
class SpentBatches {
 public:
  SpentBatches() = default;
  SpentBatches(const SpentBatches&) = delete;
  ~SpentBatches() {
    while (take()) {
    }
  }
  /// Whatever is unusually large is destroyed instead.
  static void give_back(std::unique_ptr<BatchBase> batch) {
    if (!batch->home || batch->recycle() > kMostBytes) return;
    std::atomic<Message*>& returned = batch->home->returned_;
    Message* const message = batch.release();
    Message* before = returned.load(std::memory_order_relaxed);
    do {
      message->next.store(before, std::memory_order_relaxed);
    } while (!returned.compare_exchange_weak(before, message, std::memory_order_release,
                                             std::memory_order_relaxed));
  }
  /// An empty batch with memory of its own, or null.
  std::unique_ptr<BatchBase> take() {
    if (!ready_) ready_ = returned_.exchange(nullptr, std::memory_order_acquire);
    if (!ready_) return nullptr;
    Message* const first = std::exchange(ready_, ready_->next.load(std::memory_order_relaxed));
    return std::unique_ptr<BatchBase>(static_cast<BatchBase*>(first));
  }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{2} << 20;

  std::atomic<Message*> returned_{nullptr};
  Message* ready_ = nullptr;
};

/// Records of one type in arrival order. Owned by one lane at a time.
template <class T>
struct Batch : BatchBase {
  static_assert(!std::is_same_v<T, bool>, "a stream of bool is not supported: use a struct or an enum");
  std::vector<T> values;

  std::size_t recycle() override {
    clear();
    return values.capacity() * (sizeof(T) + kColumnBytes);
  }
  std::size_t size() const { return values.size(); }
  bool empty() const { return values.empty(); }
  void clear() {
    values.clear();
    clear_columns();
  }
  /// Takes all records of another batch, behind its own.
  void append(Batch& from) {
    for (std::size_t i = 0; i < from.size(); ++i) {
      append_columns(from, i);
      values.push_back(std::move(from.values[i]));
    }
  }
  void truncate(std::size_t n) {
    values.erase(values.begin() + static_cast<std::ptrdiff_t>(n), values.end());
    truncate_columns(n);
  }
  /// What the batch takes in memory, for the budget.
  std::size_t footprint_bytes() const {
    if constexpr (kFixedFootprint<T>) {
      return values.size() * (sizeof(T) + kColumnBytes);
    } else {
      std::size_t sum = values.size() * kColumnBytes;
      for (const T& v : values) sum += footprint(v);
      return sum;
    }
  }
};

}  // namespace slipstream::detail
