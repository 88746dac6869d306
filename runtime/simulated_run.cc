#include <optional>
#include <utility>

#include "runtime/engine.h"
#include "runtime/stepped_executor.h"
#include "slipstream/testing.h"

namespace slipstream::detail {

struct SimulatedRun::Impl {
  Impl(std::shared_ptr<Graph> g, RuntimeConfig config, std::uint64_t seed, LogHook log)
      : graph(std::move(g)), executor(seed), engine(*graph, std::move(config), std::move(log), executor) {}

  /// Closes the engine once its last lane is done.
  bool is_over() {
    if (!executor.is_finished()) return false;
    if (!status) status = engine.close();
    return true;
  }

  std::shared_ptr<Graph> graph;
  runtime::SteppedExecutor executor;
  runtime::Engine engine;
  bool opened = false;
  std::optional<absl::Status> status;
};

SimulatedRun::SimulatedRun(std::shared_ptr<Graph> graph, RuntimeConfig config, std::uint64_t seed,
                           LogHook log)
    : impl_(std::make_unique<Impl>(std::move(graph), std::move(config), seed, std::move(log))) {}

SimulatedRun::~SimulatedRun() {
  if (!impl_->opened || impl_->is_over()) return;
  impl_->engine.fail(absl::CancelledError("the test ended"));
  run_until_idle();
}

absl::Status SimulatedRun::open() {
  absl::Status s = impl_->engine.open();
  if (!s.ok()) {
    impl_->status = s;
    return s;
  }
  impl_->opened = true;
  impl_->engine.start();
  return absl::OkStatus();
}

void SimulatedRun::run_until_idle() {
  while (!impl_->is_over() && impl_->executor.step()) {
  }
  impl_->is_over();
}

void SimulatedRun::advance_time(Duration by) {
  const auto until = impl_->executor.now() + std::chrono::nanoseconds(by);
  do {
    run_until_idle();
  } while (!impl_->is_over() && impl_->executor.skip_to_next(until));
  run_until_idle();
}

bool SimulatedRun::run_to_end() {
  // Periodic callbacks keep time moving for ever, so give up when nothing else happens.
  for (int idle = 0; idle < 1000; ++idle) {
    bool worked = false;
    while (!impl_->is_over() && impl_->executor.step()) worked = true;
    if (impl_->is_over()) return true;
    if (!impl_->executor.skip_to_next()) return false;
    if (worked && impl_->engine.budget().used() > 0) idle = 0;
  }
  return false;
}

bool SimulatedRun::is_over() { return impl_->is_over(); }
void SimulatedRun::stop() { impl_->engine.request_stop(); }
absl::Status SimulatedRun::status() const {
  if (impl_->status) return *impl_->status;
  return impl_->engine.status();
}
Metrics SimulatedRun::metrics() const { return impl_->engine.metrics(); }
std::chrono::nanoseconds SimulatedRun::now() const { return impl_->executor.now(); }
Snapshot SimulatedRun::snapshot() const { return impl_->engine.snapshot(); }
absl::Status SimulatedRun::restore(const Snapshot& snapshot) { return impl_->engine.restore(snapshot); }

}  // namespace slipstream::detail
