#pragma once
#include <chrono>
#include <functional>
#include <memory>

namespace slipstream::runtime {

class Lane;

/// Runs lanes. An executor knows nothing of records: it calls Lane::run for lanes that asked for it, never
/// for one lane from two threads at once.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Before anything else, once for each lane.
  virtual void add(Lane& lane) = 0;
  /// Runs the lane soon. Called once per Lane::notify on an idle lane, from any thread.
  virtual void schedule(Lane& lane) = 0;
  /// Runs the lane again, behind those that are waiting.
  virtual void yield(Lane& lane) = 0;
  /// Monotonic.
  virtual std::chrono::nanoseconds now() const = 0;
  /// What to add to now() for UTC; constant, so a change of the wall clock is not followed.
  virtual std::chrono::nanoseconds to_utc() const = 0;
  /// Calls f at or after `when`, from a thread that runs no lane meanwhile or is the only one there is.
  virtual void call_at(std::chrono::nanoseconds when, std::function<void()> f) = 0;
  /// Ends wait(); from any thread.
  virtual void finish() = 0;
  /// Until finish() was called.
  virtual void wait() = 0;
  /// After it returns no lane and no callback runs any more; asked for in vain from then on. After wait().
  virtual void stop() = 0;
};

/// Lanes are serial nodes of a oneTBB flow graph in an arena of their own with `threads` threads, of which
/// the one in wait() is one. Lanes that may block get threads of their own.
std::unique_ptr<Executor> make_tbb_executor(int threads);

}  // namespace slipstream::runtime
