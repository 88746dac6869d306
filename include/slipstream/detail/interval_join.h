#pragma once
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "slipstream/detail/keyed.h"
#include "slipstream/detail/time_rows.h"

namespace slipstream::detail {

/// A number for each record id of a run, so that two of them make the id of a pair.
class IdCodes {
 public:
  std::uint64_t operator()(const RecordId& id) {
    if (id.source != last_.source || id.partition != last_.partition || id.n != last_.n || !is_set_) {
      last_ = id;
      is_set_ = true;
      salt_ = hash_integer(hash_integer((std::uint64_t{id.source} << 32) | id.partition) + id.n);
    }
    return salt_ + static_cast<std::uint64_t>(id.offset) * 0xD1B54A32D192ED03u;
  }
  /// For pairs of one time it is as good as unique: offsets would have to differ by billions on both sides
  /// for the golden ratio's multiple to meet the other difference.
  static std::uint64_t of_pair(std::uint64_t left, std::uint64_t right) {
    return hash_integer(left * 0x9E3779B97F4A7C15u + right);
  }

 private:
  RecordId last_;
  bool is_set_ = false;
  std::uint64_t salt_ = 0;
};

/// What a pair becomes when the function may say that it is none.
template <class Result>
struct PairResult {
  using type = Result;
};
template <Optional Result>
struct PairResult<Result> {
  using type = typename Result::value_type;
};

/// Joins each two records of one key whose times are at most so far apart, as soon as both are there. Final:
/// neither arrival order within the bounds nor parallelism, batches or schedule can be seen in the set of
/// results.
///
/// The two sides are operators of their own, with their error policy's queues, and share this one's counts
/// and the table of rows: for each key those of both sides that a record still to come may match.
template <class Left, class Right, class LeftKey, class RightKey, class F>
class IntervalJoin final : public Operator {
 public:
  using Key = std::remove_cvref_t<std::invoke_result_t<const LeftKey&, const Left&>>;
  using Result = std::remove_cvref_t<std::invoke_result_t<const F&, const Left&, const Right&>>;
  using Out = typename PairResult<Result>::type;
  static constexpr int kLeft = 0;
  static constexpr int kRight = 1;
  /// What one record becomes is sent only when the function is done with all its pairs, so that a record that
  /// fails leaves nothing behind; beyond so many pairs that is given up, and a failure ends the run.
  static constexpr std::size_t kMaxAtomic = 65536;
  /// Records that are looked up together.
  static constexpr std::size_t kGroup = 16;

  IntervalJoin(const OperatorEnv& env, std::shared_ptr<const LeftKey> left_key,
               std::shared_ptr<const RightKey> right_key, Duration lower, Duration upper,
               std::shared_ptr<const F> f)
      : Operator(env),
        lower_(lower),
        upper_(upper),
        f_(std::move(f)),
        left_(part_of_this(env), std::move(left_key), *this, lower, upper),
        right_(part_of_this(env), std::move(right_key), *this, negative(upper), negative(lower)) {}
  OutputPort<Out> out;

  void receive_message(int port, BatchBase& batch) override { side(port).receive_message(port, batch); }
  void on_watermark(std::span<const EventTime> ports) override {
    BusyScope busy(*this);
    left_.note_watermark_of_other(ports[kRight]);
    right_.note_watermark_of_other(ports[kLeft]);
    if (left_.has_expired() && right_.has_expired()) clear();
    measure();
  }
  EventTime hold() const override { return std::min(left_.hold(), right_.hold()); }
  bool has_pending() const override { return left_.has_pending() || right_.has_pending(); }
  void resume() override { left_.has_pending() ? left_.resume() : right_.resume(); }
  void on_timer() override {
    left_.on_timer();
    left_.has_pending() ? this->lane().wake_at(this->lane().now()) : right_.on_timer();
  }

