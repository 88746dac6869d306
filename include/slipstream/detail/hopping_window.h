#pragma once
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/detail/window_operator.h"

namespace slipstream::detail {

/// One result per key and hopping window when the watermark passes the window's end. Final, as tumbling
/// windows.
///
/// Where states can be merged, a record goes into the one slice of time that all its windows share, and a
/// window is merged from its slices when it closes; otherwise it goes into each of its windows. So does a
/// record that is late for some of its windows: a slice would bring it into those as well, where they happen
/// to be open still.
template <class In, class KeyOf, class State, class Add>
class HoppingAggregate final : public WindowOperator<In, KeyOf, State> {
  using Base = WindowOperator<In, KeyOf, State>;

 public:
  using typename Base::Key;
  HoppingAggregate(const OperatorEnv& env, std::shared_ptr<const KeyOf> key_of, Hopping window,
                   std::shared_ptr<const Add> add)
      : Base(env, std::move(key_of)),
        window_(window),
        slice_{Duration(std::gcd(window.size.count(), window.hop.count())), Duration{0}},
        add_(std::move(add)) {
    slice_.offset = window.offset % slice_.size;
  }

  void snapshot(SnapshotWriter& writer) const override {
    Base::snapshot(writer);
    for (const auto& [start, states] : windows_) store_states(kWindowEntry, start, kMinTime, states, writer);
    for (const auto& [slice, states] : slices_) {
      store_states(kSliceEntry, slice.start, std::max(slice.first_window, next_), states, writer);
    }
  }
  absl::Status restore(std::uint32_t slot, std::string_view entry) override {
    const char kind = entry.empty() ? 0 : entry.front();
    if (kind != kWindowEntry && kind != kSliceEntry) return Base::restore(slot, entry);
    entry.remove_prefix(1);
    EventTime start, first_window;
    Key key{};
    State state{};
    if (!load(entry, start) || !load(entry, first_window) || !load(entry, key) || !load(entry, state)) {
      return absl::DataLossError("a window's state is damaged");
    }
    if (kind == kSliceEntry) next_ = slices_.empty() ? first_window : std::min(next_, first_window);
    States& states = kind == kSliceEntry ? slices_[{start, first_window}] : windows_[start];
    bytes_ -= states.table_bytes();
    try {  // what two snapshots brought into a slice may come as two states
      merge_into(states, key, hash_key(key), state);
    } catch (...) {
      return absl::AbortedError("merge: " + describe_current_exception());
    }
    bytes_ += states.table_bytes();
    return absl::OkStatus();
  }
  std::string state_schema() const override {
    return "hopping " + std::to_string(window_.size.count()) + "/" + std::to_string(window_.hop.count()) +
           "+" + std::to_string(window_.offset.count()) + "us " + schema_of<Key>() + " " +
           schema_of<State>() + " " + Base::state_schema();
  }

 protected:
  void process(Batch<In>& batch) override {
    std::size_t i = 0;
    std::size_t absorbed = 0;
    this->guarded(
        batch, i,
        [&](std::size_t at) {
          changes_.clear();
          const EventTime last = last_window(batch.times[at], window_);
          if (batch.is_late_for(at, end_of(last))) {
            this->divert_late(batch, at);
            return true;
          }
          add(batch, at, first_window(batch.times[at], window_), last);
          ++absorbed;
          return true;
        },
        [&](std::size_t at) { take_back(batch.values[at]); });
    this->counters.absorbed += absorbed;
    this->end_of_batch();
  }
  void close_windows() override {
    while (is_closing_ || begin_to_close()) {
      while (auto* slot = closing_.next(position_)) {
        ++position_;
        const std::uint64_t hash = hash_key(slot->key);
        if (!this->emit(slot->key, hash, {closing_start_, end_of(closing_start_)}, std::move(slot->value))) {
          return;
        }
      }
      is_closing_ = false;
      closing_.capacity() > kSparse*(closing_.size() + 1) ? void(closing_ = {}) : closing_.clear();
    }
    if (slices_.empty() && windows_.empty()) closing_ = {};
  }
  std::size_t state_bytes() const override { return bytes_ + closing_.table_bytes(); }

 private:
  using States = KeyTable<Key, State>;
  struct Slice {
    EventTime start;
    EventTime first_window;  ///< earlier ones were closed before the snapshot it is from
    friend auto operator<=>(const Slice&, const Slice&) = default;
  };
  struct Change {
    States* states;
    std::unique_ptr<State> before;  ///< null: it was new
  };
  static constexpr bool kMerges = Add::kMerges;
  static constexpr std::size_t kSparse = 64;  ///< slots a key, from which on a table isn't used again
  static constexpr char kWindowEntry = 'W';
  static constexpr char kSliceEntry = 'L';

