#include "connectors/rocksdb/store.h"

#include <rocksdb/convenience.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <array>
#include <utility>

#include "connectors/rocksdb/errors.h"
#include "connectors/rocksdb/file_writer.h"
#include "connectors/rocksdb/record.h"
#include "connectors/rocksdb/scan.h"

namespace slipstream::rocks {
namespace {

const rocksdb::Snapshot* snapshot_of(const detail::StoreSnapshot* at) {
  return at ? static_cast<const Snapshot*>(at)->get() : nullptr;
}

/// Of a cache that can't be scanned.
class NoScan final : public detail::StoreScan {
 public:
  explicit NoScan(absl::Status why) : why_(std::move(why)) {}
  bool next(const Read&) override { return false; }
  absl::Status status() const override { return why_; }

 private:
  const absl::Status why_;
};

}  // namespace

/// Inside the gate, with a column family that is still there.
class Store::Use {
 public:
  explicit Use(const Store& store) : store_(store), pass_(store.database_->gate()) {}
  bool is_ok() const {
    return pass_.is_in() && store_.is_attached_.load(std::memory_order_acquire) &&
           !store_.family_->is_dropped;
  }
  rocksdb::DB& db() const { return store_.database_->db(); }
  rocksdb::ColumnFamilyHandle* family() const { return store_.family_->handle; }

 private:
  const Store& store_;
  const Gate::Pass pass_;
};

Store::Store(std::string name, std::string root, std::shared_ptr<Database> database,
             detail::StoreOptions options)
    : name_(std::move(name)),
      root_(std::move(root)),
      database_(std::move(database)),
      options_(std::move(options)) {}

// ---------------------------------------------------------------- opening and closing

absl::Status Store::open() {
  auto memory = std::make_shared<const Memory>(options_.memory_budget);
  return open_with(std::move(memory));
}

absl::Status Store::open_with(std::shared_ptr<const Memory> memory) {
  const absl::Status s = database_->open(options_, std::move(memory), {{root_, options_}});
  return s.ok() ? attach() : prefixed(title(), s);
}

absl::Status Store::attach() {
  const Gate::Pass pass(database_->gate());
  if (!pass.is_in()) return unusable();
  auto found = database_->family(root_);
  if (!found.ok()) return prefixed(title(), found.status());
  family_ = *std::move(found);
  is_attached_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status Store::close() { return prefixed(title(), database_->close()); }

absl::Status Store::unusable() const {
  if (database_->gate().state() == Gate::State::closed)
    return error_of(absl::StatusCode::kFailedPrecondition, title(), "it was closed");
  if (!is_attached_.load(std::memory_order_acquire))
    return error_of(absl::StatusCode::kFailedPrecondition, title(),
                    "it isn't open yet; it opens when the App runs, before its sources do");
  return error_of(absl::StatusCode::kFailedPrecondition, title(), "it was dropped");
}

absl::Status Store::check_writable() const {
  if (database_->writes()) return absl::OkStatus();
  return error_of(absl::StatusCode::kFailedPrecondition, title(), "it was opened to be read only");
}

absl::Status Store::say(const rocksdb::Status& status) const {
  return status.ok() ? absl::OkStatus() : prefixed(title(), to_status(status, path()));
}

absl::Status Store::say(std::string_view key, const rocksdb::Status& status) const {
  return status.ok() ? absl::OkStatus() : error(key, to_status(status, path()));
}

// ---------------------------------------------------------------- reading

absl::StatusOr<bool> Store::unpack(std::string_view key, std::string_view stored,
                                   detail::StoredValue& out) const {
  const auto record = read_record(stored);
  if (!record)
    return error(key, absl::DataLossError("the value isn't written as this version of slipstream writes it"));
  if (record->expires && record->is_expired(database_->host().now())) return false;
  out.is_entity = record->is_entity;
  out.bytes.assign(record->bytes);
  return true;
}

absl::StatusOr<bool> Store::get(std::string_view key, const detail::StoreSnapshot* at,
                                detail::StoredValue& out) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  rocksdb::ReadOptions options;
  options.snapshot = snapshot_of(at);
  rocksdb::PinnableSlice stored;
  const auto s = use.db().Get(options, use.family(), key, &stored);
  if (s.IsNotFound()) return false;
  if (!s.ok()) return say(key, s);
  return unpack(key, stored.ToStringView(), out);
}

absl::Status Store::get_many(std::span<const std::string> keys, const detail::StoreSnapshot* at,
                             std::vector<std::optional<detail::StoredValue>>& out) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  rocksdb::ReadOptions options;
  options.snapshot = snapshot_of(at);
  const std::vector<rocksdb::Slice> slices(keys.begin(), keys.end());
  std::vector<rocksdb::PinnableSlice> stored(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  use.db().MultiGet(options, use.family(), keys.size(), slices.data(), stored.data(), statuses.data());
  out.assign(keys.size(), std::nullopt);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].IsNotFound()) continue;
    if (!statuses[i].ok()) return say(keys[i], statuses[i]);
    const auto is_there = unpack(keys[i], stored[i].ToStringView(), out[i].emplace());
    if (!is_there.ok()) return is_there.status();
    if (!*is_there) out[i].reset();
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Store::may_exist(std::string_view key) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  std::string stored;
  bool is_known = false;
  if (!use.db().KeyMayExist({}, use.family(), key, &stored, nullptr, &is_known)) return false;
  if (!is_known) return true;
  detail::StoredValue ignored;
  return unpack(key, stored, ignored);
}