  void snapshot(SnapshotWriter& writer) const override {
    PartWriter left(writer, kLeft), right(writer, kRight);
    left_.snapshot(left);
    right_.snapshot(right);
    rows_.for_each([&](const Key& key, const KeyRows& rows) {
      left_.snapshot_rows(key, rows.left, left);
      right_.snapshot_rows(key, rows.right, right);
    });
  }
  absl::Status restore(std::uint32_t slot, std::string_view entry) override {
    if (entry.empty()) return absl::DataLossError("a join's row is damaged");
    return side(entry.front()).restore(slot, entry.substr(1));
  }
  std::string state_schema() const override {
    return "interval join " + std::to_string(lower_.count()) + ".." + std::to_string(upper_.count()) + "us " +
           schema_of<Key>() + " " + schema_of<Left>() + " " + schema_of<Right>() + " " +
           left_.state_schema() + " " + right_.state_schema();
  }

 private:
  struct KeyRows {
    TimeRows<Left> left;
    TimeRows<Right> right;
  };

  /// One input: looks its records up among the other's rows and adds them to its own.
  template <int kSide, class In, class KeyOf>
  class Side final : public KeyedOperator<In, KeyOf> {
    using Base = KeyedOperator<In, KeyOf>;

   public:
    /// Partners have times from `from` to `to` after a record's own.
    Side(const OperatorEnv& env, std::shared_ptr<const KeyOf> key_of, IntervalJoin& join, Duration from,
         Duration to)
        : Base(env, std::move(key_of)), join_(join), from_(from), to_(to) {}
    OutputPort<In> late;

    bool has_pending() const override { return at_ < input_.size(); }
    void resume() override {
      BusyScope busy(*this);
      run();
    }
    /// Rows before the horizon are of no use: the other side's records still to come are too late for them.
    void note_watermark_of_other(EventTime watermark) {
      horizon_ = watermark == kMaxTime ? kMaxTime : saturating_shift(watermark, negative(to_));
    }
    bool has_expired() const { return size_ == 0 || newest_ < horizon_; }
    void drop_expired(TimeRows<In>& rows) { size_ -= rows.drop_before(horizon_); }
    void forget() {
      size_ = 0;
      newest_ = kMinTime;
    }
    std::size_t size() const { return size_; }

    void snapshot_rows(const Key& key, const TimeRows<In>& rows, SnapshotWriter& writer) const {
      for (const auto& row : rows) {
        std::string entry(1, Base::kStateEntry);
        store(key, entry);
        store(row.time, entry);
        store(row.code, entry);
        store(row.value, entry);
        writer.put(this->slot(hash_key(key)), std::move(entry));
      }
    }
    absl::Status restore(std::uint32_t slot, std::string_view entry) override {
      if (entry.empty() || entry.front() != Base::kStateEntry) return Base::restore(slot, entry);
      entry.remove_prefix(1);
      Key key{};
      EventTime time;
      std::uint64_t code = 0;
      In value{};
      if (!load(entry, key) || !load(entry, time) || !load(entry, code) || !load(entry, value)) {
        return absl::DataLossError("a join's row is damaged");
      }
      keep(own(join_.rows_(key, hash_key(key))), time, code, std::move(value));
      return absl::OkStatus();
    }

   protected:
    void process(Batch<In>& batch) override {
      input_.clear();
      std::swap(input_.values, batch.values);
      input_.take_columns(batch);
      batch.clear();
      at_ = 0;
      join_.result_.values.reserve(input_.size());
      run();
    }

   private:
    static TimeRows<In>& own(KeyRows& rows) {
      if constexpr (kSide == kLeft)
        return rows.left;
      else
        return rows.right;
    }
    static auto& others(KeyRows& rows) {
      if constexpr (kSide == kLeft)
        return rows.right;
      else
        return rows.left;
    }
    auto& other_side() {
      if constexpr (kSide == kLeft)
        return join_.right_;
      else
        return join_.left_;
    }