  void store_states(char kind, EventTime start, EventTime first_window, const States& states,
                    SnapshotWriter& writer) const {
    states.for_each([&](const Key& key, const State& state) {
      std::string entry(1, kind);
      store(start, entry);
      store(first_window, entry);
      store(key, entry);
      store(state, entry);
      writer.put(this->slot(hash_key(key)), std::move(entry));
    });
  }
  EventTime end_of(EventTime start) const { return saturating_plus(start, window_.size); }

  void add(const Batch<In>& batch, std::size_t at, EventTime first, EventTime last) {
    decltype(auto) key = this->key(batch.values[at]);
    const std::uint64_t hash = hash_key<Key>(key);
    if (kMerges && !batch.is_late_for(at, end_of(first))) {
      add_to(slices_[{window_start(batch.times[at], slice_), kMinTime}], key, hash, batch.values[at]);
      return;
    }
    for (EventTime start = first;; start += window_.hop) {
      if (!batch.is_late_for(at, end_of(start))) add_to(windows_[start], key, hash, batch.values[at]);
      if (start == last) break;
    }
  }
  void add_to(States& states, const Key& key, std::uint64_t hash, const In& record) {
    const std::size_t before = states.table_bytes();
    bool is_new = false;
    State& state = states(key, hash, &is_new);
    bytes_ += states.table_bytes() - before;
    if (needs_undo(this->env_.errors))
      changes_.push_back({&states, is_new ? nullptr : std::make_unique<State>(state)});
    (*add_)(state, record);
  }
  void take_back(const In& record) {
    for (Change& change : changes_) {
      const Key key = this->key(record);
      if (change.before) {
        (*change.states)(key, hash_key(key)) = std::move(*change.before);
      } else {
        change.states->erase(key, hash_key(key));
      }
    }
    changes_.clear();
  }

  /// The next window that has records, if the watermark has reached its end, as closing_.
  bool begin_to_close() {
    if (slices_.empty() && windows_.empty()) return false;
    EventTime start = kMaxTime;
    if (!slices_.empty()) start = std::max(next_, first_window(slices_.begin()->first.start, window_));
    if (!windows_.empty()) start = std::min(start, windows_.begin()->first);
    if (!is_window_complete(end_of(start), this->watermark())) return false;
    is_closing_ = true;
    position_ = 0;
    closing_start_ = start;
    next_ = saturating_plus(start, window_.hop);
    take_slices(start);
    take_window(start);
    return true;
  }
  void take_slices(EventTime start) {
    if constexpr (kMerges) {
      for (auto it = slices_.begin(); it != slices_.end() && it->first.start < end_of(start);) {
        if (it->first.first_window <= start) {
          it->second.for_each([&](const Key& key, const State& state) { merge(key, state, start); });
        }
        if (it->first.start < next_) {
          bytes_ -= it->second.table_bytes();
          it = slices_.erase(it);
        } else {
          ++it;
        }
      }
    }
  }
  void take_window(EventTime start) {
    const auto window = windows_.find(start);
    if (window == windows_.end()) return;
    bytes_ -= window->second.table_bytes();
    if (closing_.empty()) {
      closing_ = std::move(window->second);
    } else {
      window->second.for_each([&](const Key& key, const State& state) { merge(key, state, start); });
    }
    windows_.erase(window);
  }
  void merge(const Key& key, const State& state, EventTime start) {
    const std::uint64_t hash = hash_key(key);
    this->guard_result(end_of(start), hash, [&] { merge_into(closing_, key, hash, state); });
  }
  void merge_into(States& states, const Key& key, std::uint64_t hash, const State& state) {
    bool is_new = false;
    State& whole = states(key, hash, &is_new);
    if constexpr (kMerges) {
      if (!is_new) return add_->merge(whole, state);
    }
    whole = state;
  }

  Hopping window_;
  Tumbling slice_;
  std::shared_ptr<const Add> add_;
  std::map<Slice, States> slices_;
  std::map<EventTime, States> windows_;
  EventTime next_ = kMinTime;  ///< slices belong to no window before it any more
  std::size_t bytes_ = 0;      ///< of slices and windows
  std::vector<Change> changes_;
  bool is_closing_ = false;
  EventTime closing_start_ = kMinTime;
  States closing_;
  std::size_t position_ = 0;  ///< in closing_
};

}  // namespace slipstream::detail
