#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "operator_conformance.h"
#include "simulation.h"

/// Random programs over random inputs, with sinks that are full at times, sources that pause, budgets of a
/// byte, failing records and sources that wait for one another. Whatever they are: the run ends, every record
/// is accounted for, every credit comes back, every gate has a reason and goes with it, and what comes out is
/// what a naive model says where schedule and clock may not show.
///
/// SLIPSTREAM_LIVENESS_SEED=n runs only seed n and tells what the program is.
namespace slipstream::conformance {
namespace {

struct Item {
  std::int64_t key = 0;
  std::int64_t serial = 0;  ///< tells records of one stream apart
  EventTime at;
  std::string text;
};
SLIPSTREAM_FIELDS(Item, key, serial, at, text)

struct Sum {
  std::int64_t count = 0;
  std::int64_t serials = 0;
  void add(const Item& item) {
    ++count;
    serials += item.serial;
  }
};
SLIPSTREAM_FIELDS(Sum, count, serials)

// ---------------------------------------------------------------- functions of records, for program and
// model alike

std::uint64_t scramble(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = a * 0x9e3779b97f4a7c15u + b;
  x ^= x >> 31;
  x *= 0xbf58476d1ce4e5b9u;
  return x ^ (x >> 29);
}
std::uint64_t whim(const Item& item, int node) {
  const auto time = static_cast<std::uint64_t>(item.at.time_since_epoch().count());
  return scramble(scramble(static_cast<std::uint64_t>(item.serial), time),
                  static_cast<std::uint64_t>(node * 131 + item.key));
}
Item mapped(Item item, int node) {
  item.key = (item.key + node) % 7;
  if (!item.text.empty()) item.text.back() = 'm';
  return item;
}
bool is_kept(const Item& item, int node) { return whim(item, node) % 4 != 0; }
std::vector<Item> expanded(const Item& item, int node) {
  std::vector<Item> all(whim(item, node) % 4, item);
  for (std::size_t j = 0; j < all.size(); ++j) all[j].serial = item.serial * 4 + static_cast<std::int64_t>(j);
  return all;
}
Item joined(Item left, const Item* right) {
  left.text += right ? "+" + std::to_string(right->serial) : "-";
  return left;
}
Item result_of(const Windowed<std::int64_t, Sum>& w) {
  return {w.key, w.value.serials, w.window.end - Duration(1), std::to_string(w.value.count)};
}
/// The event time is asked for of the record itself, and some have none that is usable.
EventTime time_of(const Item& item) { return item.at; }

/// How often the node's function throws on a record: most never, some up to four times.
struct Faults {
  int node = 0;
  int retries = 0;
  bool any = false;
  std::map<std::tuple<std::int64_t, std::int64_t, EventTime>, int> tries = {};

