#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/detail/window_operator.h"

namespace slipstream::detail {

/// One key's states by instant, with a window that moves over them: its result costs two merges, however long
/// it is. The two-stacks algorithm (Tangwongsan, Hirzel, Schneider: General incremental sliding-window
/// aggregation, VLDB 2015) on one array:
///
///   [first, middle)    each state is merged from its own instant up to middle
///   [middle, reached)  in the window too; back is all of them merged
///   [reached, …)       not reached yet: records may still come
template <class State, class Add>
class SlidingStates {
 public:
  struct Instant {
    EventTime time;
    State state{};
  };

  EventTime expiry = kMinTime;  ///< when the key is looked at for that

  std::size_t size() const { return instants_.size() - first_; }
  EventTime newest() const { return instants_.back().time; }
  /// The first instant not reached, or null.
  const Instant* next() const { return reached_ < instants_.size() ? &instants_[reached_] : nullptr; }

  /// The state of an instant not reached yet.
  State& at(EventTime time, bool& is_new) {
    const auto waiting = instants_.begin() + static_cast<std::ptrdiff_t>(reached_);
    auto it = instants_.end();
    while (it != waiting && (it - 1)->time > time) --it;
    is_new = it == waiting || (it - 1)->time != time;
    if (is_new) it = instants_.insert(it, Instant{time, {}}) + 1;
    return (it - 1)->state;
  }
  void erase(EventTime time) {
    std::erase_if(instants_, [&](const Instant& instant) { return instant.time == time; });
  }
  /// Moves the window's end to the next instant and its beginning to `begin`, and returns its state. The
  /// instant is reached also when the user's merge throws, which fails the run.
  State advance(EventTime begin, const Add& add) {
    const bool is_first = reached_ == middle_;
    const State& next = instants_[reached_++].state;
    is_first ? void(back_ = next) : add.merge(back_, next);
    while (instants_[first_].time < begin) {
      if (first_ == middle_) turn_over(add);
      ++first_;
    }
    if (2 * first_ > instants_.size()) drop();
    if (first_ == middle_) return back_;
    State whole = instants_[first_].state;
    if (middle_ < reached_) add.merge(whole, std::as_const(back_));
    return whole;
  }

  void store_to(std::string& out) const {
    store(static_cast<std::uint64_t>(size()), out);
    store(static_cast<std::uint64_t>(middle_ - first_), out);
    store(static_cast<std::uint64_t>(reached_ - first_), out);
    store(back_, out);
    for (std::size_t i = first_; i < instants_.size(); ++i) {
      store(instants_[i].time, out);
      store(instants_[i].state, out);
    }
  }
  bool load_from(std::string_view& in) {
    std::uint64_t size = 0, middle = 0, reached = 0;
    if (!load(in, size) || !load(in, middle) || !load(in, reached) || !load(in, back_)) return false;
    if (size == 0 || size > in.size() || middle > reached || reached > size) return false;
    for (std::uint64_t i = 0; i < size; ++i) {
      Instant instant;
      if (!load(in, instant.time) || !load(in, instant.state)) return false;
      instants_.push_back(std::move(instant));
    }
    middle_ = middle;
    reached_ = reached;
    return true;
  }
  /// Of the instants not reached yet.
  template <class F>
  void for_each_waiting(F&& f) const {
    for (std::size_t i = reached_; i < instants_.size(); ++i) f(instants_[i].time);
  }

 private:
  /// The part behind the middle, when nothing is left before it, comes before it.
  void turn_over(const Add& add) {
    for (std::size_t i = reached_ - 1; i-- > first_;) {
      add.merge(instants_[i].state, std::as_const(instants_[i + 1].state));
    }
    middle_ = reached_;
  }
  void drop() {
    instants_.erase(instants_.begin(), instants_.begin() + static_cast<std::ptrdiff_t>(first_));
    middle_ -= first_;
    reached_ -= first_;
    first_ = 0;
  }

  std::vector<Instant> instants_;
  std::size_t first_ = 0;  ///< those before it were dropped
  std::size_t middle_ = 0;
  std::size_t reached_ = 0;
  State back_{};
};

/// One result per key and instant that has a record, over the records of the time before it, when the
/// watermark has passed that instant. Final, as tumbling windows.
template <class In, class KeyOf, class State, class Add>
class SlidingAggregate final : public WindowOperator<In, KeyOf, State> {
  using Base = WindowOperator<In, KeyOf, State>;

 public:
  using typename Base::Key;
  SlidingAggregate(const OperatorEnv& env, std::shared_ptr<const KeyOf> key_of, Sliding window,
                   std::shared_ptr<const Add> add)
      : Base(env, std::move(key_of)), size_(window.size), add_(std::move(add)) {}

