#pragma once
#include <chrono>
#include <functional>
#include <string_view>
#include <utility>

#include "slipstream/detail/mutex.h"
#include "slipstream/log.h"
#include "slipstream/time.h"

namespace slipstream::rocks {

/// What a database gets from those around it: the time by which entries expire, and somewhere to say things.
/// A run lends it its own while it lasts; what the program said comes first. From any thread.
class Host {
 public:
  Host() = default;
  Host(std::function<EventTime()> now, LogHook log) : own_now_(std::move(now)), own_log_(std::move(log)) {}

  EventTime now() const {
    if (own_now_) return own_now_();
    const detail::MutexLock lock(mutex_);
    if (lent_now_) return lent_now_();
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }
  void log(LogLevel level, std::string_view message) const {
    if (own_log_) return own_log_(level, "cache", message);
    const detail::MutexLock lock(mutex_);
    if (lent_log_) lent_log_(level, "cache", message);
  }
  void lend(std::function<EventTime()> now, LogHook log) {
    const detail::MutexLock lock(mutex_);
    lent_now_ = std::move(now);
    lent_log_ = std::move(log);
  }

 private:
  const std::function<EventTime()> own_now_;
  const LogHook own_log_;
  mutable detail::Mutex mutex_;
  std::function<EventTime()> lent_now_ SLIPSTREAM_GUARDED_BY(mutex_);
  LogHook lent_log_ SLIPSTREAM_GUARDED_BY(mutex_);
};

}  // namespace slipstream::rocks
