#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>

/// A mutex whose use Clang checks at compile time (-Wthread-safety): say on a member which mutex guards it,
/// on a function which one its caller holds. With other compilers the annotations are nothing.
///
///   mutable Mutex mutex_;
///   std::size_t bytes_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
///   void grow(std::size_t bytes) SLIPSTREAM_REQUIRES(mutex_);
#ifdef __clang__
#define SLIPSTREAM_ANNOTATION(x) __attribute__((x))
#else
#define SLIPSTREAM_ANNOTATION(x)
#endif
#define SLIPSTREAM_GUARDED_BY(mutex) SLIPSTREAM_ANNOTATION(guarded_by(mutex))
#define SLIPSTREAM_REQUIRES(mutex) SLIPSTREAM_ANNOTATION(requires_capability(mutex))
#define SLIPSTREAM_EXCLUDES(mutex) SLIPSTREAM_ANNOTATION(locks_excluded(mutex))

namespace slipstream::detail {

class SLIPSTREAM_ANNOTATION(capability("mutex")) Mutex {
 public:
  void lock() SLIPSTREAM_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() SLIPSTREAM_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/// Holds a mutex for the length of a scope, but for what stands between unlock() and lock().
class SLIPSTREAM_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) SLIPSTREAM_ANNOTATION(acquire_capability(mutex)) : lock_(mutex.mutex_) {}
  ~MutexLock() SLIPSTREAM_ANNOTATION(release_capability()) {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  void unlock() SLIPSTREAM_ANNOTATION(release_capability()) { lock_.unlock(); }
  void lock() SLIPSTREAM_ANNOTATION(acquire_capability()) { lock_.lock(); }

  /// Gives the mutex back until `changed` is notified or, rarely, for no reason; wait in a loop that looks:
  /// `while (queue_.empty()) lock.wait(changed_);`
  void wait(std::condition_variable& changed) { changed.wait(lock_); }
  /// The same, at most until `deadline`. False when the deadline has passed.
  template <class Clock, class Duration>
  bool wait_until(std::condition_variable& changed, std::chrono::time_point<Clock, Duration> deadline) {
    return changed.wait_until(lock_, deadline) == std::cv_status::no_timeout;
  }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace slipstream::detail
