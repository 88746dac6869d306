#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/engine.h"
#include "runtime/stepped_executor.h"
#include "slipstream/app.h"

/// A run whose every whim is drawn from one seed: which lane runs next, how much a source hands over, when a
/// sink is full and for how long. Between any two steps, and whenever nothing is ready, a test may look at
/// the engine itself.
namespace slipstream::conformance {

using namespace std::chrono_literals;

/// What sources, sinks and the watching test share.
struct World {
  explicit World(std::uint64_t seed) : random(seed), executor(seed) {}

  std::size_t below(std::size_t n) { return n == 0 ? 0 : random() % n; }
  bool chance(int percent) { return static_cast<int>(random() % 100) < percent; }
  /// 0 to n - 1 of a unit.
  Duration some(Duration unit, std::size_t n) { return unit * static_cast<std::int64_t>(below(n)); }
  /// Mostly short, now and then long.
  Duration some_time() { return Duration(below(chance(10) ? 50'000 : 2'000)); }
  void in(Duration delay, std::function<void()> f) { executor.call_at(executor.now() + delay, std::move(f)); }
  void broken(std::string what) {
    if (failures.size() < 10) failures.push_back(std::move(what));
  }

  std::mt19937_64 random;
  runtime::SteppedExecutor executor;
  runtime::Engine* engine = nullptr;
  std::uint64_t moves = 0;  ///< records handed over by sources and taken or delivered by sinks
  std::vector<std::string> failures;
};

/// Plays a script per partition, in bites of random size.
template <class T>
class ScriptedSource final : public detail::MemorySource<T> {
 public:
  struct Record {
    T value;
  };
  struct Undecodable {};
  /// Nothing older follows.
  struct Watermark {
    EventTime to;
  };
  /// Nothing to read for a while.
  struct Pause {
    Duration length;
    ReadState state;
  };
  using Step = std::variant<Record, Undecodable, Watermark, Pause>;
  using Script = std::vector<Step>;

  ScriptedSource(World& world, std::string name, std::vector<Script> scripts, bool commits)
      : world_(world), name_(std::move(name)), commits_(commits) {
    for (Script& script : scripts) partitions_.push_back({std::move(script)});
  }
  std::string name() const override { return name_; }
  int partition_count() const override { return static_cast<int>(partitions_.size()); }
  bool commits() const override { return commits_; }
  absl::Status commit(std::span<const PartitionOffset> offsets) override {
    for (const PartitionOffset& o : offsets) {
      Partition& p = partitions_[static_cast<std::size_t>(o.partition)];
      if (o.next_offset < p.committed) world_.broken(name_ + ": a commit goes back");
      p.committed = o.next_offset;
    }
    return absl::OkStatus();
  }
  /// Invariant: whoever has the lowest watermark is never put behind a gate.
  void hold(int partition, bool held) override {
    if (!held) return;
    const PartitionMetrics mine = status(partition);
    if (mine.watermark > world_.engine->lowest_watermark()) return;
    world_.broken(name_ + "/" + std::to_string(partition) + " has the lowest watermark and was gated by " +
                  (mine.gates.empty() ? "?" : mine.gates.front()));
  }

 protected:
  absl::Status open(const SourceEnv& env) override {
    env_ = env;
    return absl::OkStatus();
  }
  absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits,
                                 detail::SourceBatch<T>& out) override {
    Partition& p = partitions_[static_cast<std::size_t>(partition)];
    if (!status(partition).gates.empty()) world_.broken(name_ + ": a gated partition is read");
    const std::size_t most = world_.chance(50) ? limits.max_records : 1 + world_.below(limits.max_records);
    std::size_t records = 0;
    for (std::size_t bytes = 0; records < most && bytes < limits.max_bytes && p.at < p.script.size();) {
      Step& step = p.script[p.at];
      if (auto* pause = std::get_if<Pause>(&step)) {
        if (records > 0) break;
        if (!is_over(p, *pause)) return pause->state;
        p.pause_ends.reset();
        ++p.at;
        continue;
      }
      ++p.at;
      ++world_.moves;
      if (auto* watermark = std::get_if<Watermark>(&step)) {
        out.advance_watermark(watermark->to);
        break;  // it holds for what comes after it
      }
      ++records;
      if (auto* record = std::get_if<Record>(&step)) {
        bytes += detail::footprint(record->value) + detail::kColumnBytes;
        out.add(std::move(record->value), p.offset++);
      } else {
        RawRecord raw;
        raw.value = "?";
        raw.offset = p.offset++;
        out.bad(raw, "undecodable");
      }
    }
    return p.at < p.script.size() ? ReadState::more : ReadState::finished;
  }

