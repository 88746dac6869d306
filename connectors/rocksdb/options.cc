#include "connectors/rocksdb/options.h"

#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/options_util.h>

#include <algorithm>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "connectors/rocksdb/errors.h"
#include "connectors/rocksdb/expiry.h"
#include "slipstream/detail/units.h"

namespace slipstream::rocks {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr std::size_t kLeastBudget = 4 * kMiB;
constexpr std::size_t kLeastForgetful = kMiB;

/// Half of the budget: with more, what was read last would be driven out by every burst of writes.
std::size_t write_share(std::size_t budget) { return budget / 2; }

std::shared_ptr<rocksdb::TableFactory> table_factory(const Memory& memory) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = memory.blocks;
  // Else they are memory that the budget knows nothing of.
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  // In one piece, those of a file take a megabyte: what a shard of a cache of 64 MiB holds. Two of them in one
  // shard push each other out, and every get reads both.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.optimize_filters_for_memory = true;
  table.format_version = 5;
  return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

void forget_beyond(std::size_t bytes, rocksdb::ColumnFamilyOptions& out) {
  out.compaction_style = rocksdb::kCompactionStyleFIFO;
  out.level_compaction_dynamic_level_bytes = false;
  out.compaction_options_fifo.max_table_files_size = bytes;
  // Merges what is small; a file, which is what is dropped at once, is at most a quarter of it all.
  out.compaction_options_fifo.allow_compaction = true;
  out.max_compaction_bytes = bytes / 4;
  // Else RocksDB drops files by their age, too: it takes this for the reason of our filter.
  out.ttl = 0;
  out.periodic_compaction_seconds = 0;
  // What a repair leaves may overlap, and merging it is not what this kind of compaction does.
  out.force_consistency_checks = false;
  out.write_buffer_size = std::clamp(bytes / 8, std::size_t{64} << 10, out.write_buffer_size);
}

rocksdb::ColumnFamilyOptions basic_options(const Memory& memory, const std::shared_ptr<const Host>& host) {
  rocksdb::ColumnFamilyOptions out;
  out.compression = rocksdb::kLZ4Compression;
  out.level_compaction_dynamic_level_bytes = true;
  out.write_buffer_size = std::clamp(memory.budget / 8, kMiB, 16 * kMiB);
  out.max_write_buffer_number = 3;
  out.table_factory = table_factory(memory);
  out.compaction_filter_factory = expiry_filter(host);
  return out;
}

/// Splits the options into those of the database and those of a column family, by who knows them.
using OptionTexts = std::unordered_map<std::string, std::string>;
template <class Options>
using FromMap = rocksdb::Status (*)(const rocksdb::ConfigOptions&, const Options&, const OptionTexts&,
                                    Options*);

template <class Options>
absl::Status apply(const std::map<std::string, std::string>& wanted, Options& options, bool skip_unknown,
                   FromMap<Options> from_map) {
  rocksdb::ConfigOptions how;
  how.ignore_unknown_options = skip_unknown;
  how.input_strings_escaped = false;
  const Options before = options;
  const rocksdb::Status s = from_map(how, before, OptionTexts(wanted.begin(), wanted.end()), &options);
  if (!s.ok()) return absl::InvalidArgumentError("options.rocksdb: " + s.ToString());
  return absl::OkStatus();
}

bool is_database_option(const std::map<std::string, std::string>& one) {
  rocksdb::DBOptions options;
  return apply(one, options, false, rocksdb::GetDBOptionsFromMap).ok();
}
bool is_family_option(const std::map<std::string, std::string>& one) {
  rocksdb::ColumnFamilyOptions options;
  return apply(one, options, false, rocksdb::GetColumnFamilyOptionsFromMap).ok();
}

absl::Status check_rocksdb(const std::map<std::string, std::string>& wanted, bool has_database) {
  for (const auto& [name, value] : wanted) {
    const std::map<std::string, std::string> one{{name, value}};
    if (is_family_option(one)) continue;
    const std::string what =
        "options.rocksdb: '" + detail::one_line(name) + "' = '" + detail::one_line(value) + "'";
    if (!is_database_option(one)) return absl::InvalidArgumentError(what + " is nothing RocksDB takes");
    if (!has_database)
      return absl::InvalidArgumentError(what + " is for a database; this is a column family of one");
  }
  return absl::OkStatus();
}

absl::Status check_entries(const detail::StoreOptions& options) {
  if (options.ttl && *options.ttl <= Duration::zero())
    return absl::InvalidArgumentError("options.ttl is to be more than 0");
  if (options.forget_beyond && *options.forget_beyond < kLeastForgetful)
    return absl::InvalidArgumentError("options.forgetful.max_bytes is to be at least 1MiB");
  return absl::OkStatus();
}

}  // namespace

