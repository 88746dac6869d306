#include "runtime/source_lane.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/engine.h"

namespace slipstream::runtime {
namespace {

constexpr std::size_t kFirstTarget = 256;  // records: little latency while little is known about the load

std::int64_t count(EventTime t) { return t.time_since_epoch().count(); }

const char* name_of(ReadState state) {
  switch (state) {
    case ReadState::more:
      return "active";
    case ReadState::waiting:
      return "waiting";
    case ReadState::caught_up:
      return "caught up";
    case ReadState::finished:
      return "finished";
  }
  return "";
}

}  // namespace

SourceLane::SourceLane(Engine& engine, Stage& stage, std::uint32_t index,
                       std::vector<PartitionStatus>& statuses)
    : Lane(engine, stage, index) {
  for (std::size_t p = index; p < statuses.size(); p += stage.lanes.size()) {
    Partition partition;
    partition.number = static_cast<int>(p);
    partition.status = &statuses[p];
    partition.target = std::min(kFirstTarget, max_batch);
    partitions_.push_back(partition);
  }
}

const detail::PartitionClock& SourceLane::clock(int partition) const {
  return partitions_[static_cast<std::size_t>(partition) / stage_.lanes.size()].clock;
}

void SourceLane::restore_clock(int partition, const detail::PartitionClock& clock) {
  Partition& p = partitions_[static_cast<std::size_t>(partition) / stage_.lanes.size()];
  p.clock = clock;
  p.status->watermark.store(count(clock.watermark));
  p.status->largest.store(count(clock.largest));
  p.status->next_offset.store(clock.next_offset);
}

bool SourceLane::step() {
  if (!finish_pending()) return false;
  wake_partitions();
  if (stage_.node->when_quiet.action != WhenQuiet::Action::hold) {
    for (Partition& p : partitions_) {
      if (p.state == ReadState::caught_up) watch_quiet(p);
    }
  }
  finish_by_hand();
  const bool is_where_it_should = seek();
  if (publish_watermark()) return true;
  if (try_end_source()) return false;
  if (engine_.is_stopping()) return false;  // held records keep the lane alive
  const bool pausing = engine_.commit_phase() != CommitPhase::none;
  settled_ = pausing;
  if (pausing || !is_where_it_should || !has_room() || must_wait_for_last()) return false;
  Partition* partition = choose();
  return partition && read(*partition);
}

void SourceLane::wake_partitions() {
  if (!woken_.load(std::memory_order_relaxed) || !woken_.exchange(false)) return;
  for (Partition& p : partitions_) {
    if (p.state == ReadState::waiting || p.state == ReadState::caught_up) p.state = ReadState::more;
  }
}

/// The lane's watermark is the least of its unfinished partitions'. True when it moved.
bool SourceLane::publish_watermark() {
  EventTime least = kMaxTime;
  bool any_idle = is_kept_open_;
  for (Partition& p : partitions_) {
    if (p.state == ReadState::finished) continue;
    any_idle = any_idle || p.status->is_idle.load();
    if (!p.status->is_idle.load()) least = std::min(least, p.clock.watermark);
  }
  follows_.store(least == kMaxTime && any_idle);
  if (follows_.load()) least = engine_.source_watermark(stage_.node->id);  // of other lanes' partitions
  if (least == kMaxTime && is_kept_open_) least = latest_watermark();
  least = std::min(least, least_hold());
  if (least <= watermark()) return false;
  if (least == kMaxTime) return false;  // said by the end
  broadcast(least);
  engine_.on_source_progress();
  return true;
}

EventTime SourceLane::latest_watermark() const {
  EventTime latest = kMinTime;
  for (const Partition& p : partitions_) latest = std::max(latest, p.clock.watermark);
  return latest;
}

bool SourceLane::try_end_source() {
  if (is_done()) return true;
  const bool finished = std::all_of(partitions_.begin(), partitions_.end(),
                                    [](const Partition& p) { return p.state == ReadState::finished; });
  if (!finished && !engine_.is_stopping()) return false;
  if (!finished) mark_stopped();
  if (holds_records() || (finished && !may_end())) return false;
  end(finished ? Control::End::finished : Control::End::stopped);
  engine_.on_source_progress();
  return true;
}

/// A source that its handlers can seek back isn't at its end before they have had everything.
bool SourceLane::may_end() {
  detail::SourceSwitch& by_hand = *stage_.node->source_switch;
  if (engine_.is_stopping() || by_hand.is_stopped()) return true;
  std::vector<int> numbers;
  for (const Partition& p : partitions_) numbers.push_back(p.number);
  const bool ends =
      !(by_hand.waits_to_end() && has_under_way() && wait_for_idle()) && by_hand.try_end(numbers);
  if (!ends && !std::exchange(is_kept_open_, true)) notify();  // it follows the other lanes' watermark now
  return ends;
}

/// Goes where the program wants to go on. False: it isn't there yet, so nothing may be read.
bool SourceLane::seek() {
  detail::SourceSwitch& by_hand = *stage_.node->source_switch;
  if (!by_hand.differs_by_partition() || engine_.is_stopping() || by_hand.is_stopped()) return true;
  bool arrived = true;
  for (Partition& p : partitions_) {
    const auto to = by_hand.pending(p.number);
    if (!to) continue;
    // Of what was read before nothing may reach a handler behind what is read then.
    // What waits for a retry in this lane is of before, too: the ports drop it when it comes.
    if (holds_records() || (has_under_way() && wait_for_idle()) || !by_hand.all_heard()) return false;
    arrived = seek(p, *to) && arrived;
  }
  return arrived;
}

bool SourceLane::seek(Partition& partition, const detail::SourceSwitch::Seek& to) {
  const auto at = stage_.node->source->seek(partition.number, to.offset);
  if (!at.ok()) {
    engine_.fail_connector(stage_.node->name, at.status());
    return false;
  }
  if (!*at) return false;  // the source will wake this lane
  PartitionStatus& status = *partition.status;
  partition.clock.next_offset = **at;
  // While it was finished, the others' watermark went ahead: what is older than that is late.
  if (partition.state == ReadState::finished)
    partition.clock.watermark = std::max(partition.clock.watermark, watermark());
  partition.state = ReadState::more;
  partition.quiet_since.reset();
  partition.took_one = false;
  status.watermark.store(count(partition.clock.watermark));
  status.next_offset.store(**at);
  status.was_sought.store(true);
  status.is_finished.store(false);
  status.state.store(name_of(ReadState::more));
  stage_.node->source_switch->sought(partition.number, to);
  return true;
}

/// Nothing is read any more, so nothing waits at a gate.
void SourceLane::mark_stopped() {
  for (Partition& p : partitions_) {
    if (p.state == ReadState::finished) continue;
    p.status->state.store("stopped");
    p.status->gates.store(0);
  }
}

/// A source that was told to stop has nothing more.
void SourceLane::finish_by_hand() {
  if (!stage_.node->source_switch->is_stopped()) return;
  for (Partition& p : partitions_) {
    if (p.state == ReadState::finished) continue;
    stage_.node->source->stopping();
    p.state = ReadState::finished;
    p.status->state.store(name_of(p.state));
    p.status->gates.store(0);
    p.status->is_finished.store(true);
    engine_.on_source_progress();
  }
}

bool SourceLane::must_wait_for_last() {
  return !stage_.node->source->reads_ahead() && has_under_way() && wait_for_idle();
}

/// The readable partition with the lowest watermark; turn by turn where they are equal.
SourceLane::Partition* SourceLane::choose() {
  Partition* best = nullptr;
  bool any_gated = false;
  has_gated_.store(true);  // before the gates are looked at, so that progress made meanwhile wakes this lane
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    Partition& p = partitions_[(next_ + i) % partitions_.size()];
    if (p.state != ReadState::more) continue;
    if (!is_open(p)) {
      any_gated = true;
      continue;
    }
    if (must_linger(p)) continue;
    if (!best || p.clock.watermark < best->clock.watermark) best = &p;
  }
  if (!any_gated) has_gated_.store(false);
  if (best) next_ = static_cast<std::size_t>(best - partitions_.data()) + 1;
  return best;
}