 private:
  struct Partition {
    Script script;
    std::size_t at = 0;
    std::int64_t offset = 0;
    std::int64_t committed = 0;
    std::optional<EventTime> pause_ends = {};
  };

  bool is_over(Partition& p, const Pause& pause) {
    if (!p.pause_ends) {
      p.pause_ends = env_.now() + pause.length;
      env_.wake_at(*p.pause_ends);
    }
    return env_.now() >= *p.pause_ends;
  }
  PartitionMetrics status(int partition) const {
    for (PartitionMetrics& p : world_.engine->metrics().partitions) {
      if (p.source == name_ && p.partition == partition) return p;
    }
    return {};
  }

  World& world_;
  const std::string name_;
  const bool commits_;
  SourceEnv env_;
  std::vector<Partition> partitions_;
};

/// Keeps what it takes; full at random, failing at random as often as the policy has retries, and delivering
/// when it likes.
template <class T>
class MoodySink final : public detail::TypedSink<T>, private RawSink {
 public:
  using Keep = std::function<void(const T&, const RecordInfo&)>;
  MoodySink(World& world, std::string name, int percent_full, ErrorPolicy errors, Keep keep)
      : world_(world),
        name_(std::move(name)),
        percent_full_(percent_full),
        errors_(errors),
        keep_(std::move(keep)) {}
  RawSink& control() override { return *this; }
  std::uint64_t taken() const { return taken_; }

  absl::StatusOr<std::size_t> write(const detail::Batch<T>& batch, std::size_t from,
                                    const std::function<void(std::size_t, std::string_view)>&) override {
    const std::size_t offered = batch.size() - from;
    if (is_full_) world_.broken(name_ + ": full, and asked again before it called");
    if (world_.executor.now() < not_before_)
      world_.broken(name_ + ": asked again before the backoff was over");
    if (refusals_ < errors_.retries && world_.chance(30)) {
      not_before_ = world_.executor.now() + detail::backoff(errors_, ++refusals_);
      return absl::UnavailableError("busy");
    }
    refusals_ = 0;
    const std::size_t n = world_.chance(percent_full_) ? world_.below(offered) : offered;
    for (std::size_t i = from; i < from + n; ++i) keep_(batch.values[i], batch.info(i));
    taken_ += n;
    world_.moves += n;
    if (n > 0) deliver_later();
    if (n < offered) be_full();
    return n;
  }

 private:
  std::string name() const override { return name_; }
  absl::Status open(const SinkEnv& env) override {
    env_ = env;
    return absl::OkStatus();
  }
  absl::StatusOr<std::size_t> write(std::span<const OutRecord>) override { return 0; }
  absl::StatusOr<std::uint64_t> delivered() override { return delivered_; }

  void be_full() {
    is_full_ = true;
    world_.in(world_.some_time(), [this] {
      is_full_ = false;
      env_.wake();
    });
  }
  void deliver_later() {
    world_.in(world_.some_time(), [this, n = taken_] {
      if (n <= delivered_) return;
      world_.moves += n - delivered_;
      delivered_ = n;
      if (!is_full_) env_.wake();
    });
  }

  World& world_;
  const std::string name_;
  const int percent_full_;
  const ErrorPolicy errors_;
  const Keep keep_;
  SinkEnv env_;
  std::uint64_t taken_ = 0;
  std::uint64_t delivered_ = 0;
  bool is_full_ = false;
  int refusals_ = 0;  ///< in a row
  std::chrono::nanoseconds not_before_{0};
};

/// What went in came out under some name, at a moment when nothing is in flight.
inline void check_conservation(World& world, const Metrics& m) {
  for (const NodeMetrics& n : m.nodes) {
    const std::uint64_t out =
        n.forwarded + n.absorbed + n.filtered + n.late + n.skipped + n.dead_lettered + n.held;
    if (n.in != out)
      world.broken(n.name + ": in " + std::to_string(n.in) + ", accounted for " + std::to_string(out));
  }
}

inline const detail::Node* source_named(const App& app, std::string_view name) {
  for (const auto& node : app.graph()->nodes) {
    if (node->source && node->name == name) return node.get();
  }
  return nullptr;
}

