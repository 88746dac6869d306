#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/app.h"
#include "slipstream/detail/snapshot.h"

namespace slipstream {

namespace detail {

/// Records pushed from outside, by partition.
template <class T>
class PushedSource final : public MemorySource<T> {
 public:
  explicit PushedSource(int partitions) : partitions_(static_cast<std::size_t>(partitions)) {}
  std::string name() const override { return "pushed records"; }
  int partition_count() const override { return static_cast<int>(partitions_.size()); }

  void push(int partition, T value, HeadersPtr headers) {
    const std::lock_guard lock(mutex_);
    partitions_[static_cast<std::size_t>(partition)].items.push_back(
        {std::move(value), kMinTime, std::move(headers)});
  }
  void advance_watermark(int partition, EventTime to) {
    const std::lock_guard lock(mutex_);
    partitions_[static_cast<std::size_t>(partition)].items.push_back({std::nullopt, to, nullptr});
  }
  void finish(int partition) {
    const std::lock_guard lock(mutex_);
    partitions_[static_cast<std::size_t>(partition)].finished = true;
  }
  void skip_to(int partition, std::int64_t offset) {
    partitions_[static_cast<std::size_t>(partition)].offset = offset;
  }
  void wake() {
    if (wake_) wake_();
  }

 protected:
  absl::Status open(const SourceEnv& env) override {
    wake_ = env.wake;
    return absl::OkStatus();
  }
  absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, SourceBatch<T>& out) override {
    const std::lock_guard lock(mutex_);
    Partition& p = partitions_[static_cast<std::size_t>(partition)];
    std::size_t n = 0;
    while (!p.items.empty() && n < limits.max_records) {
      Item& item = p.items.front();
      if (item.value) {
        out.add(std::move(*item.value), p.offset++, std::nullopt, std::move(item.headers));
        ++n;
        p.items.pop_front();
      } else {
        // A watermark holds for what comes after it, so it ends the batch.
        out.advance_watermark(item.watermark);
        p.items.pop_front();
        break;
      }
    }
    if (!p.items.empty()) return ReadState::more;
    return p.finished ? ReadState::finished : ReadState::caught_up;
  }

 private:
  struct Item {
    std::optional<T> value;  ///< empty: a watermark
    EventTime watermark;
    HeadersPtr headers;
  };
  struct Partition {
    std::deque<Item> items;
    std::int64_t offset = 0;
    bool finished = false;
  };
  std::mutex mutex_;
  std::vector<Partition> partitions_;
  std::function<void()> wake_;
};

template <class T>
struct Collected {
  std::vector<T> values;
  std::vector<RecordInfo> infos;
};

/// The untyped half of the TestDriver: a run under the seeded executor.
class SimulatedRun {
 public:
  SimulatedRun(std::shared_ptr<Graph> graph, RuntimeConfig config, std::uint64_t seed, LogHook log);
  ~SimulatedRun();
  absl::Status open();
  /// Runs whatever is ready. With `advance_time`, also what becomes ready when virtual time passes, until the
  /// run has ended or nothing is left.
  void run_until_idle();
  void advance_time(Duration by);
  bool run_to_end();
  /// The last lane has ended, everything is closed and the exit hooks have run.
  bool is_over();
  void stop();
  absl::Status status() const;
  Metrics metrics() const;
  std::chrono::nanoseconds now() const;
  Snapshot snapshot() const;
  absl::Status restore(const Snapshot& snapshot);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace detail

struct TestOptions {
  std::uint64_t seed = 1;  ///< chooses which ready lane runs next
  int parallelism = 1;
  std::size_t batch_max_records = 4096;
  int partitions = 1;  ///< of each source that is pushed to
  std::size_t memory_budget = std::size_t{64} << 20;
  LogHook log = {};
  std::string state_dir = {};  ///< state.dir, where the App has caches
};

/// Runs an App on the calling thread with a virtual clock: no threads, no broker, the same lanes and
/// operators as in production. The same seed and calls give the same run.
///
///     App app;
///     auto orders = app.source(from(std::vector<Order>{})).event_time(&Order::at, {.max_out_of_orderness =
///     5s}); auto revenue = orders.key_by(&Order::shop).window(tumbling(1min)).aggregate<Revenue>("revenue");
///     TestDriver driver(app);
///     auto out = driver.watch(revenue);
///     driver.push(orders, {"ams", 5.0, EventTime(30s)});
///     driver.advance_watermark(orders, EventTime(60s));
///     driver.run();
///     ASSERT_EQ(out->values.size(), 1u);
class TestDriver {
 public:
  explicit TestDriver(App& app, TestOptions options = {})
      : graph_(app.graph()), options_(std::move(options)) {}

