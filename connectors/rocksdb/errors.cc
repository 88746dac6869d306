#include "connectors/rocksdb/errors.h"

#include <algorithm>

#include "slipstream/detail/units.h"

namespace slipstream::rocks {

absl::Status error_of(absl::StatusCode code, std::string_view title, std::string_view what) {
  return absl::Status(code, std::string(title) + ": " + std::string(what));
}

absl::Status prefixed(std::string_view title, const absl::Status& status) {
  return status.ok() ? status
                     : error_of(status.code(), title, {status.message().data(), status.message().size()});
}

absl::Status damaged(const std::string& path, std::string_view how) {
  return absl::DataLossError(
      "the database in " + path + " is damaged: " + std::string(how) +
      "; copy the folder, then `slipstream cache repair " + path +
      "` saves what can be read (`slipstream cache verify` and `dump` look without changing anything)");
}

absl::Status to_status(const rocksdb::Status& status, const std::string& path) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = status.ToString();
  if (status.IsCorruption()) return damaged(path, text);
  if (status.IsNoSpace()) {
    return absl::ResourceExhaustedError("no space is left for the database in " + path + " (" + text +
                                        "); what was written before is safe: free some and start again");
  }
  if (status.IsInvalidArgument()) return absl::InvalidArgumentError(text);
  if (status.IsNotSupported()) return absl::UnimplementedError(text);
  if (status.IsNotFound()) return absl::NotFoundError(text);
  if (status.IsShutdownInProgress()) return absl::FailedPreconditionError(text);
  if (status.IsBusy() || status.IsTryAgain() || status.IsTimedOut()) return absl::UnavailableError(text);
  return absl::InternalError(text);
}

absl::Status check_name(std::string_view what, std::string_view name) {
  constexpr std::size_t kLongest = 200;
  const auto refuse = [&](std::string_view why) {
    return absl::InvalidArgumentError(std::string(what) + " can't be called '" + detail::one_line(name) +
                                      "': a name " + std::string(why));
  };
  if (name.empty()) return refuse("has at least one character");
  if (name.size() > kLongest) return refuse("has at most 200 bytes");
  if (name.front() == '.') return refuse("doesn't begin with a dot");
  if (name.find('/') != name.npos) return refuse("has no '/' in it; a folder of its own is options.path");
  const bool has_control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
  });
  if (has_control) return refuse("has no control characters in it");
  return absl::OkStatus();
}

}  // namespace slipstream::rocks
