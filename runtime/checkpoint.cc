#include <algorithm>
#include <exception>
#include <tuple>
#include <utility>

#include "slipstream/detail/checkpoint_core.h"
#include "slipstream/detail/state_codec.h"
#include "slipstream/detail/units.h"

namespace slipstream::detail {

// ---------------------------------------------------------------- what may have to be done again

void OpenOffsets::handled(EventTime marker, std::int64_t offset) {
  // After a seek back, what lies behind comes again; and one record may have become several messages. This
  // entry stands for theirs, too.
  while (!entries_.empty() && entries_.back().offset >= offset) {
    marker = std::max(marker, entries_.back().marker);
    entries_.pop_back();
    in_last_ = width_;
  }
  if (entries_.empty()) width_ = in_last_ = 1;
  if (!entries_.empty() && entries_.back().marker >= marker) return;
  if (in_last_ < width_) {
    ++in_last_;
    entries_.back().marker = marker;
    return;
  }
  in_last_ = 1;
  entries_.push_back({marker, offset});
  if (entries_.size() > kMost) thin_out();
}

void OpenOffsets::forget_before(EventTime marker) {
  while (!entries_.empty() && entries_.front().marker < marker) entries_.pop_front();
}

std::optional<std::int64_t> OpenOffsets::first_from(EventTime marker) const {
  const auto it = std::partition_point(entries_.begin(), entries_.end(),
                                       [&](const Entry& entry) { return entry.marker < marker; });
  return it == entries_.end() ? std::nullopt : std::optional(it->offset);
}

void OpenOffsets::thin_out() {
  std::deque<Entry> half;
  for (std::size_t i = 0; i + 1 < entries_.size(); i += 2)
    half.push_back({entries_[i + 1].marker, entries_[i].offset});
  if (entries_.size() % 2 == 1) half.push_back(entries_.back());
  entries_ = std::move(half);
  width_ *= 2;
}

// ---------------------------------------------------------------- the checkpoint

CheckpointCore::CheckpointCore(Options options, std::vector<DependencyPlan> dependencies,
                               std::shared_ptr<SourceSwitch> dependent)
    : options_(std::move(options)), dependent_(std::move(dependent)) {
  const MutexLock lock(mutex_);
  for (DependencyPlan& plan : dependencies) {
    dependencies_.emplace_back();
    dependencies_.back().plan = std::move(plan);
  }
}

Downtime CheckpointCore::check_pulse(EventTime marker, std::optional<std::string> state,
                                     std::optional<PulsePosition> position) {
  Downtime downtime;
  std::exception_ptr thrown;  // by a check: outages of the other dependencies count all the same
  {
    const MutexLock lock(mutex_);
    load_once();
    note_pulse(marker, std::move(state), position);
    for (Dependency& dependency : dependencies_) {
      try {
        look_down(dependency, position ? position->partition : kWhole);
      } catch (...) {
        if (!thrown) thrown = std::current_exception();
      }
    }
    forget_covered();
    update_pauses();
    save();
    downtime = downtime_now();
  }
  run_callbacks();
  if (thrown) std::rethrow_exception(thrown);
  return downtime;
}

absl::StatusOr<Heartbeat> CheckpointCore::heartbeat(EventTime marker, std::string_view name) {
  Heartbeat found;
  {
    const MutexLock lock(mutex_);
    load_once();
    if (name.empty() && dependencies_.size() != 1) {
      return absl::InvalidArgumentError("checkpoint '" + options_.name + "' has " +
                                        std::to_string(dependencies_.size()) +
                                        " dependencies: say which one the heartbeat is of");
    }
    Dependency* dependency = name.empty() ? &dependencies_.front() : find(name);
    if (!dependency) {
      return absl::NotFoundError("checkpoint '" + options_.name + "' has no dependency '" +
                                 std::string(name) + "'");
    }
    dependency->marker = std::max(dependency->marker.value_or(marker), marker);
    dependency->state = state_;
    if (dependency->is_down) look_recovered(*dependency);
    forget_covered();
    update_pauses();
    save();
    found = {dependency->is_down, newest_marker(), *dependency->marker};
  }
  run_callbacks();
  return found;
}

void CheckpointCore::finish(std::string_view name) {
  {
    const MutexLock lock(mutex_);
    load_once();
    Dependency* dependency = find(name);
    if (!dependency) return;
    dependency->is_finished = true;
    dependency->pending.reset();
    dependency->ahead.clear();
    settle(*dependency);
    update_pauses();
    save();
    if (env_) env_->wake();  // a message may have waited for the check
  }
  run_callbacks();
}

Downtime CheckpointCore::downtime() {
  const MutexLock lock(mutex_);
  load_once();
  return downtime_now();
}
std::string CheckpointCore::state() {
  const MutexLock lock(mutex_);
  load_once();
  return state_;
}
std::optional<EventTime> CheckpointCore::marker() {
  const MutexLock lock(mutex_);
  load_once();
  return newest_marker();
}
std::optional<CheckpointCore::DependencyState> CheckpointCore::dependency(std::string_view name) {
  const MutexLock lock(mutex_);
  load_once();
  const Dependency* found = find(name);
  if (!found) return std::nullopt;
  return DependencyState{found->marker, found->state, found->is_down};
}

CheckpointCore::Dependency* CheckpointCore::find(std::string_view name) {
  for (Dependency& dependency : dependencies_) {
    if (dependency.plan.name == name) return &dependency;
  }
  return nullptr;
}

void CheckpointCore::note_pulse(EventTime marker, std::optional<std::string> state,
                                std::optional<PulsePosition> position) {
  Partition& partition = partitions_[position ? position->partition : kWhole];
  partition.marker = std::max(partition.marker, marker);
  if (state) state_ = *std::move(state);
  if (position) partition.open.handled(marker, position->offset);
  for (Dependency& dependency : dependencies_) {
    if (dependency.marker) continue;  // what never beat counts from here
    dependency.marker = marker;
    dependency.state = state_;
  }
}

// ---------------------------------------------------------------- who is down

Markers CheckpointCore::markers(const Dependency& dependency, int partition) const {
  return {partitions_.at(partition).marker, dependency.marker.value_or(kMinTime),
          dependency.plan.downtime_threshold};
}

void CheckpointCore::look_down(Dependency& dependency, int partition) {
  if (dependency.is_finished) return;
  const Markers at = markers(dependency, partition);
  if (dependency.plan.is_down) {
    begin(dependency, dependency.plan.is_down, partition);
    return;
  }
  const Duration behind = at.dependent - at.dependency;
  decide_down(dependency, partition, behind > at.downtime_threshold ? std::optional(behind) : std::nullopt);
}

void CheckpointCore::decide_down(Dependency& dependency, int partition, std::optional<Duration> down) {
  if (!down) {
    if (!dependency.is_down) return;
    const Markers at = markers(dependency, partition);
    dependency.downtime = std::max(Duration{0}, at.dependent - at.dependency);
    look_recovered(dependency);
    return;
  }
  dependency.downtime = *down;
  dependency.ahead.insert(partition);
  if (std::exchange(dependency.is_down, true)) return;
  outage_from_ = std::min(outage_from_.value_or(kMaxTime), *dependency.marker);
  log(LogLevel::info,
      "dependency '" + dependency.plan.name + "' is down: it is " + format_duration(*down) + " behind");
  events_.push_back(event(dependency, false));
}

/// The default looks at each partition by itself. A check of the user's is asked once, about the one that is
/// furthest, and speaks for all.
void CheckpointCore::look_recovered(Dependency& dependency) {
  if (dependency.ahead.empty()) return;
  int furthest = *dependency.ahead.begin();
  for (auto it = dependency.ahead.begin(); it != dependency.ahead.end();) {
    const int partition = *it;
    if (partitions_.at(partition).marker > partitions_.at(furthest).marker) furthest = partition;
    const Markers at = markers(dependency, partition);
    const bool is_covered = !dependency.plan.is_recovered && at.dependency > at.dependent;
    it = is_covered ? dependency.ahead.erase(it) : std::next(it);
  }
  if (dependency.plan.is_recovered) {
    begin(dependency, dependency.plan.is_recovered, furthest);
  } else {
    settle(dependency);
  }
}

/// A check that is under way already goes on; the next pulse or beat asks again.
template <class R>
void CheckpointCore::begin(Dependency& dependency, const Check<R>& check, int partition) {
  if (dependency.pending) return;
  auto at = std::make_unique<const Markers>(markers(dependency, partition));
  Task<R> task = check(*at);
  dependency.pending.emplace(Pending{partition, std::move(at), std::move(task), {}});
  go_on(dependency);
}

void CheckpointCore::go_on(Dependency& dependency) {
  std::optional<Duration> sleep;
  try {
    sleep = std::visit([](auto& check) { return check.resume(); }, dependency.pending->check);
  } catch (...) {
    dependency.pending.reset();
    throw;
  }
  if (sleep) {
    if (!env_) return;  // open() goes on
    dependency.pending->due = saturating_plus(env_->now(), *sleep);
    env_->call_at(*dependency.pending->due, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->go_on_with_all();
    });
    return;
  }
  const Pending done = *std::move(dependency.pending);
  dependency.pending.reset();
  const bool has_beaten = dependency.marker.value_or(kMinTime) > done.markers->dependency;
  if (const auto* down = std::get_if<0>(&done.check)) {
    decide_down(dependency, done.partition, down->result());
  } else if (std::get<1>(done.check).result()) {
    dependency.ahead.clear();
    settle(dependency);
  }
  // It decided on what was known when it began; a dependent that is paused has no pulse that would ask again.
  if (has_beaten && dependency.is_down && !dependency.pending) look_recovered(dependency);
}

