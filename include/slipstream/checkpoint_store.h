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

/// A file for each key in this folder, which is made if need be. A file is replaced by renaming a new one
/// over it, so a crash of the process leaves a whole one; it isn't synced, so a crash of the machine may not.
/// A file that was cut short or changed is DataLoss, with its name.
std::shared_ptr<CheckpointStore> file_store(std::string folder);

}  // namespace slipstream
