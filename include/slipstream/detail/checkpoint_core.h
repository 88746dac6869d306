#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/checkpoint_store.h"
#include "slipstream/detail/graph.h"
#include "slipstream/detail/mutex.h"
#include "slipstream/downtime.h"
#include "slipstream/task.h"
#include "slipstream/time.h"

namespace slipstream {

/// What a check compares: how far the two streams are.
struct Markers {
  EventTime dependent;             ///< of the partition that is looked at
  EventTime dependency;            ///< the newest
  Duration downtime_threshold{0};  ///< as stated
};

namespace detail {

/// A check as the user writes it, a plain function or a coroutine, of which both become a Task.
template <class R>
using Check = std::function<Task<R>(const Markers&)>;

/// What a pulse knows of the record behind it.
struct PulsePosition {
  int partition = 0;
  std::int64_t offset = 0;
};

/// Of the records handled in one partition, those that a marker doesn't cover yet: where the first one not
/// older than a given marker stands. Grows with the records between two markers, up to a limit.
class OpenOffsets {
 public:
  void handled(EventTime marker, std::int64_t offset);
  /// Records older than this will not be asked for any more.
  void forget_before(EventTime marker);
  /// The lowest offset of a record handled that is not older than `marker`; empty when there is none.
  std::optional<std::int64_t> first_from(EventTime marker) const;

 private:
  /// Beyond it, every second entry is merged with the next, and an entry stands for twice as many records
  /// from then on: the answer may be a lower offset than needed, by a part in a thousand of what is open.
  static constexpr std::size_t kMost = 4096;
  struct Entry {
    EventTime marker;
    std::int64_t offset;
  };
  void thin_out();
  /// Markers and offsets both grow: what is older and further behind says nothing.
  std::deque<Entry> entries_;
  std::size_t width_ = 1;    ///< records an entry may stand for
  std::size_t in_last_ = 1;  ///< records the last one stands for
};

/// What a checkpoint is, without the types: markers, who is down, what is paused, what is kept. User states
/// are bytes here. Decisions are made under a lock; callbacks run outside of it, one at a time and in order,
/// so they may call everything here.
class CheckpointCore final : public RunPart, public std::enable_shared_from_this<CheckpointCore> {
 public:
  struct DependencyPlan {
    std::string name;
    Duration downtime_threshold{0};
    Check<std::optional<Duration>> is_down;  ///< empty: more than the threshold behind
    Check<bool> is_recovered;                ///< empty: newer than the dependent
  };
  /// What callbacks are told.
  struct Event {
    bool is_recovery = false;
    std::string dependency;
    Duration downtime{0};
    EventTime dependent_marker, dependency_marker;
    std::string state, dependency_state;  ///< empty: none yet
    std::map<int, std::int64_t> offsets;  ///< of the first records that may be wrong, by partition
  };
  struct Options {
    std::string name;
    std::string state_schema;
    std::shared_ptr<CheckpointStore> store;
    bool pause_dependent = true;
    std::function<void(const Event&, const std::shared_ptr<CheckpointCore>&)> on_event;
  };
  struct DependencyState {
    std::optional<EventTime> marker;
    std::string state;  ///< the dependent's when the dependency last beat; empty: none yet
    bool is_down = false;
  };

  CheckpointCore(Options options, std::vector<DependencyPlan> dependencies,
                 std::shared_ptr<SourceSwitch> dependent);

  const std::string& name() const { return options_.name; }
  /// `state`: empty keeps the last one.
  Downtime check_pulse(EventTime marker, std::optional<std::string> state,
                       std::optional<PulsePosition> position);
  absl::StatusOr<Heartbeat> heartbeat(EventTime marker, std::string_view dependency);
  /// The dependency has ended: whatever it had to say is said.
  void finish(std::string_view dependency);
  Downtime downtime();
  std::string state();
  std::optional<EventTime> marker();
  std::optional<DependencyState> dependency(std::string_view name);
  /// Nothing to go back to is no mistake; a source that can't be sought ends the run.
  void seek_back(const std::map<int, std::int64_t>& offsets);
  /// Whether a pulse is still being looked at.
  bool is_deciding();

  absl::Status open(const RunEnv& env) override;
  void close() override;

 private:
  static constexpr int kWhole = -1;  ///< where a pulse doesn't say which partition it comes from