/// By the run's clock: whatever it throws ends the run.
void CheckpointCore::go_on_with_all() {
  try {
    {
      const MutexLock lock(mutex_);
      if (!env_) return;
      for (Dependency& dependency : dependencies_) {
        if (!dependency.pending || dependency.pending->due > env_->now()) continue;
        go_on(dependency);
      }
      forget_covered();
      update_pauses();
      save();
    }
    run_callbacks();
    const MutexLock lock(mutex_);
    if (env_) env_->wake();  // a message may wait for what was decided
  } catch (...) {
    const std::string cause = describe_current_exception();
    const MutexLock lock(mutex_);
    fail(absl::AbortedError(cause));
  }
}

/// Is it up again?
void CheckpointCore::settle(Dependency& dependency) {
  if (!dependency.is_down || !dependency.ahead.empty()) return;
  dependency.is_down = false;
  log(LogLevel::info, "dependency '" + dependency.plan.name + "' is back");
  if (is_any_down()) return;
  events_.push_back(event(dependency, true));
  ++recoveries_;
  outage_from_.reset();
}

bool CheckpointCore::is_any_down() const {
  return std::any_of(dependencies_.begin(), dependencies_.end(),
                     [](const Dependency& dependency) { return dependency.is_down; });
}

std::optional<EventTime> CheckpointCore::newest_marker() const {
  std::optional<EventTime> newest;
  for (const auto& [number, partition] : partitions_)
    newest = std::max(newest.value_or(partition.marker), partition.marker);
  return newest;
}

