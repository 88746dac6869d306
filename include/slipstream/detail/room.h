#pragma once
#include <condition_variable>
#include <memory>
#include <string>
#include <vector>

#include "slipstream/detail/mutex.h"
#include "slipstream/detail/source_switch.h"

namespace slipstream::detail {

/// The room in front of somebody who is slow. Once it is full, those who filled it wait until there is some
/// again: a handler for its next message, by a pause of the sources its messages come from, so that no lane
/// is held up; other threads in wait(). From any thread, but fill() and make() one at a time.
class Room {
 public:
  /// `reason`: of the pauses; nobody else's.
  explicit Room(std::string reason) : reason_(std::move(reason)) {}
  /// `behind`: what feeds who filled it; of several times, all wait.
  void fill(const std::vector<std::shared_ptr<SourceSwitch>>& behind);
  void make();
  /// In a lane it doesn't.
  void wait();

 private:
  const std::string reason_;
  Mutex mutex_;
  std::condition_variable made_;
  bool is_full_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<SourceSwitch>> paused_ SLIPSTREAM_GUARDED_BY(mutex_);
};

}  // namespace slipstream::detail
