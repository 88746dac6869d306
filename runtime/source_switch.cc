#include "slipstream/detail/source_switch.h"

#include <algorithm>
#include <condition_variable>
#include <set>
#include <utility>

#include "slipstream/connector.h"
#include "slipstream/detail/mutex.h"

namespace slipstream::detail {
namespace {

void add_reason(std::vector<std::string>& reasons, std::string_view reason) {
  if (std::find(reasons.begin(), reasons.end(), reason) == reasons.end()) reasons.emplace_back(reason);
}

/// Why the whole source is paused.
struct Why {
  std::vector<std::string> reasons;
  std::vector<std::string> room_reasons;
  bool ignores_room = false;
  bool ignores_room_to_the_end = false;
  bool is_paused() const {
    return !reasons.empty() || !(room_reasons.empty() || ignores_room || ignores_room_to_the_end);
  }
};

struct Port {
  std::uint64_t heard = 0;
  bool holds = false;
  std::vector<int> full;
};

}  // namespace

struct SourceSwitch::Guarded {
  mutable Mutex mutex;
  Why why SLIPSTREAM_GUARDED_BY(mutex);
  std::map<int, std::vector<std::string>> reasons_of SLIPSTREAM_GUARDED_BY(mutex);  ///< none is empty
  std::map<int, Seek> pending SLIPSTREAM_GUARDED_BY(mutex);
  std::vector<Port> ports SLIPSTREAM_GUARDED_BY(mutex);
  std::optional<Run> run SLIPSTREAM_GUARDED_BY(mutex);
  bool had_run SLIPSTREAM_GUARDED_BY(mutex) = false;
  std::condition_variable has_run;
  std::set<int> at_end SLIPSTREAM_GUARDED_BY(mutex);  ///< read to the end and handled
  std::set<int> ended SLIPSTREAM_GUARDED_BY(mutex);   ///< and their lanes will end
  int kept_open SLIPSTREAM_GUARDED_BY(mutex) = 0;

