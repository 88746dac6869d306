#include "slipstream/checkpoint_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "slipstream/detail/hash.h"
#include "slipstream/detail/state_codec.h"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

/// In front of the bytes; behind them comes their hash.
constexpr std::string_view kMagic = "slipstream checkpoint 1\n";

/// Letters, digits, '-' and '_' stay, so that the name tells what is inside; others become %xx.
std::string file_name(std::string_view key) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string name;
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '_') {
      name += c;
    } else {
      name += '%';
      name += kDigits[byte >> 4];
      name += kDigits[byte & 15];
    }
  }
  return name + ".checkpoint";
}

absl::Status io_error(std::string_view doing, const fs::path& path) {
  return absl::UnavailableError(std::string(doing) + " " + path.string() + ": " +
                                std::generic_category().message(errno));
}

bool read_all(int fd, std::string& bytes) {
  char chunk[4096];
  for (;;) {
    const ssize_t n = ::read(fd, chunk, sizeof(chunk));
    if (n == 0) return true;
    if (n > 0) bytes.append(chunk, static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) return false;
  }
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

absl::Status write_file(const fs::path& path, std::string_view bytes, bool sync) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return io_error("can't write", path);
  const bool ok = write_all(fd, bytes) && (!sync || ::fsync(fd) == 0);
  absl::Status status = ok ? absl::OkStatus() : io_error("can't write", path);
  if (::close(fd) != 0) status.Update(io_error("can't write", path));
  return status;
}

/// So that a rename in it lasts.
absl::Status sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return io_error("can't sync", folder);
  // Some file systems can't, and don't need it.
  const absl::Status status =
      ::fsync(fd) == 0 || errno == EINVAL ? absl::OkStatus() : io_error("can't sync", folder);
  ::close(fd);
  return status;
}

class FileStore final : public CheckpointStore {
 public:
  FileStore(std::string folder, FileStoreOptions options)
      : folder_(folder.empty() ? "." : std::move(folder)), sync_(options.sync) {}

  absl::StatusOr<std::optional<std::string>> load(std::string_view key) override {
    const fs::path path = folder_ / file_name(key);
    std::string bytes;
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return std::nullopt;
    if (fd < 0) return io_error("can't open", path);
    const absl::Status status = read_all(fd, bytes) ? absl::OkStatus() : io_error("can't read", path);
    ::close(fd);
    if (!status.ok()) return status;
    return unwrapped(bytes, path);
  }

  absl::Status save(std::string_view key, std::string_view bytes) override {
    std::error_code error;  // that shows when the file is written
    fs::create_directories(folder_, error);
    const fs::path path = folder_ / file_name(key);
    const fs::path next = path.string() + ".next";
    std::string wrapped(kMagic);
    wrapped += bytes;
    detail::store(detail::hash_bytes(bytes), wrapped);
    if (absl::Status s = write_file(next, wrapped, sync_); !s.ok()) return s;
    if (std::rename(next.c_str(), path.c_str()) != 0) return io_error("can't replace", path);
    if (sync_) return sync_folder(folder_);
    return absl::OkStatus();
  }

 private:
  static absl::StatusOr<std::optional<std::string>> unwrapped(std::string_view bytes, const fs::path& path) {
    std::uint64_t hash = 0;
    if (bytes.starts_with(kMagic) && bytes.size() >= kMagic.size() + sizeof(hash)) {
      const std::string_view inside =
          bytes.substr(kMagic.size(), bytes.size() - kMagic.size() - sizeof(hash));
      std::string_view rest = bytes.substr(kMagic.size() + inside.size());
      if (detail::load(rest, hash) && hash == detail::hash_bytes(inside)) return std::string(inside);
    }
    return absl::DataLossError(
        path.string() +
        " is damaged: it was cut short or changed. Put back a copy of it, or delete it to "
        "start without what it held");
  }

  const fs::path folder_;
  const bool sync_;
};

}  // namespace

std::shared_ptr<CheckpointStore> file_store(std::string folder, FileStoreOptions options) {
  return std::make_shared<FileStore>(std::move(folder), options);
}

}  // namespace slipstream
