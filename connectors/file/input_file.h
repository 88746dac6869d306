#pragma once
#include <zlib.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "connectors/file/fd.h"

namespace slipstream::file {

/// The bytes of a regular file, unpacked when it is gzip.
class InputFile {
 public:
  static absl::StatusOr<std::unique_ptr<InputFile>> open(const std::string& path);
  ~InputFile();

  /// Reads at most `out.size()` bytes; 0 means the end.
  absl::StatusOr<std::size_t> read(std::span<char> out);

 private:
  InputFile(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  absl::Status detect_gzip();
  absl::StatusOr<std::size_t> read_file(std::span<char> out);
  absl::StatusOr<std::size_t> inflate_some(std::span<char> out);
  absl::StatusOr<bool> fill_packed();
  absl::Status step_inflate();
  absl::Status corrupt(const char* cause) const;

  std::string path_;
  Fd fd_;
  std::int64_t bytes_read_ = 0;
  std::unique_ptr<char[]> packed_;  // null: the file is not gzip
  z_stream z_{};
  bool in_member_ = true;
};

}  // namespace slipstream::file
