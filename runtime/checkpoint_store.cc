#include "slipstream/checkpoint_store.h"

#include <cctype>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
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

class FileStore final : public CheckpointStore {
 public:
  explicit FileStore(std::string folder) : folder_(std::move(folder)) {}

  absl::StatusOr<std::optional<std::string>> load(std::string_view key) override {
    const fs::path path = folder_ / file_name(key);
    std::ifstream in(path, std::ios::binary);
    if (!in) {
      if (std::error_code error; !fs::exists(path, error) && !error) return std::nullopt;
      return io_error("can't open", path);
    }
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    if (in.bad()) return io_error("can't read", path);
    return unwrapped(bytes, path);
  }

  absl::Status save(std::string_view key, std::string_view bytes) override {
    std::error_code error;
    fs::create_directories(folder_, error);
    const fs::path path = folder_ / file_name(key);
    const fs::path next = path.string() + ".next";
    std::string wrapped(kMagic);
    wrapped += bytes;
    detail::store(detail::hash_bytes(bytes), wrapped);
    std::ofstream out(next, std::ios::binary | std::ios::trunc);
    out.write(wrapped.data(), static_cast<std::streamsize>(wrapped.size()));
    out.close();
    if (!out) return io_error("can't write", next);
    if (std::rename(next.c_str(), path.c_str()) != 0) return io_error("can't replace", path);
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
};

}  // namespace

std::shared_ptr<CheckpointStore> file_store(std::string folder) {
  return std::make_shared<FileStore>(std::move(folder));
}

}  // namespace slipstream