Memory::Memory(std::size_t bytes)
    : budget(bytes),
      blocks(rocksdb::NewLRUCache(bytes)),
      writes(std::make_shared<rocksdb::WriteBufferManager>(write_share(bytes), blocks)) {}

absl::Status check_options(const detail::StoreOptions& options) {
  if (options.memory_budget < kLeastBudget)
    return absl::InvalidArgumentError("options.memory_budget is to be at least 4MiB");
  if (absl::Status s = check_rocksdb(options.rocksdb, true); !s.ok()) return s;
  return check_entries(options);
}

absl::Status check_family_options(const detail::StoreOptions& options) {
  if (options.read_only || options.secondary)
    return absl::InvalidArgumentError("options.access is for a cache with a path of its own");
  if (absl::Status s = check_rocksdb(options.rocksdb, false); !s.ok()) return s;
  return check_entries(options);
}

absl::StatusOr<rocksdb::DBOptions> database_options(const detail::StoreOptions& options,
                                                    const Memory& memory) {
  rocksdb::DBOptions out;
  out.create_if_missing = options.create_if_missing;
  out.create_missing_column_families = true;
  out.max_background_jobs = 2;
  out.bytes_per_sync = kMiB;
  out.write_buffer_manager = memory.writes;
  // Logs of column families that are seldom written would stay for ever.
  out.max_total_wal_size = std::max(memory.budget, 16 * kMiB);
  out.max_open_files = options.secondary ? -1 : 512;
  // A log that breaks off is what a crash leaves; one that is damaged in its middle is refused.
  out.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  out.keep_log_file_num = 2;
  out.max_log_file_size = kMiB;
  out.info_log_level = rocksdb::WARN_LEVEL;
  if (absl::Status s = apply(options.rocksdb, out, true, rocksdb::GetDBOptionsFromMap); !s.ok()) return s;
  return out;
}

absl::StatusOr<rocksdb::ColumnFamilyOptions> family_options(
    const detail::StoreOptions& options, const Memory& memory, const std::shared_ptr<const Host>& host,
    const std::optional<rocksdb::ColumnFamilyOptions>& stored) {
  const bool keeps_all = stored && stored->compaction_style != rocksdb::kCompactionStyleFIFO;
  if (options.forget_beyond && keeps_all)
    return absl::FailedPreconditionError(
        "it was made to keep everything and can't become forgetful; take another name, or destroy it first");
  rocksdb::ColumnFamilyOptions out = basic_options(memory, host);
  if (options.forget_beyond) forget_beyond(*options.forget_beyond, out);
  if (absl::Status s = apply(options.rocksdb, out, true, rocksdb::GetColumnFamilyOptionsFromMap); !s.ok())
    return s;
  return out;
}

std::map<std::string, rocksdb::ColumnFamilyOptions> stored_families(const std::string& path) {
  rocksdb::ConfigOptions how;
  how.ignore_unknown_options = true;
  rocksdb::DBOptions ignored;
  std::vector<rocksdb::ColumnFamilyDescriptor> found;
  rocksdb::LoadLatestOptions(how, path, &ignored, &found).PermitUncheckedError();
  std::map<std::string, rocksdb::ColumnFamilyOptions> stored;
  for (auto& family : found) stored.emplace(family.name, std::move(family.options));
  return stored;
}

rocksdb::ColumnFamilyOptions kept_family_options(const rocksdb::ColumnFamilyOptions& stored,
                                                 const Memory& memory,
                                                 const std::shared_ptr<const Host>& host) {
  rocksdb::ColumnFamilyOptions out = stored;
  const rocksdb::ColumnFamilyOptions basic = basic_options(memory, host);
  out.table_factory = basic.table_factory;
  out.compaction_filter_factory = basic.compaction_filter_factory;
  return out;
}

}  // namespace slipstream::rocks
