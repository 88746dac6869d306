#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "connectors/file/io_error.h"
#include "connectors/file/output.h"

namespace slipstream::file {
namespace {

/// Packs bytes as one gzip member.
class Deflater {
 public:
  Deflater() = default;
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() {
    if (ready_) ::deflateEnd(&z_);
  }

  bool open() {
    constexpr int kGzipWindow = 15 + 16;
    ready_ =
        ::deflateInit2(&z_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK;
    return ready_;
  }

  /// Appends packed bytes to `out`; `flush` is zlib's. Fewer than 4 GiB at a time.
  void pack(std::string_view bytes, int flush, std::string& out) {
    z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    z_.avail_in = static_cast<uInt>(bytes.size());
    do {
      constexpr std::size_t kStep = std::size_t{64} << 10;
      const std::size_t before = out.size();
      out.resize(before + kStep);
      z_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      z_.avail_out = kStep;
      ::deflate(&z_, flush);  // can't fail on a good stream; Z_BUF_ERROR says there was nothing to do
      out.resize(before + kStep - z_.avail_out);
    } while (z_.avail_out == 0);
  }

 private:
  z_stream z_{};
  bool ready_ = false;
};

class FileOutput final : public Output {
 public:
  FileOutput(std::string path, WriteOptions options)
      : path_(std::move(path)),
        part_(path_ + ".part"),
        overwrite_(options.overwrite),
        gzip_(options.gzip.value_or(path_.ends_with(".gz"))) {}

  std::string name() const override { return "file " + path_; }

  absl::Status open() override {
    mode_t mode = 0;
    if (absl::Status s = check_target(mode); !s.ok()) return s;
    if (absl::Status s = open_part(); !s.ok()) return s;
    if (mode != 0 && ::fchmod(fd_.get(), mode) != 0) return io_error("write", part_, errno);
    if (gzip_ && !deflater_.open()) {
      return absl::ResourceExhaustedError("can't write " + path_ + ": no memory to pack it");
    }
    return absl::OkStatus();
  }

  absl::Status write(std::string_view bytes) override {
    if (!gzip_) return write_file(bytes);
    held_ += bytes.size();
    return pack(bytes, Z_NO_FLUSH);
  }

  std::size_t held() const override { return held_; }

  absl::Status sync() override {
    if (held_ == 0) return absl::OkStatus();
    held_ = 0;
    return pack({}, Z_SYNC_FLUSH);
  }

  absl::Status finish() override {
    if (gzip_) {
      if (absl::Status s = pack({}, Z_FINISH); !s.ok()) return s;
    }
    if (::fsync(fd_.get()) != 0) return io_error("write", part_, errno);
    if (absl::Status s = rename_part(); !s.ok()) return s;
    finished_ = true;
    return sync_folder();
  }

  std::string close() override {
    if (!fd_) return {};
    fd_.reset();
    return finished_ ? "" : "the run did not end well: what was written stays in " + part_;
  }

 private:
  absl::Status check_target(mode_t& mode) const {
    struct stat info {};
    if (path_.empty()) return absl::InvalidArgumentError("a file sink was given an empty path");
    if (::stat(path_.c_str(), &info) != 0) {
      return errno == ENOENT ? absl::OkStatus() : io_error("write", path_, errno);
    }
    if (S_ISDIR(info.st_mode)) return absl::InvalidArgumentError("can't write " + path_ + ": it is a folder");
    if (!S_ISREG(info.st_mode)) {
      return absl::InvalidArgumentError("can't write " + path_ + ": it is not a regular file");
    }
    if (!overwrite_) {
      return absl::AlreadyExistsError("can't write " + path_ +
                                      ": it exists already; remove it or set .overwrite");
    }
    mode = info.st_mode & 07777;
    return absl::OkStatus();
  }

  // The lock keeps a second program (or sink) out. Whoever held it may have renamed the file that we opened.
  absl::Status open_part() {
    fd_ = Fd(::open(part_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666));
    if (!fd_) return open_error("write", part_, errno);
    struct stat opened {};
    struct stat named {};
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(fd_.get(), &opened) != 0 ||
        ::stat(part_.c_str(), &named) != 0 || opened.st_ino != named.st_ino) {
      return absl::FailedPreconditionError("can't write " + path_ + ": another sink or program is writing " +
                                           part_);
    }
    if (::ftruncate(fd_.get(), 0) != 0) return io_error("write", part_, errno);
    return absl::OkStatus();
  }

  absl::Status pack(std::string_view bytes, int flush) {
    constexpr std::size_t kPiece = std::size_t{1} << 20;
    do {
      const std::string_view piece = bytes.substr(0, kPiece);
      bytes.remove_prefix(piece.size());
      packed_.clear();
      deflater_.pack(piece, flush, packed_);
      if (absl::Status s = write_file(packed_); !s.ok()) return s;
    } while (!bytes.empty());
    return absl::OkStatus();
  }

  absl::Status write_file(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
      if (n < 0 && errno != EINTR) return io_error("write", part_, errno);
      if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return absl::OkStatus();
  }

  absl::Status rename_part() const {
    int failed =
        ::renameat2(AT_FDCWD, part_.c_str(), AT_FDCWD, path_.c_str(), overwrite_ ? 0 : RENAME_NOREPLACE);
    if (failed != 0 && (errno == EINVAL || errno == ENOSYS)) {  // a file system without RENAME_NOREPLACE
      failed =
          ::access(path_.c_str(), F_OK) == 0 ? (errno = EEXIST, -1) : ::rename(part_.c_str(), path_.c_str());
    }
    if (failed == 0) return absl::OkStatus();
    if (errno != EEXIST) return io_error("rename", part_ + " to " + path_, errno);
    return absl::AlreadyExistsError("can't write " + path_ +
                                    ": it came into being during the run; the result is in " + part_);
  }

  absl::Status sync_folder() const {
    const auto folder = std::filesystem::path(path_).parent_path();
    Fd fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd && ::fsync(fd.get()) != 0 && errno != EINVAL) return io_error("write", path_, errno);
    return absl::OkStatus();
  }

  const std::string path_;
  const std::string part_;
  const bool overwrite_;
  const bool gzip_;
  Fd fd_;
  Deflater deflater_;
  std::string packed_;
  std::size_t held_ = 0;
  bool finished_ = false;
};

}  // namespace

std::unique_ptr<Output> file_output(std::string path, WriteOptions options) {
  return std::make_unique<FileOutput>(std::move(path), options);
}

}  // namespace slipstream::file
