#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "connectors/file/io_error.h"
#include "connectors/file/output.h"

namespace slipstream::file {
namespace {

/// As much as a pipe that is ready takes without blocking, whole lines where they are short enough: such a
/// piece is not mixed with what others write to the pipe.
std::string_view first_piece(std::string_view bytes) {
  if (bytes.size() <= PIPE_BUF) return bytes;
  const std::size_t line_end = bytes.substr(0, PIPE_BUF).rfind('\n');
  return bytes.substr(0, line_end == bytes.npos ? PIPE_BUF : line_end + 1);
}

class StdoutOutput final : public Output {
 public:
  explicit StdoutOutput(int fd) : fd_(fd) {}
  std::string name() const override { return "stdout"; }

  absl::Status open() override {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return io_error("write", name(), errno);
    never_blocks_ = S_ISREG(info.st_mode);
    return wait_.open();
  }

  absl::Status write(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (!never_blocks_ && wait_.wait(fd_, POLLOUT) == InterruptibleWait::Result::interrupted) {
        return absl::CancelledError("stdout was closed");
      }
      const std::string_view piece = never_blocks_ ? bytes : first_piece(bytes);
      const ssize_t n = ::write(fd_, piece.data(), piece.size());
      if (n < 0 && errno != EINTR && errno != EAGAIN) return io_error("write", name(), errno);
      if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return absl::OkStatus();
  }

  void interrupt() override { wait_.interrupt(); }
  std::string close() override { return {}; }

 private:
  const int fd_;
  bool never_blocks_ = false;
  InterruptibleWait wait_;
};

}  // namespace

std::unique_ptr<Output> stdout_output(int fd) { return std::make_unique<StdoutOutput>(fd); }

}  // namespace slipstream::file
