#pragma once
#include <functional>
#include <memory>

#include "absl/status/statusor.h"

namespace slipstream {

/// Turns SIGINT and SIGTERM into a request to stop, for as long as it lives; for programs, never for the
/// library's own use. The first signal makes fd() readable and calls `on_stop`; the second ends the process
/// at once with exit code 130, whatever it is doing. One at a time per process.
class StopSignals {
 public:
  /// `on_stop` is called at most once, from a thread of its own, and may be null. FailedPrecondition when
  /// there is another StopSignals already.
  static absl::StatusOr<std::unique_ptr<StopSignals>> install(std::function<void()> on_stop = nullptr);
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  /// Gives the signals back to whoever had them. `on_stop` isn't called any more.
  ~StopSignals();

  /// Readable from the first signal on; for poll(). Nobody may read from it.
  int fd() const;
  bool stopped() const;

 private:
  struct Impl;
  explicit StopSignals(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipstream
