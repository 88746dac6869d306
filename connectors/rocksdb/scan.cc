#include "connectors/rocksdb/scan.h"

#include <algorithm>
#include <utility>

#include "connectors/rocksdb/errors.h"
#include "connectors/rocksdb/record.h"
#include "slipstream/ordered_key.h"

namespace slipstream::rocks {
namespace {

/// The first key behind all that begin with the prefix; empty: there is none.
std::string after_prefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xff') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  return prefix;
}

}  // namespace

Snapshot::Snapshot(std::shared_ptr<Database> database)
    : database_(std::move(database)), snapshot_(database_->db().GetSnapshot()) {
  database_->add(this);
}

Snapshot::~Snapshot() { database_->remove(this); }

void Snapshot::let_go() { database_->db().ReleaseSnapshot(std::exchange(snapshot_, nullptr)); }

RangeScan::RangeScan(std::shared_ptr<Database> database, std::string title, absl::Status closed,
                     rocksdb::ColumnFamilyHandle* family, const detail::StoreRange& range,
                     const rocksdb::Snapshot* at)
    : database_(std::move(database)),
      title_(std::move(title)),
      closed_(std::move(closed)),
      backwards_(range.backwards),
      now_(database_->host().now()),
      from_(range.from),
      lower_(std::max(range.lower.value_or(""), range.prefix)),
      upper_(after_prefix(range.prefix)) {
  const bool has_upper = range.upper || !upper_.empty();
  if (range.upper && (upper_.empty() || *range.upper < upper_)) upper_ = *range.upper;
  is_empty_ = has_upper && upper_ <= lower_;
  rocksdb::ReadOptions options;
  options.snapshot = at;
  lower_slice_ = lower_;
  upper_slice_ = upper_;
  if (!lower_.empty()) options.iterate_lower_bound = &lower_slice_;
  if (has_upper) options.iterate_upper_bound = &upper_slice_;
  iterator_.reset(database_->db().NewIterator(options, family));
  database_->add(this);
}

RangeScan::~RangeScan() {
  database_->remove(this);
  if (!status_.ok() && !was_asked_) {
    database_->host().log(LogLevel::error,
                          "a scan ended early and nobody asked why: " + std::string(status_.message()));
  }
}

absl::Status RangeScan::status() const {
  was_asked_ = true;
  return status_;
}

bool RangeScan::next(const Read& read) {
  if (is_empty_ || !status_.ok()) return false;
  const Gate::Pass pass(database_->gate());
  if (!pass.is_in()) {
    status_ = closed_;
    return false;
  }
  if (has_begun_ && !iterator_->Valid()) return false;
  for (std::exchange(has_begun_, true) ? step() : begin(); iterator_->Valid(); step()) {
    const auto record = read_record(iterator_->value().ToStringView());
    if (record && record->is_expired(now_)) continue;
    const std::string_view key = iterator_->key().ToStringView();
    status_ = record ? read({key, record->is_entity, record->bytes}) : unreadable(key);
    return status_.ok();
  }
  status_ = to_status(iterator_->status(), database_->path());
  if (!status_.ok()) status_ = prefixed(title_, status_);
  return false;
}

void RangeScan::begin() {
  // Seeking stays within the bounds by itself.
  if (backwards_) {
    from_ ? iterator_->SeekForPrev(*from_) : iterator_->SeekToLast();
  } else {
    from_ ? iterator_->Seek(*from_) : iterator_->SeekToFirst();
  }
}

void RangeScan::step() { backwards_ ? iterator_->Prev() : iterator_->Next(); }

absl::Status RangeScan::unreadable(std::string_view key) const {
  return error_of(absl::StatusCode::kDataLoss, title_ + ", key " + detail::ordered_key_text(key),
                  "the value isn't written as this version of slipstream writes it");
}

}  // namespace slipstream::rocks
