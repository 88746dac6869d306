#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/budget.h"
#include "runtime/executor.h"
#include "runtime/lane.h"
#include "runtime/source_lane.h"
#include "runtime/tuner.h"
#include "slipstream/config.h"
#include "slipstream/detail/graph.h"
#include "slipstream/detail/mutex.h"
#include "slipstream/detail/snapshot.h"
#include "slipstream/metrics.h"

namespace slipstream::runtime {

/// Where a commit of offsets has got to.
enum class CommitPhase {
  none,
  pausing,   ///< source lanes stop reading and say so; what is in flight is processed
  settling,  ///< sink lanes say so when everything they took is delivered
};

/// One run of one graph: opens the connectors, turns nodes into stages of lanes, lets an executor run them
/// and closes everything. Used once.
class Engine {
 public:
  Engine(detail::Graph& graph, RuntimeConfig config, LogHook log, Executor& executor);
  ~Engine();
  Engine(const Engine&) = delete;

  /// Checks the graph, opens sources and sinks, makes the lanes. After an error everything is closed again,
  /// and the exit hooks have run unless the graph itself is mistaken.
  absl::Status open();
  /// Gives every lane its first turn.
  void start();
  /// Once the executor has stopped: closes sinks and sources, in that order, and says how the run went.
  absl::Status close();

  /// Sources stop reading; what is in flight is processed. From any thread.
  void request_stop();
  void fail(const detail::Operator& op, std::optional<RecordId> id, std::string_view cause,
            absl::StatusCode code = absl::StatusCode::kAborted);
  void fail_connector(const std::string& node, const absl::Status& cause);
  void fail_internal(const std::string& what);
  void fail(absl::Status status);
  bool has_failed() const { return failed_.load(std::memory_order_acquire); }
  /// The first failure so far.
  absl::Status status() const;
  bool is_stopping() const { return stopping_.load(std::memory_order_acquire); }
  bool is_done() const { return lanes_left_.load(std::memory_order_acquire) == 0; }

  const RuntimeConfig& config() const { return config_; }
  /// For nodes of which the configuration doesn't speak. It may change while the run goes on, as may
  /// linger().
  std::size_t batch_max_records() const { return batch_max_records_.load(std::memory_order_relaxed); }
  Duration linger() const { return Duration(linger_.load(std::memory_order_relaxed)); }
  bool is_tuning() const { return tuner_.has_value(); }
  Executor& executor() { return executor_; }
  Budget& budget() { return budget_; }
  const Budget& budget() const { return budget_; }
  void give_back(std::size_t bytes);
  void on_lane_done();

  // Progress of sources
  /// Of its unfinished partitions, idle ones left aside.
  EventTime source_watermark(std::uint32_t node) const;
  EventTime lowest_watermark() const;
  bool is_state_over_budget() const { return state_over_budget_.load(std::memory_order_relaxed); }
  CommitPhase commit_phase() const { return commit_phase_.load(); }
  void on_source_progress();
  std::string node_name(std::uint32_t node) const;
  void log_quiet(const detail::Node& node, int partition, std::chrono::nanoseconds quiet_for);

  Metrics metrics() const;
  /// Records held in state, by node; for the closing report of a stopped run.
  std::string held_report() const;
  /// Only while nothing runs and nothing is in flight.
  detail::Snapshot snapshot() const;
  absl::Status restore(const detail::Snapshot& snapshot);

 private:
  struct Source {
    detail::Node* node = nullptr;
    Stage* stage = nullptr;
    std::vector<PartitionStatus> partitions;
    bool is_open = false;
  };
  struct SinkState {
    detail::Node* node = nullptr;
    bool is_open = false;
  };

  absl::Status check() const;
  absl::Status check_names() const;
  absl::Status check_connectors() const;
  absl::Status check_event_time() const;
  absl::Status check_dependencies() const;
  absl::Status check_revisions() const;
  absl::Status check_dead_letters() const;
  absl::Status check_retries() const;
  absl::Status open_connectors();
  absl::Status open_source(Source& source);
  absl::Status open_sink(SinkState& sink, Stage& stage);
  using Parts = std::vector<std::pair<std::string, std::shared_ptr<detail::RunPart>>>;
  absl::Status open_parts(const Parts& parts);
  void close_connectors();
  void detach_switches();
  void run_exit_hooks();
  void make_stages();
  void make_lanes(Stage& stage);
  void build_chain(Lane& lane, detail::Operator& op, const detail::Node& node);
  void connect_dead_letters();
  std::size_t lane_count(const detail::Node& node) const;
  Stage* stage_of(const detail::Node* node) const;
  const Source* find_source(std::uint32_t node) const;
  void apply_overrides();
  Guarantee guarantee() const;
  void schedule_commit();
  void commit_tick();
  bool try_commit();
  void enter(CommitPhase phase);
  bool is_making_room() const;
  void commit_offsets();
  std::optional<std::int64_t> offset_to_commit(const Source& source, int partition) const;
  absl::Status can_seek(const detail::Node& source) const;
  bool holds_records() const;
  bool has_abandoned() const;
  void notify_all();
  void schedule_state_check();
  std::size_t state_bytes() const;
  absl::Status check_tuning() const;
  void begin_tuning();
  void schedule_tuning();
  void tune();
  Measured measure();
  void apply(const Knobs& knobs);
  void tell_stopping();
  std::string busy_stages() const;
  void on_deadline();
  std::optional<std::int64_t> end_offset(const Source& source, int partition) const;
  std::string position_of(const RecordId& id) const;
  void log(LogLevel level, std::string_view component, const std::string& message) const;

  detail::Graph& graph_;
  const RuntimeConfig config_;
  LogHook log_;
  Executor& executor_;
  Budget budget_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<SinkState> sinks_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<Lane*> lanes_;
  detail::Node* dead_letters_ = nullptr;

  std::atomic<bool> is_started_{false};  ///< until then every connector may not be open, and no lane runs
  std::atomic<std::size_t> lanes_left_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<CommitPhase> commit_phase_{CommitPhase::none};
  std::chrono::nanoseconds commit_began_{0};  ///< of the timer that commits
  std::atomic<bool> state_over_budget_{false};
  std::atomic<std::size_t> batch_max_records_;
  std::atomic<Duration::rep> linger_;
  std::optional<Tuner>
      tuner_;  ///< from when everything is open on only the tuning timer's, but for is_tuning()
  /// What was counted until the interval that runs now; of that timer, too.
  struct Counted {
    std::chrono::nanoseconds at{0};
    std::uint64_t records = 0;
    std::uint64_t linger_asked = 0;
    Latencies::Counts latencies{};
  } counted_;
  mutable detail::Mutex connectors_mutex_;  ///< while sources are asked something or begin to close
  mutable detail::Mutex mutex_;
  absl::Status status_ SLIPSTREAM_GUARDED_BY(mutex_);  ///< the first failure
  mutable detail::Mutex log_mutex_;                    ///< one call of the hook at a time
};

}  // namespace slipstream::runtime
