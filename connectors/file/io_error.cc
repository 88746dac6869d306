#include "connectors/file/io_error.h"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "slipstream/detail/nearest.h"

namespace slipstream::file {
namespace {

constexpr std::size_t kMaxListed = 10'000;

std::vector<std::string> names_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator it(folder.empty() ? "." : folder, error);
  for (; !error && it != std::filesystem::directory_iterator() && names.size() < kMaxListed;
       it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  return names;
}

std::string missing(const std::string& path) {
  const std::filesystem::path wanted(path);
  const auto folder = wanted.parent_path();
  std::error_code error;
  if (!folder.empty() && !std::filesystem::exists(folder, error)) {
    return "there is no folder " + folder.string();
  }
  return "there is no such file" + detail::did_you_mean(wanted.filename().string(), names_in(folder));
}

}  // namespace

absl::Status io_error(std::string_view doing, std::string_view what, int error) {
  std::string message = "can't ";
  message.append(doing).append(" ").append(what).append(": ");
  message += error == EPIPE ? "the program that read it has ended" : std::generic_category().message(error);
  return absl::Status(absl::ErrnoToStatusCode(error), message);
}

absl::Status open_error(std::string_view doing, const std::string& path, int error) {
  if (error != ENOENT) return io_error(doing, path, error);
  return absl::NotFoundError("can't " + std::string(doing) + " " + path + ": " + missing(path));
}

}  // namespace slipstream::file