    void run() {
      group_size_ = 0;
      this->guarded(
          input_, at_, [&](std::size_t i) { return join(i); }, [&](std::size_t i) { undo(i); });
      join_.send();
      late.emit(late_);
      if (has_pending()) return;
      input_.clear();
      at_ = 0;
      join_.sweep_if_due();
    }
    /// False: stopped in the middle of the record or right behind it, because downstream is full.
    bool join(std::size_t i) {
      if (passed_ == 0) begin_ = join_.result_.size();
      if (input_.is_late_record(i)) {
        divert_late(i);
        return true;
      }
      KeyRows& rows = rows_of(i);
      const std::uint64_t code = codes_(input_.ids[i]);
      if (!pair_up(i, code, others(rows))) return false;
      const std::size_t made = made_ + join_.result_.size() - begin_;
      made == 0 ? this->counters.absorbed += 1 : this->counters.forwarded += 1;
      passed_ = made_ = 0;
      keep(own(rows), input_.times[i], code, std::move(input_.values[i]));
      if (join_.result_.size() < this->lane().max_batch) return true;
      join_.send();
      if (!this->lane().should_pause()) return true;
      ++at_;
      return false;
    }
    KeyRows& rows_of(std::size_t i) {
      if (i - group_begin_ >= group_size_) find_group(i);
      return *group_[i - group_begin_];
    }
    /// Looks up the rows of the next few records together, so that the memory of one is on its way while
    /// another is worked on: waiting for it was a third of the time.
    void find_group(std::size_t first) {
      group_begin_ = first;
      group_size_ = 0;
      std::array<std::uint64_t, kGroup> hashes;
      const std::size_t size = hash_keys(first, hashes);
      join_.rows_.reserve(size);
      for (std::size_t k = 0; k < size; ++k) {
        KeyRows& rows = join_.rows_(this->key(input_.values[first + k]), hashes[k]);
        others(rows).prefetch_front();
        own(rows).prefetch_back();
        group_[k] = &rows;
      }
      group_size_ = size;
    }
    /// As many as have keys: one whose selector throws fails when it is its turn.
    std::size_t hash_keys(std::size_t first, std::array<std::uint64_t, kGroup>& hashes) const {
      const std::size_t size = std::min(kGroup, input_.size() - first);
      std::size_t k = 0;
      try {
        for (; k < size; ++k) {
          hashes[k] = hash_key<Key>(this->key(input_.values[first + k]));
          join_.rows_.prefetch(hashes[k]);
        }
      } catch (...) {
        if (k == 0) throw;
      }
      return k;
    }
    template <class Other>
    bool pair_up(std::size_t i, std::uint64_t code, const TimeRows<Other>& rows) {
      const EventTime time = input_.times[i];
      const EventTime last = saturating_shift(time, to_);
      auto row = rows.from(saturating_shift(time, from_)) + static_cast<std::ptrdiff_t>(passed_);
      for (; row != rows.end() && row->time <= last; ++row) {
        if constexpr (kSide == kLeft) {
          join_.add_pair(input_.values[i], row->value, std::max(time, row->time), code, row->code);
        } else {
          join_.add_pair(row->value, input_.values[i], std::max(time, row->time), row->code, code);
        }
        ++passed_;
        if (join_.result_.size() - begin_ < kMaxAtomic) continue;
        made_ += join_.result_.size() - begin_;
        join_.send();
        begin_ = 0;
        if (this->lane().should_pause()) return false;
      }
      return true;
    }
    void undo(std::size_t i) {
      group_size_ = 0;  // records behind this one may leave the batch
      if (made_ > 0) {
        this->lane().fail(
            *this, input_.ids[i],
            "failed after " + std::to_string(made_) + " of its pairs were sent; they can't be taken back");
      }
      join_.result_.truncate(begin_);
      passed_ = made_ = 0;
    }
    void keep(TimeRows<In>& rows, EventTime time, std::uint64_t code, In value) {
      if (time < horizon_) return;
      size_ -= rows.insert(time, code, std::move(value), horizon_);
      newest_ = std::max(newest_, time);
      ++size_;
    }
    void divert_late(std::size_t i) {
      this->counters.late += 1;
      if (!late.connected()) return;
      late_.append_columns(input_, i);
      late_.values.push_back(std::move(input_.values[i]));
      this->counters.out += 1;
    }

