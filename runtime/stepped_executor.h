#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>

#include "runtime/executor.h"
#include "slipstream/detail/mutex.h"

namespace slipstream::runtime {

/// Runs lanes on the caller's thread, one at a time: for hosts with a loop of their own, for tests and for
/// simulation. With a seed the next lane is drawn at random among those that are ready and time is virtual:
/// it moves only when nothing is ready, to the next callback. schedule, call_at and finish are thread-safe.
class SteppedExecutor final : public Executor {
 public:
  /// First come, first served; real time.
  SteppedExecutor() : to_utc_(std::chrono::system_clock::now().time_since_epoch() - now()) {}
  /// Seeded and virtual; time starts at zero.
  explicit SteppedExecutor(std::uint64_t seed) : random_(seed) {}

  void add(Lane&) override {}
  void schedule(Lane& lane) override;
  void yield(Lane& lane) override { schedule(lane); }
  std::chrono::nanoseconds now() const override;
  std::chrono::nanoseconds to_utc() const override { return to_utc_; }
  void call_at(std::chrono::nanoseconds when, std::function<void()> f) override;
  void finish() override;
  /// Steps until finish(); virtual time moves by itself, real time is waited for.
  void wait() override;
  void stop() override;

  /// Runs one ready lane or one due callback. False when there is none.
  bool step();
  /// With virtual time: moves to the next callback, at most to `limit`; false when there is none by then.
  bool skip_to_next(std::chrono::nanoseconds limit = std::chrono::nanoseconds::max());
  bool is_finished() const { return finished_.load(); }

 private:
  std::optional<std::function<void()>> due_callback();
  Lane* ready_lane();

  mutable detail::Mutex mutex_;
  std::condition_variable changed_;
  std::deque<Lane*> ready_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::multimap<std::chrono::nanoseconds, std::function<void()>> due_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::optional<std::mt19937_64> random_;
  std::chrono::nanoseconds virtual_now_ SLIPSTREAM_GUARDED_BY(mutex_){0};
  std::chrono::nanoseconds to_utc_{0};
  std::atomic<bool> finished_{false};
  bool stopped_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
};

}  // namespace slipstream::runtime
