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
  virtual absl::StatusOr<ReadOutcome> read(int partition, const ReadLimits& limits,
                                           PartitionClock& clock) = 0;
  /// Sends what was read.
  virtual void push() = 0;
};

template <class T>
class TypedSourceOperator final : public SourceOperator {
 public:
  /// Fills in the event times of the records from `from` on, up to the first that has none or whose function
  /// throws; returns where it stopped and says why. Absent when the stream has no event time.
  using Selector = std::function<std::size_t(const Batch<T>&, std::size_t from, std::vector<EventTime>& times,
                                             std::string& cause)>;
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
    if (outcome.records > 0) clock.next_offset = into.next_offset();
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
    const EventTime latest_allowed = latest();
    std::size_t kept = 0;
    std::string cause;
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      const std::size_t end = stamping_.select(batch_, i, batch_.times, cause);
      for (; i < end; ++i) {
        const EventTime time = batch_.times[i];
        if (time >= EventTime{} && time <= latest_allowed) [[likely]] {
          keep(i, kept++);
        } else {
          refuse(i, time < EventTime{} ? "the event time is before 1970"
                                       : "the event time is further in the future than max_future allows");
        }
      }
      if (end < batch_.size()) refuse(end, cause);
    }
    batch_.truncate(kept);
    counters.out_of_order += observe(clock, batch_.times, stamping_.max_out_of_orderness, batch_.stamps);
  }
  void keep(std::size_t from, std::size_t to) {
    if (from == to) return;
    batch_.values[to] = std::move(batch_.values[from]);
    batch_.move_columns_down(from, to);
  }
  EventTime latest() const {
    const std::optional<Duration> limit = stamping_.max_future ? stamping_.max_future : env_.max_future;
    if (!limit) return kMaxTime;
    const auto now = std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
    return saturating_plus(now, *limit);
  }
  void refuse(std::size_t i, const std::string& cause) {
    DeadLetter letter;
    letter.value = json_text(batch_.values[i]);
    if (!batch_.headers.empty()) letter.headers = batch_.headers[i];
    give_up(batch_.ids[i], cause, std::move(letter));
  }
  void on_bad(const RawRecord& record, std::string_view cause) {
    DeadLetter letter;
    letter.time = record.timestamp.value_or(kMinTime);
    if (record.value) letter.value = *record.value;
    if (record.key) letter.key = *record.key;
    letter.headers = record.headers;
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