    IntervalJoin& join_;
    Duration from_, to_;
    EventTime horizon_ = kMinTime;
    EventTime newest_ = kMinTime;  ///< of the rows
    std::size_t size_ = 0;         ///< rows of all keys
    IdCodes codes_;
    Batch<In> input_;
    std::size_t at_ = 0;                  ///< the record of input_ to go on with
    std::array<KeyRows*, kGroup> group_;  ///< the rows of some records from group_begin_ on
    std::size_t group_begin_ = 0;
    std::size_t group_size_ = 0;
    std::size_t passed_ = 0;  ///< rows that one was paired with already
    std::size_t begin_ = 0;   ///< its first output in result_
    std::size_t made_ = 0;    ///< outputs of it that were sent
    Batch<In> late_;
  };

  /// Entries of one side's.
  class PartWriter final : public SnapshotWriter {
   public:
    PartWriter(SnapshotWriter& whole, int side) : whole_(whole), side_(static_cast<char>(side)) {}
    void put(std::uint32_t slot, std::string entry) override {
      entry.insert(entry.begin(), side_);
      whole_.put(slot, std::move(entry));
    }

   private:
    SnapshotWriter& whole_;
    char side_;
  };

  static Duration negative(Duration d) { return -std::max(d, -Duration::max()); }
  OperatorEnv part_of_this(OperatorEnv env) {
    env.counters = &counters;
    return env;
  }
  Operator& side(int port) {
    if (port == kLeft) return left_;
    return right_;
  }

  void add_pair(const Left& left, const Right& right, EventTime time, std::uint64_t left_code,
                std::uint64_t right_code) {
    if constexpr (Optional<Result>) {
      Result made = std::invoke(*f_, left, right);
      if (!made) return;
      result_.values.push_back(*std::move(made));
    } else {
      result_.values.push_back(std::invoke(*f_, left, right));
    }
    const std::uint64_t pair = IdCodes::of_pair(left_code, right_code);
    result_.append_columns(time, {env_.node_id, static_cast<std::uint32_t>(pair >> 32),
                                  time.time_since_epoch().count(), static_cast<std::uint32_t>(pair)});
  }
  void send() {
    counters.out += result_.size();
    out.emit(result_);
  }

  /// Rows of keys that get no records any more are found by looking at all, when there are twice as many as
  /// the last time.
  void sweep_if_due() {
    if (left_.size() + right_.size() + rows_.size() > sweep_at_) sweep();
    measure();
  }
  void sweep() {
    std::size_t at = 0;
    while (auto* slot = rows_.next(at)) {
      left_.drop_expired(slot->value.left);
      right_.drop_expired(slot->value.right);
      if (slot->value.left.empty() && slot->value.right.empty()) {
        rows_.erase(Key(slot->key), hash_key(slot->key));  // closes the gap with a key not yet looked at
      } else {
        ++at;
      }
    }
    sweep_at_ = 4 * (left_.size() + right_.size() + rows_.size()) + kSweepAtLeast;
  }
  void clear() {
    rows_ = {};
    left_.forget();
    right_.forget();
    sweep_at_ = kSweepAtLeast;
  }
  void measure() {
    counters.state_bytes.set(rows_.table_bytes() + left_.size() * sizeof(typename TimeRows<Left>::Row) +
                             right_.size() * sizeof(typename TimeRows<Right>::Row));
  }

  static constexpr std::size_t kSweepAtLeast = 256;

  Duration lower_, upper_;
  std::shared_ptr<const F> f_;
  KeyTable<Key, KeyRows> rows_;
  std::size_t sweep_at_ = kSweepAtLeast;
  Batch<Out> result_;
  Side<kLeft, Left, LeftKey> left_;
  Side<kRight, Right, RightKey> right_;

 public:
  OutputPort<Left>& late = left_.late;
};

}  // namespace slipstream::detail