Downtime CheckpointCore::downtime_now() const {
  Downtime downtime;
  for (const Dependency& dependency : dependencies_) {
    if (dependency.is_down) downtime.emplace(dependency.plan.name, dependency.downtime);
  }
  return downtime;
}

CheckpointCore::Event CheckpointCore::event(const Dependency& dependency, bool is_recovery) const {
  Event event;
  event.is_recovery = is_recovery;
  event.dependency = dependency.plan.name;
  event.downtime = dependency.downtime;
  event.dependent_marker = newest_marker().value_or(kMinTime);
  event.dependency_marker = dependency.marker.value_or(kMinTime);
  event.state = state_;
  event.dependency_state = dependency.state;
  for (const auto& [number, partition] : partitions_) {
    if (const auto first = partition.open.first_from(outage_from_.value_or(kMinTime)))
      event.offsets.emplace(number, *first);
  }
  return event;
}

/// What every dependency has passed was right when it was handled; but while one is down, all since the
/// outage's begin may have to be done again.
void CheckpointCore::forget_covered() {
  EventTime covered = outage_from_.value_or(kMaxTime);
  for (const Dependency& dependency : dependencies_) {
    if (!dependency.is_finished) covered = std::min(covered, dependency.marker.value_or(kMinTime));
  }
  for (auto& [number, partition] : partitions_) partition.open.forget_before(covered);
}

// ---------------------------------------------------------------- what follows

/// Paused is what is ahead of a dependency that is down, or waits to hear whether it is. Nothing resumes
/// before the callback of the recovery has run: it may seek.
void CheckpointCore::update_pauses() {
  update_end();
  if (!options_.pause_dependent) return;
  std::set<int> wanted;
  if (recoveries_ > 0) wanted = paused_;
  for (const Dependency& dependency : dependencies_) {
    wanted.insert(dependency.ahead.begin(), dependency.ahead.end());
    if (dependency.pending) wanted.insert(dependency.pending->partition);
  }
  std::set<int> changed;
  std::set_symmetric_difference(wanted.begin(), wanted.end(), paused_.begin(), paused_.end(),
                                std::inserter(changed, changed.end()));
  for (const int partition : changed) set_paused(partition, wanted.contains(partition));
  paused_ = std::move(wanted);
}

