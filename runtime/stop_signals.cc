#include "runtime/stop_signals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "slipstream/detail/exit_code.h"

namespace slipstream {
namespace {

// Signal handlers belong to the process, so what they reach has to be global.
constexpr int kFree = -1;  // nobody listens
std::atomic<int> signal_pipe{kFree};
std::atomic<bool> was_signalled{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free);

void on_signal(int) {
  const int saved_errno = errno;
  if (was_signalled.exchange(true)) {
    constexpr std::string_view kMessage = "interrupted twice: ending without draining\n";
    [[maybe_unused]] const auto ignored = write(STDERR_FILENO, kMessage.data(), kMessage.size());
    _exit(detail::kExitInterrupted);
  }
  [[maybe_unused]] const auto ignored = write(signal_pipe, "", 1);
  errno = saved_errno;
}

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    if (read_end >= 0) close(read_end);
    if (write_end >= 0) close(write_end);
  }
  absl::Status open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return absl::InternalError(std::string("pipe: ") + std::strerror(errno));
    read_end = ends[0];
    write_end = ends[1];
    return absl::OkStatus();
  }
};

bool is_readable(int fd) {
  pollfd entry{fd, POLLIN, 0};
  return poll(&entry, 1, 0) == 1;
}

}  // namespace

struct StopSignals::Impl {
  Pipe signals;
  Pipe cancel;
  std::function<void()> on_stop;
  struct sigaction old_interrupt {};
  struct sigaction old_terminate {};
  std::thread watcher;

  void watch() {
    pollfd entries[] = {{signals.read_end, POLLIN, 0}, {cancel.read_end, POLLIN, 0}};
    while (poll(entries, 2, -1) < 0 && errno == EINTR) {
    }
    if (entries[1].revents == 0) on_stop();
  }

  void start() {
    was_signalled = false;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, &old_interrupt);
    sigaction(SIGTERM, &action, &old_terminate);
    if (on_stop) watcher = std::thread([this] { watch(); });
  }

  void end() {
    sigaction(SIGINT, &old_interrupt, nullptr);
    sigaction(SIGTERM, &old_terminate, nullptr);
    if (watcher.joinable()) {
      [[maybe_unused]] const auto ignored = write(cancel.write_end, "", 1);
      watcher.join();
    }
    signal_pipe = kFree;
  }
};

absl::StatusOr<std::unique_ptr<StopSignals>> StopSignals::install(std::function<void()> on_stop) {
  auto impl = std::make_unique<Impl>();
  impl->on_stop = std::move(on_stop);
  if (absl::Status status = impl->signals.open(); !status.ok()) return status;
  if (absl::Status status = impl->cancel.open(); !status.ok()) return status;
  int free = kFree;
  if (!signal_pipe.compare_exchange_strong(free, impl->signals.write_end)) {
    return absl::FailedPreconditionError("another part of this program handles SIGINT and SIGTERM already");
  }
  impl->start();
  return std::unique_ptr<StopSignals>(new StopSignals(std::move(impl)));
}

StopSignals::StopSignals(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

StopSignals::~StopSignals() { impl_->end(); }

int StopSignals::fd() const { return impl_->signals.read_end; }

bool StopSignals::stopped() const { return is_readable(fd()); }

}  // namespace slipstream
