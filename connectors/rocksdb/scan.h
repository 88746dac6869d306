#pragma once
#include <rocksdb/db.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "connectors/rocksdb/database.h"
#include "slipstream/detail/cache_store.h"

namespace slipstream::rocks {

class Snapshot final : public detail::StoreSnapshot, public Dependent {
 public:
  /// Inside the gate.
  explicit Snapshot(std::shared_ptr<Database> database);
  ~Snapshot() override;
  void let_go() override;
  /// Inside the gate.
  const rocksdb::Snapshot* get() const { return snapshot_; }

 private:
  const std::shared_ptr<Database> database_;
  const rocksdb::Snapshot* snapshot_;  // changed by let_go() only
};

/// An iterator between its bounds, without what has expired.
class RangeScan final : public detail::StoreScan, public Dependent {
 public:
  /// Inside the gate. `closed`: what next() reports when the database has closed.
  RangeScan(std::shared_ptr<Database> database, std::string title, absl::Status closed,
            rocksdb::ColumnFamilyHandle* family, const detail::StoreRange& range,
            const rocksdb::Snapshot* at);
  ~RangeScan() override;
  void let_go() override { iterator_.reset(); }

  bool next(const Read& read) override;
  absl::Status status() const override;

 private:
  void begin();
  void step();
  absl::Status unreadable(std::string_view key) const;

  const std::shared_ptr<Database> database_;
  const std::string title_;
  const absl::Status closed_;
  const bool backwards_;
  const EventTime now_;  // one moment for all of it, as for the keys
  const std::optional<std::string> from_;
  std::string lower_, upper_;
  rocksdb::Slice lower_slice_, upper_slice_;  // what the iterator refers to
  std::unique_ptr<rocksdb::Iterator> iterator_;
  bool has_begun_ = false;
  bool is_empty_ = false;
  absl::Status status_;
  mutable bool was_asked_ = false;
};

}  // namespace slipstream::rocks