bool SourceLane::is_open(Partition& partition) {
  if (!stage_.node->source_switch->is_paused(partition.number)) partition.took_one = false;
  const std::uint32_t gates = gates_of(partition);
  const std::uint32_t before = partition.status->gates.load(std::memory_order_relaxed);
  if (gates != before) {
    partition.status->gates.store(gates);
    if ((gates == 0) != (before == 0)) stage_.node->source->hold(partition.number, gates != 0);
  }
  return gates == 0;
}

std::uint32_t SourceLane::gates_of(const Partition& partition) const {
  std::uint32_t gates = 0;
  std::size_t n = 0;
  for (const detail::Dependency& dependency : stage_.node->dependencies) {
    for (const detail::Node* other : dependency.on) {
      const EventTime limit =
          saturating_plus(engine_.source_watermark(other->id), dependency.options.max_lag);
      if (partition.clock.watermark > limit) gates |= Gates::dependency(n);
      ++n;
    }
  }
  // The laggard is never gated: only its progress lets state shrink.
  if (engine_.is_state_over_budget() && partition.clock.watermark > engine_.lowest_watermark())
    gates |= Gates::kMemory;
  // A coroutine goes on to its next record: it may be waiting for it already, or want to hear the signal.
  if (stage_.node->source_switch->is_paused(partition.number) &&
      (partition.took_one || stage_.node->source->reads_ahead())) {
    gates |= Gates::kByHand;
  }
  if (stage_.node->source_switch->is_full(partition.number)) gates |= Gates::kHeld;
  return gates;
}

/// A partition that trickles is read at once when the lanes behind are idle; while they are busy anyway, a
/// few records wait for company.
bool SourceLane::must_linger(Partition& partition) {
  if (!partition.quiet_since || !has_under_way()) return false;
  linger_asked_ += 1;
  const auto since = now();
  const auto due = partition.last_read + std::chrono::nanoseconds(engine_.linger());
  if (since >= due || !wait_for_idle()) return false;
  if (!partition.lingers_since) partition.lingers_since = since;
  wake_at(due);
  return true;
}