void CheckpointCore::set_paused(int partition, bool paused) {
  if (partition == kWhole) {
    paused ? dependent_->pause(options_.name) : dependent_->resume(options_.name);
  } else {
    paused ? dependent_->pause(options_.name, partition) : dependent_->resume(options_.name, partition);
  }
}

/// What came last before an outage may have to be read again.
void CheckpointCore::update_end() {
  const bool keeps_open = recoveries_ > 0 || is_any_down() ||
                          std::any_of(dependencies_.begin(), dependencies_.end(),
                                      [](const auto& d) { return d.pending.has_value(); });
  if (keeps_open == std::exchange(keeps_open_, keeps_open)) return;
  dependent_->keep_open(keeps_open);
}

/// One thread at a time; another one's are left to who is at it. All are called, whatever one throws; the
/// first that threw is who the caller hears of.
void CheckpointCore::run_callbacks() {
  std::exception_ptr error;
  MutexLock lock(mutex_);
  if (runs_callbacks_) return;
  runs_callbacks_ = true;
  while (!events_.empty()) {
    const Event event = std::move(events_.front());
    events_.pop_front();
    lock.unlock();
    try {
      options_.on_event(event, shared_from_this());
    } catch (...) {
      if (!error) error = std::current_exception();
    }
    lock.lock();
    if (event.is_recovery) --recoveries_;
    update_pauses();
  }
  runs_callbacks_ = false;
  lock.unlock();
  if (error) std::rethrow_exception(error);
  lock.lock();
}

void CheckpointCore::seek_back(const std::map<int, std::int64_t>& offsets) {
  const absl::Status sought = dependent_->seek(offsets);
  if (sought.ok() || offsets.empty()) return;
  const MutexLock lock(mutex_);
  fail(absl::Status(sought.code(),
                    "checkpoint '" + options_.name + "' can't go back: " + std::string(sought.message())));
}

bool CheckpointCore::is_deciding() {
  const MutexLock lock(mutex_);
  return std::any_of(dependencies_.begin(), dependencies_.end(), [](const Dependency& dependency) {
    return dependency.pending && dependency.pending->check.index() == 0;
  });
}

void CheckpointCore::log(LogLevel level, const std::string& message) {
  if (env_) env_->log(level, message);
}

void CheckpointCore::fail(absl::Status status) {
  if (env_) {
    env_->fail(status);
  } else {
    status_.Update(status);
  }
}

// ---------------------------------------------------------------- with the run

absl::Status CheckpointCore::open(const RunEnv& env) {
  {
    const MutexLock lock(mutex_);
    load_once();
    if (!status_.ok()) return status_;
    env_ = env;
    for (Dependency& dependency : dependencies_) {
      if (!dependency.pending) continue;
      dependency.pending->due = env.now();
    }
    update_pauses();
  }
  go_on_with_all();
  return absl::OkStatus();
}

void CheckpointCore::close() {
  const MutexLock lock(mutex_);
  env_.reset();
}

// ---------------------------------------------------------------- in the graph

namespace {

std::string mistake_in(const Graph& graph, const std::string& name, const std::vector<Input>& dependent,
                       const std::vector<DependencyBase>& dependencies) {
  const std::string checkpoint = "checkpoint '" + name + "'";
  if (name.empty()) return "a checkpoint has an empty name: it is kept under it";
  for (const auto& [other, part] : graph.parts) {
    if (other == name) return "two checkpoints are named '" + name + "': they are kept under their names";
  }
  const std::vector<Node*> sources = sources_of(dependent);
  if (sources.size() != 1) {
    return checkpoint +
           " needs a dependent that comes from one source, which it can pause; this one comes from " +
           std::to_string(sources.size());
  }
  std::set<std::string_view> names;
  for (const DependencyBase& dependency : dependencies) {
    const std::string& its_name = dependency.plan.name;
    if (its_name.empty()) return checkpoint + " has a dependency without a name: its marker is kept under it";
    if (!names.insert(its_name).second)
      return checkpoint + " has two dependencies named '" + its_name +
             "': their markers are kept under their names";
    if (dependency.graph.get() != &graph)
      return checkpoint + ": dependency '" + its_name + "' is a stream of another App";
    if (dependency.plan.downtime_threshold < Duration{0})
      return checkpoint + ": dependency '" + its_name + "' has a negative downtime_threshold";
    for (const Node* source : sources_of(dependency.outputs)) {
      if (source == sources.front()) {
        return checkpoint + " can't depend on what it pauses: dependency '" + its_name +
               "' comes from the dependent's source '" + source->name + "'";
      }
    }
  }
  return {};
}

}  // namespace

