#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/detail/operator.h"
#include "slipstream/detail/partition_clock.h"
#include "slipstream/detail/typed_source.h"

namespace slipstream::detail {

struct ReadOutcome {
  ReadState state = ReadState::more;
  std::size_t records = 0;  ///< good and bad
  std::size_t bytes = 0;
};

/// The head of a source's stage in one lane: reads a batch of one partition, stamps it with event times and
/// sends it down the chain.
class SourceOperator : public Operator {
 public:
  using Operator::Operator;
  /// Reads and stamps; nothing is sent yet.
  virtual absl::StatusOr<ReadOutcome> read(int partition, const ReadLimits& limits, PartitionClock& clock) = 0;
  /// Sends what was read.
  virtual void push() = 0;
};

template <class T>
class TypedSourceOperator final : public SourceOperator {
 public:
  /// Returns the record's event time, or nothing when it has none; absent when the stream has no event time.
  using Selector = std::function<std::optional<EventTime>(const Batch<T>&, std::size_t)>;
  struct Stamping {
    Selector select;
    Duration max_out_of_orderness{0};
    std::optional<Duration> max_future;
  };

  TypedSourceOperator(const OperatorEnv& env, TypedSource<T>& source, const Stamping& stamping)
      : SourceOperator(env), reader_(source.make_reader()), stamping_(stamping) {
    bad_ = [this](const RawRecord& record, std::string_view cause) { on_bad(record, cause); };
  }
  OutputPort<T> out;

  absl::StatusOr<ReadOutcome> read(int partition, const ReadLimits& limits, PartitionClock& clock) override {
    BusyScope busy(*this);
    batch_.clear();
    partition_ = static_cast<std::uint32_t>(partition);
    SourceBatch<T> into(batch_, env_.node_id, partition_, bad_);
    auto state = reader_->read(partition, limits, into);
    if (!state.ok()) return state.status();
    ReadOutcome outcome{*state, batch_.size() + into.bad_count(), 0};
    counters.in += outcome.records;
    if (!batch_.empty()) clock.next_offset = batch_.ids[batch_.size() - 1].offset + 1;
    if (stamping_.select) stamp(clock);
    clock.watermark = std::max(clock.watermark, into.watermark());
    outcome.bytes = batch_.footprint_bytes();
    counters.forwarded += batch_.size();
    counters.out += batch_.size();
    return outcome;
  }
  void push() override {
    BusyScope busy(*this);
    out.emit(batch_);
  }

 private:
  /// Gives every record its event time; those without a usable one leave the batch.
  void stamp(PartitionClock& clock) {
    batch_.times.resize(batch_.size());
    std::size_t kept = 0;
    const EventTime latest_allowed = latest();
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      const std::optional<EventTime> time = event_time(i, latest_allowed);
      if (!time) continue;
      if (kept != i) batch_.values[kept] = std::move(batch_.values[i]);
      batch_.move_columns_down(i, kept);
      batch_.times[kept++] = *time;
    }
    batch_.truncate(kept);
    counters.out_of_order += observe(clock, batch_.times, stamping_.max_out_of_orderness, batch_.stamps);
  }
  EventTime latest() const {
    const std::optional<Duration> limit = stamping_.max_future ? stamping_.max_future : env_.max_future;
    if (!limit) return kMaxTime;
    const auto now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
    return saturating_plus(now, *limit);
  }
  std::optional<EventTime> event_time(std::size_t i, EventTime latest_allowed) {
    try {
      const std::optional<EventTime> time = stamping_.select(batch_, i);
      if (!time) return refuse(i, "the record has no event time");
      if (*time < EventTime{}) return refuse(i, "the event time is before 1970");
      if (*time > latest_allowed) return refuse(i, "the event time is further in the future than max_future allows");
      return time;
    } catch (...) {
      return refuse(i, "event_time: " + describe_current_exception());
    }
  }
  std::optional<EventTime> refuse(std::size_t i, const std::string& cause) {
    DeadLetter letter;
    letter.time = kMinTime;
    give_up(batch_.ids[i], cause, std::move(letter));
    return std::nullopt;
  }
  void on_bad(const RawRecord& record, std::string_view cause) {
    DeadLetter letter;
    letter.time = record.timestamp.value_or(kMinTime);
    if (record.value) letter.value = *record.value;
    if (record.key) letter.key = *record.key;
    give_up({env_.node_id, partition_, record.offset, 0}, std::string(cause), std::move(letter));
  }
  void give_up(const RecordId& id, const std::string& cause, DeadLetter letter) {
    switch (env_.errors.action) {
      case ErrorPolicy::Action::fail:
        lane().fail(*this, id, cause);
        counters.skipped += 1;
        return;
      case ErrorPolicy::Action::skip:
        counters.skipped += 1;
        return;
      case ErrorPolicy::Action::dead_letter:
        letter.id = id;
        letter.error = cause;
        counters.dead_lettered += 1;
        lane().dead_letter(*this, std::move(letter));
        return;
    }
  }

  std::unique_ptr<SourceReader<T>> reader_;
  const Stamping& stamping_;
  typename SourceBatch<T>::Bad bad_;
  Batch<T> batch_;
  std::uint32_t partition_ = 0;
};

}  // namespace slipstream::detail
