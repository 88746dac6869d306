#pragma once
#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/detail/invoke.h"
#include "slipstream/detail/keyed.h"

namespace slipstream::detail {

/// Joins each left record with the newest right record of its key at or before its time. A left record is
/// held until the right watermark proves that no such record can still come. Final: neither arrival order
/// within the bounds nor parallelism, batches or schedule can be seen in the set of results.
///
/// Speculative: a left record that isn't settled yet is joined with what is there, and held. When it is
/// settled and the newest right record is another one, it is joined again, under the same id. So the last
/// result of each id is the final one; the output's watermark doesn't pass a record before that.
///
/// State per key: right rows from the newest one at or before the horizon on, where the horizon is the oldest
/// time a left record may still have.
template <class Left, class Right, class LeftKey, class RightKey, class Out, class F>
class AsOfJoin final : public KeyedOperator<Left, LeftKey> {
  using Base = KeyedOperator<Left, LeftKey>;

 public:
  using typename Base::Key;
  static constexpr int kLeft = 0;
  static constexpr int kRight = 1;

  AsOfJoin(const OperatorEnv& env, std::shared_ptr<const LeftKey> left_key,
           std::shared_ptr<const RightKey> right_key, Duration tolerance, bool speculates,
           std::shared_ptr<const F> f)
      : Base(env, std::move(left_key)),
        right_key_(std::move(right_key)),
        tolerance_(tolerance),
        speculates_(speculates),
        f_(std::move(f)) {}
  OutputPort<Out> out;
  OutputPort<Left> late;

  void receive_message(int port, BatchBase& batch) override {
    if (port == kLeft) {
      Base::receive_message(port, batch);
    } else {
      if (kChecked) this->check_owner(static_cast<const Batch<Right>&>(batch), *right_key_);
      receive_right(static_cast<Batch<Right>&>(batch));
    }
  }
  void on_watermark(std::span<const EventTime> ports) override {
    BusyScope busy(*this);
    left_watermark_ = ports[kLeft];
    right_watermark_ = ports[kRight];
    release();
    if (rows_ > prune_at_) prune_all();
  }
  bool has_pending() const override { return pending_; }
  void resume() override {
    BusyScope busy(*this);
    release();
  }

  void snapshot(SnapshotWriter& writer) const override {
    Base::snapshot(writer);
    rights_.for_each([&](const Key& key, const Rows& rows) {
      for (const Row& row : rows) {
        std::string entry(1, kRightEntry);
        store(key, entry);
        store(row.value, entry);
        this->store_columns(row.time, row.id, nullptr, entry);
        writer.put(this->slot(hash_key(key)), std::move(entry));
      }
    });
    for (const auto& [order, held] : held_) {
      std::string entry(1, kHeldEntry);
      store(held.value, entry);
      this->store_columns(order.first, order.second, held.headers, entry);
      store(held.is_told, entry);
      this->store_columns(kMinTime, held.told_with, nullptr, entry);
      writer.put(this->slot(hash_key<Key>(this->key(held.value))), std::move(entry));
    }
  }
  absl::Status restore(std::uint32_t slot, std::string_view entry) override {
    const char kind = entry.empty() ? 0 : entry.front();
    if (kind != kRightEntry && kind != kHeldEntry) return Base::restore(slot, entry);
    entry.remove_prefix(1);
    HeadersPtr headers;
    if (kind == kHeldEntry) {
      Held held;
      EventTime time;
      RecordId id;
      if (!load(entry, held.value) || !this->load_columns(entry, time, id, held.headers) ||
          !load(entry, held.is_told)) {
        return damaged();
      }
      EventTime no_time;
      if (!this->load_columns(entry, no_time, held.told_with, headers)) return damaged();
      this->counters.in += 1;
      hold_row(time, id, std::move(held));
      return absl::OkStatus();
    }
    Key key{};
    Row row;
    if (!load(entry, key) || !load(entry, row.value) ||
        !this->load_columns(entry, row.time, row.id, headers)) {
      return damaged();
    }
    insert(key, std::move(row));
    return absl::OkStatus();
  }
  std::string state_schema() const override {
    return "as-of join 2 " + schema_of<Key>() + " " + schema_of<Left>() + " " + schema_of<Right>() + " " +
           Base::state_schema();
  }

 protected:
  void process(Batch<Left>& batch) override {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (batch.is_late_record(i)) {
        divert_late(batch, i);
      } else if (speculates_ || is_as_of_resolved(batch.times[i], right_watermark_)) {
        ready_.append_columns(batch, i);
        ready_.values.push_back(std::move(batch.values[i]));
      } else {
        hold_row(batch.times[i], batch.ids[i],
                 {std::move(batch.values[i]), batch.headers.empty() ? nullptr : batch.headers[i]});
      }
    }
    late.emit(late_);
    join_ready();
  }

 private:
  static constexpr char kRightEntry = 'R';
  static constexpr char kHeldEntry = 'H';

  struct Row {
    EventTime time;
    RecordId id;
    Right value;
  };
  using Rows = std::vector<Row>;  // by (time, id)
  struct Held {
    Left value;
    HeadersPtr headers;
    bool is_told = false;           ///< a result was emitted already
    RecordId told_with = kNoRight;  ///< the right record it was made with
  };
  static constexpr RecordId kNoRight{~0u, ~0u, -1, ~0u};
  static RecordId id_of(const Row* row) { return row ? row->id : kNoRight; }

  static absl::Status damaged() { return absl::DataLossError("a join's row is damaged"); }

