#pragma once
#include <rocksdb/options.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "slipstream/detail/cache_store.h"

namespace slipstream::rocks {

/// A file of sorted entries at `path`. `expiry`: when what is written now expires.
absl::StatusOr<std::unique_ptr<detail::StoreFileWriter>> make_file_writer(
    const std::string& title, const rocksdb::Options& options, const std::string& path,
    std::function<std::optional<EventTime>(std::optional<Duration>)> expiry);

}  // namespace slipstream::rocks
