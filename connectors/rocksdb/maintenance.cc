#include <rocksdb/convenience.h>
#include <rocksdb/db.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "connectors/rocksdb/database.h"
#include "connectors/rocksdb/errors.h"
#include "connectors/rocksdb/inventory.h"
#include "connectors/rocksdb/locks.h"
#include "connectors/rocksdb/scan.h"
#include "slipstream/cache.h"

/// What is done with a database that nobody has open.
namespace slipstream::rocks {
namespace {

constexpr std::size_t kMemory = std::size_t{32} << 20;

absl::Status check_unused(const std::string& path) {
  if (!writer_of(path)) return absl::OkStatus();
  return absl::FailedPreconditionError(holder_text(path) + ": " + path + " can't be looked after meanwhile");
}

absl::StatusOr<std::shared_ptr<Database>> open_to_read(const std::string& path) {
  if (absl::Status s = check_unused(path); !s.ok()) return s;
  auto database = std::make_shared<Database>(std::make_shared<Host>());
  detail::StoreOptions options;
  options.path = path;
  options.read_only = true;
  if (absl::Status s = database->open(options, std::make_shared<const Memory>(kMemory), {}); !s.ok())
    return s;
  return database;
}

absl::Status dump_entry(const std::string& family, const detail::StoreScan::Entry& found,
                        const std::function<absl::Status(const CacheDumpEntry&)>& each) {
  const std::string key = detail::ordered_key_json(found.key);
  CacheDumpEntry entry{family, key, found.bytes, {}, found.is_entity};
  if (!found.is_entity) return each(entry);
  std::string_view packed = found.bytes;
  std::map<std::string, std::string> columns;
  if (!detail::load(packed, columns))
    return absl::DataLossError("the columns of key " + key + " can't be read");
  for (const auto& [column, value] : columns) {
    entry.column = column;
    entry.value = value;
    if (absl::Status s = each(entry); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::Status dump_scan(const std::string& family, detail::StoreScan& scan,
                       const std::function<absl::Status(const CacheDumpEntry&)>& each) {
  const auto dump = [&](const detail::StoreScan::Entry& entry) { return dump_entry(family, entry, each); };
  while (scan.next(dump)) {
  }
  return scan.status();
}

std::set<std::string> table_files(const std::string& path) {
  std::set<std::string> names;
  std::error_code ignored;
  for (std::filesystem::directory_iterator at(path, ignored), end; at != end; at.increment(ignored)) {
    if (at->path().extension() == ".sst") names.insert(at->path().filename());
  }
  return names;
}

/// Each of its own kind, but without RocksDB's checks of what a repair has put together.
std::vector<rocksdb::ColumnFamilyDescriptor> descriptors(const std::vector<std::string>& names,
                                                         const std::string& path, const Memory& memory) {
  const auto stored = stored_families(path);
  const auto host = std::make_shared<const Host>();
  std::vector<rocksdb::ColumnFamilyDescriptor> out;
  for (const std::string& name : names) {
    const auto was = stored.find(name);
    out.emplace_back(
        name, kept_family_options(was == stored.end() ? rocksdb::ColumnFamilyOptions() : was->second, memory,
                                  host));
    out.back().options.force_consistency_checks = false;
  }
  return out;
}

/// What was in files and in the log as well is now in two files: RocksDB opens that only when told not to
/// look.
absl::Status merge_files(const rocksdb::DBOptions& options, const std::string& path, const Memory& memory) {
  std::vector<std::string> names;
  if (auto s = rocksdb::DB::ListColumnFamilies(options, path, &names); !s.ok()) return to_status(s, path);
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  auto s = rocksdb::DB::Open(options, path, descriptors(names, path, memory), &handles, &opened);
  const std::unique_ptr<rocksdb::DB> db(opened);
  if (!s.ok()) return to_status(s, path);
  for (rocksdb::ColumnFamilyHandle* handle : handles) {
    if (s.ok()) s = db->CompactRange({}, handle, nullptr, nullptr);
    db->DestroyColumnFamilyHandle(handle);
  }
  const auto closed = db->Close();
  return to_status(s.ok() ? closed : s, path);
}

absl::Status rebuild_from(const std::string& path) {
  const Memory memory(kMemory);
  const auto options = database_options({}, memory);
  if (!options.ok()) return options.status();
  std::vector<std::string> names{kDefaultFamily};
  for (const auto& [name, stored] : stored_families(path)) {
    if (name != kDefaultFamily) names.push_back(name);
  }
  const auto known = descriptors(names, path, memory);
  const auto s = rocksdb::RepairDB(path, *options, known, known.front().options);
  return s.ok() ? merge_files(*options, path, memory) : to_status(s, path);
}

/// RocksDB makes a table of each log, of what is in other tables already too, and then refuses the two (after
/// a crash, when a log is still needed by some column families and not by others). Without its tables of
/// logs, which go where it has put the logs, there is still everything that was in files.
absl::Status rebuild(const std::string& path) {
  if (auto taken = take_inventory(path); !taken.ok()) return taken.status();
  const std::set<std::string> before = table_files(path);
  if (absl::Status s = rebuild_from(path); !absl::IsDataLoss(s)) return s;
  for (const std::string& name : table_files(path)) {
    if (before.contains(name)) continue;
    std::error_code error;
    std::filesystem::rename(path + "/" + name, path + "/lost/" + name, error);
    if (error) return absl::InternalError("can't move " + name + " to " + path + "/lost: " + error.message());
  }
  return rebuild_from(path);
}

}  // namespace
}  // namespace slipstream::rocks

namespace slipstream {

absl::Status verify_cache(const std::string& path) {
  const auto database = rocks::open_to_read(path);
  if (!database.ok()) return database.status();
  return rocks::to_status((*database)->db().VerifyChecksum(), path);
}

absl::Status repair_cache(const std::string& path) {
  const rocks::Folder folder = rocks::look_at(path);
  if (folder == rocks::Folder::absent || folder == rocks::Folder::foreign)
    return absl::NotFoundError("there is no database in " + path);
  if (absl::Status s = rocks::check_unused(path); !s.ok()) return s;
  // Where nothing but CURRENT is missing, nothing is lost.
  rocks::restore_current(path).IgnoreError();
  if (verify_cache(path).ok()) return absl::OkStatus();
  return rocks::rebuild(path);
}

absl::Status destroy_cache(const std::string& path) {
  const rocks::Folder folder = rocks::look_at(path);
  if (folder == rocks::Folder::absent || folder == rocks::Folder::foreign) return absl::OkStatus();
  if (absl::Status s = rocks::check_unused(path); !s.ok()) return s;
  if (auto taken = rocks::take_inventory(path); !taken.ok()) return taken.status();
  return rocks::to_status(rocksdb::DestroyDB(path, rocksdb::Options()), path);
}

absl::Status dump_cache(const std::string& path,
                        const std::function<absl::Status(const CacheDumpEntry&)>& each) {
  const auto database = rocks::open_to_read(path);
  if (!database.ok()) return database.status();
  for (const std::string& name : (*database)->family_names()) {
    const auto family = (*database)->family(name);
    rocks::RangeScan scan(*database, path + ", column family '" + name + "'", absl::OkStatus(),
                          (*family)->handle, {}, nullptr);
    if (absl::Status s = rocks::dump_scan(name, scan, each); !s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace slipstream
