#pragma once
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/detail/keyed.h"

namespace slipstream {

/// What a process function may do beside changing its key's state. Everything asked for here happens when the
/// function returns, and doesn't when it throws.
template <class Key, class Out>
class ProcessContext {
 public:
  const Key& key() const { return *key_; }
  /// The record's event time; in on_timer the timer's.
  EventTime time() const { return info_.time; }
  const RecordInfo& info() const { return info_; }
  /// Of the node's input. No record on time is older.
  EventTime watermark() const { return watermark_; }

  /// Emits with the event time of the record or the timer.
  void emit(Out value) { outputs_.push_back(std::move(value)); }
  /// Calls on_timer for this key when the watermark reaches `at`. Setting the same time twice is once. When
  /// the input has ended, the watermark is kMaxTime and every timer is due: an on_timer that sets the next
  /// one, for ever, must look at watermark() and stop then, or the run fails.
  void set_timer(EventTime at) { timers_.push_back({at, true}); }
  void cancel_timer(EventTime at) { timers_.push_back({at, false}); }
  /// Drops the key's state; the next record of the key starts anew. Its timers stay.
  void forget() { forget_ = true; }

  // For the operator:
  struct TimerChange {
    EventTime at;
    bool set;
  };
  void begin(const Key& key, const RecordInfo& info, EventTime watermark) {
    key_ = &key;
    info_ = info;
    watermark_ = watermark;
    outputs_.clear();
    timers_.clear();
    forget_ = false;
  }
  std::vector<Out>& outputs() { return outputs_; }
  const std::vector<TimerChange>& timers() const { return timers_; }
  bool wants_forget() const { return forget_; }

 private:
  const Key* key_ = nullptr;
  RecordInfo info_;
  EventTime watermark_ = kMinTime;
  std::vector<Out> outputs_;
  std::vector<TimerChange> timers_;
  bool forget_ = false;
};

namespace detail {

/// A timer function that does nothing, for process() without timers.
struct NoTimers {
  template <class... Args>
  void operator()(Args&&...) const {}
};

/// A user's function with keyed state and event-time timers. Key-ordered as far as the user's code is; when a
/// timer fires between two records depends on the arrival of other keys' records.
template <class In, class KeyOf, class State, class Out, class OnRecord, class OnTimer>
class Process final : public KeyedOperator<In, KeyOf> {
  using Base = KeyedOperator<In, KeyOf>;

 public:
  using typename Base::Key;
  Process(const OperatorEnv& env, std::shared_ptr<const KeyOf> key_of,
          std::shared_ptr<const OnRecord> on_record, std::shared_ptr<const OnTimer> on_timer)
      : Base(env, std::move(key_of)), on_record_(std::move(on_record)), on_timer_(std::move(on_timer)) {}
  OutputPort<Out> out;

  void on_watermark(std::span<const EventTime> ports) override {
    BusyScope busy(*this);
    passed_ = std::exchange(watermark_, ports[0]);
    if (watermark_ == kMaxTime && passed_ != kMaxTime) most_at_end_ = kMostTimersAtEnd * (1 + timers_.size());
    fire_timers();
  }
  bool has_pending() const override { return at_ < input_.size() || timers_pending_; }
  void resume() override {
    BusyScope busy(*this);
    if (at_ < input_.size()) {
      run();
    } else {
      fire_timers();
    }
  }
  void snapshot(SnapshotWriter& writer) const override {
    Base::snapshot(writer);
    states_.for_each([&](const Key& key, const State& state) {
      std::string entry(1, Base::kStateEntry);
      store(key, entry);
      store(state, entry);
      writer.put(this->slot(hash_key(key)), std::move(entry));
    });
    for (const auto& [order, keys] : timers_) {
      for (const Key& key : keys) {
        std::string entry(1, kTimerEntry);
        store(order.first, entry);
        store(key, entry);
        writer.put(this->slot(order.second), std::move(entry));
      }
    }
  }
  absl::Status restore(std::uint32_t slot, std::string_view entry) override {
    const char kind = entry.empty() ? 0 : entry.front();
    if (kind != kTimerEntry && kind != Base::kStateEntry) return Base::restore(slot, entry);
    entry.remove_prefix(1);
    Key key{};
    if (kind == kTimerEntry) {
      EventTime at;
      if (!load(entry, at) || !load(entry, key)) return absl::DataLossError("a timer is damaged");
      set_timer(at, hash_key(key), key);
      return absl::OkStatus();
    }
    State state{};
    if (!load(entry, key) || !load(entry, state)) return absl::DataLossError("a key's state is damaged");
    states_(key, hash_key(key)) = std::move(state);
    return absl::OkStatus();
  }
  std::string state_schema() const override {
    return "process " + schema_of<Key>() + " " + schema_of<State>() + " " + Base::state_schema();
  }

 protected:
  void process(Batch<In>& batch) override {
    if (at_ >= input_.size()) {
      input_.clear();
      at_ = 0;
    }
    input_.append(batch);
    run();
  }

 private:
  static constexpr char kTimerEntry = 'T';
  /// For each timer set when the input ends: far more than a program means to, few enough to be done soon.
  static constexpr std::size_t kMostTimersAtEnd = 100'000;

