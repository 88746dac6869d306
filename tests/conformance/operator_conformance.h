#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "slipstream/app.h"
#include "slipstream/testing.h"

/// Runs one program over one input in many ways, for comparison with a naive model of its operators:
///
///   Program program = [](Pipeline& p) { p.out("sums", p.sources[0].key_by(&Event::key)…, show) };
///   sweep(program, {.sources = 1}, [](const Input& input, const Outcome& got) {
///   expect_same_set(model(input), got.at("sums")); });
///
/// Ways: every parallelism 1 to 8, batches of 1 to 4096 records, seeded schedules, any interleaving of the
/// pushes to several partitions, repeated watermarks, reads that find nothing, small memory budgets,
/// snapshots restored into another parallelism; and the same on oneTBB and stepped by a host. After each run
/// the counts of every node are checked.
namespace slipstream::conformance {

using namespace std::chrono_literals;

/// The text is long enough to live on the heap: a record that was moved from shows.
struct Event {
  std::int64_t key = 0;
  std::int64_t value = 0;
  EventTime at;
  std::string text;
  friend bool operator==(const Event&, const Event&) = default;
};
SLIPSTREAM_FIELDS(Event, key, value, at, text)

/// What a program emitted, made comparable: everything that must be equal is in `text`.
struct Line {
  std::int64_t key = 0;
  RecordId id;
  EventTime time;
  std::string text;
};

inline std::string show(EventTime t) { return std::to_string(t.time_since_epoch().count()); }
inline std::string show(std::int64_t v) { return std::to_string(v); }
inline std::string show(const std::string& s) { return s; }
inline std::string show(const RecordId& id) { return to_string(id); }
template <class... Parts>
std::string text_of(const Parts&... parts) {
  std::string all;
  ((all += show(parts), all += ' '), ...);
  return all;
}

struct Input {
  /// By source, then partition, in the order of arrival.
  std::vector<std::vector<std::vector<Event>>> sources;
  Duration bound{0};  ///< max_out_of_orderness
};

/// A record as its source saw it.
struct Arrival {
  Event event;
  RecordId id;
  EventTime watermark;  ///< of its partition when it was read
  bool late = false;
};

/// The records of one source, partition after partition. Lateness is a matter of the partition alone.
inline std::vector<Arrival> arrivals(const Input& input, std::size_t source) {
  std::vector<Arrival> all;
  for (std::size_t p = 0; p < input.sources[source].size(); ++p) {
    EventTime watermark = kMinTime;
    std::int64_t offset = 0;
    for (const Event& e : input.sources[source][p]) {
      const RecordId id{static_cast<std::uint32_t>(source), static_cast<std::uint32_t>(p), offset++, 0};
      all.push_back({e, id, watermark, e.at < watermark});
      watermark = std::max(watermark, e.at - input.bound);
    }
  }
  return all;
}

struct Shape {
  std::size_t sources = 1;
  std::size_t max_partitions = 4;
  std::size_t max_records = 120;  ///< of a partition
  int keys = 7;
  /// How much further than the bound records may be out of order; 0: none is late.
  Duration beyond_bound{0};
  bool key_in_one_partition = false;  ///< as Kafka's partitioner does
};

inline Input make_input(const Shape& shape, std::mt19937_64& random, std::size_t factor = 1) {
  const auto below = [&](std::size_t n) { return static_cast<std::int64_t>(random() % n); };
  Input input;
  input.bound = 1s * below(8);
  const auto partitions = static_cast<std::size_t>(1 + below(shape.max_partitions));
  for (std::size_t s = 0; s < shape.sources; ++s) {
    auto& source = input.sources.emplace_back(partitions);
    for (std::size_t p = 0; p < partitions; ++p) {
      const auto count = static_cast<std::size_t>(below(shape.max_records * factor + 1));
      std::vector<std::pair<EventTime, Event>> by_arrival;
      EventTime now = EventTime(100s) + 1s * below(10);
      for (std::size_t i = 0; i < count; ++i) {
        now += 1s * (below(4) == 0 ? below(5) : below(2));  // whole seconds: boundaries and ties are common
        Event e{below(static_cast<std::size_t>(shape.keys)), below(1000), now, {}};
        if (shape.key_in_one_partition)
          e.key = e.key * static_cast<std::int64_t>(partitions) + static_cast<std::int64_t>(p);
        e.text = "event " + std::to_string(s) + " " + std::to_string(p) + " " + std::to_string(i) +
                 " of a long text";
        const Duration disorder = input.bound + shape.beyond_bound;
        const Duration delay =
            disorder > 0s && below(2) ? 1s * below(static_cast<std::size_t>(disorder / 1s) + 1) : Duration{0};
        by_arrival.emplace_back(now + delay, e);
      }
      std::stable_sort(by_arrival.begin(), by_arrival.end(),
                       [](const auto& a, const auto& b) { return a.first < b.first; });
      for (auto& [arrival, e] : by_arrival) source[p].push_back(std::move(e));
    }
  }
  return input;
}

using Lines = std::vector<Line>;

struct Outcome {
  absl::Status status;
  std::map<std::string, Lines> outputs;
  Metrics metrics;
  const Lines& at(const std::string& name) const { return outputs.at(name); }
};

/// Pushed records have headers that name them, but for two in three that have none.
inline Headers headers_of(const RecordId& id) {
  if (id.offset % 3 != 0) return {};
  return {{"partition", std::to_string(id.partition)}, {"offset", std::to_string(id.offset)}};
}

/// What a program is made with. Source number i of the input is node number i of the graph.
class Pipeline {
 public:
  Pipeline(App& app, Outcome& outcome) : app(app), outcome_(outcome) {}
  App& app;
  std::vector<SourceStream<Event>> sources;
  bool has_headers = false;

