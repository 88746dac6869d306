#include "runtime/stepped_executor.h"

#include <algorithm>
#include <utility>

#include "runtime/lane.h"

namespace slipstream::runtime {

void SteppedExecutor::schedule(Lane& lane) {
  {
    const detail::MutexLock lock(mutex_);
    if (stopped_) return;
    ready_.push_back(&lane);
  }
  changed_.notify_one();
}

std::chrono::nanoseconds SteppedExecutor::now() const {
  if (!random_) return std::chrono::steady_clock::now().time_since_epoch();
  const detail::MutexLock lock(mutex_);
  return virtual_now_;
}

void SteppedExecutor::call_at(std::chrono::nanoseconds when, std::function<void()> f) {
  {
    const detail::MutexLock lock(mutex_);
    if (stopped_) return;
    due_.emplace(when, std::move(f));
  }
  changed_.notify_one();
}

void SteppedExecutor::finish() {
  {
    const detail::MutexLock lock(mutex_);
    finished_ = true;
  }
  changed_.notify_one();
}

void SteppedExecutor::stop() {
  const detail::MutexLock lock(mutex_);
  stopped_ = true;
  ready_.clear();
  due_.clear();
}

std::optional<std::function<void()>> SteppedExecutor::due_callback() {
  const auto time = now();
  const detail::MutexLock lock(mutex_);
  if (due_.empty() || due_.begin()->first > time) return std::nullopt;
  auto f = std::move(due_.begin()->second);
  due_.erase(due_.begin());
  return f;
}

Lane* SteppedExecutor::ready_lane() {
  const detail::MutexLock lock(mutex_);
  if (ready_.empty()) return nullptr;
  const std::size_t at = random_ ? (*random_)() % ready_.size() : 0;
  Lane* lane = ready_[at];
  ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(at));
  return lane;
}

bool SteppedExecutor::step() {
  if (auto f = due_callback()) {
    (*f)();
    return true;
  }
  Lane* lane = ready_lane();
  if (!lane) return false;
  lane->run();
  return true;
}

bool SteppedExecutor::skip_to_next(std::chrono::nanoseconds limit) {
  const detail::MutexLock lock(mutex_);
  if (!random_) return false;
  if (due_.empty() || due_.begin()->first > limit) {
    if (limit != std::chrono::nanoseconds::max()) virtual_now_ = std::max(virtual_now_, limit);
    return false;
  }
  virtual_now_ = std::max(virtual_now_, due_.begin()->first);
  return true;
}

void SteppedExecutor::wait() {
  while (!finished_) {
    if (step() || skip_to_next()) continue;
    detail::MutexLock lock(mutex_);
    if (finished_ || !ready_.empty()) continue;
    if (due_.empty() || random_) {
      while (!finished_ && ready_.empty() && due_.empty()) lock.wait(changed_);
    } else {
      lock.wait_until(changed_, std::chrono::steady_clock::time_point(due_.begin()->first));
    }
  }
}

}  // namespace slipstream::runtime