  void receive_right(Batch<Right>& batch) {
    BusyScope busy(*this);
    this->counters.in += batch.size();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (batch.is_late_record(i)) {
        this->counters.late += 1;
        continue;
      }
      try {
        const Key key = std::invoke(*right_key_, batch.values[i]);
        insert(key, {batch.times[i], batch.ids[i], std::move(batch.values[i])});
        this->counters.absorbed += 1;
      } catch (...) {
        this->give_up(batch, i, describe_current_exception());
      }
    }
    measure();
  }
  void insert(const Key& key, Row row) {
    Rows& rows = rights_(key, hash_key(key));
    auto at = rows.end();
    while (at != rows.begin() && std::pair(row.time, row.id) < std::pair((at - 1)->time, (at - 1)->id)) --at;
    rows.insert(at, std::move(row));
    ++rows_;
  }
  void hold_row(EventTime time, const RecordId& id, Held held) {
    held_.emplace(std::pair(time, id), std::move(held));
    this->counters.held += 1;
    this->counters.held_peak.set(std::max(this->counters.held_peak.get(), this->counters.held.get()));
  }
  void divert_late(Batch<Left>& batch, std::size_t i) {
    this->counters.late += 1;
    if (!late.connected()) return;
    late_.append_columns(batch, i);
    late_.values.push_back(std::move(batch.values[i]));
    this->counters.out += 1;
  }

  /// Joins held rows whose answer is settled, oldest first, and stops where downstream is full.
  void release() {
    pending_ = false;
    while (!held_.empty() && is_as_of_resolved(held_.begin()->first.first, right_watermark_)) {
      if (ready_.size() >= this->lane().max_batch) {
        join_ready();
        if (this->lane().should_pause()) {
          pending_ = true;
          return;
        }
      }
      auto row = held_.extract(held_.begin());
      this->counters.held -= 1;
      if (was_right(row.key().first, row.mapped())) {
        this->counters.forwarded += 1;
        continue;
      }
      ready_.values.push_back(std::move(row.mapped().value));
      ready_.append_columns(row.key().first, row.key().second, row.mapped().headers);
    }
    join_ready();
  }
  bool was_right(EventTime time, const Held& held) {
    return held.is_told && held.told_with == id_of(newest_at(this->key(held.value), time));
  }
  void join_ready() {
    this->divert_waiting(ready_, 0);  // held rows may belong to a key that waits by now
    std::size_t i = 0;
    std::size_t kept = 0;
    std::size_t speculations = 0;
    this->guarded(
        ready_, i,
        [&](std::size_t at) {
          const Row* right = newest_at(this->key(ready_.values[at]), ready_.times[at]);
          result_.values.push_back(
              std::invoke(*f_, std::as_const(ready_.values[at]), right ? &right->value : nullptr));
          if (!is_as_of_resolved(ready_.times[at], right_watermark_)) {
            ++speculations;
            hold_row(ready_.times[at], ready_.ids[at],
                     {std::move(ready_.values[at]), ready_.headers.empty() ? nullptr : ready_.headers[at],
                      true, id_of(right)});
          }
          ready_.move_columns_down(at, kept++);
          return true;
        },
        [](std::size_t) {});
    ready_.truncate_columns(kept);
    result_.take_columns(ready_);
    ready_.clear();
    this->counters.forwarded += kept - speculations;
    this->counters.out += kept;
    out.emit(result_);
    measure();
  }
  const Row* newest_at(const Key& key, EventTime time) {
    const Rows* rows = rights_.find(key, hash_key(key));
    if (!rows) return nullptr;
    auto after = std::upper_bound(rows->begin(), rows->end(), time,
                                  [](EventTime t, const Row& row) { return t < row.time; });
    if (after == rows->begin()) return nullptr;
    const Row& row = *(after - 1);
    return row.time < saturating_minus(time, tolerance_) ? nullptr : &row;
  }

  /// Drops right rows that no left record can need any more: older than the newest one at or before the
  /// horizon, and that one too when it is out of tolerance.
  void prune_all() {
    EventTime horizon = left_watermark_;
    if (!held_.empty()) horizon = std::min(horizon, held_.begin()->first.first);
    horizon = std::min(horizon, this->hold());
    std::size_t at = 0;
    rows_ = 0;
    while (auto* slot = rights_.next(at)) {
      Rows& rows = slot->value;
      auto keep = std::upper_bound(rows.begin(), rows.end(), horizon,
                                   [](EventTime t, const Row& row) { return t < row.time; });
      if (keep != rows.begin() && (keep - 1)->time >= saturating_minus(horizon, tolerance_)) --keep;
      rows.erase(rows.begin(), keep);
      rows_ += rows.size();
      ++at;
    }
    prune_at_ = 2 * rows_ + kPruneAtLeast;
  }
  void measure() {
    this->counters.state_bytes.set(rights_.table_bytes() + rows_ * sizeof(Row) +
                                   held_.size() * (sizeof(Held) + sizeof(EventTime) + sizeof(RecordId)));
  }

  static constexpr std::size_t kPruneAtLeast = 256;

  std::shared_ptr<const RightKey> right_key_;
  Duration tolerance_;
  bool speculates_;
  std::shared_ptr<const F> f_;
  KeyTable<Key, Rows> rights_;
  std::size_t rows_ = 0;
  std::size_t prune_at_ = kPruneAtLeast;
  std::multimap<std::pair<EventTime, RecordId>, Held> held_;
  EventTime left_watermark_ = kMinTime;
  EventTime right_watermark_ = kMinTime;
  bool pending_ = false;
  Batch<Left> ready_;  ///< rows to join now
  Batch<Left> late_;
  Batch<Out> result_;
};

}  // namespace slipstream::detail