  /// What the stream emits from now on, in order. Before the first run().
  template <class T>
  std::shared_ptr<detail::Collected<T>> watch(const Stream<T>& stream) {
    auto collected = std::make_shared<detail::Collected<T>>();
    stream.sink(
        [collected](const T& value, const RecordInfo& info) {
          collected->values.push_back(value);
          collected->infos.push_back({info.time, info.id, nullptr});
        },
        {.name = "watch " + std::to_string(++watched_)});
    return collected;
  }
  /// Replaces the source's own records by what is pushed here. The first call for a source (this one or one
  /// of those below) comes before the first run().
  template <class T>
  void push(const SourceStream<T>& source, std::type_identity_t<T> record, int partition = 0,
            Headers headers = {}) {
    HeadersPtr shared = headers.empty() ? nullptr : std::make_shared<const Headers>(std::move(headers));
    pushed(source).push(partition, std::move(record), std::move(shared));
    pushed(source).wake();
  }
  /// Says that nothing older will follow in any partition of the source.
  template <class T>
  void advance_watermark(const SourceStream<T>& source, EventTime to) {
    for (int p = 0; p < options_.partitions; ++p) advance_watermark(source, to, p);
  }
  template <class T>
  void advance_watermark(const SourceStream<T>& source, EventTime to, int partition) {
    pushed(source).advance_watermark(partition, to);
    pushed(source).wake();
  }
  /// Says that nothing at all will follow what was pushed.
  template <class T>
  void finish(const SourceStream<T>& source) {
    for (int p = 0; p < options_.partitions; ++p) finish(source, p);
  }
  template <class T>
  void finish(const SourceStream<T>& source, int partition) {
    pushed(source).finish(partition);
    pushed(source).wake();
  }
  /// The next pushed record of the partition gets this offset; for going on behind a snapshot.
  template <class T>
  void skip_to(const SourceStream<T>& source, int partition, std::int64_t offset) {
    pushed(source).skip_to(partition, offset);
  }

  /// Until nothing is ready. Virtual time stands still.
  absl::Status run() {
    if (absl::Status s = start(); !s.ok()) return s;
    run_->run_until_idle();
    return run_->status();
  }
  absl::Status advance_time(Duration by) {
    if (absl::Status s = run(); !s.ok()) return s;
    run_->advance_time(by);
    return run_->status();
  }
  /// Until all sources have finished and everything is through; FailedPrecondition when nothing moves any
  /// more before that.
  absl::Status run_to_end() {
    if (absl::Status s = start(); !s.ok()) return s;
    if (!run_->run_to_end())
      return absl::FailedPreconditionError("the run waits for something: a source hasn't finished");
    return run_->status();
  }
  Metrics metrics() const { return run_->metrics(); }
  /// The state after run(), and a run that goes on from it. The programs must have the same nodes;
  /// parallelism, batches and seed may differ.
  absl::StatusOr<detail::Snapshot> snapshot() {
    if (absl::Status s = run(); !s.ok()) return s;
    return run_->snapshot();
  }
  absl::Status restore(const detail::Snapshot& snapshot) {
    if (absl::Status s = start(); !s.ok()) return s;
    return run_->restore(snapshot);
  }

 private:
  absl::Status start() {
    if (!mistake_.ok()) return mistake_;
    if (run_) return run_->status();
    RuntimeConfig config;
    config.parallelism = options_.parallelism;
    config.batch_max_records = options_.batch_max_records;
    config.memory_budget = options_.memory_budget;
    config.state.dir = options_.state_dir;
    run_ = std::make_unique<detail::SimulatedRun>(graph_, config, options_.seed, options_.log);
    return run_->open();
  }
  template <class T>
  detail::PushedSource<T>& pushed(const SourceStream<T>& source) {
    detail::Node& node = *source.outputs().front().from;
    for (auto& [n, s] : sources_) {
      if (n == &node)
        return static_cast<detail::PushedSource<T>&>(*static_cast<detail::TypedSource<T>*>(s.get()));
    }
    auto made = std::make_shared<detail::PushedSource<T>>(options_.partitions);
    std::shared_ptr<detail::TypedSource<T>> typed = made;
    if (run_) {
      mistake_ = absl::FailedPreconditionError("TestDriver: push to source '" + node.name +
                                               "' before the first run, if only skip_to(source, 0, 0)");
    } else {
      node.substitute(typed, &made->control());
    }
    sources_.emplace_back(&node, typed);
    return *made;
  }

  std::shared_ptr<detail::Graph> graph_;
  TestOptions options_;
  int watched_ = 0;
  absl::Status mistake_;
  std::vector<std::pair<detail::Node*, std::shared_ptr<void>>> sources_;
  std::unique_ptr<detail::SimulatedRun> run_;
};

}  // namespace slipstream