  absl::Status check(const std::map<int, std::int64_t>& offsets) const SLIPSTREAM_REQUIRES(mutex);
};

SourceSwitch::SourceSwitch() : guarded_(std::make_unique<Guarded>()) {}
SourceSwitch::~SourceSwitch() = default;

// ---------------------------------------------------------------- pausing

/// Of the whole source.
template <class Change>
void SourceSwitch::change_reasons(const Change& change) {
  {
    Guarded& g = *guarded_;
    const MutexLock lock(g.mutex);
    change(g.why);
    const bool is_paused = g.why.is_paused();
    if (paused_.exchange(is_paused) == is_paused) return;
    signal_ = is_paused ? Signal::pause : Signal::resume;
  }
  changed();
}

void SourceSwitch::pause(std::string_view reason) {
  change_reasons([&](Why& why) { add_reason(why.reasons, reason); });
}
void SourceSwitch::resume(std::string_view reason) {
  change_reasons([&](Why& why) { std::erase(why.reasons, reason); });
}
void SourceSwitch::hold_back(std::string_view reason) {
  change_reasons([&](Why& why) { add_reason(why.room_reasons, reason); });
}
void SourceSwitch::let_go(std::string_view reason) {
  change_reasons([&](Why& why) { std::erase(why.room_reasons, reason); });
}
void SourceSwitch::ignore_room(bool ignore) {
  change_reasons([&](Why& why) { why.ignores_room = ignore; });
}
void SourceSwitch::ignore_room_to_the_end() {
  change_reasons([](Why& why) { why.ignores_room_to_the_end = true; });
}

bool SourceSwitch::is_held_back() const {
  const MutexLock lock(guarded_->mutex);
  return !guarded_->why.room_reasons.empty();
}

void SourceSwitch::pause(std::string_view reason, int partition) {
  {
    Guarded& g = *guarded_;
    const MutexLock lock(g.mutex);
    add_reason(g.reasons_of[partition], reason);
    differs_ = true;
  }
  changed();
}

void SourceSwitch::resume(std::string_view reason, int partition) {
  {
    Guarded& g = *guarded_;
    const MutexLock lock(g.mutex);
    const auto of = g.reasons_of.find(partition);
    if (of == g.reasons_of.end()) return;
    std::erase(of->second, reason);
    if (!of->second.empty()) return;
    g.reasons_of.erase(of);
    differs_ = !g.reasons_of.empty() || !g.pending.empty();
  }
  changed();
}

bool SourceSwitch::is_partition_paused(int partition) const {
  const MutexLock lock(guarded_->mutex);
  return guarded_->reasons_of.contains(partition);
}

std::vector<std::string> SourceSwitch::reasons(int partition) const {
  const MutexLock lock(guarded_->mutex);
  std::vector<std::string> all = guarded_->why.reasons;
  for (const std::string& reason : guarded_->why.room_reasons) add_reason(all, reason);
  const auto of = guarded_->reasons_of.find(partition);
  if (of == guarded_->reasons_of.end()) return all;
  for (const std::string& reason : of->second) add_reason(all, reason);
  return all;
}

void SourceSwitch::stop() {
  stopped_ = true;
  changed();
}

// ---------------------------------------------------------------- seeking

absl::Status SourceSwitch::Guarded::check(const std::map<int, std::int64_t>& offsets) const {
  if (!run->can_seek.ok()) return run->can_seek;
  for (const auto& [partition, offset] : offsets) {
    const std::string what = run->source + " partition " + std::to_string(partition);
    if (partition < 0 || partition >= run->partitions) {
      return absl::InvalidArgumentError(run->source + " has no partition " + std::to_string(partition) +
                                        " to seek in; it has " + std::to_string(run->partitions));
    }
    if (offset < kBeginning) {
      return absl::InvalidArgumentError(what + ": there is no offset " + std::to_string(offset) +
                                        "; give one from 0 on, kBeginning (-2) or kEnd (-1)");
    }
    if (ended.contains(partition)) {
      return absl::FailedPreconditionError(what + " has ended: all of it was read and handled");
    }
  }
  return absl::OkStatus();
}

absl::Status SourceSwitch::seek(std::int64_t offset) {
  std::map<int, std::int64_t> offsets{{0, offset}};  // there is always one
  {
    const MutexLock lock(guarded_->mutex);
    if (guarded_->run) {
      for (int p = 1; p < guarded_->run->partitions; ++p) offsets[p] = offset;
    }
  }
  return seek(offsets);
}

absl::Status SourceSwitch::seek(const std::map<int, std::int64_t>& offsets) {
  {
    Guarded& g = *guarded_;
    const MutexLock lock(g.mutex);
    if (!g.run) {
      return absl::FailedPreconditionError(
          "a source can be sought only while it runs; where it starts is said where it is made");
    }
    if (absl::Status s = g.check(offsets); !s.ok()) return s;
    if (offsets.empty()) return absl::OkStatus();
    if (stopped_) {
      return absl::FailedPreconditionError(g.run->source + " was stopped: nothing can be sought");
    }
    const std::uint64_t number = seeks_ + 1;
    for (const auto& [partition, offset] : offsets) g.pending[partition] = {offset, number};
    g.at_end = g.ended;
    differs_ = true;
    seeks_.store(number, std::memory_order_release);  // behind what it stands for
  }
  changed();
  return absl::OkStatus();
}

bool SourceSwitch::is_seeking(int partition) const { return pending(partition).has_value(); }

std::optional<SourceSwitch::Seek> SourceSwitch::pending(int partition) const {
  const MutexLock lock(guarded_->mutex);
  const auto seek = guarded_->pending.find(partition);
  return seek == guarded_->pending.end() ? std::nullopt : std::optional(seek->second);
}

void SourceSwitch::sought(int partition, const Seek& seek) {
  {
    Guarded& g = *guarded_;
    const MutexLock lock(g.mutex);
    const auto pending = g.pending.find(partition);
    if (pending == g.pending.end() || pending->second.number != seek.number) return;  // there is a newer one
    g.pending.erase(pending);
    differs_ = !g.reasons_of.empty() || !g.pending.empty();
  }
  changed();  // other lanes may be waiting for it to end
}

std::size_t SourceSwitch::add_port() {
  const MutexLock lock(guarded_->mutex);
  guarded_->ports.emplace_back();
  return guarded_->ports.size() - 1;
}

void SourceSwitch::heard(std::size_t port, std::uint64_t seeks) {
  {
    const MutexLock lock(guarded_->mutex);
    guarded_->ports[port].heard = seeks;
  }
  changed();
}

void SourceSwitch::holds(std::size_t port, bool any, std::vector<int> full) {
  {
    Guarded& g = *guarded_;
    const MutexLock lock(g.mutex);
    g.ports[port].holds = any;
    g.ports[port].full = std::move(full);
    any_full_ =
        std::any_of(g.ports.begin(), g.ports.end(), [](const Port& one) { return !one.full.empty(); });
  }
  changed();
}

bool SourceSwitch::is_partition_full(int partition) const {
  const MutexLock lock(guarded_->mutex);
  return std::any_of(guarded_->ports.begin(), guarded_->ports.end(), [partition](const Port& port) {
    return std::find(port.full.begin(), port.full.end(), partition) != port.full.end();
  });
}

bool SourceSwitch::all_heard() const {
  const MutexLock lock(guarded_->mutex);
  return std::all_of(guarded_->ports.begin(), guarded_->ports.end(),
                     [this](const Port& port) { return port.heard == seeks_; });
}

void SourceSwitch::keep_open(bool keep) {
  {
    const MutexLock lock(guarded_->mutex);
    guarded_->kept_open += keep ? 1 : -1;
  }
  if (!keep) changed();
}

bool SourceSwitch::try_end(std::span<const int> partitions) {
  {
    Guarded& g = *guarded_;
    const MutexLock lock(g.mutex);
    if (!g.run || !g.run->can_seek.ok() || g.ended.contains(partitions.front())) return true;
    if (!g.pending.empty() || g.kept_open > 0) return false;
    g.at_end.insert(partitions.begin(), partitions.end());
    const bool all = g.at_end.size() == static_cast<std::size_t>(g.run->partitions);
    const bool holds =
        std::any_of(g.ports.begin(), g.ports.end(), [](const Port& port) { return port.holds; });
    if (!g.ports.empty() && (!all || holds)) return false;
    g.ended = g.at_end;
  }
  changed();
  return true;
}

bool SourceSwitch::waits_to_end() const {
  const MutexLock lock(guarded_->mutex);
  return !guarded_->ports.empty() && guarded_->run && guarded_->run->can_seek.ok() && guarded_->ended.empty();
}

// ---------------------------------------------------------------- the run

void SourceSwitch::attach(Run run) {
  const MutexLock lock(guarded_->mutex);
  guarded_->run = std::move(run);
  guarded_->had_run = true;
  guarded_->has_run.notify_all();
}

void SourceSwitch::detach() {
  const MutexLock lock(guarded_->mutex);
  guarded_->run.reset();
}

bool SourceSwitch::await_run(std::chrono::nanoseconds timeout) const {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  MutexLock lock(guarded_->mutex);
  while (!guarded_->had_run) {
    if (!lock.wait_until(guarded_->has_run, deadline)) return guarded_->had_run;
  }
  return true;
}

/// Under the lock, so that nobody is called after the run has taken its callback away.
void SourceSwitch::changed() {
  const MutexLock lock(guarded_->mutex);
  if (guarded_->run) guarded_->run->changed();
}

}  // namespace slipstream::detail
