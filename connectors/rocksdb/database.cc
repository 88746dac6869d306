#include "connectors/rocksdb/database.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "connectors/rocksdb/errors.h"
#include "connectors/rocksdb/inventory.h"
#include "connectors/rocksdb/locks.h"

namespace slipstream::rocks {

namespace fs = std::filesystem;

Database::~Database() { close().IgnoreError(); }

// ---------------------------------------------------------------- opening

absl::Status Database::open(const detail::StoreOptions& options, std::shared_ptr<const Memory> memory,
                            const std::map<std::string, detail::StoreOptions>& wanted) {
  path_ = options.path;
  memory_ = std::move(memory);
  writes_ = !options.read_only && !options.secondary;
  if (absl::Status s = check_folder(options); !s.ok()) return s;
  auto database = database_options(options, *memory_);
  if (!database.ok()) return database.status();
  database->listeners.push_back(forgetting_);
  auto families = describe_families(*database, wanted);
  if (!families.ok()) return families.status();
  Handles handles;
  if (absl::Status s = open_files(options, *database, *families, handles); !s.ok()) return s;
  {
    const detail::MutexLock lock(mutex_);
    for (rocksdb::ColumnFamilyHandle* handle : handles) {
      auto family = std::make_shared<Family>();
      family->name = handle->GetName();
      family->handle = handle;
      families_[family->name] = std::move(family);
    }
  }
  gate_.open();
  return absl::OkStatus();
}

absl::Status Database::check_folder(const detail::StoreOptions& options) {
  switch (look_at(path_)) {
    case Folder::headless:
      return damaged(path_, "its file CURRENT is missing");
    case Folder::foreign:
      return absl::FailedPreconditionError(
          "the folder " + path_ + " holds other files and no database; a cache needs a folder of its own");
    case Folder::database:
      if (writer_of(path_)) return absl::OkStatus();  // files come and go
      return check_inventory(path_);
    case Folder::absent:
      break;
  }
  if (!writes_ || !options.create_if_missing) return absl::NotFoundError("there is no database in " + path_);
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) return absl::InvalidArgumentError("can't make the folder " + path_ + ": " + error.message());
  return absl::OkStatus();
}

absl::StatusOr<Database::Descriptors> Database::describe_families(
    const rocksdb::DBOptions& database, const std::map<std::string, detail::StoreOptions>& wanted) {
  std::map<std::string, rocksdb::ColumnFamilyOptions> stored;
  std::vector<std::string> names;
  if (look_at(path_) == Folder::database) {
    if (absl::Status s = explain(rocksdb::DB::ListColumnFamilies(database, path_, &names)); !s.ok()) return s;
    stored = stored_families(path_);
  }
  Descriptors out;
  for (const std::string& name : names) {
    if (wanted.contains(name)) continue;
    const auto was = stored.find(name);
    out.emplace_back(name,
                     kept_family_options(was == stored.end() ? rocksdb::ColumnFamilyOptions() : was->second,
                                         *memory_, host_));
  }
  for (const auto& [name, options] : wanted) {
    const auto was = stored.find(name);
    auto made = family_options(options, *memory_, host_,
                               was == stored.end() ? std::nullopt : std::optional(was->second));
    if (!made.ok()) return made.status();
    const bool is_there = std::find(names.begin(), names.end(), name) != names.end();
    if (!is_there && !writes_) return absl::NotFoundError("there is no cache '" + name + "' in " + path_);
    out.emplace_back(name, *std::move(made));
  }
  if (!wanted.contains(kDefaultFamily) && names.empty())
    out.emplace_back(kDefaultFamily, kept_family_options({}, *memory_, host_));
  return out;
}

absl::Status Database::open_files(const detail::StoreOptions& options, const rocksdb::DBOptions& database,
                                  const Descriptors& families, Handles& handles) {
  if (writes_) return open_to_write(database, families, handles);
  if (options.secondary) return open_secondary(database, families, handles);
  if (writer_of(path_)) {
    return absl::FailedPreconditionError(holder_text(path_) + " and writes to " + path_ +
                                         "; open it with CacheAccess::secondary, which may look on");
  }
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::OpenForReadOnly(database, path_, families, &handles, &db);
  db_.reset(db);
  return explain(s);
}

absl::Status Database::open_to_write(const rocksdb::DBOptions& database, const Descriptors& families,
                                     Handles& handles) {
  // Before anything changes; a crash between here and the first change loses the list, nothing else.
  const auto list = take_inventory(path_);
  if (!list.ok()) return list.status();
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::Open(database, path_, families, &handles, &db);
  db_.reset(db);
  if (!s.ok()) put_back_inventory(path_, *list);
  return explain(s);
}