bool SourceLane::read(Partition& partition) {
  const std::size_t reserved = engine_.budget().reserve(engine_.config().batch_max_bytes);
  // Without credit, a lane that has nothing under way still reads one record: somebody must move.
  if (reserved == 0 && has_under_way()) return has_room();
  const bool one = reserved == 0 || !stage_.node->source->reads_ahead();
  const std::size_t limit = one ? 1 : std::min(partition.target, max_batch);
  note_when_read(partition);
  // While it was idle, the others' watermark went ahead: what is older than that is late.
  if (partition.status->is_idle.load())
    partition.clock.watermark = std::max(partition.clock.watermark, watermark());
  const ReadLimits limits{limit, std::max<std::size_t>(1, reserved)};
  auto outcome = [&]() -> absl::StatusOr<detail::ReadOutcome> {
    try {
      return source().read(partition.number, limits, partition.clock);
    } catch (...) {  // connectors shouldn't, but what is reserved has to be given back
      return absl::InternalError("read: " + detail::describe_current_exception());
    }
  }();
  if (!outcome.ok()) {
    engine_.budget().settle(reserved, 0);
    engine_.fail_connector(stage_.node->name, outcome.status());
    return true;
  }
  engine_.budget().settle(reserved, outcome->bytes);
  charge_ = outcome->bytes;
  in_message_ = true;
  after_read(partition, *outcome, limit);
  source().push();
  return true;
}

/// When its records became known, where they lingered: that is a part of their way.
void SourceLane::note_when_read(Partition& partition) {
  if (!engine_.is_tuning()) return;
  read_at_ = partition.lingers_since.value_or(now()).count();
  partition.lingers_since.reset();
}

void SourceLane::after_read(Partition& partition, const detail::ReadOutcome& outcome, std::size_t limit) {
  partition.state = outcome.state;
  records_ = outcome.records;
  partition.took_one = outcome.records > 0 && stage_.node->source_switch->is_paused(partition.number);
  if (outcome.records >= limit) partition.target = std::min(max_batch, 2 * partition.target);
  if (outcome.records > 0) {
    partition.last_read = now();
    partition.status->is_idle.store(false);
    partition.alarmed = false;
    partition.quiet_since.reset();
  }
  if (outcome.state == ReadState::caught_up) watch_quiet(partition);
  if (outcome.state == ReadState::caught_up || outcome.state == ReadState::waiting) {
    partition.target = std::min(kFirstTarget, max_batch);
  }
  PartitionStatus& status = *partition.status;
  status.records.store(status.records.load(std::memory_order_relaxed) + outcome.records,
                       std::memory_order_relaxed);
  status.next_offset.store(partition.clock.next_offset, std::memory_order_relaxed);
  status.largest.store(count(partition.clock.largest), std::memory_order_relaxed);
  status.state.store(name_of(outcome.state), std::memory_order_relaxed);
  status.watermark.store(count(partition.clock.watermark));
  if (outcome.state == ReadState::finished) status.is_finished.store(true);
  engine_.on_source_progress();
}

/// Applies the user's WhenQuiet to a partition that has caught up.
void SourceLane::watch_quiet(Partition& partition) {
  const auto now_ = now();
  const WhenQuiet& policy = stage_.node->when_quiet;
  const std::chrono::nanoseconds after = policy.after;
  if (!partition.quiet_since) {
    partition.quiet_since = now_;
    partition.quiet_base = partition.clock.watermark;
    partition.next_quiet_look = now_ + after;
  }
  if (policy.action == WhenQuiet::Action::hold) return;
  if (now_ < partition.next_quiet_look) {
    wake_at(partition.next_quiet_look);
    return;
  }
  const auto quiet_for = now_ - *partition.quiet_since;
  if (policy.action == WhenQuiet::Action::alarm) {
    if (!partition.alarmed) engine_.log_quiet(*stage_.node, partition.number, quiet_for);
    partition.alarmed = true;
    return;
  }
  bool moved = false;
  if (partition.clock.largest == kMinTime) {
    moved = !partition.status->is_idle.exchange(true);
  } else {
    const auto passed = std::chrono::duration_cast<Duration>(quiet_for);
    const EventTime before = partition.clock.watermark;
    partition.clock.watermark = std::max(before, saturating_plus(partition.quiet_base, passed));
    partition.status->watermark.store(count(partition.clock.watermark));
    moved = partition.clock.watermark > before;
  }
  // Also when a record that waits for a retry holds this lane's watermark back: gates look at partitions.
  if (moved) engine_.on_source_progress();
  // Not at every step: each advance is news that leads to steps.
  partition.next_quiet_look = now_ + std::max<std::chrono::nanoseconds>(after, std::chrono::milliseconds(10));
  wake_at(partition.next_quiet_look);
}

}  // namespace slipstream::runtime
