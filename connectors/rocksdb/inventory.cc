#include "connectors/rocksdb/inventory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <system_error>

#include "connectors/rocksdb/errors.h"

namespace slipstream::rocks {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "/FILES";
constexpr const char* kNewFile = "/FILES.new";
constexpr std::string_view kFirstLine = "closed by slipstream";

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
bool holds_data(std::string_view name) {
  return (name.ends_with(".sst") || name.ends_with(".log") || name.ends_with(".blob")) &&
         is_number(name.substr(0, name.find('.')));
}
bool is_listed(std::string_view name) {
  return name == "CURRENT" || name.starts_with("MANIFEST-") || holds_data(name);
}
/// What RocksDB leaves where it could not, or not yet, make a database.
bool is_left_over(std::string_view name) {
  return name == "LOCK" || name == "IDENTITY" || name.starts_with("LOG") || name.starts_with("MANIFEST-") ||
         name.starts_with("OPTIONS-") || name.ends_with(".dbtmp");
}

std::map<std::string, std::uintmax_t> files_in(const std::string& path) {
  std::map<std::string, std::uintmax_t> files;
  std::error_code ignored;
  for (fs::directory_iterator at(path, ignored), end; at != end; at.increment(ignored)) {
    const std::string name = at->path().filename().string();
    if (is_listed(name)) files[name] = at->file_size(ignored);
  }
  return files;
}

absl::Status sync(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool ok = fd >= 0 && ::fsync(fd) == 0;
  const std::string why = std::strerror(errno);
  if (fd >= 0) ::close(fd);
  return ok ? absl::OkStatus() : absl::InternalError("can't sync " + path + ": " + why);
}

absl::Status compare(const std::string& path, std::ifstream& list) {
  std::string line;
  if (!std::getline(list, line) || line != kFirstLine)
    return damaged(path, "its file FILES isn't as it was written");
  const auto found = files_in(path);
  while (std::getline(list, line)) {
    std::istringstream fields(line);
    std::string name;
    std::uintmax_t size = 0;
    if (!(fields >> size >> name)) return damaged(path, "its file FILES isn't as it was written");
    const auto file = found.find(name);
    if (file == found.end()) return damaged(path, "its file " + name + " is missing");
    if (file->second != size) {
      return damaged(path, "its file " + name + " has " + std::to_string(file->second) + " bytes; it had " +
                               std::to_string(size) + " when it was closed");
    }
  }
  return absl::OkStatus();
}

/// What there is to see where nobody has closed the database: an open one always has a log.
absl::Status check_without_inventory(const std::string& path) {
  std::string manifest;
  std::ifstream current(path + "/CURRENT");
  if (!std::getline(current, manifest)) return absl::OkStatus();  // RocksDB will say so
  const auto found = files_in(path);
  if (!found.contains(manifest)) return damaged(path, "its file " + manifest + " is missing");
  // The first manifest is there before the first log.
  const bool is_being_made = manifest == "MANIFEST-000001";
  const bool has_log =
      std::any_of(found.begin(), found.end(), [](const auto& file) { return file.first.ends_with(".log"); });
  if (!is_being_made && !has_log) return damaged(path, "the log of its last writes is missing");
  return absl::OkStatus();
}

}  // namespace

absl::Status write_inventory(const std::string& path) {
  {
    std::ofstream list(path + kNewFile, std::ios::trunc);
    list << kFirstLine << '\n';
    for (const auto& [name, size] : files_in(path)) list << size << ' ' << name << '\n';
    if (!list.flush()) return absl::InternalError("can't write " + path + kNewFile);
  }
  if (absl::Status s = sync(path + kNewFile); !s.ok()) return s;
  if (std::rename((path + kNewFile).c_str(), (path + kFile).c_str()) != 0)
    return absl::InternalError("can't write " + path + kFile + ": " + std::strerror(errno));
  return absl::OkStatus();
}

absl::Status check_inventory(const std::string& path) {
  std::ifstream list(path + kFile);
  return list ? compare(path, list) : check_without_inventory(path);
}

absl::StatusOr<std::string> take_inventory(const std::string& path) {
  std::ifstream in(path + kFile);
  std::string list{std::istreambuf_iterator<char>(in), {}};
  if (::unlink((path + kFile).c_str()) == 0) {
    if (absl::Status s = sync(path); !s.ok()) return s;
    return list;
  }
  if (errno == ENOENT) return std::string();
  return absl::InternalError("can't remove " + path + kFile + ": " + std::strerror(errno));
}

void put_back_inventory(const std::string& path, const std::string& list) {
  if (!list.empty()) std::ofstream(path + kFile) << list;
}

absl::Status restore_current(const std::string& path) {
  std::string newest;
  for (const auto& [name, size] : files_in(path)) {
    if (name == "CURRENT") return absl::OkStatus();
    if (!name.starts_with("MANIFEST-")) continue;
    if (name.size() > newest.size() || (name.size() == newest.size() && name > newest)) newest = name;
  }
  if (newest.empty()) return absl::NotFoundError("there is no manifest in " + path);
  std::ofstream current(path + "/CURRENT");
  current << newest << '\n';
  if (!current.flush()) return absl::InternalError("can't write " + path + "/CURRENT");
  return absl::OkStatus();
}

Folder look_at(const std::string& path) {
  std::error_code error;
  Folder folder = Folder::absent;
  for (fs::directory_iterator at(path, error), end; at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name == "CURRENT") return Folder::database;
    if (holds_data(name) || name == std::string_view(kFile).substr(1)) {
      folder = Folder::headless;
    } else if (folder == Folder::absent && !is_left_over(name)) {
      folder = Folder::foreign;
    }
  }
  return folder;
}

}  // namespace slipstream::rocks
