#pragma once
#include <rocksdb/status.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace slipstream::rocks {

/// "cache 'x': what".
absl::Status error_of(absl::StatusCode code, std::string_view title, std::string_view what);
absl::Status prefixed(std::string_view title, const absl::Status& status);

/// What RocksDB says, as ours: Corruption is DataLoss, with the way out.
absl::Status to_status(const rocksdb::Status& status, const std::string& path);

/// DataLoss: the database in `path` is damaged, how, and what can be done.
absl::Status damaged(const std::string& path, std::string_view how);

/// InvalidArgument when it can't be the name of a cache or column family: such a name may become one of a
/// file.
absl::Status check_name(std::string_view what, std::string_view name);

}  // namespace slipstream::rocks