std::unique_ptr<detail::StoreScan> Store::scan(const detail::StoreRange& range,
                                               const detail::StoreSnapshot* at) {
  const Use use(*this);
  if (!use.is_ok()) return std::make_unique<NoScan>(unusable());
  return std::make_unique<RangeScan>(
      database_, title(), error_of(absl::StatusCode::kFailedPrecondition, title(), "it was closed"),
      use.family(), range, snapshot_of(at));
}

absl::StatusOr<std::shared_ptr<const detail::StoreSnapshot>> Store::snapshot() {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  return std::make_shared<const Snapshot>(database_);
}

absl::StatusOr<std::unique_ptr<detail::KeyHold>> Store::hold(std::string_view key) {
  if (!Use(*this).is_ok()) return unusable();  // and not while it waits: it would keep the cache from closing
  auto hold = database_->holds().hold(root_ + '\0' + std::string(key));
  if (!hold.ok()) return error(key, hold.status());
  return hold;
}

// ---------------------------------------------------------------- writing

std::optional<EventTime> Store::expiry(std::optional<Duration> ttl) const {
  if (!ttl) ttl = options_.ttl;
  if (!ttl) return std::nullopt;
  return saturating_plus(database_->host().now(), std::max(*ttl, Duration::zero()));
}

rocksdb::WriteOptions Store::write_options() const {
  rocksdb::WriteOptions options;
  options.sync = options_.sync;
  return options;
}

void Store::put_into(rocksdb::WriteBatch& batch, std::string_view key, std::string_view value, bool is_entity,
                     std::optional<Duration> ttl) const {
  const RecordHead head(is_entity, expiry(ttl));
  const rocksdb::Slice key_part = key;
  const std::array<rocksdb::Slice, 2> parts{head.bytes(), value};
  batch.Put(family_->handle, rocksdb::SliceParts(&key_part, 1), rocksdb::SliceParts(parts.data(), 2));
}

absl::Status Store::put(std::string_view key, std::string_view value, bool is_entity,
                        std::optional<Duration> ttl) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (absl::Status s = check_writable(); !s.ok()) return s;
  constexpr std::size_t kMoreThanTheRest = 64;
  rocksdb::WriteBatch batch(key.size() + value.size() + kMoreThanTheRest);
  put_into(batch, key, value, is_entity, ttl);
  return say(key, use.db().Write(write_options(), &batch));
}

absl::Status Store::remove(std::string_view key) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (absl::Status s = check_writable(); !s.ok()) return s;
  return say(key, use.db().Delete(write_options(), use.family(), key));
}

absl::Status Store::remove_range(std::string_view begin, std::string_view end) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (absl::Status s = check_writable(); !s.ok()) return s;
  if (begin >= end) return absl::OkStatus();
  return say(use.db().DeleteRange(write_options(), use.family(), begin, end));
}

absl::Status Store::add(const detail::StoreChange& change, rocksdb::WriteBatch& batch) const {
  using Kind = detail::StoreChange::Kind;
  if (!is_attached_.load(std::memory_order_acquire) || family_->is_dropped) return unusable();
  switch (change.kind) {
    case Kind::put:
    case Kind::put_entity:
      put_into(batch, change.key, change.value, change.kind == Kind::put_entity, change.ttl);
      break;
    case Kind::remove:
      batch.Delete(family_->handle, change.key);
      break;
    case Kind::remove_range:
      if (change.key < change.value) batch.DeleteRange(family_->handle, change.key, change.value);
      break;
  }
  return absl::OkStatus();
}

absl::Status Store::write(std::span<const detail::StoreChange> changes) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (absl::Status s = check_writable(); !s.ok()) return s;
  rocksdb::WriteBatch batch;
  rocksdb::WriteOptions options = write_options();
  for (const detail::StoreChange& change : changes) {
    const auto& store = static_cast<const Store&>(*change.store);
    if (store.database_ != database_) {
      return absl::InvalidArgumentError("a batch writes to one database; " + title() + " is in " + path() +
                                        ", " + store.title() + " in " + store.path());
    }
    if (absl::Status s = store.add(change, batch); !s.ok()) return s;
    options.sync |= store.options_.sync;
  }
  return say(use.db().Write(options, &batch));
}

absl::StatusOr<std::unique_ptr<detail::StoreFileWriter>> Store::file_writer(const std::string& path) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  return make_file_writer(title(), use.db().GetOptions(use.family()), path,
                          [this](auto ttl) { return expiry(ttl); });
}

