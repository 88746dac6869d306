#pragma once
#include <zlib.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "connectors/file/fd.h"
#include "connectors/file/interruptible_wait.h"
#include "slipstream/file.h"

namespace slipstream::file {

/// Where a WriterSink's bytes go. open, finish and close come from the sink's caller while its thread is not
/// running; write, held and sync from that thread; interrupt from any.
class Output {
 public:
  virtual ~Output() = default;
  virtual std::string name() const = 0;
  virtual absl::Status open() = 0;
  virtual absl::Status write(std::string_view bytes) = 0;
  /// Bytes taken by write that the operating system doesn't have yet.
  virtual std::size_t held() const { return 0; }
  /// Hands over what is held.
  virtual absl::Status sync() { return absl::OkStatus(); }
  virtual void interrupt() {}
  /// All is written.
  virtual absl::Status finish() { return absl::OkStatus(); }
  /// Returns what to tell about an output that was closed without finish(); empty if there is nothing to
  /// tell.
  virtual std::string close() = 0;
};

std::unique_ptr<Output> file_output(std::string path, WriteOptions options);
/// `fd` is borrowed.
std::unique_ptr<Output> stdout_output(int fd);

}  // namespace slipstream::file
