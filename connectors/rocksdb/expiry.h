#pragma once
#include <rocksdb/compaction_filter.h>

#include <memory>

#include "connectors/rocksdb/host.h"

namespace slipstream::rocks {

/// Lets compactions leave out what has expired. No reader sees such entries anyway, so it doesn't matter
/// when.
std::shared_ptr<rocksdb::CompactionFilterFactory> expiry_filter(std::shared_ptr<const Host> host);

}  // namespace slipstream::rocks