  /// An output. `describe` makes the text to compare of a value.
  template <class T, class Key, class Describe>
  void out(const std::string& name, const Stream<T>& stream, Key key, Describe describe) {
    Lines& lines = outcome_.outputs[name];
    stream.sink(
        [this, &lines, key, describe](const T& value, const RecordInfo& info) {
          constexpr bool is_letter = std::is_same_v<T, DeadLetter>;
          if (!is_letter) this->expect_headers(info);
          lines.push_back({std::invoke(key, value), info.id, info.time, describe(value, info)});
        },
        {.name = "out " + name});
  }

 private:
  /// What a record became has its headers; what an operator made has none.
  void expect_headers(const RecordInfo& info) const {
    const bool is_made = info.id.source >= sources.size();
    const Headers expected = has_headers && !is_made ? headers_of(info.id) : Headers{};
    EXPECT_EQ(info.headers ? *info.headers : Headers{}, expected) << to_string(info.id);
  }

  Outcome& outcome_;
};
using Program = std::function<void(Pipeline&)>;

struct Settings {
  int parallelism = 1;
  std::size_t batch = 4096;
  std::uint64_t seed = 1;
  std::size_t memory_budget = std::size_t{64} << 20;
};

inline std::string describe(const Settings& s) {
  return "parallelism " + std::to_string(s.parallelism) + ", batch " + std::to_string(s.batch) + ", seed " +
         std::to_string(s.seed) + ", memory budget " + std::to_string(s.memory_budget);
}

inline std::string source_name(std::size_t i) { return "source " + std::to_string(i); }

inline void make_sources(Pipeline& p, const Input& input, bool with_records) {
  for (std::size_t i = 0; i < input.sources.size(); ++i) {
    auto records = with_records ? input.sources[i] : std::vector<std::vector<Event>>{};
    p.sources.push_back(p.app.source(source_name(i), from_partitions(std::move(records)))
                            .event_time(&Event::at, {.max_out_of_orderness = input.bound}));
  }
}

/// At quiescence: what went into each node came out under some name, and arrived. A restored run also counts
/// the records that waited in the snapshot.
inline void expect_conserved(App& app, const Metrics& metrics, bool restored = false) {
  std::map<const detail::Node*, const NodeMetrics*> by_node;
  std::size_t at = 0;  // both are in the order of the graph; names need not be unique
  for (const auto& node : app.graph()->nodes) {
    if (at < metrics.nodes.size() && metrics.nodes[at].name == node->name)
      by_node[node.get()] = &metrics.nodes[at++];
  }
  ASSERT_EQ(at, metrics.nodes.size());
  std::uint64_t dead_lettered = 0;
  for (const NodeMetrics& n : metrics.nodes) {
    EXPECT_EQ(n.in, n.forwarded + n.absorbed + n.filtered + n.late + n.skipped + n.dead_lettered + n.held)
        << n.name;
    EXPECT_EQ(n.queue_bytes, 0u) << n.name;
    dead_lettered += n.dead_lettered;
  }
  EXPECT_EQ(metrics.in_flight_bytes, 0u);
  for (const auto& node : app.graph()->nodes) {
    const NodeMetrics* n = by_node[node.get()];
    if (node->role == detail::Role::source) continue;
    if (node->is_dead_letters) {
      EXPECT_TRUE(!n || n->in == dead_lettered) << "dead letters";
      continue;
    }
    std::uint64_t sent = 0;
    bool exact = true;
    for (const auto& port : node->inputs) {
      for (const detail::Input& input : port) {
        sent += by_node[input.from] ? by_node[input.from]->out : 0;
        exact = exact && input.from->outputs == 1;
      }
    }
    EXPECT_TRUE(!exact || restored || n->in == sent)
        << n->name << " got " << n->in << " of the " << sent << " sent";
  }
}

/// Pushes an input piece by piece, by whim of a seed. Lives on when a run ends in a snapshot and another goes
/// on.
class Feeder {
 public:
  Feeder(const Input& input, std::uint64_t seed) : input_(input), random_(seed) {
    for (const auto& source : input.sources) positions_.emplace_back(source.size(), 0);
  }
  bool done() const {
    for (std::size_t s = 0; s < positions_.size(); ++s) {
      for (std::size_t p = 0; p < positions_[s].size(); ++p) {
        if (positions_[s][p] < input_.sources[s][p].size()) return false;
      }
    }
    return true;
  }
  std::size_t total() const {
    std::size_t n = 0;
    for (const auto& source : input_.sources) {
      for (const auto& partition : source) n += partition.size();
    }
    return n;
  }
  /// A few records into one partition, perhaps a watermark that says nothing new, perhaps a run.
  void step(TestDriver& driver, const Pipeline& p) {
    const std::size_t s = random_() % positions_.size();
    const std::size_t partition = random_() % positions_[s].size();
    const auto& records = input_.sources[s][partition];
    std::size_t& at = positions_[s][partition];
    const std::size_t chunk = 1 + random_() % (random_() % 8 == 0 ? 64 : 6);
    for (std::size_t i = 0; i < chunk && at < records.size(); ++i) {
      const RecordId id{0, static_cast<std::uint32_t>(partition), static_cast<std::int64_t>(at), 0};
      driver.push(p.sources[s], records[at++], static_cast<int>(partition), headers_of(id));
    }
    if (random_() % 8 == 0)
      driver.advance_watermark(p.sources[s], known_watermark(s, partition), static_cast<int>(partition));
    if (at == records.size() && random_() % 2) driver.finish(p.sources[s], static_cast<int>(partition));
    if (random_() % 4 == 0) {
      ASSERT_TRUE(driver.run().ok());
    } else if (random_() % 16 == 0) {
      ASSERT_TRUE(driver.advance_time(20ms).ok());
    }
  }
  /// Says where each partition goes on.
  void resume(TestDriver& driver, const Pipeline& p, const detail::Snapshot& from) {
    for (std::size_t s = 0; s < positions_.size(); ++s) {
      const auto& clocks = from.sources.at(source_name(s));
      for (std::size_t partition = 0; partition < positions_[s].size(); ++partition) {
        const std::int64_t offset = clocks[partition].next_offset;
        positions_[s][partition] = static_cast<std::size_t>(offset);
        driver.skip_to(p.sources[s], static_cast<int>(partition), offset);
      }
    }
  }

