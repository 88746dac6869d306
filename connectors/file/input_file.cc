#include "connectors/file/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "connectors/file/io_error.h"

namespace slipstream::file {
namespace {

constexpr std::size_t kPackedBytes = std::size_t{64} << 10;
constexpr int kGzipWindow = 15 + 16;  // 16: expect a gzip header and check its sums

absl::Status check_regular(const std::string& path, int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return io_error("read", path, errno);
  if (S_ISREG(info.st_mode)) return absl::OkStatus();
  return absl::InvalidArgumentError("can't read " + path +
                                    (S_ISDIR(info.st_mode) ? ": it is a folder; name the files in it"
                                                           : ": it is not a regular file; to read a pipe, "
                                                             "connect it to standard input"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<InputFile>> InputFile::open(const std::string& path) {
  // O_NONBLOCK: opening a pipe that nobody writes to would wait.
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return open_error("read", path, errno);
  if (absl::Status s = check_regular(path, fd.get()); !s.ok()) return s;
  std::unique_ptr<InputFile> file(new InputFile(path, std::move(fd)));
  if (absl::Status s = file->detect_gzip(); !s.ok()) return s;
  return file;
}

InputFile::~InputFile() {
  if (packed_) ::inflateEnd(&z_);
}

absl::Status InputFile::detect_gzip() {
  char magic[2] = {};
  if (::pread(fd_.get(), magic, 2, 0) < 0) return io_error("read", path_, errno);
  if (magic[0] != '\x1f' || magic[1] != '\x8b') return absl::OkStatus();
  if (::inflateInit2(&z_, kGzipWindow) != Z_OK) {
    return absl::ResourceExhaustedError("can't read " + path_ + ": no memory to unpack it");
  }
  packed_ = std::make_unique<char[]>(kPackedBytes);
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> InputFile::read(std::span<char> out) {
  return packed_ ? inflate_some(out) : read_file(out);
}

absl::StatusOr<std::size_t> InputFile::read_file(std::span<char> out) {
  for (;;) {
    const ssize_t n = ::read(fd_.get(), out.data(), out.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error("read", path_, errno);
    bytes_read_ += n;
    return static_cast<std::size_t>(n);
  }
}

absl::StatusOr<std::size_t> InputFile::inflate_some(std::span<char> out) {
  const auto size = static_cast<uInt>(std::min<std::size_t>(out.size(), std::size_t{1} << 30));
  z_.next_out = reinterpret_cast<Bytef*>(out.data());
  z_.avail_out = size;
  while (z_.avail_out == size) {
    if (z_.avail_in == 0) {
      absl::StatusOr<bool> filled = fill_packed();
      if (!filled.ok()) return filled.status();
      if (!*filled) return 0;
    }
    if (absl::Status s = step_inflate(); !s.ok()) return s;
  }
  return size - z_.avail_out;
}

absl::StatusOr<bool> InputFile::fill_packed() {
  absl::StatusOr<std::size_t> n = read_file({packed_.get(), kPackedBytes});
  if (!n.ok()) return n.status();
  if (*n == 0 && in_member_) {
    return absl::DataLossError(path_ + " is truncated: its gzip data ends too early, at byte " +
                               std::to_string(bytes_read_));
  }
  z_.next_in = reinterpret_cast<Bytef*>(packed_.get());
  z_.avail_in = static_cast<uInt>(*n);
  return *n > 0;
}

absl::Status InputFile::step_inflate() {
  if (!in_member_) {
    if (*z_.next_in == 0) {  // tapes and block devices pad files with zeros
      ++z_.next_in;
      --z_.avail_in;
      return absl::OkStatus();
    }
    ::inflateReset(&z_);
    in_member_ = true;
  }
  const int result = ::inflate(&z_, Z_NO_FLUSH);
  if (result == Z_STREAM_END) in_member_ = false;
  if (result == Z_STREAM_END || result == Z_OK || result == Z_BUF_ERROR) return absl::OkStatus();
  return corrupt(z_.msg ? z_.msg : "unknown cause");
}

absl::Status InputFile::corrupt(const char* cause) const {
  const std::int64_t at = bytes_read_ - static_cast<std::int64_t>(z_.avail_in);
  return absl::DataLossError(path_ + ": damaged gzip data at byte " + std::to_string(at) + " (" + cause +
                             ")");
}

}  // namespace slipstream::file
