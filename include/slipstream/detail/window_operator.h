#pragma once
#include <algorithm>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "slipstream/detail/keyed.h"
#include "slipstream/window.h"

namespace slipstream::detail {

/// Something to look at when the watermark reaches a time, for one key.
template <class Key>
struct Due {
  EventTime at;
  std::uint64_t hash;
  Key key;
};
/// The earliest first.
template <class Key>
class DueQueue {
 public:
  bool empty() const { return heap_.empty(); }
  std::size_t bytes() const { return heap_.capacity() * sizeof(Due<Key>); }
  bool is_due(EventTime watermark) const {
    return !heap_.empty() && is_window_complete(heap_.front().at, watermark);
  }
  void push(EventTime at, std::uint64_t hash, const Key& key) {
    heap_.push_back({at, hash, key});
    std::push_heap(heap_.begin(), heap_.end(), is_later);
  }
  Due<Key> pop() {
    std::pop_heap(heap_.begin(), heap_.end(), is_later);
    Due<Key> first = std::move(heap_.back());
    heap_.pop_back();
    if (heap_.empty()) std::vector<Due<Key>>().swap(heap_);
    return first;
  }

 private:
  static bool is_later(const Due<Key>& a, const Due<Key>& b) {
    return std::pair(a.at, a.hash) > std::pair(b.at, b.hash);
  }
  std::vector<Due<Key>> heap_;
};

/// What operators that cut a keyed stream into windows have in common: one result per key and window when the
/// watermark reaches the window's end.
template <class In, class KeyOf, class State>
class WindowOperator : public KeyedOperator<In, KeyOf> {
  using Base = KeyedOperator<In, KeyOf>;

 public:
  using Base::Base;
  using typename Base::Key;
  OutputPort<Windowed<Key, State>> out;
  OutputPort<In> late;

  void on_watermark(std::span<const EventTime> ports) override {
    BusyScope busy(*this);
    watermark_ = ports[0];
    close();
  }
  bool has_pending() const override { return pending_; }
  void resume() override {
    BusyScope busy(*this);
    close();
  }

 protected:
  /// Emits complete windows, oldest first, as long as emit() says yes.
  virtual void close_windows() = 0;
  virtual std::size_t state_bytes() const = 0;

  EventTime watermark() const { return watermark_; }
  /// False: downstream is full, go on in the next close_windows().
  bool emit(const Key& key, std::uint64_t hash, TimeRange window, State&& state) {
    result_.values.push_back({key, window, std::move(state)});
    // The last instant inside the window, so that a window behind this one takes the result as its own.
    result_.append_columns(window.end - Duration{1}, result_id(window.end, hash));
    if (result_.size() < this->lane().max_batch) return true;
    send();
    pending_ = this->lane().should_pause();
    return !pending_;
  }
  /// Calls a user's function that no record can be blamed for; when it throws, the run fails.
  template <class F>
  void guard_result(EventTime end, std::uint64_t hash, F&& f) {
    try {
      f();
    } catch (...) {
      this->lane().fail(*this, result_id(end, hash), "merge: " + describe_current_exception());
    }
  }
  void divert_late(Batch<In>& batch, std::size_t at) {
    this->counters.late += 1;
    if (!late.connected()) return;
    late_.append_columns(batch, at);
    late_.values.push_back(std::move(batch.values[at]));
    this->counters.out += 1;
  }
  void end_of_batch() {
    this->counters.state_bytes.set(state_bytes());
    late.emit(late_);
  }

 private:
  RecordId result_id(EventTime end, std::uint64_t hash) const {
    return {this->env_.node_id, static_cast<std::uint32_t>(hash >> 32), end.time_since_epoch().count(),
            static_cast<std::uint32_t>(hash)};
  }
  void close() {
    pending_ = false;
    close_windows();
    send();
    this->counters.state_bytes.set(state_bytes());
  }
  void send() {
    this->counters.out += result_.size();
    out.emit(result_);
  }

  EventTime watermark_ = kMinTime;
  bool pending_ = false;
  Batch<Windowed<Key, State>> result_;
  Batch<In> late_;
};

}  // namespace slipstream::detail
