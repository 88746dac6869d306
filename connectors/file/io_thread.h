#pragma once
#include <functional>
#include <thread>

#include "absl/status/statusor.h"
#include "connectors/file/fd.h"

namespace slipstream::file {

/// Starts a thread that takes no signals: they belong to the program's own threads. A write to a pipe without
/// a reader fails with EPIPE there, because its SIGPIPE stays blocked and ends with the thread.
std::thread start_io_thread(std::function<void()> body);

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
