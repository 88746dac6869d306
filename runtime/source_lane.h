#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/lane.h"
#include "slipstream/detail/source_operator.h"

namespace slipstream::runtime {

/// Why a partition isn't read. A partition is gated while any is set.
struct Gates {
  static constexpr std::uint32_t kMemory = 1;  ///< retained state is over the budget and others are behind
  static constexpr std::uint32_t kByHand = 2;  ///< paused through its SourceSwitch
  static constexpr std::uint32_t kHeld = 4;    ///< handlers have as much of it as they may hold
  /// Ahead of the n-th source it depends on, in the order of Node::dependencies; those beyond the 28th share
  /// a bit.
  static constexpr std::uint32_t dependency(std::size_t n) { return 8u << (n < 28 ? n : 28); }
};

/// What anyone may read of a source partition, written by the lane that reads it.
struct PartitionStatus {
  std::atomic<std::int64_t> watermark{kMinTime.time_since_epoch().count()};
  std::atomic<std::int64_t> largest{kMinTime.time_since_epoch().count()};
  std::atomic<std::int64_t> next_offset{0};
  std::atomic<bool> was_sought{false};
  std::atomic<std::uint64_t> records{0};
  std::atomic<std::uint32_t> gates{0};
  std::atomic<const char*> state{"active"};
  std::atomic<bool> is_finished{false};
  std::atomic<bool> is_idle{false};  ///< never had a record, and WhenQuiet::advance: others' watermarks count
};

/// The lane at the head of a source's stage. It reads the partitions p with p % lanes == index, the one with
/// the lowest watermark first, and never one that is gated.
class SourceLane final : public Lane {
 public:
  SourceLane(Engine& engine, Stage& stage, std::uint32_t index, std::vector<PartitionStatus>& statuses);

  /// A wake from the connector: partitions that had nothing are worth another look. From any thread.
  void on_wake() {
    woken_.store(true);
    notify();
  }
  /// Whether the progress of other partitions may give this lane something to do.
  bool waits_for_others() const { return has_gated_.load() || follows_.load(); }
  /// How often it depended on the linger whether records were read.
  std::uint64_t linger_asked() const { return linger_asked_.get(); }
  /// Clocks and offsets, for snapshots; when nothing runs.
  const detail::PartitionClock& clock(int partition) const;
  void restore_clock(int partition, const detail::PartitionClock& clock);

 protected:
  bool step() override;

 private:
  struct Partition {
    int number = 0;
    detail::PartitionClock clock;
    PartitionStatus* status = nullptr;
    ReadState state = ReadState::more;
    std::size_t target = 0;  ///< records to read at a time
    std::chrono::nanoseconds last_read{0};
    std::optional<std::chrono::nanoseconds> lingers_since;  ///< since then records have waited for company
    std::optional<std::chrono::nanoseconds> quiet_since;
    EventTime quiet_base = kMinTime;  ///< the watermark when it became quiet
    std::chrono::nanoseconds next_quiet_look{0};
    bool alarmed = false;
    bool took_one = false;  ///< since it was paused by hand
  };

  detail::SourceOperator& source() { return static_cast<detail::SourceOperator&>(head()); }
  void wake_partitions();
  bool publish_watermark();
  EventTime latest_watermark() const;
  bool try_end_source();
  void mark_stopped();
  void finish_by_hand();
  bool seek();
  bool seek(Partition& partition, const detail::SourceSwitch::Seek& to);
  bool may_end();
  bool must_wait_for_last();
  Partition* choose();
  bool is_open(Partition& partition);
  std::uint32_t gates_of(const Partition& partition) const;
  bool must_linger(Partition& partition);
  void note_when_read(Partition& partition);
  bool read(Partition& partition);
  void after_read(Partition& partition, const detail::ReadOutcome& outcome, std::size_t limit);
  void watch_quiet(Partition& partition);

  std::vector<Partition> partitions_;
  detail::Counter linger_asked_;
  std::atomic<bool> woken_{false};
  std::atomic<bool> has_gated_{false};
  std::atomic<bool> follows_{
      false};  ///< all its partitions are idle or at their end: its watermark is the other lanes'
  bool is_kept_open_ = false;  ///< everything is read, but handlers may seek back
  std::size_t next_ = 0;       ///< where the search for a partition starts
};

}  // namespace slipstream::runtime
