#pragma once
#include <rocksdb/cache.h>
#include <rocksdb/options.h>
#include <rocksdb/write_buffer_manager.h>

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/rocksdb/host.h"
#include "slipstream/detail/cache_store.h"

/// From our options to RocksDB's.
namespace slipstream::rocks {

/// One budget for blocks that were read and for writes that aren't in files yet, whatever number of databases
/// share it: the write buffers are charged to the block cache.
struct Memory {
  explicit Memory(std::size_t bytes);
  const std::size_t budget;
  const std::shared_ptr<rocksdb::Cache> blocks;
  const std::shared_ptr<rocksdb::WriteBufferManager> writes;
};

/// InvalidArgument where the options can't be: those of a database, or of a column family in one.
absl::Status check_options(const detail::StoreOptions& options);
absl::Status check_family_options(const detail::StoreOptions& options);

absl::StatusOr<rocksdb::DBOptions> database_options(const detail::StoreOptions& options,
                                                    const Memory& memory);

/// `stored`: as it was opened last; empty for a new column family.
absl::StatusOr<rocksdb::ColumnFamilyOptions> family_options(
    const detail::StoreOptions& options, const Memory& memory, const std::shared_ptr<const Host>& host,
    const std::optional<rocksdb::ColumnFamilyOptions>& stored);
/// The column families of a database as they were opened last, by name; those of which nothing is known
/// aren't there.
std::map<std::string, rocksdb::ColumnFamilyOptions> stored_families(const std::string& path);
/// Of a column family that nobody said anything about: as it was opened last.
rocksdb::ColumnFamilyOptions kept_family_options(const rocksdb::ColumnFamilyOptions& stored,
                                                 const Memory& memory,
                                                 const std::shared_ptr<const Host>& host);

}  // namespace slipstream::rocks