 private:
  /// One that the records pushed so far imply.
  EventTime known_watermark(std::size_t s, std::size_t partition) {
    EventTime watermark = kMinTime;
    const auto& records = input_.sources[s][partition];
    for (std::size_t i = 0; i < positions_[s][partition]; ++i)
      watermark = std::max(watermark, records[i].at - input_.bound);
    return random_() % 2 ? watermark : saturating_minus(watermark, 3s);
  }

  const Input& input_;
  std::mt19937_64 random_;
  std::vector<std::vector<std::size_t>> positions_;
};

/// On the seeded executor. Each of `runs` but the last ends somewhere in the input with a snapshot, from
/// which the next goes on with its own settings.
inline Outcome run_simulated(const Program& program, const Input& input, const std::vector<Settings>& runs) {
  Outcome all;
  Feeder feeder(input, runs.front().seed * 7919);
  std::mt19937_64 random(runs.front().seed * 104729);
  std::optional<detail::Snapshot> snapshot;
  for (std::size_t r = 0; r < runs.size(); ++r) {
    Outcome part;
    App app;
    Pipeline pipeline(app, part);
    pipeline.has_headers = true;
    make_sources(pipeline, input, false);
    program(pipeline);
    TestDriver driver(app, {.seed = runs[r].seed,
                            .parallelism = runs[r].parallelism,
                            .batch_max_records = runs[r].batch,
                            .partitions = static_cast<int>(input.sources.front().size()),
                            .memory_budget = runs[r].memory_budget});
    for (const auto& source : pipeline.sources) driver.skip_to(source, 0, 0);  // all sources are pushed to
    if (snapshot) {
      feeder.resume(driver, pipeline, *snapshot);
      all.status = driver.restore(*snapshot);
    }
    const bool snapshot_used = snapshot.has_value();
    const bool last = r + 1 == runs.size();
    const std::size_t steps = random() % (1 + feeder.total() / 2);
    for (std::size_t i = 0; all.status.ok() && !feeder.done() && (last || i < steps); ++i)
      feeder.step(driver, pipeline);
    if (all.status.ok() && last) {
      for (const auto& source : pipeline.sources) driver.finish(source);
      all.status = driver.run_to_end();
    } else if (all.status.ok()) {
      auto taken = driver.snapshot();
      all.status = taken.status();
      if (taken.ok()) snapshot = *std::move(taken);
    }
    EXPECT_TRUE(all.status.ok()) << all.status;
    all.metrics = driver.metrics();
    if (last) {
      for (const NodeMetrics& n : all.metrics.nodes) EXPECT_EQ(n.held, 0u) << n.name;
    }
    expect_conserved(app, all.metrics, snapshot_used);
    for (auto& [name, lines] : part.outputs) {
      auto& to = all.outputs[name];
      to.insert(to.end(), lines.begin(), lines.end());
    }
    if (!all.status.ok()) break;
  }
  return all;
}

enum class Executor { tbb, stepped };

/// With threads, or on this one by App::start_stepped.
inline Outcome run_for_real(const Program& program, const Input& input, const Settings& settings,
                            Executor executor) {
  Outcome outcome;
  App app;
  Pipeline pipeline(app, outcome);
  make_sources(pipeline, input, true);
  program(pipeline);
  app.tune([&](RuntimeConfig& config) {
    config.parallelism = settings.parallelism;
    config.threads = std::max(2, settings.parallelism);
    config.batch_max_records = settings.batch;
    config.memory_budget = settings.memory_budget;
  });
  if (executor == Executor::tbb) {
    auto run = app.start();
    outcome.status = run.ok() ? (*run)->wait() : run.status();
    if (run.ok()) outcome.metrics = (*run)->metrics();
  } else {
    auto run = app.start_stepped();
    if (run.ok()) {
      while ((*run)->step(100ms)) {
      }
      outcome.metrics = (*run)->metrics();
    }
    outcome.status = run.ok() ? (*run)->status() : run.status();
  }
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  expect_conserved(app, outcome.metrics);
  return outcome;
}

/// How many runs fit the time: SLIPSTREAM_CONFORMANCE_PERCENT, by default 100, less under sanitizers.
inline std::size_t scaled(std::size_t n) {
  std::size_t percent = 100;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  percent = 15;
#endif
  if (const char* wanted = std::getenv("SLIPSTREAM_CONFORMANCE_PERCENT"))
    percent = std::strtoull(wanted, nullptr, 10);
  return std::max<std::size_t>(1, n * percent / 100);
}

inline Settings settings_for(std::uint64_t seed) {
  static constexpr std::size_t kBatches[] = {1, 2, 3, 7, 64, 4096};
  std::mt19937_64 random(seed);
  Settings settings;
  settings.seed = seed;
  settings.parallelism = static_cast<int>(1 + seed % 8);
  settings.batch = kBatches[seed / 8 % 6];
  if (random() % 4 == 0) settings.memory_budget = 4096;
  return settings;
}

using Check = std::function<void(const Input&, const Outcome&)>;

/// All ways on the seeded executor: `runs` runs to the end, and every second input again with snapshots
/// between.
inline void sweep_simulated(const Program& program, const Shape& shape, const Check& check,
                            std::size_t runs = 240) {
  for (std::uint64_t seed = 1; seed <= scaled(runs); ++seed) {
    std::mt19937_64 random(seed);
    const Input input = make_input(shape, random);
    const Settings settings = settings_for(seed);
    {
      SCOPED_TRACE(describe(settings));
      check(input, run_simulated(program, input, {settings}));
    }
    if (seed % 2 == 0 && !testing::Test::HasFailure()) {
      const std::vector<Settings> chain{settings, settings_for(random() % 1000),
                                        settings_for(random() % 1000)};
      SCOPED_TRACE("snapshots between: " + describe(chain[0]) + "; then " + describe(chain[1]) + "; then " +
                   describe(chain[2]));
      check(input, run_simulated(program, input, chain));
    }
    if (testing::Test::HasFailure()) return;
  }
}

/// The same over the real executors, with more records and fewer runs.
inline void sweep_for_real(const Program& program, const Shape& shape, const Check& check,
                           std::size_t runs = 24) {
  for (std::uint64_t seed = 1; seed <= std::max<std::size_t>(8, scaled(runs)); ++seed) {
    std::mt19937_64 random(seed);
    const Input input = make_input(shape, random, scaled(10));
    const Settings settings = settings_for(seed + 8 * (seed % 6));
    for (Executor executor : {Executor::tbb, Executor::stepped}) {
      SCOPED_TRACE((executor == Executor::tbb ? "oneTBB, " : "stepped, ") + describe(settings));
      check(input, run_for_real(program, input, settings, executor));
      if (testing::Test::HasFailure()) return;
    }
  }
}

/// Equal as multisets of (key, time, text).
inline void expect_same_set(Lines expected, Lines got) {
  const auto order = [](const Line& a, const Line& b) {
    return std::tie(a.key, a.time, a.text) < std::tie(b.key, b.time, b.text);
  };
  std::sort(expected.begin(), expected.end(), order);
  std::sort(got.begin(), got.end(), order);
  Lines missing, extra;
  std::set_difference(expected.begin(), expected.end(), got.begin(), got.end(), std::back_inserter(missing),
                      order);
  std::set_difference(got.begin(), got.end(), expected.begin(), expected.end(), std::back_inserter(extra),
                      order);
  EXPECT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(5, missing.size()); ++i) {
    ADD_FAILURE() << "missing: key " << missing[i].key << " time " << show(missing[i].time) << ": "
                  << missing[i].text;
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(5, extra.size()); ++i) {
    ADD_FAILURE() << "too many: key " << extra[i].key << " time " << show(extra[i].time) << ": "
                  << extra[i].text;
  }
}

