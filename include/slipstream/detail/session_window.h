#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/detail/window_operator.h"

namespace slipstream::detail {

/// One result per key and session, when the watermark says that no record can prolong it. A record opens
/// [time, time + gap); sessions that overlap become one. Final: that doesn't depend on the order in which
/// they come, because a record on time never overlaps a session that was closed.
template <class In, class KeyOf, class State, class Add>
class SessionAggregate final : public WindowOperator<In, KeyOf, State> {
  using Base = WindowOperator<In, KeyOf, State>;

 public:
  using typename Base::Key;
  SessionAggregate(const OperatorEnv& env, std::shared_ptr<const KeyOf> key_of, Session window,
                   std::shared_ptr<const Add> add)
      : Base(env, std::move(key_of)), gap_(window.gap), add_(std::move(add)) {}

  void snapshot(SnapshotWriter& writer) const override {
    Base::snapshot(writer);
    keys_.for_each([&](const Key& key, const OfKey& of_key) {
      for (const Open& open : of_key.sessions) {
        std::string entry(1, Base::kStateEntry);
        store(key, entry);
        store(open.first, entry);
        store(open.last, entry);
        store(open.state, entry);
        writer.put(this->slot(hash_key(key)), std::move(entry));
      }
    });
  }
  absl::Status restore(std::uint32_t slot, std::string_view entry) override {
    if (entry.empty() || entry.front() != Base::kStateEntry) return Base::restore(slot, entry);
    entry.remove_prefix(1);
    Key key{};
    Open open;
    if (!load(entry, key) || !load(entry, open.first) || !load(entry, open.last) ||
        !load(entry, open.state)) {
      return absl::DataLossError("a session's state is damaged");
    }
    OfKey& of_key = keys_(key, hash_key(key));
    const EventTime first = open.first;
    const auto behind = std::find_if(of_key.sessions.begin(), of_key.sessions.end(),
                                     [&](const Open& other) { return other.first > first; });
    schedule(of_key, end_of(*of_key.sessions.insert(behind, std::move(open))), hash_key(key), key);
    ++sessions_;
    return absl::OkStatus();
  }
  std::string state_schema() const override {
    return "session " + std::to_string(gap_.count()) + "us " + schema_of<Key>() + " " + schema_of<State>() +
           " " + Base::state_schema();
  }

 protected:
  void process(Batch<In>& batch) override {
    std::size_t i = 0;
    std::size_t absorbed = 0;
    Undo<OfKey> undo(needs_undo(this->env_.errors));
    this->guarded(
        batch, i,
        [&](std::size_t at) {
          undo.begin();
          if (batch.is_late_record(at)) {
            this->divert_late(batch, at);
            return true;
          }
          decltype(auto) key = this->key(batch.values[at]);
          const std::uint64_t hash = hash_key<Key>(key);
          bool is_new = false;
          OfKey& of_key = keys_(key, hash, &is_new);
          undo.before(of_key, is_new);
          add(of_key, batch.times[at], batch.values[at], hash, key);
          ++absorbed;
          return true;
        },
        [&](std::size_t at) { take_back(batch.values[at], undo); });
    this->counters.absorbed += absorbed;
    this->end_of_batch();
  }
  void close_windows() override {
    while (due_.is_due(this->watermark())) {
      const Due<Key> due = due_.pop();
      OfKey* of_key = keys_.find(due.key, due.hash);
      if (!of_key || of_key->due != due.at) continue;  // another entry has taken its place
      Open& first = of_key->sessions.front();
      const TimeRange window{first.first, end_of(first)};
      if (!is_window_complete(window.end, this->watermark())) {  // it has grown
        schedule_anew(*of_key, due);
        continue;
      }
      State state = std::move(first.state);
      of_key->sessions.erase(of_key->sessions.begin());
      --sessions_;
      schedule_anew(*of_key, due);
      if (!this->emit(due.key, due.hash, window, std::move(state))) return;
    }
    if (keys_.empty()) keys_ = {};
  }
  std::size_t state_bytes() const override {
    return keys_.table_bytes() + sessions_ * sizeof(Open) + due_.bytes();
  }

 private:
  struct Open {
    EventTime first, last;  ///< of its records
    State state{};
  };
  struct OfKey {
    std::vector<Open> sessions;  ///< by time; they don't overlap
    EventTime due = kNever;      ///< when it is looked at: not after the first one's end
  };
  static constexpr EventTime kNever = kMaxTime;

  EventTime end_of(const Open& open) const { return saturating_plus(open.last, gap_); }
  /// Whether two records are in different sessions when none is between them. Not by end_of(): at the end of
  /// time that is the same for all.
  bool is_gap(EventTime earlier, EventTime later) const { return saturating_minus(later, gap_) >= earlier; }

  void add(OfKey& of_key, EventTime time, const In& record, std::uint64_t hash, const Key& key) {
    auto& sessions = of_key.sessions;
    auto session = std::find_if(sessions.begin(), sessions.end(),
                                [&](const Open& open) { return !is_gap(open.last, time); });
    if (session == sessions.end() || is_gap(time, session->first)) {
      session = sessions.insert(session, Open{time, time});
      ++sessions_;
    }
    session->first = std::min(session->first, time);
    session->last = std::max(session->last, time);
    const auto next = session + 1;
    if (next != sessions.end() && !is_gap(session->last, next->first)) {
      add_->merge(session->state, std::as_const(next->state));
      session->last = next->last;
      sessions.erase(next);
      --sessions_;
    }
    (*add_)(session->state, record);
    schedule(of_key, end_of(*session), hash, key);
  }
  /// A session that grows is found again when it was due: most records change nothing here.
  void schedule(OfKey& of_key, EventTime end, std::uint64_t hash, const Key& key) {
    if (of_key.due != kNever && of_key.due <= end) return;
    of_key.due = end;
    due_.push(end, hash, key);
  }
  void schedule_anew(OfKey& of_key, const Due<Key>& due) {
    of_key.due = kNever;
    if (of_key.sessions.empty()) {
      keys_.erase(due.key, due.hash);
    } else {
      schedule(of_key, end_of(of_key.sessions.front()), due.hash, due.key);
    }
  }
  void take_back(const In& record, Undo<OfKey>& undo) {
    if (!undo.needed()) return;
    const Key key = this->key(record);
    const std::uint64_t hash = hash_key(key);
    OfKey& of_key = keys_(key, hash);
    sessions_ -= of_key.sessions.size();
    if (undo.was_new()) {
      keys_.erase(key, hash);
    } else {
      of_key = std::move(undo.copy());
      sessions_ += of_key.sessions.size();
    }
  }

  Duration gap_;
  std::shared_ptr<const Add> add_;
  KeyTable<Key, OfKey> keys_;
  std::size_t sessions_ = 0;
  DueQueue<Key> due_;
};

}  // namespace slipstream::detail
