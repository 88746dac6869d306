#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/log.h"
#include "slipstream/time.h"

/// What a cache is when its types are taken away: ordered keys and values as bytes.
namespace slipstream::detail {

struct Graph;

/// The part of a cache's options that doesn't know its types; cache.h explains them.
struct StoreOptions {
  std::string path;  ///< empty: a column family of the App's database
  bool read_only = false;
  bool secondary = false;
  bool create_if_missing = true;
  bool sync = false;
  std::optional<Duration> ttl;
  std::optional<std::size_t> forget_beyond;  ///< bytes
  std::size_t memory_budget = 0;
  std::map<std::string, std::string> rocksdb;
  std::function<EventTime()> now;
  LogHook log;
};

/// A value with what it is.
struct StoredValue {
  bool is_entity = false;  ///< the bytes are a stored std::map<std::string, std::string>
  std::string bytes;
};

/// A moment of a database that can be read; gives it up when it is destroyed.
class StoreSnapshot {
 public:
  virtual ~StoreSnapshot() = default;
};

struct StoreRange {
  std::optional<std::string> from;   ///< begins here, or at the next key there is in the scan's direction
  std::optional<std::string> lower;  ///< included
  std::optional<std::string> upper;  ///< excluded
  std::string prefix;
  bool backwards = false;
};

/// The keys of a range as they were when the scan was made, one after the other. Used by one thread at a
/// time.
class StoreScan {
 public:
  struct Entry {
    std::string_view key;
    bool is_entity;
    std::string_view bytes;
  };
  using Read = std::function<absl::Status(const Entry&)>;
  virtual ~StoreScan() = default;
  /// Goes to the first or next entry and has it read. The entry is there during that call, also while another
  /// thread closes the store, which waits for it. False: there is none, or status() says what went wrong,
  /// which may be what `read` returned.
  virtual bool next(const Read& read) = 0;
  virtual absl::Status status() const = 0;
};

class CacheStore;

/// One change of a batch.
struct StoreChange {
  enum class Kind { put, put_entity, remove, remove_range };
  std::shared_ptr<CacheStore> store;
  Kind kind = Kind::put;
  std::string key;
  std::string value;  ///< of a put; the end, excluded, of a range
  std::optional<Duration> ttl;
};

/// Writes a file for CacheStore::ingest(). Keys must rise.
class StoreFileWriter {
 public:
  virtual ~StoreFileWriter() = default;
  virtual absl::Status put(std::string_view key, std::string_view value, std::optional<Duration> ttl) = 0;
  virtual absl::Status finish() = 0;
};

struct StoreFile {
  std::string path;
  std::uint64_t bytes = 0;
  int level = 0;
  std::uint64_t entries = 0;
};

/// Exclusive use of a key, until it is destroyed.
class KeyHold {
 public:
  virtual ~KeyHold() = default;
};

/// One column family of one database. From any thread. All functions report FailedPrecondition while it isn't
/// open yet or any more; messages name the cache and the key.
class CacheStore : public std::enable_shared_from_this<CacheStore> {
 public:
  virtual ~CacheStore() = default;
  /// "cache 'emojis'".
  virtual std::string title() const = 0;
  virtual std::string path() const = 0;
  virtual absl::Status open() = 0;
  virtual absl::Status close() = 0;

  // Reading; `at` may be null.
  virtual absl::StatusOr<bool> get(std::string_view key, const StoreSnapshot* at, StoredValue& out) = 0;
  virtual absl::Status get_many(std::span<const std::string> keys, const StoreSnapshot* at,
                                std::vector<std::optional<StoredValue>>& out) = 0;
  virtual absl::StatusOr<bool> may_exist(std::string_view key) = 0;
  virtual std::unique_ptr<StoreScan> scan(const StoreRange& range, const StoreSnapshot* at) = 0;
  virtual absl::StatusOr<std::shared_ptr<const StoreSnapshot>> snapshot() = 0;
  virtual absl::StatusOr<std::unique_ptr<KeyHold>> hold(std::string_view key) = 0;

  // Writing
  virtual absl::Status put(std::string_view key, std::string_view value, bool is_entity,
                           std::optional<Duration> ttl) = 0;
  virtual absl::Status remove(std::string_view key) = 0;
  virtual absl::Status remove_range(std::string_view begin, std::string_view end) = 0;
  /// All or nothing. The changes are those of stores of this database.
  virtual absl::Status write(std::span<const StoreChange> changes) = 0;
  virtual absl::StatusOr<std::unique_ptr<StoreFileWriter>> file_writer(const std::string& path) = 0;
  virtual absl::Status ingest(const std::vector<std::string>& paths, bool move) = 0;

  // Column families
  virtual absl::StatusOr<std::shared_ptr<CacheStore>> create_family(const std::string& name,
                                                                    const StoreOptions& options) = 0;
  virtual absl::StatusOr<std::shared_ptr<CacheStore>> family(const std::string& name,
                                                             const StoreOptions& options) = 0;
  virtual absl::Status drop_family(const std::string& name) = 0;
  virtual absl::StatusOr<std::vector<std::string>> families() = 0;

  // Looking after it
  virtual absl::Status flush() = 0;
  virtual absl::Status flush_wal(bool sync) = 0;
  virtual absl::Status compact(const std::optional<std::string>& begin,
                               const std::optional<std::string>& end) = 0;
  virtual absl::Status verify() = 0;
  virtual absl::Status catch_up() = 0;
  virtual absl::Status set_options(const std::map<std::string, std::string>& options) = 0;
  virtual absl::StatusOr<std::string> property(const std::string& name) = 0;
  virtual absl::StatusOr<std::vector<StoreFile>> live_files() = 0;
  virtual absl::StatusOr<std::uint64_t> latest_sequence_number() = 0;
  virtual std::uint64_t forgotten() const = 0;

  /// An error of this cache: "cache 'emojis', key "a": what".
  absl::Status error(std::string_view key, const absl::Status& what) const;
};

/// A store that opens when it is told to: a database of its own.
absl::StatusOr<std::shared_ptr<CacheStore>> make_store(const std::string& name, const StoreOptions& options);
/// A store that the App opens before its sources, and closes when the App is destroyed. What is wrong with
/// the name or the options is said when it runs.
std::shared_ptr<CacheStore> add_app_store(Graph& graph, const std::string& name, const StoreOptions& options);

}  // namespace slipstream::detail