absl::Status Store::ingest(const std::vector<std::string>& paths, bool move) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (absl::Status s = check_writable(); !s.ok()) return s;
  rocksdb::IngestExternalFileOptions options;
  options.move_files = move;
  return say(use.db().IngestExternalFile(use.family(), paths, options));
}

// ---------------------------------------------------------------- column families

std::string Store::family_name(const std::string& name) const {
  return root_ == kDefaultFamily ? name : root_ + "/" + name;
}

absl::StatusOr<std::shared_ptr<detail::CacheStore>> Store::store_of(
    const std::string& name, const detail::StoreOptions& options) const {
  auto store = std::make_shared<Store>(name_ + "/" + name, family_name(name), database_, options);
  if (absl::Status s = store->attach(); !s.ok()) return s;
  return store;
}

absl::StatusOr<std::shared_ptr<detail::CacheStore>> Store::create_family(
    const std::string& name, const detail::StoreOptions& options) {
  if (absl::Status s = check_name("a column family", name); !s.ok()) return prefixed(title(), s);
  if (absl::Status s = check_family_options(options); !s.ok()) return prefixed(title(), s);
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (absl::Status s = check_writable(); !s.ok()) return s;
  if (auto made = database_->create_family(family_name(name), options); !made.ok())
    return prefixed(title() + ", column family '" + name + "'", made.status());
  return store_of(name, options);
}

absl::StatusOr<std::shared_ptr<detail::CacheStore>> Store::family(const std::string& name,
                                                                  const detail::StoreOptions& options) {
  if (absl::Status s = check_family_options(options); !s.ok()) return prefixed(title(), s);
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (auto found = database_->family(family_name(name)); !found.ok())
    return prefixed(title() + ", column family '" + name + "'", found.status());
  return store_of(name, options);
}

absl::Status Store::drop_family(const std::string& name) {
  if (absl::Status s = check_name("a column family", name); !s.ok()) return prefixed(title(), s);
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (absl::Status s = check_writable(); !s.ok()) return s;
  return prefixed(title() + ", column family '" + name + "'", database_->drop_family(family_name(name)));
}

absl::StatusOr<std::vector<std::string>> Store::families() {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  const std::string own = family_name("");
  std::vector<std::string> names;
  for (const std::string& name : database_->family_names()) {
    if (name == kDefaultFamily || !name.starts_with(own)) continue;
    const std::string rest = name.substr(own.size());
    if (rest.find('/') == rest.npos) names.push_back(rest);
  }
  return names;
}

// ---------------------------------------------------------------- looking after it

absl::Status Store::flush() {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (absl::Status s = check_writable(); !s.ok()) return s;
  return say(use.db().Flush({}, use.family()));
}

absl::Status Store::flush_wal(bool sync) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (absl::Status s = check_writable(); !s.ok()) return s;
  return say(use.db().FlushWAL(sync));
}

absl::Status Store::compact(const std::optional<std::string>& begin, const std::optional<std::string>& end) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (absl::Status s = check_writable(); !s.ok()) return s;
  rocksdb::CompactRangeOptions options;
  // Else what lies lowest isn't looked at, and what has expired there stays.
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  rocksdb::Slice begin_slice, end_slice;
  if (begin) begin_slice = *begin;
  if (end) end_slice = *end;
  return say(use.db().CompactRange(options, use.family(), begin ? &begin_slice : nullptr,
                                   end ? &end_slice : nullptr));
}

absl::Status Store::verify() {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  return say(use.db().VerifyChecksum());
}

absl::Status Store::catch_up() {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (!database_->is_secondary())
    return error_of(absl::StatusCode::kFailedPrecondition, title(),
                    "catch_up() is for caches opened with CacheAccess::secondary");
  return say(use.db().TryCatchUpWithPrimary());
}

absl::Status Store::set_options(const std::map<std::string, std::string>& options) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  if (absl::Status s = check_writable(); !s.ok()) return s;
  const std::unordered_map<std::string, std::string> wanted(options.begin(), options.end());
  if (use.db().SetOptions(use.family(), wanted).ok()) return absl::OkStatus();
  // Those of the database are others; RocksDB takes each kind as a whole.
  return say(use.db().SetDBOptions(wanted));
}

absl::StatusOr<std::string> Store::property(const std::string& name) {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  std::string value;
  if (use.db().GetProperty(use.family(), name, &value)) return value;
  return error_of(absl::StatusCode::kNotFound, title(), "RocksDB has no property '" + name + "'");
}

absl::StatusOr<std::vector<detail::StoreFile>> Store::live_files() {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  std::vector<rocksdb::LiveFileMetaData> all;
  use.db().GetLiveFilesMetaData(&all);
  std::vector<detail::StoreFile> files;
  for (const auto& file : all) {
    if (file.column_family_name == root_)
      files.push_back({file.db_path + file.name, file.size, file.level, file.num_entries});
  }
  return files;
}

absl::StatusOr<std::uint64_t> Store::latest_sequence_number() {
  const Use use(*this);
  if (!use.is_ok()) return unusable();
  return use.db().GetLatestSequenceNumber();
}

}  // namespace slipstream::rocks