  void snapshot(SnapshotWriter& writer) const override {
    Base::snapshot(writer);
    keys_.for_each([&](const Key& key, const States& states) {
      std::string entry(1, Base::kStateEntry);
      store(key, entry);
      states.store_to(entry);
      writer.put(this->slot(hash_key(key)), std::move(entry));
    });
  }
  absl::Status restore(std::uint32_t slot, std::string_view entry) override {
    if (entry.empty() || entry.front() != Base::kStateEntry) return Base::restore(slot, entry);
    entry.remove_prefix(1);
    Key key{};
    States states;
    if (!load(entry, key) || !states.load_from(entry)) {
      return absl::DataLossError("a window's state is damaged");
    }
    const std::uint64_t hash = hash_key(key);
    states.for_each_waiting([&](EventTime time) { due_.push(end_of(time), hash, key); });
    look_for_expiry(states, hash, key);
    instants_ += states.size();
    keys_(key, hash) = std::move(states);
    return absl::OkStatus();
  }
  std::string state_schema() const override {
    return "sliding " + std::to_string(size_.count()) + "us " + schema_of<Key>() + " " + schema_of<State>() +
           " " + Base::state_schema();
  }

 protected:
  void process(Batch<In>& batch) override {
    std::size_t i = 0;
    std::size_t absorbed = 0;
    Undo<State> undo(needs_undo(this->env_.errors));
    this->guarded(
        batch, i,
        [&](std::size_t at) {
          undo.begin();
          if (batch.is_late_record(at)) {
            this->divert_late(batch, at);
            return true;
          }
          add(batch.values[at], batch.times[at], undo);
          ++absorbed;
          return true;
        },
        [&](std::size_t at) { take_back(batch.values[at], batch.times[at], undo); });
    this->counters.absorbed += absorbed;
    this->end_of_batch();
  }
  void close_windows() override {
    while (due_.is_due(this->watermark())) {
      const Due<Key> due = due_.pop();
      States* states = keys_.find(due.key, due.hash);
      if (!states) continue;
      if (const auto* next = states->next(); next && end_of(next->time) == due.at) {
        if (!emit_window(due, *states, next->time)) return;
      } else if (due.at == states->expiry) {
        expire(due, *states);
      }
    }
    if (keys_.empty()) keys_ = {};
  }
  std::size_t state_bytes() const override {
    return keys_.table_bytes() + instants_ * sizeof(typename States::Instant) + due_.bytes();
  }

 private:
  using States = SlidingStates<State, Add>;

  static EventTime end_of(EventTime time) { return saturating_plus(time, Duration{1}); }
  /// When no window reaches back to any of its instants.
  EventTime expiry_of(const States& states) const { return end_of(saturating_plus(states.newest(), size_)); }

  void add(const In& record, EventTime time, Undo<State>& undo) {
    decltype(auto) key = this->key(record);
    const std::uint64_t hash = hash_key<Key>(key);
    bool is_new_key = false;
    bool is_new = false;
    States& states = keys_(key, hash, &is_new_key);
    State& state = states.at(time, is_new);
    undo.before(state, is_new);
    if (is_new) {
      ++instants_;
      due_.push(end_of(time), hash, key);
    }
    if (is_new_key) look_for_expiry(states, hash, key);
    (*add_)(state, record);
  }
  void take_back(const In& record, EventTime time, Undo<State>& undo) {
    if (!undo.needed()) return;
    const Key key = this->key(record);
    const std::uint64_t hash = hash_key(key);
    States& states = keys_(key, hash);
    bool is_new = false;
    if (!undo.was_new()) {
      states.at(time, is_new) = std::move(undo.copy());
      return;
    }
    states.erase(time);
    --instants_;
    if (states.size() == 0) keys_.erase(key, hash);
  }
  bool emit_window(const Due<Key>& due, States& states, EventTime time) {
    const TimeRange window{saturating_minus(time, size_), due.at};
    State whole{};
    instants_ -= states.size();
    this->guard_result(window.end, due.hash, [&] { whole = states.advance(window.start, *add_); });
    instants_ += states.size();
    return this->emit(due.key, due.hash, window, std::move(whole));
  }
  void look_for_expiry(States& states, std::uint64_t hash, const Key& key) {
    states.expiry = expiry_of(states);
    due_.push(states.expiry, hash, key);
  }
  void expire(const Due<Key>& due, States& states) {
    if (states.next() || !is_window_complete(expiry_of(states), this->watermark())) {
      look_for_expiry(states, due.hash, due.key);
      return;
    }
    instants_ -= states.size();
    keys_.erase(due.key, due.hash);
  }

  Duration size_;
  std::shared_ptr<const Add> add_;
  KeyTable<Key, States> keys_;
  std::size_t instants_ = 0;
  DueQueue<Key> due_;
};

}  // namespace slipstream::detail