  int wanted(const Item& item) const {
    const std::uint64_t w = whim(item, node + 1'000);
    return any && w % 16 == 0 ? 1 + static_cast<int>(w / 16 % 4) : 0;
  }
  bool is_given_up(const Item& item) const { return wanted(item) > retries; }
  void call(const Item& item) {
    const int faults = wanted(item);
    if (faults == 0) return;
    if (++tries[{item.key, item.serial, item.at}] <= faults) throw std::runtime_error("fault");
  }
};

// ---------------------------------------------------------------- the model

struct Row {
  Item item;
  EventTime time;
  RecordId id;
  EventTime stamp = kMinTime;  ///< of a late record: the watermark it came behind
};

/// What a stream must consist of, as far as that is the program's and not the schedule's to say.
struct Model {
  std::vector<Row> rows;
  bool exact = true;      ///< these rows, in any order
  bool unclocked = true;  ///< who is late doesn't depend on how fast things go
  bool has_ids = true;
  bool has_twins = false;  ///< a record may be there twice
  unsigned origins = 0;    ///< sources, as bits
};

struct Branch {
  Stream<Item> stream;
  Model model;
};

Model like(const Model& m) {
  Model empty = m;
  empty.rows.clear();
  return empty;
}
Model without_given_up(const Model& in, const Faults& faults) {
  Model out = like(in);
  for (const Row& r : in.rows) {
    if (!faults.is_given_up(r.item)) out.rows.push_back(r);
  }
  return out;
}

Model windows_of(const Model& in, const Tumbling& window, Model& late) {
  std::map<std::pair<EventTime, std::int64_t>, Sum> sums;
  late = like(in);
  for (const Row& r : in.rows) {
    const EventTime start = detail::window_start(r.time, window);
    if (r.stamp != kMinTime && is_window_complete(start + window.size, r.stamp)) {
      late.rows.push_back(r);
    } else {
      sums[{start, r.item.key}].add(r.item);
    }
  }
  Model out = like(in);
  out.has_ids = out.has_twins = false;
  out.exact = late.exact = in.exact && in.unclocked;
  for (const auto& [at, sum] : sums) {
    const Item item = result_of({at.second, {at.first, at.first + window.size}, sum});
    out.rows.push_back({item, item.at, {}, kMinTime});
  }
  return out;
}

Model join_of(const Model& left, const Model& right, Duration tolerance, const Faults& faults, Model& late) {
  std::map<std::int64_t, std::vector<const Row*>> rights;
  for (const Row& r : right.rows) {
    if (r.stamp == kMinTime || !is_late(r.time, r.stamp)) rights[r.item.key].push_back(&r);
  }
  late = like(left);
  Model out = like(left);
  out.exact = late.exact = left.exact && left.unclocked;
  out.exact = out.exact && right.exact && right.unclocked && right.has_ids && !right.has_twins;
  out.unclocked = left.unclocked && right.unclocked;
  out.origins |= right.origins;
  for (const Row& l : left.rows) {
    if (l.stamp != kMinTime && is_late(l.time, l.stamp)) {
      late.rows.push_back(l);
      continue;
    }
    if (faults.is_given_up(l.item)) continue;
    const Row* newest = nullptr;
    for (const Row* r : rights[l.item.key]) {
      if (r->time > l.time || r->time < saturating_minus(l.time, tolerance)) continue;
      if (!newest || std::pair(newest->time, newest->id) < std::pair(r->time, r->id)) newest = r;
    }
    Row row = l;
    row.item = joined(l.item, newest ? &newest->item : nullptr);
    out.rows.push_back(std::move(row));
  }
  return out;
}

std::string show_item(const Item& item, EventTime time) {
  return text_of(item.key, item.serial, time, item.text);
}

// ---------------------------------------------------------------- programs

class RandomProgram {
 public:
  explicit RandomProgram(std::uint64_t seed) : world(seed) {
    configure();
    make_sources();
    for (std::size_t n = 1 + world.below(6); n > 0; --n) add_node();
    for (const Branch& b : branches_) {
      if (world.chance(95)) add_sink(b);
    }
    if (needs_dead_letters_ || world.chance(20)) {
      sink_into_moody<DeadLetter>(app.dead_letters(), "dead letters' sink",
                                  [](const DeadLetter&, const RecordInfo&) {});
    }
  }

  void compare() const {
    for (const auto& out : outputs_) {
      std::vector<std::string> expected;
      for (const Row& r : out->model.rows) expected.push_back(show_item(r.item, r.time));
      std::vector<std::string> got = out->got;
      std::sort(expected.begin(), expected.end());
      std::sort(got.begin(), got.end());
      if (out->model.exact) {
        EXPECT_EQ(got, expected) << out->name;
      }
    }
  }
  std::size_t records() const { return records_; }
  bool may_be_doomed() const { return doomed_; }
  /// No record becomes more than it was, and none waits for a retry: memory in flight is what sources took.
  bool is_plain() const { return is_plain_; }

  World world;
  App app;
  RuntimeConfig config;
  std::string story;
  std::size_t largest = 0;  ///< what a source's record may be charged with

 private:
  struct Output {
    std::string name;
    Model model;
    std::vector<std::string> got = {};
  };
  template <class T>
  T one_of(std::initializer_list<T> all) {
    return *(all.begin() + world.below(all.size()));
  }
  void tell(const std::string& sentence) { story += sentence + "\n"; }

