#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "slipstream/detail/batch.h"
#include "slipstream/detail/retry_queue.h"
#include "slipstream/detail/state_codec.h"
#include "slipstream/detail/type_info.h"
#include "slipstream/error_policy.h"

namespace slipstream::detail {

/// A count written by one lane and read by anyone.
class Counter {
 public:
  void operator+=(std::uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void operator-=(std::uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  std::uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// Where a node's records went. At quiescence, for every node:
/// in = forwarded + absorbed + filtered + late + skipped + dead_lettered + held.
struct NodeCounters {
  Counter in;         ///< records received (for a source: read)
  Counter out;        ///< records emitted; one record may become many
  Counter forwarded;  ///< records that became outputs when they were processed or released
  Counter absorbed;   ///< records that live on in state only
  Counter filtered;   ///< records that became nothing, as the user's function decided
  Counter late;
  Counter skipped;
  Counter dead_lettered;
  Counter held;  ///< records waiting in state now: for a watermark or a retry
  Counter held_peak;
  Counter out_of_order;  ///< sources: records older than the newest before them
  Counter state_bytes;   ///< estimate of the state's memory
  Counter busy;          ///< nanoseconds
};

/// Entries of one node's state by slot: the shard of a key, or a source partition for what has no key.
class SnapshotWriter {
 public:
  virtual ~SnapshotWriter() = default;
  virtual void put(std::uint32_t slot, std::string entry) = 0;
};

class Operator;

/// Whether this thread runs a lane now. Then it must not wait for others.
bool is_in_lane();

/// What a lane offers the operators that run in it. All calls come from the lane's own thread, but `failed`.
class LaneServices {
 public:
  virtual ~LaneServices() = default;
  /// True when an operator with more to emit should stop after the batch it has just sent and go on in
  /// resume(): too much of what this lane sent is still under way.
  virtual bool should_pause() const = 0;
  /// Hands a batch to a lane of the stage behind `edge`. Never refuses.
  virtual void send(int edge, std::uint32_t lane, std::unique_ptr<BatchBase> batch) = 0;
  /// Ends the run. The operator goes on as if the record had been skipped. `code` says what kind of error it
  /// was where somebody knows better than that a record could not be processed.
  virtual void fail(const Operator& op, const RecordId& id, std::string_view cause,
                    absl::StatusCode code = absl::StatusCode::kAborted) = 0;
  virtual void dead_letter(const Operator& op, DeadLetter letter) = 0;
  /// Calls Operator::on_timer of the lane's operators at or after this time of the runtime's monotonic clock.
  virtual std::chrono::nanoseconds now() const = 0;
  virtual void wake_at(std::chrono::nanoseconds when) = 0;
  virtual bool failed() const = 0;
  /// Attributes time from here on to `op` (null: to nobody) and returns who had it before.
  virtual Operator* charge_time_to(Operator* op) = 0;
  std::size_t max_batch = 4096;  ///< records; emit at the latest then
};

/// What an operator is told when it is made. One operator object belongs to one lane.
struct OperatorEnv {
  LaneServices* lane = nullptr;
  std::string_view node;      ///< its name, alive as long as the operator
  std::uint32_t node_id = 0;  ///< its number in the graph; the `source` of ids it makes
  std::uint32_t index = 0;    ///< which of `lanes` it is in
  std::uint32_t lanes = 1;
  std::uint32_t shards = 128;
  ErrorPolicy errors;
  std::optional<Duration> max_future;  ///< for sources that don't say
  NodeCounters* counters = nullptr;    ///< of the operator this one is a part of, if it is
};

/// One node's work in one lane. Operators are chained: what one emits the next receives at once, in the same
/// lane, until an edge puts it into another lane's inbox.
class Operator {
 public:
  explicit Operator(const OperatorEnv& env)
      : counters(env.counters ? *env.counters : own_counters_), env_(env) {}
  Operator(const Operator&) = delete;
  virtual ~Operator() = default;

  /// A batch from an inbox, for the operator at the head of a stage.
  virtual void receive_message(int /*port*/, BatchBase& /*batch*/) {}
  /// The watermarks of the head's input ports have moved. Emits what is due, or as much as should_pause()
  /// allows, the rest in resume().
  virtual void on_watermark(std::span<const EventTime> /*by port*/) {}
  /// The watermark of what the head will still emit, given its inputs' watermarks.
  virtual EventTime output_watermark(std::span<const EventTime> ports) const {
    EventTime least = kMaxTime;
    for (EventTime t : ports) least = t < least ? t : least;
    return least;
  }
  /// No record this operator still holds back for a retry is older than this.
  virtual EventTime hold() const { return kMaxTime; }
  /// The same of what came in through one of the head's ports.
  virtual EventTime port_hold(std::size_t /*port*/) const { return hold(); }
  /// What is held back stays so when the run is stopped: only the program could release it.
  virtual bool abandons_held() const { return false; }
  /// An operator that stopped emitting because of should_pause() has more and gets resume() before anything
  /// new.
  virtual bool has_pending() const { return false; }
  virtual void resume() {}
  virtual void on_timer() {}
  virtual void snapshot(SnapshotWriter& /*out*/) const {}
  virtual absl::Status restore(std::uint32_t /*slot*/, std::string_view /*entry*/) {
    return absl::InternalError("this node keeps no state");
  }
  /// Text describing the layout of snapshot entries; a snapshot with another one is refused.
  virtual std::string state_schema() const { return {}; }

  const OperatorEnv& env() const { return env_; }
  LaneServices& lane() const { return *env_.lane; }

 private:
  NodeCounters own_counters_;

 public:
  NodeCounters& counters;

 protected:
  OperatorEnv env_;
};

/// Attributes the time until its end to an operator.
class BusyScope {
 public:
  explicit BusyScope(Operator& op) : lane_(op.lane()), before_(lane_.charge_time_to(&op)) {}
  ~BusyScope() { lane_.charge_time_to(before_); }

 private:
  LaneServices& lane_;
  Operator* before_;
};

template <class T>
class Receiver {
 public:
  virtual ~Receiver() = default;
  /// May move the records out of `batch`; leaves it to the caller, who clears it.
  virtual void receive(Batch<T>& batch) = 0;
};

/// Where an operator's output goes in its lane.
template <class T>
class OutputPort {
 public:
  void connect(Receiver<T>* to) { to_.push_back(to); }
  bool connected() const { return !to_.empty(); }
  /// Sends all records on and leaves `batch` empty.
  void emit(Batch<T>& batch) {
    if (batch.empty()) return;
    for (std::size_t i = 0; i + 1 < to_.size(); ++i) {
      copy_.values = batch.values;
      copy_.copy_columns(batch);
      to_[i]->receive(copy_);
      copy_.clear();
    }
    if (!to_.empty()) to_.back()->receive(batch);
    batch.clear();
  }

 private:
  std::vector<Receiver<T>*> to_;
  Batch<T> copy_;
};

std::string describe_current_exception();

/// An operator with a user function: receives batches of one type, applies the node's error policy to the
/// records it throws on. Derived classes implement process() in terms of guarded().
template <class In>
class TypedOperator : public Operator, public Receiver<In> {
 public:
  using Operator::Operator;

  void receive(Batch<In>& batch) final {
    BusyScope busy(*this);
    counters.in += batch.size();
    divert_waiting(batch, 0);
    process(batch);
  }
  void receive_message(int, BatchBase& batch) override { receive(static_cast<Batch<In>&>(batch)); }

  EventTime hold() const override { return waiting_.empty() ? kMaxTime : waiting_.oldest(); }
  void on_timer() override {
    if (!waiting_.empty()) retry();
  }
  void snapshot(SnapshotWriter& out) const override { snapshot_waiting(out); }
  absl::Status restore(std::uint32_t slot, std::string_view entry) override {
    if (entry.empty() || entry.front() != kWaitingEntry) return Operator::restore(slot, entry);
    return restore_waiting(entry.substr(1));
  }
  std::string state_schema() const override {
    if constexpr (Storable<In>) return "waiting(" + schema_of<In>() + ")";
    return {};
  }

 protected:
  static constexpr char kWaitingEntry = 'P';
  static constexpr char kStateEntry = 'S';

  /// Handles every record of the batch and counts it. Records a retry brings back come as batches of one.
  virtual void process(Batch<In>& batch) = 0;
  /// Records of one unit keep their order when one of them has to wait for a retry.
  virtual std::uint64_t unit(const Batch<In>& batch, std::size_t i) const {
    const RecordId id = batch.ids[i];
    return (std::uint64_t{id.source} << 32) | id.partition;
  }

  /// Calls body(i) for the records from `i` on while it returns true; i is then the first not done. When body
  /// throws, undo(i) takes back what it did so far and the error policy decides about the record. Records
  /// behind i may leave the batch then, so body must not use columns of its own made before.
  template <class Body, class Undo>
  void guarded(Batch<In>& batch, std::size_t& i, Body&& body, Undo&& undo) {
    while (i < batch.size()) {
      try {
        for (; i < batch.size(); ++i) {
          if (!body(i)) return;
        }
      } catch (...) {
        undo(i);
        failed(batch, i, describe_current_exception());
        ++i;
        divert_waiting(batch, i);
      }
    }
  }
  /// Takes records from `first` on whose unit waits out of the batch. Nothing of what process() gets waits.
  void divert_waiting(Batch<In>& batch, std::size_t first) {
    if (waiting_.empty() || is_retry_) return;
    std::size_t kept = first;
    for (std::size_t i = first; i < batch.size(); ++i) {
      const std::uint64_t u = unit(batch, i);
      if (waiting_.contains(u)) {
        waiting_.put_behind(u, {batch_of_one(batch, i), 0});
        note_waiting(batch.ids[i]);
        continue;
      }
      if (kept != i) batch.values[kept] = std::move(batch.values[i]);
      batch.move_columns_down(i, kept++);
    }
    batch.truncate(kept);
  }
  /// Applies the error policy to a record that failed.
  void failed(Batch<In>& batch, std::size_t i, const std::string& cause) {
    if (env_.errors.retries > 0 && attempts_ < env_.errors.retries) {
      const auto due = waiting_.put_failed(unit(batch, i), {batch_of_one(batch, i), attempts_ + 1},
                                           env_.errors, lane().now());
      note_waiting(batch.ids[i]);
      lane().wake_at(due);
      return;
    }
    give_up(batch, i, cause);
  }
  template <class T>
  void give_up(const Batch<T>& batch, std::size_t i, const std::string& cause,
               absl::StatusCode code = absl::StatusCode::kAborted) {
    switch (env_.errors.action) {
      case ErrorPolicy::Action::fail:
        lane().fail(*this, batch.ids[i], cause, code);
        counters.skipped += 1;
        return;
      case ErrorPolicy::Action::skip:
        counters.skipped += 1;
        return;
      case ErrorPolicy::Action::dead_letter: {
        DeadLetter letter;
        letter.id = batch.ids[i];
        letter.time = batch.time(i);
        letter.error = cause;
        letter.value = json_text(batch.values[i]);
        if (!batch.headers.empty()) letter.headers = batch.headers[i];
        counters.dead_lettered += 1;
        lane().dead_letter(*this, std::move(letter));
        return;
      }
    }
  }

 private:
  std::unique_ptr<Batch<In>> batch_of_one(const Batch<In>& batch, std::size_t i) {
    auto one = std::make_unique<Batch<In>>();
    one->values.push_back(batch.values[i]);
    one->append_columns(batch, i);
    return one;
  }
  void note_waiting(const RecordId& id) {
    counters.held += 1;
    counters.held_peak.set(std::max(counters.held_peak.get(), counters.held.get()));
    if (waiting_.size() <= env_.errors.max_held) return;
    lane().fail(*this, id,
                "more than " + std::to_string(env_.errors.max_held) +
                    " records wait for a retry; raise ErrorPolicy::max_held or give up on records sooner");
  }
  void retry() {
    BusyScope busy(*this);
    // A record cut short by has_pending() isn't done; the lane calls again when it is.
    while (!has_pending()) {
      auto due = waiting_.take_due(lane().now());
      if (!due) break;
      counters.held -= 1;
      attempts_ = due->second.attempts;
      is_retry_ = true;
      process(static_cast<Batch<In>&>(*due->second.record));
      is_retry_ = false;
      attempts_ = 0;
      waiting_.release(due->first);
    }
    if (!waiting_.empty()) lane().wake_at(waiting_.next_due());
  }
  void snapshot_waiting([[maybe_unused]] SnapshotWriter& out) const {
    if constexpr (Storable<In>) {
      waiting_.for_each([&](std::uint64_t u, const WaitingRecord& waiting) {
        std::string entry(1, kWaitingEntry);
        store_record(static_cast<const Batch<In>&>(*waiting.record), 0, entry);
        store(u, entry);
        store(waiting.attempts, entry);
        out.put(slot_of_unit(u), std::move(entry));
      });
    }
  }
  absl::Status restore_waiting([[maybe_unused]] std::string_view entry) {
    if constexpr (Storable<In>) {
      auto one = std::make_unique<Batch<In>>();
      std::uint64_t u = 0;
      int attempts = 0;
      if (!load_record(entry, *one) || !load(entry, u) || !load(entry, attempts)) {
        return absl::DataLossError("a waiting record in the snapshot is damaged");
      }
      waiting_.put_behind(u, {std::move(one), attempts});
      counters.in += 1;
      counters.held += 1;
      lane().wake_at(lane().now());
    }
    return absl::OkStatus();
  }

 protected:
  /// Where a unit's waiting records are kept in a snapshot.
  virtual std::uint32_t slot_of_unit(std::uint64_t u) const { return static_cast<std::uint32_t>(u); }

  template <class T>
  static void store_record(const Batch<T>& batch, std::size_t i, std::string& out) {
    store(batch.values[i], out);
    store_columns(batch.time(i), batch.ids[i], batch.headers.empty() ? nullptr : batch.headers[i], out);
    store(batch.stamps.empty() ? kMinTime : batch.stamps[i], out);
  }
  template <class T>
  static bool load_record(std::string_view& in, Batch<T>& out) {
    EventTime time, stamp;
    RecordId id;
    HeadersPtr headers;
    out.values.emplace_back();
    if (!load(in, out.values.back()) || !load_columns(in, time, id, headers) || !load(in, stamp))
      return false;
    out.append_columns(time, id, headers, stamp);
    return true;
  }

  static void store_columns(EventTime time, const RecordId& id, const HeadersPtr& headers, std::string& out) {
    store(time, out);
    store(id.source, out);
    store(id.partition, out);
    store(id.offset, out);
    store(id.n, out);
    store(static_cast<std::uint32_t>(headers ? headers->size() : 0), out);
    if (!headers) return;
    for (const Header& h : *headers) {
      store(h.name, out);
      store(h.value, out);
    }
  }
  static bool load_columns(std::string_view& in, EventTime& time, RecordId& id, HeadersPtr& headers) {
    std::uint32_t count = 0;
    if (!load(in, time) || !load(in, id.source) || !load(in, id.partition) || !load(in, id.offset) ||
        !load(in, id.n) || !load(in, count) || count > in.size()) {
      return false;
    }
    if (count == 0) return true;
    Headers all(count);
    for (Header& h : all) {
      if (!load(in, h.name) || !load(in, h.value)) return false;
    }
    headers = std::make_shared<const Headers>(std::move(all));
    return true;
  }

 private:
  RetryQueue waiting_;
  bool is_retry_ = false;  ///< a record from waiting_ is being processed
  int attempts_ = 0;       ///< failed so far, of that record
};

}  // namespace slipstream::detail
