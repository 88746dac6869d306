#pragma once
#include "absl/status/status.h"
#include "connectors/file/fd.h"

namespace slipstream::file {

/// Lets one thread wait for a descriptor until another thread interrupts it.
class InterruptibleWait {
 public:
  absl::Status open();
  /// Makes every wait, now and later, return interrupted.
  void interrupt();

  enum class Result { ready, not_ready, interrupted };
  /// Waits until `fd` is ready for `events` (POLLIN, POLLOUT) or has an error to report, at most
  /// `timeout_ms` (-1: for ever).
  Result wait(int fd, short events, int timeout_ms = -1);

 private:
  Fd event_;
};

}  // namespace slipstream::file
