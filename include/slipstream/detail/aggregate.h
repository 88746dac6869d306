#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/detail/keyed.h"
#include "slipstream/detail/window_operator.h"
#include "slipstream/window.h"

namespace slipstream::detail {

/// Adds each record to its key's state and emits the state after it. Key-ordered: equals a loop over each
/// key's records in their order.
template <class In, class KeyOf, class State, class Add>
class RunningAggregate final : public KeyedOperator<In, KeyOf> {
  using Base = KeyedOperator<In, KeyOf>;

 public:
  using typename Base::Key;
  RunningAggregate(const OperatorEnv& env, std::shared_ptr<const KeyOf> key_of,
                   std::shared_ptr<const Add> add)
      : Base(env, std::move(key_of)), add_(std::move(add)) {}
  OutputPort<Keyed<Key, State>> out;

  void snapshot(SnapshotWriter& writer) const override {
    Base::snapshot(writer);
    states_.for_each([&](const Key& key, const State& state) {
      std::string entry(1, Base::kStateEntry);
      store(key, entry);
      store(state, entry);
      writer.put(this->slot(hash_key(key)), std::move(entry));
    });
  }
  absl::Status restore(std::uint32_t slot, std::string_view entry) override {
    if (entry.empty() || entry.front() != Base::kStateEntry) return Base::restore(slot, entry);
    entry.remove_prefix(1);
    Key key{};
    State state{};
    if (!load(entry, key) || !load(entry, state)) return absl::DataLossError("a key's state is damaged");
    states_(key, hash_key(key)) = std::move(state);
    return absl::OkStatus();
  }
  std::string state_schema() const override {
    return "running " + schema_of<Key>() + " " + schema_of<State>() + " " + Base::state_schema();
  }

 protected:
  void process(Batch<In>& batch) override {
    result_.values.reserve(batch.size());
    std::size_t i = 0;
    std::size_t kept = 0;
    Undo<State> undo(needs_undo(this->env_.errors));
    LookAhead ahead;
    this->guarded(
        batch, i,
        [&](std::size_t at) {
          undo.begin();
          decltype(auto) key = this->key(batch.values[at]);
          const auto [hash, guess] = this->look_up(ahead, batch, at, key, states_);
          bool is_new = false;
          State& state = states_(key, hash, guess, &is_new);
          undo.before(state, is_new);
          (*add_)(state, batch.values[at]);
          result_.values.push_back({key, state});
          if (kept != at) [[unlikely]]
            batch.move_columns_down(at, kept);
          ++kept;
          return true;
        },
        [&](std::size_t at) {
          take_back(batch.values[at], undo);
          ahead.forget();
        });
    batch.truncate_columns(kept);
    result_.take_columns(batch);
    this->counters.forwarded += kept;
    this->counters.out += kept;
    this->counters.state_bytes.set(states_.table_bytes());
    out.emit(result_);
  }

 private:
  void take_back(const In& record, Undo<State>& undo) {
    if (!undo.needed()) return;
    const Key key = this->key(record);
    if (undo.was_new()) {
      states_.erase(key, hash_key(key));
    } else {
      states_(key, hash_key(key)) = std::move(undo.copy());
    }
  }

  std::shared_ptr<const Add> add_;
  KeyTable<Key, State> states_;
  Batch<Keyed<Key, State>> result_;
};

/// One result per key and tumbling window when the watermark passes the window's end. Final: the set of
/// results doesn't depend on arrival order within the bound, parallelism, batches or schedule.
template <class In, class KeyOf, class State, class Add>
class TumblingAggregate final : public WindowOperator<In, KeyOf, State> {
  using Base = WindowOperator<In, KeyOf, State>;

 public:
  using typename Base::Key;
  TumblingAggregate(const OperatorEnv& env, std::shared_ptr<const KeyOf> key_of, Tumbling window,
                    std::shared_ptr<const Add> add)
      : Base(env, std::move(key_of)), window_(window), add_(std::move(add)) {}
  void snapshot(SnapshotWriter& writer) const override {
    Base::snapshot(writer);
    for (const auto& [start, states] : windows_) {
      states.for_each([&, start = start](const Key& key, const State& state) {
        std::string entry(1, Base::kStateEntry);
        store(start, entry);
        store(key, entry);
        store(state, entry);
        writer.put(this->slot(hash_key(key)), std::move(entry));
      });
    }
  }
  absl::Status restore(std::uint32_t slot, std::string_view entry) override {
    if (entry.empty() || entry.front() != Base::kStateEntry) return Base::restore(slot, entry);
    entry.remove_prefix(1);
    EventTime start;
    Key key{};
    State state{};
    if (!load(entry, start) || !load(entry, key) || !load(entry, state)) {
      return absl::DataLossError("a window's state is damaged");
    }
    States& states = windows_[start];
    const std::size_t before = states.table_bytes();
    states(key, hash_key(key)) = std::move(state);
    count_bytes(states, before);
    return absl::OkStatus();
  }
  std::string state_schema() const override {
    return "tumbling " + std::to_string(window_.size.count()) + "+" + std::to_string(window_.offset.count()) +
           "us " + schema_of<Key>() + " " + schema_of<State>() + " " + Base::state_schema();
  }

 protected:
  void process(Batch<In>& batch) override {
    std::size_t i = 0;
    std::size_t absorbed = 0;
    Undo<State> undo(needs_undo(this->env_.errors));
    LookAhead ahead;
    // Most records fall into the window of the one before them, and most others into the one before that.
    Used used, other;
    this->guarded(
        batch, i,
        [&](std::size_t at) {
          const EventTime time = batch.times[at];
          const TimeRange window = used.holds(time)    ? used.window
                                   : other.holds(time) ? other.window
                                                       : window_of(time, window_);
          if (batch.is_late_for(at, window.end)) {
            this->divert_late(batch, at);
            return true;
          }
          if (window != used.window) {
            std::swap(used, other);
            if (window != used.window) {
              count_bytes(used);
              used = use(window);
            }
          }
          undo.begin();
          decltype(auto) key = this->key(batch.values[at]);
          const auto [hash, guess] = this->look_up(ahead, batch, at, key, *used.states);
          bool is_new = false;
          State& state = (*used.states)(key, hash, guess, &is_new);
          undo.before(state, is_new);
          (*add_)(state, batch.values[at]);
          ++absorbed;
          return true;
        },
        [&](std::size_t at) {
          take_back(batch, at, undo);
          ahead.forget();
        });
    this->counters.absorbed += absorbed;
    count_bytes(used);
    count_bytes(other);
    this->end_of_batch();
  }
  void close_windows() override {
    while (!windows_.empty()) {
      auto& [start, states] = *windows_.begin();
      const EventTime end = saturating_plus(start, window_.size);
      if (!is_window_complete(end, this->watermark())) break;
      while (auto* slot = states.next(position_)) {
        ++position_;
        if (!this->emit(slot->key, hash_key(slot->key), {start, end}, std::move(slot->value))) return;
      }
      bytes_ -= states.table_bytes();
      states.clear();
      spare_ = std::move(states);  // the next window will have about as many keys
      windows_.erase(windows_.begin());
      position_ = 0;
    }
  }
  std::size_t state_bytes() const override { return bytes_; }

 private:
  using States = KeyTable<Key, State>;

  /// A window that process() is filling.
  struct Used {
    TimeRange window{kMaxTime, kMinTime};
    States* states = nullptr;
    std::size_t bytes_before = 0;
    bool holds(EventTime time) const { return time >= window.start && time < window.end; }
  };
  Used use(const TimeRange& window) {
    const auto [at, is_new] = windows_.try_emplace(window.start);
    if (is_new) {
      at->second = std::move(spare_);
      bytes_ += at->second.table_bytes();
    }
    return {window, &at->second, at->second.table_bytes()};
  }

  void take_back(const Batch<In>& batch, std::size_t at, Undo<State>& undo) {
    if (!undo.needed()) return;
    States& states = windows_[window_start(batch.times[at], window_)];
    const Key key = this->key(batch.values[at]);
    if (undo.was_new()) {
      states.erase(key, hash_key(key));
    } else {
      states(key, hash_key(key)) = std::move(undo.copy());
    }
  }
  void count_bytes(const Used& used) {
    if (used.states) count_bytes(*used.states, used.bytes_before);
  }
  void count_bytes(const States& states, std::size_t before) { bytes_ += states.table_bytes() - before; }

  Tumbling window_;
  std::shared_ptr<const Add> add_;
  std::map<EventTime, States> windows_;
  States spare_;              ///< of a window that was closed: empty, with its memory
  std::size_t bytes_ = 0;     ///< of all windows
  std::size_t position_ = 0;  ///< in the oldest window, while it is being emitted
};

}  // namespace slipstream::detail
