#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <mutex>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "slipstream/app.h"

/// Waiting for runs and conditions in tests: never for ever, never for a time that only usually is enough.
namespace slipstream::test {

/// After this long a condition counts as never coming true. Generous: machines are slow under sanitizers.
inline constexpr std::chrono::seconds kPatience{60};

inline std::string describe(const Metrics& m) {
  std::string text =
      "in flight " + std::to_string(m.in_flight_bytes) + " of " + std::to_string(m.memory_budget);
  for (const NodeMetrics& n : m.nodes) {
    text += "\n  " + n.name + ": in " + std::to_string(n.in) + ", out " + std::to_string(n.out) + ", held " +
            std::to_string(n.held) + ", queue " + std::to_string(n.queue_bytes) + " bytes, blocked by '" +
            n.blocked_by + "'";
  }
  for (const PartitionMetrics& p : m.partitions) {
    text += "\n  " + p.source + "/" + std::to_string(p.partition) + ": " + std::to_string(p.records) +
            " records, " + p.state;
    for (const std::string& g : p.gates) text += ", waits for " + g;
  }
  return text;
}

/// How the run ended. A run that hangs ends the test program, because nothing else could end it.
inline absl::Status end_of(Run& run) {
  auto ended = std::async(std::launch::async, [&run] { return run.wait(); });
  if (ended.wait_for(kPatience) != std::future_status::ready) {
    std::fprintf(stderr, "the run hangs: %s\n", describe(run.metrics()).c_str());
    std::abort();
  }
  return ended.get();
}

struct Ended {
  absl::Status status;
  Metrics metrics;
};

/// Runs the App to its end.
inline Ended run_to_end(App& app) {
  auto run = app.start();
  if (!run.ok()) return {run.status(), {}};
  absl::Status status = end_of(**run);
  return {status, (*run)->metrics()};
}

/// For what can only be looked at, not waited on.
template <class Condition>
bool eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

/// Where threads meet; unlike a std::barrier it gives up.
class Meeting {
 public:
  explicit Meeting(int expected) : expected_(expected) {}
  bool arrive_and_wait() {
    std::unique_lock lock(mutex_);
    ++arrived_;
    changed_.notify_all();
    return changed_.wait_for(lock, kPatience, [this] { return arrived_ >= expected_; });
  }

 private:
  const int expected_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
};

}  // namespace slipstream::test