/// When nothing is ready, each gate has its reason still, and the laggard has none.
inline void check_gates(World& world, const App& app, const Metrics& m) {
  const runtime::Engine& engine = *world.engine;
  for (const PartitionMetrics& p : m.partitions) {
    // A lane without room looks at its gates when it has some.
    if (p.gates.empty() || !m.node(p.source)->blocked_by.empty()) continue;
    const std::string who = p.source + "/" + std::to_string(p.partition);
    if (p.watermark <= engine.lowest_watermark())
      world.broken(who + " has the lowest watermark and is left gated");
    for (const std::string& gate : p.gates) {
      if (gate == "memory") {
        if (!engine.is_state_over_budget())
          world.broken(who + " is left gated for memory though there is some");
        continue;
      }
      const detail::Node* other = source_named(app, gate);
      bool holds = false;
      for (const auto& d : source_named(app, p.source)->dependencies) {
        const bool on_it = std::find(d.on.begin(), d.on.end(), other) != d.on.end();
        holds = holds || (on_it && p.watermark > saturating_plus(engine.source_watermark(other->id),
                                                                 d.options.max_lag));
      }
      if (!holds) world.broken(who + " is left waiting for '" + gate + "', which is far enough");
    }
  }
}

/// Who holds what.
inline std::string describe(const Metrics& m) {
  std::string text = "in flight " + std::to_string(m.in_flight_bytes) + " of " +
                     std::to_string(m.memory_budget) + ", at most " + std::to_string(m.in_flight_peak);
  for (const NodeMetrics& n : m.nodes) {
    text += "\n  " + n.kind + " '" + n.name + "' in " + std::to_string(n.lanes) + " lanes: in " +
            std::to_string(n.in) + ", out " + std::to_string(n.out) + ", held " + std::to_string(n.held) +
            ", queue " + std::to_string(n.queue_bytes) + " bytes, state " + std::to_string(n.state_bytes) +
            " bytes, watermark " + std::to_string(n.watermark.time_since_epoch().count()) +
            (n.blocked_by.empty() ? "" : ", blocked by '" + n.blocked_by + "'");
  }
  for (const PartitionMetrics& p : m.partitions) {
    text += "\n  '" + p.source + "' partition " + std::to_string(p.partition) + ": " +
            std::to_string(p.records) + " records, " + p.state + ", watermark " +
            std::to_string(p.watermark.time_since_epoch().count());
    for (const std::string& gate : p.gates) text += ", waits for " + gate;
  }
  return text;
}

struct Ending {
  absl::Status status;  ///< DeadlineExceeded with a description when the run got stuck
  Metrics metrics;
  std::uint64_t steps = 0;
};

/// Runs to the end, looking on. `on_step` is called between any two steps.
inline Ending run(
    World& world, const App& app, const RuntimeConfig& config,
    const std::function<void(std::uint64_t step)>& on_step = [](std::uint64_t) {}) {
  // Without a record moving: lanes may look around this often, and time may pass this often.
  constexpr std::uint64_t kIdleSteps = 100'000;
  constexpr int kIdleJumps = 3'000;
  runtime::Engine engine(*app.graph(), config, {}, world.executor);
  world.engine = &engine;
  Ending ending;
  ending.status = engine.open();
  if (!ending.status.ok()) return ending;
  engine.start();
  std::uint64_t moves = 0, moved_at = 0;
  int jumps = 0;
  const auto is_stuck = [&] {
    if (std::exchange(moves, world.moves) != world.moves) moved_at = ending.steps, jumps = 0;
    return ending.steps - moved_at > kIdleSteps || jumps > kIdleJumps;
  };
  bool stuck = false;
  while (!world.executor.is_finished() && !stuck) {
    if (world.executor.step()) {
      on_step(++ending.steps);
      stuck = ending.steps % 256 == 0 && is_stuck();
      continue;
    }
    const Metrics m = engine.metrics();
    if (m.in_flight_bytes == 0) check_conservation(world, m);
    if (!engine.has_failed() && !engine.is_stopping()) check_gates(world, app, m);
    ++jumps;
    stuck = is_stuck() || !world.executor.skip_to_next();
  }
  if (stuck) {
    ending.metrics = engine.metrics();
    ending.status = absl::DeadlineExceededError("the run is stuck: " + describe(ending.metrics));
    engine.fail(ending.status);
    while (world.executor.step()) {
    }
    engine.close().IgnoreError();
    return ending;
  }
  ending.status = engine.close();
  ending.metrics = engine.metrics();
  return ending;
}

}  // namespace slipstream::conformance