  struct Partition {
    EventTime marker = kMinTime;
    OpenOffsets open;
  };
  /// A check that took its time.
  struct Pending {
    int partition;
    std::unique_ptr<const Markers> markers;  ///< which the coroutine may refer to
    std::variant<Task<std::optional<Duration>>, Task<bool>> check;
    std::optional<EventTime> due;  ///< empty: not looked at yet
  };
  struct Dependency {
    DependencyPlan plan;
    std::optional<EventTime> marker;
    std::string state;
    bool is_down = false;
    bool is_finished = false;
    Duration downtime{0};
    std::set<int> ahead;  ///< partitions that went too far; they wait until it has caught up with them
    std::optional<Pending> pending;
  };

  Dependency* find(std::string_view name) SLIPSTREAM_REQUIRES(mutex_);
  void note_pulse(EventTime marker, std::optional<std::string> state, std::optional<PulsePosition> position)
      SLIPSTREAM_REQUIRES(mutex_);
  Markers markers(const Dependency& dependency, int partition) const SLIPSTREAM_REQUIRES(mutex_);
  void look_down(Dependency& dependency, int partition) SLIPSTREAM_REQUIRES(mutex_);
  void decide_down(Dependency& dependency, int partition, std::optional<Duration> down)
      SLIPSTREAM_REQUIRES(mutex_);
  void look_recovered(Dependency& dependency) SLIPSTREAM_REQUIRES(mutex_);
  void decide_recovered(Dependency& dependency, int partition) SLIPSTREAM_REQUIRES(mutex_);
  template <class R>
  void begin(Dependency& dependency, const Check<R>& check, int partition) SLIPSTREAM_REQUIRES(mutex_);
  void go_on(Dependency& dependency) SLIPSTREAM_REQUIRES(mutex_);
  void go_on_with_all();
  void settle(Dependency& dependency) SLIPSTREAM_REQUIRES(mutex_);
  bool is_any_down() const SLIPSTREAM_REQUIRES(mutex_);
  std::optional<EventTime> newest_marker() const SLIPSTREAM_REQUIRES(mutex_);
  Downtime downtime_now() const SLIPSTREAM_REQUIRES(mutex_);
  Event event(const Dependency& dependency, bool is_recovery) const SLIPSTREAM_REQUIRES(mutex_);
  void forget_covered() SLIPSTREAM_REQUIRES(mutex_);
  void update_pauses() SLIPSTREAM_REQUIRES(mutex_);
  void set_paused(int partition, bool paused) SLIPSTREAM_REQUIRES(mutex_);
  void update_end() SLIPSTREAM_REQUIRES(mutex_);
  void load_once() SLIPSTREAM_REQUIRES(mutex_);
  absl::Status load(std::string_view bytes) SLIPSTREAM_REQUIRES(mutex_);
  std::string saved() const SLIPSTREAM_REQUIRES(mutex_);
  void save() SLIPSTREAM_REQUIRES(mutex_);
  void fail(absl::Status status) SLIPSTREAM_REQUIRES(mutex_);
  void log(LogLevel level, const std::string& message) SLIPSTREAM_REQUIRES(mutex_);
  void run_callbacks();

  const Options options_;
  const std::shared_ptr<SourceSwitch> dependent_;
  Mutex mutex_;
  std::vector<Dependency> dependencies_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::map<int, Partition> partitions_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::string state_ SLIPSTREAM_GUARDED_BY(mutex_);
  /// While any dependency is down: the marker from which on its and the others' absence may have shown.
  std::optional<EventTime> outage_from_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::set<int> paused_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::deque<Event> events_ SLIPSTREAM_GUARDED_BY(mutex_);
  int recoveries_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;  ///< whose callbacks haven't run; nothing resumes before
  bool keeps_open_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  bool runs_callbacks_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  bool is_loaded_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  absl::Status status_ SLIPSTREAM_GUARDED_BY(mutex_);  ///< the first failure outside of a run
  std::optional<RunEnv> env_ SLIPSTREAM_GUARDED_BY(mutex_);
};

/// A dependency as the graph sees it.
struct DependencyBase {
  CheckpointCore::DependencyPlan plan;
  std::shared_ptr<Graph> graph;
  std::vector<Input> outputs;
};

/// Makes a checkpoint part of the graph; mistakes are said when it is run.
std::shared_ptr<CheckpointCore> add_checkpoint(Graph& graph, const std::vector<Input>& dependent,
                                               CheckpointCore::Options options,
                                               const std::vector<DependencyBase>& dependencies);

}  // namespace detail
}  // namespace slipstream
