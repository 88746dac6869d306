#pragma once
#include <map>
#include <memory>
#include <string>

#include "connectors/rocksdb/database.h"
#include "slipstream/detail/cache_store.h"

namespace slipstream::rocks {

/// A column family as a cache sees it. Made before its database is open.
class Store final : public detail::CacheStore {
 public:
  /// `root`: the family's name.
  Store(std::string name, std::string root, std::shared_ptr<Database> database, detail::StoreOptions options);

  /// Opens the database for this store alone.
  absl::Status open_with(std::shared_ptr<const Memory> memory);
  /// Somebody has opened the database. Before it, all functions report that it isn't open.
  absl::Status attach();
  const std::string& root() const { return root_; }
  const detail::StoreOptions& options() const { return options_; }
  const std::shared_ptr<Database>& database() const { return database_; }

  std::string title() const override { return "cache '" + name_ + "'"; }
  std::string path() const override { return options_.path.empty() ? database_->path() : options_.path; }
  absl::Status open() override;
  absl::Status close() override;

  absl::StatusOr<bool> get(std::string_view key, const detail::StoreSnapshot* at,
                           detail::StoredValue& out) override;
  absl::Status get_many(std::span<const std::string> keys, const detail::StoreSnapshot* at,
                        std::vector<std::optional<detail::StoredValue>>& out) override;
  absl::StatusOr<bool> may_exist(std::string_view key) override;
  std::unique_ptr<detail::StoreScan> scan(const detail::StoreRange& range,
                                          const detail::StoreSnapshot* at) override;
  absl::StatusOr<std::shared_ptr<const detail::StoreSnapshot>> snapshot() override;
  absl::StatusOr<std::unique_ptr<detail::KeyHold>> hold(std::string_view key) override;

  absl::Status put(std::string_view key, std::string_view value, bool is_entity,
                   std::optional<Duration> ttl) override;
  absl::Status remove(std::string_view key) override;
  absl::Status remove_range(std::string_view begin, std::string_view end) override;
  absl::Status write(std::span<const detail::StoreChange> changes) override;
  absl::StatusOr<std::unique_ptr<detail::StoreFileWriter>> file_writer(const std::string& path) override;
  absl::Status ingest(const std::vector<std::string>& paths, bool move) override;

  absl::StatusOr<std::shared_ptr<detail::CacheStore>> create_family(
      const std::string& name, const detail::StoreOptions& options) override;
  absl::StatusOr<std::shared_ptr<detail::CacheStore>> family(const std::string& name,
                                                             const detail::StoreOptions& options) override;
  absl::Status drop_family(const std::string& name) override;
  absl::StatusOr<std::vector<std::string>> families() override;

  absl::Status flush() override;
  absl::Status flush_wal(bool sync) override;
  absl::Status compact(const std::optional<std::string>& begin,
                       const std::optional<std::string>& end) override;
  absl::Status verify() override;
  absl::Status catch_up() override;
  absl::Status set_options(const std::map<std::string, std::string>& options) override;
  absl::StatusOr<std::string> property(const std::string& name) override;
  absl::StatusOr<std::vector<detail::StoreFile>> live_files() override;
  absl::StatusOr<std::uint64_t> latest_sequence_number() override;
  std::uint64_t forgotten() const override { return database_->forgetting().dropped(root_); }

 private:
  class Use;
  absl::Status unusable() const;
  absl::Status check_writable() const;
  absl::Status say(const rocksdb::Status& status) const;
  absl::Status say(std::string_view key, const rocksdb::Status& status) const;
  std::optional<EventTime> expiry(std::optional<Duration> ttl) const;
  rocksdb::WriteOptions write_options() const;
  absl::StatusOr<bool> unpack(std::string_view key, std::string_view stored, detail::StoredValue& out) const;
  absl::Status add(const detail::StoreChange& change, rocksdb::WriteBatch& batch) const;
  void put_into(rocksdb::WriteBatch& batch, std::string_view key, std::string_view value, bool is_entity,
                std::optional<Duration> ttl) const;
  std::string family_name(const std::string& name) const;
  absl::StatusOr<std::shared_ptr<detail::CacheStore>> store_of(const std::string& name,
                                                               const detail::StoreOptions& options) const;

  const std::string name_;
  const std::string root_;
  const std::shared_ptr<Database> database_;
  const detail::StoreOptions options_;
  std::shared_ptr<Family> family_;  // set by attach(), before the gate lets anyone see it
  std::atomic<bool> is_attached_{false};
};

}  // namespace slipstream::rocks