  void configure() {
    config.parallelism = one_of({1, 1, 2, 3, 8});
    config.batch_max_records = one_of<std::size_t>({1, 2, 3, 7, 64, 4096});
    config.batch_max_bytes = one_of<std::size_t>({1, 100, 1'000, 1 << 20});
    config.memory_budget = one_of<std::size_t>({1, 150, 1'000, 5'000, 20'000, 64 << 20});
    config.shards = one_of({1, 2, 128});
    config.linger = one_of<Duration>({0us, 5ms});
    config.commit_interval = one_of<Duration>({1ms, 20ms, 1s});
    tell("parallelism " + std::to_string(config.parallelism) + ", batches of " +
         std::to_string(config.batch_max_records) + " records and " + std::to_string(config.batch_max_bytes) +
         " bytes, budget " + std::to_string(config.memory_budget) + ", shards " +
         std::to_string(config.shards));
  }

  // ------------------------------------------------ sources

  struct Shape {
    int number = 0;
    Duration bound{0};
    Duration disorder{0};
    Duration pace{0};
    bool has_watermarks = false;
    bool has_unusable = false;
  };

  void make_sources() {
    const std::size_t count = 2 + world.below(2);
    for (std::size_t s = 0; s < count; ++s) make_source(static_cast<int>(s));
    // Later sources may wait for earlier ones, so there is no circle.
    for (std::size_t s = 1; s < count; ++s) {
      for (std::size_t other = 0; other < s; ++other) {
        if (!world.chance(40)) continue;
        const Duration lag = one_of<Duration>({0s, 1s, 5s, 60s});
        sources_[s].depends_on(sources_[other], {.max_lag = lag});
        tell("source " + std::to_string(s) + " waits for source " + std::to_string(other) + ", lag " +
             show(lag.count()));
      }
    }
  }

  void make_source(int number) {
    Shape shape{.number = number};
    shape.bound = world.some(1s, 6);
    shape.disorder = shape.bound + (world.chance(40) ? world.some(1s, 6) : 0s);
    shape.pace = one_of<Duration>({1s, 1s, 200ms, 10s});
    shape.has_watermarks = world.chance(20);
    shape.has_unusable = world.chance(20);
    ErrorPolicy errors;
    if (shape.has_unusable) errors = is_plain() || world.chance(50) ? ErrorPolicy::skip() : dead_letter();
    Model model;
    model.origins = 1u << number;
    std::vector<ScriptedSource<Item>::Script> scripts;
    for (std::size_t p = 0, n = 1 + world.below(4); p < n; ++p)
      scripts.push_back(make_script(shape, p, model));
    EventTimeOptions times{.max_out_of_orderness = shape.bound};
    if (world.chance(15)) {
      times.when_quiet = world.chance(50) ? WhenQuiet::advance(world.some(1ms, 30)) : WhenQuiet::alarm(5ms);
    }
    if (times.when_quiet.action == WhenQuiet::Action::advance) model.unclocked = false;
    const std::string name = "source " + std::to_string(number);
    auto scripted = std::make_shared<ScriptedSource<Item>>(world, name, std::move(scripts), world.chance(20));
    auto stream = app.source(name, Source<Item>(std::move(scripted))).event_time(time_of, times);
    stream.on_error(errors);
    sources_.push_back(stream);
    tell(name + ": " + std::to_string(model.rows.size()) + " records, bound " + show(shape.bound.count()) +
         ", disorder " + show(shape.disorder.count()) + ", quiet " +
         std::to_string(static_cast<int>(times.when_quiet.action)));
    branches_.push_back({stream, std::move(model)});
  }

  ScriptedSource<Item>::Script make_script(const Shape& shape, std::size_t partition, Model& model) {
    ScriptedSource<Item>::Script script;
    const std::size_t count = world.chance(10) ? 0 : world.below(60);
    EventTime now(100s + world.some(1s, 20));
    EventTime watermark = kMinTime;
    std::int64_t offset = 0;
    const auto pause = [&] {
      if (world.chance(8)) {
        script.push_back(ScriptedSource<Item>::Pause{
            world.some_time(), world.chance(50) ? ReadState::waiting : ReadState::caught_up});
      }
    };
    for (std::size_t i = 0; i < count; ++i) {
      pause();
      now += world.some(shape.pace, 3);
      Item item{
          static_cast<std::int64_t>(world.below(7)), 0, now - world.some(1s, shape.disorder / 1s + 1), {}};
      item.serial =
          ((shape.number * 10 + static_cast<std::int64_t>(partition)) * 1'000) + static_cast<std::int64_t>(i);
      item.text = std::string(world.below(40), 'x');
      const RecordId id{static_cast<std::uint32_t>(shape.number), static_cast<std::uint32_t>(partition),
                        offset++, 0};
      ++records_;
      if (shape.has_unusable && world.chance(10)) {
        if (world.chance(50)) {
          script.push_back(ScriptedSource<Item>::Undecodable{});
        } else {
          item.at = EventTime(-1s);
          script.push_back(ScriptedSource<Item>::Record{item});
        }
        continue;
      }
      largest = std::max(largest, detail::footprint(item) + detail::kColumnBytes);
      model.rows.push_back({item, item.at, id, is_late(item.at, watermark) ? watermark : kMinTime});
      watermark = std::max(watermark, item.at - shape.bound);
      script.push_back(ScriptedSource<Item>::Record{std::move(item)});
      if (shape.has_watermarks && world.chance(10)) {
        const EventTime to = now + world.some(1s, 4);
        script.push_back(ScriptedSource<Item>::Watermark{to});
        watermark = std::max(watermark, to);
      }
    }
    pause();
    return script;
  }

  // ------------------------------------------------ nodes

  ErrorPolicy dead_letter() {
    needs_dead_letters_ = true;
    return ErrorPolicy::dead_letter();
  }
  /// A policy and the faults it is for.
  std::shared_ptr<Faults> faults_for(const Model& in, ErrorPolicy& policy) {
    auto faults = std::make_shared<Faults>();
    faults->node = ++made_;
    if (is_plain() || in.has_twins || !world.chance(50)) return faults;
    faults->any = true;
    const bool diverts = world.chance(50);
    policy = diverts ? dead_letter() : ErrorPolicy::skip();
    if (world.chance(60)) {
      faults->retries = policy.retries = 1 + static_cast<int>(world.below(4));
      policy.backoff = Duration(world.below(3'000));
    }
    if (world.chance(2)) {
      policy.action = ErrorPolicy::Action::fail;
      doomed_ = true;
    }
    return faults;
  }

  /// Consumed by the next node, or left for others too.
  Branch take() {
    const std::size_t at = world.below(branches_.size());
    Branch taken = branches_[at];
    if (is_plain() || world.chance(75)) branches_.erase(branches_.begin() + static_cast<std::ptrdiff_t>(at));
    return taken;
  }
  void put(Stream<Item> stream, Model model) { branches_.push_back({std::move(stream), std::move(model)}); }

  void add_node() {
    if (branches_.empty()) return;
    using Add = void (RandomProgram::*)();
    static constexpr Add kPlain[] = {&RandomProgram::add_map, &RandomProgram::add_filter,
                                     &RandomProgram::add_split, &RandomProgram::add_merge};
    static constexpr Add kOthers[] = {&RandomProgram::add_flat_map, &RandomProgram::add_window,
                                      &RandomProgram::add_join, &RandomProgram::add_count,
                                      &RandomProgram::add_process};
    const std::size_t n = world.below(is_plain() ? 4 : 9);
    (this->*(n < 4 ? kPlain[n] : kOthers[n - 4]))();
  }

  void add_map() {
    auto [stream, model] = take();
    ErrorPolicy policy;
    auto faults = faults_for(model, policy);
    const int node = faults->node;
    tell("map " + std::to_string(node) + ", retries " + std::to_string(policy.retries));
    Model out = without_given_up(model, *faults);
    for (Row& r : out.rows) r.item = mapped(std::move(r.item), node);
    put(stream
            .map([faults, node](const Item& item) {
              faults->call(item);
              return mapped(item, node);
            })
            .on_error(policy),
        std::move(out));
  }

  void add_filter() {
    auto [stream, model] = take();
    ErrorPolicy policy;
    auto faults = faults_for(model, policy);
    const int node = faults->node;
    tell("filter " + std::to_string(node) + ", retries " + std::to_string(policy.retries));
    Model out = without_given_up(model, *faults);
    std::erase_if(out.rows, [node](const Row& r) { return !is_kept(r.item, node); });
    put(stream
            .filter([faults, node](const Item& item) {
              faults->call(item);
              return is_kept(item, node);
            })
            .on_error(policy),
        std::move(out));
  }

  void add_flat_map() {
    auto [stream, model] = take();
    ErrorPolicy policy;
    auto faults = faults_for(model, policy);
    const int node = faults->node;
    tell("flat_map " + std::to_string(node) + ", retries " + std::to_string(policy.retries));
    Model out = like(model);
    for (const Row& r : without_given_up(model, *faults).rows) {
      std::size_t j = 0;
      for (Item& item : expanded(r.item, node)) {
        Row row{std::move(item), r.time, r.id, r.stamp};
        row.id.n = detail::output_number(r.id.n, j++);
        out.rows.push_back(std::move(row));
      }
    }
    put(stream
            .flat_map([faults, node](const Item& item) {
              faults->call(item);
              return expanded(item, node);
            })
            .on_error(policy),
        std::move(out));
  }

  void add_split() {
    auto [stream, model] = take();
    const int node = ++made_;
    tell("split " + std::to_string(node));
    Model yes = like(model), no = like(model);
    for (const Row& r : model.rows) (is_kept(r.item, node) ? yes : no).rows.push_back(r);
    auto [matching, others] = stream.split([node](const Item& item) { return is_kept(item, node); });
    put(matching, std::move(yes));
    put(others, std::move(no));
  }

  void add_merge() {
    auto [a, one] = take();
    if (branches_.empty()) return put(a, std::move(one));
    auto [b, two] = take();
    tell("merge");
    Model out = one;
    out.rows.insert(out.rows.end(), two.rows.begin(), two.rows.end());
    out.exact = one.exact && two.exact;
    out.unclocked = one.unclocked && two.unclocked;
    out.has_ids = one.has_ids && two.has_ids;
    out.has_twins = one.has_twins || two.has_twins || (one.origins & two.origins) != 0;
    out.origins |= two.origins;
    put(a.merge(b), std::move(out));
  }

  void add_window() {
    auto [stream, model] = take();
    const std::string name = "window " + std::to_string(++made_);
    const Tumbling window = tumbling(one_of<Duration>({1s, 4s, 7s, 60s}));
    tell(name + " of " + show(window.size.count()));
    Model late;
    Model out = windows_of(model, window, late);
    auto sums = stream.key_by(&Item::key).window(window).aggregate<Sum>(name);
    put(sums.map(result_of), std::move(out));
    if (world.chance(50)) put(sums.late(), std::move(late));
  }

  void add_join() {
    auto [left, lefts] = take();
    const Branch right = branches_.empty() ? Branch{left, lefts} : take();
    ErrorPolicy policy;
    auto faults = faults_for(lefts, policy);
    const std::string name = "join " + std::to_string(faults->node);
    const Duration tolerance = one_of<Duration>({0s, 3s, 30s, Duration::max()});
    tell(name + ", tolerance " + show(tolerance.count()) + ", retries " + std::to_string(policy.retries));
    Model late;
    Model out = join_of(lefts, right.model, tolerance, *faults, late);
    auto results = left.key_by(&Item::key)
                       .as_of_join(name, right.stream.key_by(&Item::key), {.tolerance = tolerance},
                                   [faults](const Item& l, const Item* r) {
                                     faults->call(l);
                                     return joined(l, r);
                                   })
                       .on_error(policy);
    put(results, std::move(out));
    if (world.chance(50)) put(results.late(), std::move(late));
  }

  void add_count() {
    auto [stream, model] = take();
    const std::string name = "count " + std::to_string(++made_);
    tell(name);
    Model out = like(model);
    std::map<std::int64_t, std::int64_t> counts;
    for (const Row& r : model.rows) {
      const std::int64_t n = ++counts[r.item.key];
      out.rows.push_back({{r.item.key, n, EventTime{}, {}}, EventTime{}, {}});
    }
    // Which record gets which number is the schedule's to say, so the time is left out of it.
    add_sink<Keyed<std::int64_t, std::int64_t>>(
        stream.key_by(&Item::key).count(name), std::move(out), [](const auto& k, EventTime) {
          return show_item({k.key, k.value, EventTime{}, {}}, EventTime{});
        });
  }

  /// A timer per key and five seconds, which fires as often as records and watermarks have it.
  void add_process() {
    auto [stream, model] = take();
    ErrorPolicy policy;
    auto faults = faults_for(model, policy);
    const std::string name = "process " + std::to_string(faults->node);
    tell(name + ", retries " + std::to_string(policy.retries));
    const bool timers = world.chance(50);
    Model out = without_given_up(model, *faults);
    if (timers) out.exact = out.has_ids = false;
    const auto on_record = [faults, timers](const Item& item, std::int64_t& seen,
                                            ProcessContext<std::int64_t, Item>& c) {
      ++seen;
      faults->call(item);
      if (timers) c.set_timer(detail::window_start(c.time(), tumbling(5s)) + 5s);
      c.emit(item);
    };
    const auto on_timer = [](EventTime at, std::int64_t& seen, ProcessContext<std::int64_t, Item>& c) {
      c.emit({c.key(), seen, at, "timer"});
    };
    put(stream.key_by(&Item::key).process<std::int64_t, Item>(name, on_record, on_timer).on_error(policy),
        std::move(out));
  }

  // ------------------------------------------------ sinks

  template <class T>
  void sink_into_moody(const Stream<T>& stream, const std::string& name, typename MoodySink<T>::Keep keep) {
    const int percent_full = one_of({0, 0, 10, 50, 90});
    ErrorPolicy errors;
    if (world.chance(30))
      errors = ErrorPolicy::retry(1 + static_cast<int>(world.below(3)), world.some_time());
    tell(name + ": full at " + std::to_string(percent_full) + " %, retries " +
         std::to_string(errors.retries));
    stream.sink(Sink<T>(std::make_shared<MoodySink<T>>(world, name, percent_full, errors, std::move(keep))),
                {.name = name, .errors = errors});
  }
  template <class T, class Show>
  void add_sink(const Stream<T>& stream, Model model, Show show) {
    auto out = std::make_shared<Output>();
    out->name = "sink " + std::to_string(outputs_.size());
    out->model = std::move(model);
    outputs_.push_back(out);
    const auto keep = [out, show](const T& value, const RecordInfo& info) {
      out->got.push_back(show(value, info.time));
    };
    if (world.chance(70)) {
      sink_into_moody<T>(stream, out->name, keep);
    } else {
      stream.sink(keep, {.name = out->name});
    }
  }
  void add_sink(const Branch& branch) { add_sink<Item>(branch.stream, branch.model, show_item); }

  std::vector<SourceStream<Item>> sources_;
  std::vector<Branch> branches_;
  std::vector<std::shared_ptr<Output>> outputs_;
  std::size_t records_ = 0;
  int made_ = 0;
  bool needs_dead_letters_ = false;
  bool doomed_ = false;
  const bool is_plain_ = world.chance(25);
};

// ---------------------------------------------------------------- the test

/// Beyond the budget a source lane that has nothing under way may read one record, so that somebody always
/// moves.
std::size_t most_in_flight(const RandomProgram& p, const Metrics& m) {
  std::size_t source_lanes = 0;
  for (const NodeMetrics& n : m.nodes) {
    if (n.kind == "source") source_lanes += static_cast<std::size_t>(n.lanes);
  }
  return p.config.memory_budget + source_lanes * p.largest;
}

void try_seed(std::uint64_t seed, bool tells) {
  SCOPED_TRACE("SLIPSTREAM_LIVENESS_SEED=" + std::to_string(seed));
  RandomProgram p(seed);
  if (tells) std::printf("%s", p.story.c_str());
  // Some are stopped on the way.
  const std::uint64_t stop_at = p.world.chance(10) ? 1 + p.world.below(500) : 0;
  const Ending end = run(p.world, p.app, p.config, [&](std::uint64_t step) {
    if (step == stop_at) p.world.engine->request_stop();
  });
  for (const std::string& what : p.world.failures) ADD_FAILURE() << what;
  const bool failed_as_told = p.may_be_doomed() && end.status.code() == absl::StatusCode::kAborted;
  ASSERT_TRUE(end.status.ok() || failed_as_told) << end.status;
  EXPECT_EQ(end.metrics.in_flight_bytes, 0u);
  if (p.is_plain()) {
    EXPECT_LE(end.metrics.in_flight_peak, most_in_flight(p, end.metrics));
  }
  if (failed_as_told) return;
  for (const PartitionMetrics& m : end.metrics.partitions) {
    EXPECT_TRUE(m.gates.empty()) << m.source << " partition " << m.partition << " still waits for "
                                 << m.gates.front();
  }
  expect_conserved(p.app, end.metrics);
  const bool was_stopped = stop_at != 0 && end.steps >= stop_at;
  if (!was_stopped) {
    for (const NodeMetrics& n : end.metrics.nodes) EXPECT_EQ(n.held, 0u) << n.name;
    p.compare();
  }
  if (testing::Test::HasFailure()) ADD_FAILURE() << p.story << describe(end.metrics);
}

TEST(Liveness, OfRandomProgramsOverRandomInputs) {
  if (const char* only = std::getenv("SLIPSTREAM_LIVENESS_SEED"))
    return try_seed(std::strtoull(only, nullptr, 10), true);
  for (std::uint64_t seed = 1; seed <= scaled(1'000) && !HasFailure(); ++seed) try_seed(seed, false);
}

}  // namespace
}  // namespace slipstream::conformance
