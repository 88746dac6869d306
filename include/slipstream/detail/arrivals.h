#pragma once
#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/connector.h"
#include "slipstream/detail/mutex.h"

namespace slipstream::detail {

/// Between the I/O thread of a source, which adds what comes from outside, and the lane that reads the
/// source: bounded in bytes. Each side is one thread.
template <class T>
class Arrivals {
 public:
  enum class Input {
    fetching,  ///< more may be there
    quiet,     ///< all that was there has been fetched
    ended,
  };

  /// Before both sides begin. `wake_thread` is called by the lane when there is room again.
  void open(const SourceEnv& env, std::function<void()> wake_thread) {
    most_bytes_ = std::clamp(env.memory_budget, std::size_t{64} << 10, std::size_t{4} << 20);
    wake_reader_ = env.wake;
    wake_thread_ = std::move(wake_thread);
  }
  std::size_t most_bytes() const { return most_bytes_; }

  // The I/O thread.

  /// Tells nobody: set_input() does. Goes beyond the bound rather than refuse; look at has_room() before.
  void add(T item, std::size_t bytes) {
    const MutexLock lock(mutex_);
    held_bytes_ += bytes;
    held_.push_back({std::move(item), bytes});
  }
  /// False: `wake_thread` is called when there is. Having been full, it waits for more than a little room.
  bool has_room() {
    const MutexLock lock(mutex_);
    thread_waits_ = held_bytes_ >= (thread_waits_ ? most_bytes_ / 2 : most_bytes_);
    return !thread_waits_;
  }
  void set_input(Input input) {
    bool wake;
    {
      const MutexLock lock(mutex_);
      wake = reader_waits_ && (input_ != input || !held_.empty());
      input_ = input;
      if (wake) reader_waits_ = false;
    }
    if (wake) wake_reader_();
  }
  /// Nothing more comes; an error is what read() returns behind everything else.
  void end(absl::Status status) {
    {
      const MutexLock lock(mutex_);
      ending_ = std::move(status);
    }
    set_input(Input::ended);
  }

  // The lane.

  /// As RawSource::read. Calls hand_over(const std::vector<T>&) if there is something.
  template <class HandOver>
  absl::StatusOr<ReadState> read(const ReadLimits& limits, HandOver hand_over) {
    batch_.clear();
    const ReadState state = take(limits);
    if (batch_.empty()) return read_error_.ok() ? absl::StatusOr<ReadState>(state) : read_error_;
    hand_over(std::as_const(batch_));
    return read_error_.ok() ? state : ReadState::more;
  }

 private:
  struct Held {
    T item;
    std::size_t bytes;
  };

  ReadState take(const ReadLimits& limits) {
    bool has_room;
    ReadState state;
    {
      const MutexLock lock(mutex_);
      take_some(limits);
      has_room = thread_waits_ && held_bytes_ < most_bytes_ / 2;
      state = this->state();
      if (state == ReadState::finished) read_error_ = ending_;
      reader_waits_ = state == ReadState::caught_up || state == ReadState::waiting;
    }
    if (has_room) wake_thread_();
    return state;
  }
  void take_some(const ReadLimits& limits) SLIPSTREAM_REQUIRES(mutex_) {
    for (std::size_t bytes = 0;
         !held_.empty() && batch_.size() < limits.max_records && bytes < limits.max_bytes;) {
      bytes += held_.front().bytes;
      held_bytes_ -= held_.front().bytes;
      batch_.push_back(std::move(held_.front().item));
      held_.pop_front();
    }
  }
  ReadState state() const SLIPSTREAM_REQUIRES(mutex_) {
    if (!held_.empty()) return ReadState::more;
    if (input_ == Input::ended) return ReadState::finished;
    return input_ == Input::quiet ? ReadState::caught_up : ReadState::waiting;
  }

  std::size_t most_bytes_ = 0;
  std::function<void()> wake_reader_, wake_thread_;

  // Of the lane.
  std::vector<T> batch_;
  absl::Status read_error_;

  Mutex mutex_;
  std::deque<Held> held_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::size_t held_bytes_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
  absl::Status ending_ SLIPSTREAM_GUARDED_BY(mutex_);
  Input input_ SLIPSTREAM_GUARDED_BY(mutex_) = Input::fetching;
  bool reader_waits_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  bool thread_waits_ SLIPSTREAM_GUARDED_BY(mutex_) = false;  ///< for room
};

}  // namespace slipstream::detail
