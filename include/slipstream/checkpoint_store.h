#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace slipstream {

/// Where checkpoints keep what they know between runs. Called by one thread at a time for a key, but from
/// any.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;
  /// What was saved under the key last; empty when nothing was.
  virtual absl::StatusOr<std::optional<std::string>> load(std::string_view key) = 0;
  /// Replaces it as a whole: after a crash there is the old or the new.
  virtual absl::Status save(std::string_view key, std::string_view bytes) = 0;
};

struct FileStoreOptions {
  /// Each save waits until the disk has it: a millisecond or more. False: after a crash of the machine what
  /// was saved last may be lost, or the file damaged; a crash of the process still leaves a whole one.
  bool sync = true;
};

/// A file for each key in this folder, which is made if need be. A file is replaced by renaming a new one
/// over it, so a crash leaves the old one or the new one. A file that was cut short or changed is DataLoss,
/// one that can't be read or written Unavailable, both with its name.
std::shared_ptr<CheckpointStore> file_store(std::string folder, FileStoreOptions options = {});

}  // namespace slipstream
