#include "slipstream/detail/room.h"

#include <algorithm>

#include "slipstream/detail/operator.h"

namespace slipstream::detail {

void Room::fill(const std::vector<std::shared_ptr<SourceSwitch>>& behind) {
  const MutexLock lock(mutex_);
  is_full_ = true;
  for (const auto& source : behind) {
    if (std::find(paused_.begin(), paused_.end(), source) != paused_.end()) continue;
    source->hold_back(reason_);
    paused_.push_back(source);
  }
}

void Room::make() {
  const MutexLock lock(mutex_);
  if (!is_full_) return;
  is_full_ = false;
  for (const auto& source : paused_) source->let_go(reason_);
  paused_.clear();
  made_.notify_all();
}

void Room::wait() {
  if (is_in_lane()) return;
  MutexLock lock(mutex_);
  while (is_full_) lock.wait(made_);
}

}  // namespace slipstream::detail