absl::Status Database::open_secondary(const rocksdb::DBOptions& database, const Descriptors& families,
                                      Handles& handles) {
  std::string folder = fs::temp_directory_path() / "slipstream_secondary_XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr)
    return absl::InternalError("can't make a folder like " + folder + " for the secondary's own messages");
  secondary_path_ = folder;
  rocksdb::DB* db = nullptr;
  const auto s = rocksdb::DB::OpenAsSecondary(database, path_, folder, families, &handles, &db);
  db_.reset(db);
  return explain(s);
}

absl::Status Database::explain(const rocksdb::Status& status) const {
  const std::string text = status.ToString();
  const bool is_ours = text.find("lock hold by current process") != text.npos;
  const bool is_others = text.find("LOCK: Resource temporarily unavailable") != text.npos;
  if (is_ours || is_others) {
    return absl::FailedPreconditionError("the database in " + path_ + " is in use: " +
                                         (is_ours ? "this process has it open already" : holder_text(path_)) +
                                         "; one process may write (CacheAccess::secondary may look on)");
  }
  return to_status(status, path_);
}

// ---------------------------------------------------------------- closing

absl::Status Database::close() {
  if (!gate_.close()) return absl::OkStatus();
  absl::Status status = writes_ ? flush_all() : absl::OkStatus();
  {
    const detail::MutexLock lock(mutex_);
    for (Dependent* dependent : dependents_) dependent->let_go();
    dependents_.clear();
    for (const auto& [name, family] : families_) db_->DestroyColumnFamilyHandle(family->handle);
    for (const auto& family : dropped_) db_->DestroyColumnFamilyHandle(family->handle);
    families_.clear();
    dropped_.clear();
  }
  status.Update(to_status(db_->Close(), path_));
  db_.reset();
  if (status.ok() && writes_) status = write_inventory(path_);
  std::error_code ignored;
  if (is_secondary()) fs::remove_all(secondary_path_, ignored);
  return status;
}

absl::Status Database::flush_all() {
  const detail::MutexLock lock(mutex_);
  for (const auto& [name, family] : families_) {
    std::uint64_t entries = 0;
    db_->GetIntProperty(family->handle, rocksdb::DB::Properties::kNumEntriesActiveMemTable, &entries);
    if (entries == 0) continue;
    if (const auto s = db_->Flush({}, family->handle); !s.ok()) return to_status(s, path_);
  }
  return absl::OkStatus();
}

void Database::add(Dependent* dependent) {
  const detail::MutexLock lock(mutex_);
  dependents_.insert(dependent);
}

void Database::remove(Dependent* dependent) {
  const detail::MutexLock lock(mutex_);
  if (dependents_.erase(dependent) > 0) dependent->let_go();
}

// ---------------------------------------------------------------- column families

absl::StatusOr<std::shared_ptr<Family>> Database::family(const std::string& name) {
  const detail::MutexLock lock(mutex_);
  const auto found = families_.find(name);
  if (found == families_.end()) return absl::NotFoundError("there is no column family of this name");
  return found->second;
}

absl::StatusOr<std::shared_ptr<Family>> Database::create_family(const std::string& name,
                                                                const detail::StoreOptions& options) {
  auto made = family_options(options, *memory_, host_, std::nullopt);
  if (!made.ok()) return made.status();
  const detail::MutexLock lock(mutex_);
  if (families_.contains(name)) return absl::AlreadyExistsError("there is a column family of this name");
  auto family = std::make_shared<Family>();
  family->name = name;
  const auto s = db_->CreateColumnFamily(*made, name, &family->handle);
  if (!s.ok()) return to_status(s, path_);
  families_[name] = family;
  return family;
}

absl::Status Database::drop_family(const std::string& name) {
  const detail::MutexLock lock(mutex_);
  const auto found = families_.find(name);
  if (found == families_.end()) return absl::NotFoundError("there is no column family of this name");
  if (absl::Status s = to_status(db_->DropColumnFamily(found->second->handle), path_); !s.ok()) return s;
  found->second->is_dropped = true;
  dropped_.push_back(std::move(found->second));  // whoever is inside may be using the handle
  families_.erase(found);
  return absl::OkStatus();
}

std::vector<std::string> Database::family_names() {
  const detail::MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, family] : families_) names.push_back(name);
  return names;
}

}  // namespace slipstream::rocks