/// Every record of the input exactly once, each partition's in order within each group.
template <class GroupOf>
void expect_partition_order(const Lines& lines, GroupOf group_of) {
  using Group = std::invoke_result_t<GroupOf, const Line&>;
  std::map<std::tuple<Group, std::uint32_t, std::uint32_t>, RecordId> last;
  for (const Line& line : lines) {
    auto [it, first] = last.emplace(std::tuple(group_of(line), line.id.source, line.id.partition), line.id);
    if (first) continue;
    ASSERT_LT(it->second, line.id) << "out of order, key " << line.key << ": " << line.text;
    it->second = line.id;
  }
}

/// Sources with event time, driven by hand.
struct Bench {
  explicit Bench(TestOptions options = {}, Duration bound = 0s, std::size_t sources = 1)
      : options(std::move(options)), pipeline(app, outcome) {
    Input input;
    input.sources.resize(sources);
    input.bound = bound;
    make_sources(pipeline, input, false);
  }
  TestDriver& driver() {
    if (made) return *made;
    made.emplace(app, options);
    for (const auto& source : pipeline.sources) made->skip_to(source, 0, 0);  // all are pushed to
    return *made;
  }
  const SourceStream<Event>& source(std::size_t i = 0) { return pipeline.sources[i]; }
  void push(Event e, int partition = 0) { driver().push(source(), std::move(e), partition); }
  /// What output `name` had since the last call.
  std::vector<std::string> take(const std::string& name) {
    std::vector<std::string> texts;
    for (const Line& line : std::exchange(outcome.outputs[name], {})) texts.push_back(line.text);
    return texts;
  }
  std::vector<std::string> texts(const std::string& name) const {
    std::vector<std::string> texts;
    for (const Line& line : outcome.at(name)) texts.push_back(line.text);
    return texts;
  }

  TestOptions options;
  App app;
  Outcome outcome;
  Pipeline pipeline;
  std::optional<TestDriver> made;
};

}  // namespace slipstream::conformance