  void run() {
    Undo<State> undo(needs_undo(this->env_.errors));
    this->guarded(
        input_, at_, [&](std::size_t at) { return handle(at, undo); },
        [&](std::size_t at) { take_back(input_.values[at], undo); });
    if (at_ >= input_.size()) {
      input_.clear();
      at_ = 0;
    }
    send();
  }
  /// False: stopped right behind the record because downstream is full.
  bool handle(std::size_t at, Undo<State>& undo) {
    undo.begin();
    const Key key = this->key(input_.values[at]);
    const std::uint64_t hash = hash_key(key);
    bool is_new = false;
    State& state = states_(key, hash, &is_new);
    undo.before(state, is_new);
    context_.begin(key, input_.info(at), watermark_);
    std::invoke(*on_record_, std::as_const(input_.values[at]), state, context_);
    apply(key, hash);
    std::size_t n = 0;
    for (Out& o : context_.outputs()) {
      result_.append_columns(input_, at, n++);
      result_.values.push_back(std::move(o));
    }
    n == 0 ? this->counters.absorbed += 1 : this->counters.forwarded += 1;
    if (result_.size() < this->lane().max_batch) return true;
    send();
    if (!this->lane().should_pause()) return true;
    ++at_;
    return false;
  }
  void take_back(const In& record, Undo<State>& undo) {
    if (!undo.needed()) return;
    const Key key = this->key(record);
    if (undo.was_new()) {
      states_.erase(key, hash_key(key));
    } else {
      states_(key, hash_key(key)) = std::move(undo.copy());
    }
  }
  void apply(const Key& key, std::uint64_t hash) {
    for (const auto& change : context_.timers()) {
      change.set ? set_timer(change.at, hash, key) : cancel_timer(change.at, hash, key);
    }
    if (context_.wants_forget()) states_.erase(key, hash);
    this->counters.state_bytes.set(states_.table_bytes());
  }
  void set_timer(EventTime at, std::uint64_t hash, const Key& key) {
    auto& keys = timers_[{at, hash}];
    if (find_key(keys, key) == keys.end()) keys.push_back(key);
  }
  void cancel_timer(EventTime at, std::uint64_t hash, const Key& key) {
    auto it = timers_.find({at, hash});
    if (it == timers_.end()) return;
    if (const auto same = find_key(it->second, key); same != it->second.end()) it->second.erase(same);
    if (it->second.empty()) timers_.erase(it);
  }
  static auto find_key(std::vector<Key>& keys, const Key& key) {
    return std::find_if(keys.begin(), keys.end(), [&](const Key& other) { return same_key(other, key); });
  }
  /// Fires what is due, oldest first. A timer has no record an error policy could decide about: when its
  /// function throws, the run fails.
  void fire_timers() {
    timers_pending_ = false;
    while (!timers_.empty() && is_window_complete(timers_.begin()->first.first, watermark_)) {
      const auto [at, hash] = timers_.begin()->first;
      const Key key = timers_.begin()->second.front();
      cancel_timer(at, hash, key);
      if (watermark_ == kMaxTime) {
        if (this->lane().failed()) break;
        if (most_at_end_-- == 0) {
          fail_endless(at, hash);
          break;
        }
      }
      fire(at, hash, key);
      if (result_.size() < this->lane().max_batch) continue;
      send();
      if (this->lane().should_pause()) {
        timers_pending_ = true;
        return;
      }
    }
    send();
  }
  RecordId timer_id(EventTime at, std::uint64_t hash) const {
    return {this->env_.node_id, static_cast<std::uint32_t>(hash >> 32), at.time_since_epoch().count(),
            static_cast<std::uint32_t>(hash)};
  }
  void fail_endless(EventTime at, std::uint64_t hash) {
    timers_.clear();
    this->lane().fail(
        *this, timer_id(at, hash),
        "on_timer goes on setting timers after the end of the input; set none when watermark() is kMaxTime");
  }
  void fire(EventTime at, std::uint64_t hash, const Key& key) {
    RecordId id = timer_id(at, hash);
    try {
      context_.begin(key, {at, id, nullptr}, watermark_);
      std::invoke(*on_timer_, at, states_(key, hash), context_);
    } catch (...) {
      this->lane().fail(*this, id, "on_timer: " + describe_current_exception());
      return;
    }
    apply(key, hash);
    for (Out& o : context_.outputs()) {
      // A timer for a time that had passed when it was set fires late, and so are its outputs.
      result_.append_columns(at, id, nullptr, is_late(at, passed_) ? passed_ : kMinTime);
      result_.values.push_back(std::move(o));
      ++id.n;
    }
  }
  void send() {
    this->counters.out += result_.size();
    out.emit(result_);
  }

  std::shared_ptr<const OnRecord> on_record_;
  std::shared_ptr<const OnTimer> on_timer_;
  KeyTable<Key, State> states_;
  std::map<std::pair<EventTime, std::uint64_t>, std::vector<Key>> timers_;
  ProcessContext<Key, Out> context_;
  EventTime watermark_ = kMinTime;
  std::size_t most_at_end_ = 0;  ///< timers that may still fire although the input has ended
  EventTime passed_ = kMinTime;  ///< the watermark before: what is behind this node knows it already
  bool timers_pending_ = false;
  Batch<In> input_;
  std::size_t at_ = 0;
  Batch<Out> result_;
};

}  // namespace detail
}  // namespace slipstream
