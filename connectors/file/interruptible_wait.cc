#include "connectors/file/interruptible_wait.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>

#include "connectors/file/io_error.h"

namespace slipstream::file {

absl::Status InterruptibleWait::open() {
  event_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  return event_ ? absl::OkStatus() : io_error("make", "an event descriptor", errno);
}

void InterruptibleWait::interrupt() {
  const std::uint64_t one = 1;
  if (event_) (void)!::write(event_.get(), &one, sizeof one);
}

InterruptibleWait::Result InterruptibleWait::wait(int fd, short events, int timeout_ms) {
  pollfd fds[2] = {{event_.get(), POLLIN, 0}, {fd, events, 0}};
  while (::poll(fds, 2, timeout_ms) < 0 && (errno == EINTR || errno == EAGAIN)) {
  }
  if (fds[0].revents != 0) return Result::interrupted;
  return fds[1].revents != 0 ? Result::ready : Result::not_ready;
}

}  // namespace slipstream::file