std::shared_ptr<CheckpointCore> add_checkpoint(Graph& graph, const std::vector<Input>& dependent,
                                               CheckpointCore::Options options,
                                               const std::vector<DependencyBase>& dependencies) {
  if (std::string mistake = mistake_in(graph, options.name, dependent, dependencies); !mistake.empty())
    graph.mistakes.push_back(std::move(mistake));
  const std::vector<Node*> sources = sources_of(dependent);
  std::vector<CheckpointCore::DependencyPlan> plans;
  for (const DependencyBase& dependency : dependencies) {
    plans.push_back(dependency.plan);
    if (!options.pause_dependent || sources.empty()) continue;
    for (const Node* source : sources_of(dependency.outputs)) sources.front()->waits_for.push_back(source);
  }
  const std::string name = options.name;
  auto core = std::make_shared<CheckpointCore>(
      std::move(options), std::move(plans),
      sources.empty() ? std::make_shared<SourceSwitch>() : sources.front()->source_switch);
  graph.parts.emplace_back(name, core);
  return core;
}

// ---------------------------------------------------------------- between runs

namespace {

/// What is saved, in the format of keyed state.
struct Saved {
  using Partition = std::tuple<EventTime, std::optional<std::int64_t>>;  ///< marker, first open offset
  using Dependency = std::tuple<std::string, std::optional<EventTime>, std::string, bool, Duration,
                                std::vector<int>>;  ///< name, marker, state, is down, downtime, who is ahead

  std::string state_schema;
  std::string state;
  std::map<int, Partition> partitions;
  std::optional<EventTime> outage_from;
  std::vector<Dependency> dependencies;
};
SLIPSTREAM_FIELDS(Saved, state_schema, state, partitions, outage_from, dependencies)

constexpr char kVersion = 1;

}  // namespace

std::string CheckpointCore::saved() const {
  Saved all{options_.state_schema, state_, {}, outage_from_, {}};
  for (const auto& [number, partition] : partitions_)
    all.partitions.emplace(number, std::tuple(partition.marker, partition.open.first_from(kMinTime)));
  for (const Dependency& d : dependencies_) {
    all.dependencies.emplace_back(d.plan.name, d.marker, d.state, d.is_down, d.downtime,
                                  std::vector<int>(d.ahead.begin(), d.ahead.end()));
  }
  std::string bytes(1, kVersion);
  store(all, bytes);
  return bytes;
}

absl::Status CheckpointCore::load(std::string_view bytes) {
  Saved all;
  if (bytes.empty() || bytes.front() != kVersion)
    return absl::FailedPreconditionError("it was saved by another version of slipstream");
  bytes.remove_prefix(1);
  if (!detail::load(bytes, all) || !bytes.empty()) return absl::DataLossError("the bytes are damaged");
  if (all.state_schema != options_.state_schema) {
    return absl::FailedPreconditionError("its state was " + all.state_schema + " when it was saved and is " +
                                         options_.state_schema + " now");
  }
  state_ = std::move(all.state);
  outage_from_ = all.outage_from;
  for (const auto& [number, partition] : all.partitions) {
    Partition& p = partitions_[number];
    p.marker = std::get<0>(partition);
    // Of the others nothing is known, so this one stands for all up to the newest.
    if (const auto& first = std::get<1>(partition)) p.open.handled(p.marker, *first);
  }
  for (auto& [name, marker, state, is_down, downtime, ahead] : all.dependencies) {
    Dependency* dependency = find(name);
    if (!dependency) continue;  // it isn't one any more
    dependency->marker = marker;
    dependency->state = std::move(state);
    dependency->downtime = downtime;
    for (const int partition : ahead) {
      if (partitions_.contains(partition)) dependency->ahead.insert(partition);
    }
    dependency->is_down = is_down && !dependency->ahead.empty();
  }
  if (!is_any_down()) outage_from_.reset();
  return absl::OkStatus();
}

void CheckpointCore::load_once() {
  if (std::exchange(is_loaded_, true) || !options_.store) return;
  const auto bytes = options_.store->load(options_.name);
  absl::Status status = bytes.status();
  if (bytes.ok() && *bytes) status = load(**bytes);
  if (status.ok()) return;
  fail(absl::Status(status.code(), "checkpoint '" + options_.name +
                                       "' can't be restored: " + std::string(status.message())));
}

void CheckpointCore::save() {
  if (!options_.store || !status_.ok()) return;
  if (absl::Status s = options_.store->save(options_.name, saved()); !s.ok())
    fail(absl::Status(s.code(),
                      "checkpoint '" + options_.name + "' can't be saved: " + std::string(s.message())));
}

}  // namespace slipstream::detail
