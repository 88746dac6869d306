#pragma once
#include <rocksdb/db.h>

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/rocksdb/forgetting.h"
#include "connectors/rocksdb/gate.h"
#include "connectors/rocksdb/host.h"
#include "connectors/rocksdb/key_holds.h"
#include "connectors/rocksdb/options.h"
#include "slipstream/detail/cache_store.h"
#include "slipstream/detail/mutex.h"

namespace slipstream::rocks {

/// Something of RocksDB's that must be gone before the database is: a scan, a snapshot.
class Dependent {
 public:
  virtual ~Dependent() = default;
  /// The database closes. Under its mutex, while nobody is inside the gate.
  virtual void let_go() = 0;
};

/// A column family, shared by those who use it.
struct Family {
  std::string name;
  rocksdb::ColumnFamilyHandle* handle = nullptr;  ///< the database's
  std::atomic<bool> is_dropped{false};
};

/// One RocksDB, opened and closed once. From any thread. Whoever uses db() or a Family's handle holds a
/// Gate::Pass meanwhile.
class Database {
 public:
  explicit Database(std::shared_ptr<Host> host) : host_(std::move(host)) {}
  ~Database();
  Database(const Database&) = delete;

  /// `options`: of the database, in the folder options.path. `families`: those wanted, with the options of
  /// each; they are made if they aren't there. Others that are there are opened as they were.
  absl::Status open(const detail::StoreOptions& options, std::shared_ptr<const Memory> memory,
                    const std::map<std::string, detail::StoreOptions>& families);
  /// OK also when it isn't open. Waits for those inside, and writes to files what was only in the log: so a
  /// damaged database that was closed can be repaired from its files alone.
  absl::Status close();

  /// Empty before open().
  std::string path() const { return gate_.state() == Gate::State::unopened ? "" : path_; }
  Host& host() const { return *host_; }
  Gate& gate() { return gate_; }
  rocksdb::DB& db() { return *db_; }
  KeyHolds& holds() { return *holds_; }
  const Forgetting& forgetting() const { return *forgetting_; }
  bool writes() const { return writes_; }
  bool is_secondary() const { return !secondary_path_.empty(); }

  // Column families; inside the gate. The messages of errors are for prefixed().
  absl::StatusOr<std::shared_ptr<Family>> family(const std::string& name);
  absl::StatusOr<std::shared_ptr<Family>> create_family(const std::string& name,
                                                        const detail::StoreOptions& options);
  absl::Status drop_family(const std::string& name);
  std::vector<std::string> family_names();

  void add(Dependent* dependent);
  /// Also when the database has closed. let_go() isn't running when it returns, and won't.
  void remove(Dependent* dependent);

 private:
  using Handles = std::vector<rocksdb::ColumnFamilyHandle*>;
  using Descriptors = std::vector<rocksdb::ColumnFamilyDescriptor>;
  absl::Status check_folder(const detail::StoreOptions& options);
  absl::StatusOr<Descriptors> describe_families(const rocksdb::DBOptions& database,
                                                const std::map<std::string, detail::StoreOptions>& wanted);
  absl::Status open_files(const detail::StoreOptions& options, const rocksdb::DBOptions& database,
                          const Descriptors& families, Handles& handles);
  absl::Status open_to_write(const rocksdb::DBOptions& database, const Descriptors& families,
                             Handles& handles);
  absl::Status open_secondary(const rocksdb::DBOptions& database, const Descriptors& families,
                              Handles& handles);
  absl::Status flush_all();
  absl::Status explain(const rocksdb::Status& status) const;

  const std::shared_ptr<Host> host_;
  const std::shared_ptr<KeyHolds> holds_ = std::make_shared<KeyHolds>();
  const std::shared_ptr<Forgetting> forgetting_ = std::make_shared<Forgetting>();
  Gate gate_;

  // Set by open(), before the gate opens; used inside the gate.
  std::string path_;
  std::shared_ptr<const Memory> memory_;
  std::unique_ptr<rocksdb::DB> db_;
  bool writes_ = true;
  std::string secondary_path_;

  detail::Mutex mutex_;
  std::map<std::string, std::shared_ptr<Family>> families_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Family>> dropped_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::set<Dependent*> dependents_ SLIPSTREAM_GUARDED_BY(mutex_);
};

/// Database::open() names column families as RocksDB does: this is the one every database has.
inline const std::string kDefaultFamily = rocksdb::kDefaultColumnFamilyName;

}  // namespace slipstream::rocks
