#include "runtime/engine.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "slipstream/detail/checked.h"
#include "slipstream/detail/hash.h"

namespace slipstream::runtime {
namespace {

using detail::Node;
using detail::Role;

bool heads_stage(const Node& node) { return node.role != Role::chained; }

struct Consumer {
  Node* node;
  int port;
};

bool reads_any(const Node& node, const std::set<const Node*>& others) {
  return std::any_of(node.inputs.begin(), node.inputs.end(), [&](const auto& port) {
    return std::any_of(port.begin(), port.end(),
                       [&](const detail::Input& input) { return others.contains(input.from); });
  });
}

std::vector<Consumer> consumers(const detail::Graph& graph, const Node& node, int port) {
  std::vector<Consumer> found;
  for (const auto& other : graph.nodes) {
    for (std::size_t p = 0; p < other->inputs.size(); ++p) {
      for (const detail::Input& input : other->inputs[p]) {
        if (input.from == &node && input.port == port) found.push_back({other.get(), static_cast<int>(p)});
      }
    }
  }
  return found;
}

std::string seconds(std::chrono::nanoseconds t) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(t).count();
  return std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 / 100) + " s";
}

/// Names the node in front, unless the message does so already: at its beginning or in quotes, as a name may
/// be a word of any sentence.
absl::Status annotate(const absl::Status& status, const std::string& prefix) {
  const std::string_view message(status.message().data(), status.message().size());
  const bool begins = message.starts_with(prefix) && message.substr(prefix.size()).find_first_of(":[ ") == 0;
  if (begins || message.find("'" + prefix + "'") != message.npos) return status;
  return absl::Status(status.code(), prefix + ": " + std::string(status.message()));
}

}  // namespace

Engine::Engine(detail::Graph& graph, RuntimeConfig config, LogHook log, Executor& executor)
    : graph_(graph),
      config_(std::move(config)),
      log_(std::move(log)),
      executor_(executor),
      budget_(config_.memory_budget),
      batch_max_records_(config_.batch_max_records),
      linger_(config_.linger.count()) {}

Engine::~Engine() {
  close_connectors();
  detach_switches();
}

void Engine::log(LogLevel level, std::string_view component, const std::string& message) const {
  if (!log_) return;
  const detail::MutexLock lock(log_mutex_);
  log_(level, component, message);
}

// ---------------------------------------------------------------- opening

absl::Status Engine::open() {
  apply_overrides();
  if (absl::Status s = check(); !s.ok()) return s;
  for (auto& node : graph_.nodes) {
    if (node->role == Role::source && !node->is_dead_letters) {
      sources_.push_back(std::make_unique<Source>());
      sources_.back()->node = node.get();
    }
    if (node->is_dead_letters) dead_letters_ = node.get();
  }
  if (absl::Status s = open_connectors(); !s.ok()) {
    close_connectors();
    run_exit_hooks();
    return s;
  }
  if (guarantee() == Guarantee::none) {
    const bool commits = std::any_of(sources_.begin(), sources_.end(),
                                     [](const auto& s) { return s->node->source->commits(); });
    if (commits) {
      log(LogLevel::warning, "runtime",
          "keyed state lives in memory only: after a crash the run goes on at the committed offsets without "
          "it (guarantee: none)");
    }
  }
  return absl::OkStatus();
}

absl::Status Engine::open_connectors() {
  if (absl::Status s = open_parts(graph_.stores); !s.ok()) return s;
  for (auto& source : sources_) {
    if (absl::Status s = open_source(*source); !s.ok()) return s;
  }
  make_stages();
  for (auto& stage : stages_) {
    if (!stage->node->sink) continue;
    sinks_.push_back({stage->node});
    if (absl::Status s = open_sink(sinks_.back(), *stage); !s.ok()) return s;
  }
  for (auto& source : sources_) {
    source->node->source_switch->attach({[this] { notify_all(); }, source->node->name,
                                         static_cast<int>(source->partitions.size()),
                                         can_seek(*source->node)});
  }
  return open_parts(graph_.parts);  // which may seek
}

void Engine::apply_overrides() {
  for (auto& node : graph_.nodes) {
    auto it = config_.nodes.find(node->name);
    if (it == config_.nodes.end()) continue;
    const NodeConfig& o = it->second;
    if (o.on_error) node->errors.action = static_cast<ErrorPolicy::Action>(static_cast<int>(*o.on_error));
    if (o.retries) node->errors.retries = *o.retries;
    if (o.retry_backoff) node->errors.backoff = *o.retry_backoff;
  }
}

absl::Status Engine::check() const {
  if (!graph_.mistakes.empty()) return absl::InvalidArgumentError(graph_.mistakes.front());
  if (graph_.nodes.empty())
    return absl::InvalidArgumentError("there is nothing to run: no source was added to the App");
  const bool stateful =
      std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [](const auto& n) { return n->is_stateful; });
  if (stateful && config_.guarantee == Guarantee::at_least_once) {
    return absl::InvalidArgumentError(
        "runtime.guarantee = \"at_least_once\" can't be kept by a graph with keyed state, which lives in "
        "memory only in this version: "
        "set it to \"none\" or leave it out");
  }
  if (config_.parallelism < 1) return absl::InvalidArgumentError("the parallelism must be at least 1");
  for (auto check : {&Engine::check_names, &Engine::check_connectors, &Engine::check_event_time,
                     &Engine::check_dependencies, &Engine::check_revisions, &Engine::check_dead_letters,
                     &Engine::check_retries, &Engine::check_tuning}) {
    if (absl::Status s = (this->*check)(); !s.ok()) return s;
  }
  for (const auto& [name, overrides] : config_.nodes) {
    const bool known =
        std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [&](const auto& n) { return n->name == name; });
    if (!known)
      return absl::InvalidArgumentError("the configuration speaks of node '" + name +
                                        "', which the program doesn't have");
  }
  return absl::OkStatus();
}

absl::Status Engine::check_names() const {
  std::map<std::string, const Node*> seen;
  for (const auto& node : graph_.nodes) {
    if (!node->named) continue;
    if (node->name.empty()) {
      return absl::InvalidArgumentError(node->location + ": " + node->kind + " has an empty name");
    }
    auto [it, is_new] = seen.emplace(node->name, node.get());
    if (!is_new) {
      return absl::InvalidArgumentError("two nodes are named '" + node->name + "': " + it->second->location +
                                        " and " + node->location);
    }
  }
  return absl::OkStatus();
}

/// A connector keeps one place and one client: two nodes that shared one would take each other's records.
absl::Status Engine::check_connectors() const {
  std::map<const void*, const Node*> users;
  for (const auto& node : graph_.nodes) {
    const void* connector = node->source ? static_cast<const void*>(node->source) : node->sink;
    if (!connector) continue;
    auto [it, is_new] = users.emplace(connector, node.get());
    if (is_new) continue;
    const std::string places = it->second->location + " and " + node->location;
    return absl::InvalidArgumentError(
        node->source ? "the source '" + node->source->name() + "' is used twice, at " + places +
                           ": call App::source once and use its stream twice, or make two sources"
                     : "the sink '" + node->sink->name() + "' is used twice, at " + places +
                           ": merge() the streams in front of it, or make two sinks");
  }
  return absl::OkStatus();
}

absl::Status Engine::check_event_time() const {
  for (const auto& node : graph_.nodes) {
    if (!node->needs_event_time) continue;
    for (const auto& port : node->inputs) {
      for (const Node* source : detail::sources_of(port)) {
        if (source->has_event_time) continue;
        return absl::InvalidArgumentError(node->kind + " '" + node->name +
                                          "' needs event time: call event_time(...) behind the source at " +
                                          source->location);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status Engine::check_dependencies() const {
  for (const auto& node : graph_.nodes) {
    for (const auto& dependency : node->dependencies) {
      for (const Node* other : dependency.on) {
        if (!node->has_event_time || !other->has_event_time) {
          return absl::InvalidArgumentError("depends_on() at " + node->location +
                                            " needs event_time(...) on both sources");
        }
      }
    }
    // Follow what this source waits for; coming back to it means that all would wait for each other.
    std::set<const Node*> seen;
    std::vector<const Node*> next{node.get()};
    while (!next.empty()) {
      const Node* at = next.back();
      next.pop_back();
      std::vector<const Node*> others = at->waits_for;
      for (const auto& dependency : at->dependencies)
        others.insert(others.end(), dependency.on.begin(), dependency.on.end());
      for (const Node* other : others) {
        if (other == node.get()) {
          const char* what = at->waits_for.empty() && node->waits_for.empty()
                                 ? "depends_on() makes a circle"
                                 : "checkpoints or depends_on() make a circle";
          return absl::InvalidArgumentError(std::string(what) + ": source '" + node->name +
                                            "' would wait for itself");
        }
        if (seen.insert(other).second) next.push_back(other);
      }
    }
  }
  return absl::OkStatus();
}

/// Operators that take every record for a new one can't stand behind a join that tells some of them twice.
absl::Status Engine::check_revisions() const {
  for (const auto& join : graph_.nodes) {
    if (!join->revises) continue;
    std::set<const Node*> behind{join.get()};
    for (const auto& node : graph_.nodes) {  // a node comes after those it reads
      if (behind.contains(node.get()) || !reads_any(*node, behind)) continue;
      if (node->counts_records) {
        return absl::InvalidArgumentError(
            node->kind + " '" + node->name + "' stands behind the speculative as-of join '" + join->name +
            "' and would take each correction for another record: make the join final (leave out "
            "AsOfOptions::emit), or handle the corrections, which have the RecordId of what they replace, in "
            "process() or a sink");
      }
      behind.insert(node.get());
    }
  }
  return absl::OkStatus();
}

absl::Status Engine::check_dead_letters() const {
  const Node* letters = nullptr;
  for (const auto& node : graph_.nodes) {
    if (node->is_dead_letters && !consumers(graph_, *node, 0).empty()) letters = node.get();
  }
  for (const auto& node : graph_.nodes) {
    if (node->errors.action == ErrorPolicy::Action::dead_letter && !letters) {
      return absl::InvalidArgumentError(
          "'" + node->name +
          "' diverts records to dead letters, but nothing reads App::dead_letters(); give it a sink");
    }
  }
  return absl::OkStatus();
}

absl::Status Engine::check_retries() const {
  for (const auto& node : graph_.nodes) {
    if (node->errors.retries >= 0 && node->errors.backoff >= Duration{0}) continue;
    return absl::InvalidArgumentError("'" + node->name + "': retries and their backoff can't be negative");
  }
  return absl::OkStatus();
}

absl::Status Engine::check_tuning() const {
  const TuningConfig& tuning = config_.tuning;
  if (tuning.mode == TuningMode::target_p99 && (!tuning.target_p99 || *tuning.target_p99 <= Duration::zero()))
    return absl::InvalidArgumentError(
        "tuning.mode = \"target_p99\" needs a target: say tuning.target_p99 = \"5ms\" or how long it may be");
  if (tuning.batch.least < 1 || tuning.batch.most < tuning.batch.least)
    return absl::InvalidArgumentError("tuning.batch needs two counts from 1 on, the smaller first");
  if (tuning.linger.least < Duration::zero() || tuning.linger.most < tuning.linger.least)
    return absl::InvalidArgumentError("tuning.linger needs two durations, the shorter first");
  if (tuning.interval <= Duration::zero())
    return absl::InvalidArgumentError("tuning.interval must be more than nothing");
  return absl::OkStatus();
}

absl::Status Engine::open_source(Source& source) {
  SourceEnv env;
  Source* s = &source;
  env.wake = [this, s] {
    if (!is_started_.load(std::memory_order_acquire)) return;  // start() looks at everything anyway
    for (auto& lane : s->stage->lanes) static_cast<SourceLane&>(*lane).on_wake();
  };
  env.fail = [this, s](absl::Status status) { fail_connector(s->node->name, status); };
  env.log = [this](LogLevel level, std::string_view component, std::string_view message) {
    log(level, component, std::string(message));
  };
  env.config = &config_;
  env.memory_budget = config_.memory_budget / 4 / std::max<std::size_t>(1, sources_.size());
  env.now = [this] {
    return EventTime(std::chrono::duration_cast<Duration>(executor_.now() + executor_.to_utc()));
  };
  env.wake_at = [this, wake = env.wake](EventTime when) {
    executor_.call_at(when.time_since_epoch() - executor_.to_utc(), wake);
  };
  env.signal = [by_hand = source.node->source_switch] { return by_hand->signal(); };
  if (absl::Status status = source.node->source->open(env); !status.ok())
    return annotate(status, source.node->name);
  source.is_open = true;
  source.partitions =
      std::vector<PartitionStatus>(static_cast<std::size_t>(source.node->source->partition_count()));
  return absl::OkStatus();
}

absl::Status Engine::open_sink(SinkState& sink, Stage& stage) {
  SinkEnv env;
  Lane* lane = stage.lanes.front().get();
  env.wake = [this, lane] {
    if (is_started_.load(std::memory_order_acquire)) lane->on_sink_wake();
  };
  env.fail = [this, node = sink.node](absl::Status status) { fail_connector(node->name, status); };
  env.log = [this](LogLevel level, std::string_view component, std::string_view message) {
    log(level, component, std::string(message));
  };
  const auto sinks = std::count_if(stages_.begin(), stages_.end(),
                                   [](const auto& other) { return other->node->sink != nullptr; });
  env.memory_budget = config_.memory_budget / 4 / static_cast<std::size_t>(sinks);
  env.config = &config_;
  if (absl::Status status = sink.node->sink->open(env); !status.ok())
    return annotate(status, sink.node->name);
  sink.is_open = true;
  return absl::OkStatus();
}

// ---------------------------------------------------------------- stages

std::size_t Engine::lane_count(const Node& node) const {
  if (node.role == Role::sink || node.role == Role::serial) return 1;
  auto it = config_.nodes.find(node.name);
  const int wanted =
      it != config_.nodes.end() && it->second.parallelism ? *it->second.parallelism : config_.parallelism;
  const auto lanes = static_cast<std::size_t>(wanted);
  if (node.role == Role::source) {
    const Source* source = find_source(node.id);
    return std::clamp<std::size_t>(source->partitions.size(), 1, lanes);
  }
  return std::min(lanes, static_cast<std::size_t>(config_.shards));
}

void Engine::make_stages() {
  const bool letters_read = dead_letters_ && !consumers(graph_, *dead_letters_, 0).empty();
  for (auto& node : graph_.nodes) {
    if (!heads_stage(*node) || (node->is_dead_letters && !letters_read)) continue;
    stages_.push_back(std::make_unique<Stage>());
    stages_.back()->node = node.get();
    stages_.back()->lanes.resize(lane_count(*node));
  }
  for (auto& stage : stages_) make_lanes(*stage);
  // All lanes exist before the first edge is made.
  for (auto& stage : stages_) {
    for (auto& lane : stage->lanes) build_chain(*lane, lane->add_operator(*stage->node), *stage->node);
  }
  if (letters_read) connect_dead_letters();
  lanes_left_ = lanes_.size();
  for (Lane* lane : lanes_) executor_.add(*lane);
  for (auto& source : sources_) source->stage = stage_of(source->node);
}

void Engine::make_lanes(Stage& stage) {
  auto source =
      std::find_if(sources_.begin(), sources_.end(), [&](const auto& s) { return s->node == stage.node; });
  for (std::uint32_t i = 0; i < stage.lanes.size(); ++i) {
    if (source != sources_.end()) {
      stage.lanes[i] = std::make_unique<SourceLane>(*this, stage, i, (*source)->partitions);
    } else {
      stage.lanes[i] = std::make_unique<Lane>(*this, stage, i);
    }
    lanes_.push_back(stage.lanes[i].get());
  }
  if (source == sources_.end()) return;
  for (int p = 0; p < static_cast<int>((*source)->partitions.size()); ++p) {
    detail::PartitionClock clock;
    clock.next_offset = stage.node->source->start_offset(p);
    static_cast<SourceLane&>(*stage.lanes[static_cast<std::size_t>(p) % stage.lanes.size()])
        .restore_clock(p, clock);
  }
}

void Engine::build_chain(Lane& lane, detail::Operator& op, const Node& node) {
  for (std::size_t port = 0; port < node.outputs; ++port) {
    for (const Consumer& consumer : consumers(graph_, node, static_cast<int>(port))) {
      if (heads_stage(*consumer.node)) {
        OutEdge& edge = lane.add_edge(*stage_of(consumer.node), consumer.port);
        node.connect(op, static_cast<int>(port), edge.end.receiver);
        continue;
      }
      detail::Operator* next = lane.find_operator(*consumer.node);
      if (next) {
        node.connect(op, static_cast<int>(port), consumer.node->as_receiver(*next));
        continue;
      }
      next = &lane.add_operator(*consumer.node);
      node.connect(op, static_cast<int>(port), consumer.node->as_receiver(*next));
      build_chain(lane, *next, *consumer.node);
    }
  }
}

/// Every lane that isn't itself behind the dead letters can divert records to them.
void Engine::connect_dead_letters() {
  std::set<const Stage*> behind;
  std::vector<const Stage*> next{stage_of(dead_letters_)};
  while (!next.empty()) {
    const Stage* stage = next.back();
    next.pop_back();
    if (!behind.insert(stage).second) continue;
    for (const auto& lane : stage->lanes) {
      for (const auto& edge : lane->edges()) next.push_back(edge->to);
    }
  }
  for (auto& stage : stages_) {
    if (behind.contains(stage.get())) continue;
    for (auto& lane : stage->lanes) {
      OutEdge& edge = lane->add_edge(*stage_of(dead_letters_), 0);
      lane->set_dead_letter_edge(static_cast<detail::Receiver<DeadLetter>*>(edge.end.receiver));
    }
  }
}

Stage* Engine::stage_of(const Node* node) const {
  for (const auto& stage : stages_) {
    if (stage->node == node) return stage.get();
  }
  return nullptr;
}

absl::Status Engine::open_parts(const Parts& parts) {
  for (auto& [name, part] : parts) {
    detail::RunEnv env;
    env.now = [this] {
      return EventTime(std::chrono::duration_cast<Duration>(executor_.now() + executor_.to_utc()));
    };
    env.call_at = [this](EventTime when, std::function<void()> f) {
      executor_.call_at(when.time_since_epoch() - executor_.to_utc(), std::move(f));
    };
    env.wake = [this] {
      if (is_started_.load(std::memory_order_acquire)) notify_all();
    };
    env.log = [this, &name = name](LogLevel level, std::string_view message) {
      log(level, name, std::string(message));
    };
    env.fail = [this, &name = name](absl::Status status) { fail_connector(name, status); };
    env.config = &config_;
    if (absl::Status s = part->open(env); !s.ok()) return annotate(s, name);
  }
  return absl::OkStatus();
}

const Engine::Source* Engine::find_source(std::uint32_t node) const {
  for (const auto& source : sources_) {
    if (source->node->id == node) return source.get();
  }
  return nullptr;
}

// ---------------------------------------------------------------- running

void Engine::start() {
  begin_tuning();
  is_started_ = true;
  notify_all();
  schedule_commit();
  schedule_state_check();
}

/// Why the source can't be sought while it runs, where it can't.
absl::Status Engine::can_seek(const Node& source) const {
  if (!source.source->can_seek())
    return absl::UnimplementedError(source.name + " can't be sought: what it has had it can't read again");
  std::vector<const Node*> behind{&source};
  for (std::size_t i = 0; i < behind.size(); ++i) {
    for (std::size_t port = 0; port < behind[i]->outputs; ++port) {
      for (const Consumer& consumer : consumers(graph_, *behind[i], static_cast<int>(port))) {
        if (consumer.node->is_stateful) {
          return absl::UnimplementedError(source.name + " can't be sought: '" + consumer.node->name +
                                          "' behind it keeps state, which its records are part of already");
        }
        if (std::find(behind.begin(), behind.end(), consumer.node) == behind.end())
          behind.push_back(consumer.node);
      }
    }
  }
  return absl::OkStatus();
}

void Engine::give_back(std::size_t bytes) {
  if (!budget_.give_back(bytes)) return;
  for (Lane* lane : lanes_) lane->on_room();
}

void Engine::on_lane_done() {
  if (lanes_left_.fetch_sub(1, std::memory_order_acq_rel) == 1) executor_.finish();
}

void Engine::request_stop() {
  if (is_stopping()) return;
  // Before lanes know, so that none takes what handlers hold for want of room for what is left over.
  for (auto& source : sources_) source->node->source_switch->ignore_room_to_the_end();
  if (stopping_.exchange(true)) return;
  tell_stopping();
  notify_all();
  executor_.call_at(executor_.now() + std::chrono::nanoseconds(config_.drain_timeout),
                    [this] { on_deadline(); });
}

void Engine::tell_stopping() {
  const detail::MutexLock lock(connectors_mutex_);
  for (auto& source : sources_) {
    if (source->is_open) source->node->source->stopping();
  }
}

std::string Engine::busy_stages() const {
  std::string where;
  for (const auto& stage : stages_) {
    std::uint64_t bytes = 0;
    bool done = true;
    for (const auto& lane : stage->lanes) {
      bytes += lane->queue_bytes();
      done = done && lane->is_done();
    }
    if (done) continue;
    where += (where.empty() ? "" : ", ") + ("'" + stage->node->name + "'") +
             (bytes ? " (" + std::to_string(bytes) + " bytes queued)" : "");
  }
  return where;
}

void Engine::on_deadline() {
  if (is_done()) return;
  fail(absl::DeadlineExceededError("not everything was drained within " + seconds(config_.drain_timeout) +
                                   ": " + std::to_string(budget_.used()) +
                                   " bytes in flight; still busy: " + busy_stages()));
  // Lanes give up what they have at once; a function of the program that doesn't return can't be made to.
  executor_.call_at(executor_.now() + std::chrono::milliseconds(200), [this] {
    if (is_done()) return;
    log(LogLevel::error, "runtime",
        "not drained within " + seconds(config_.drain_timeout) + "; waiting for a function to return: " +
            busy_stages() + "; a second signal ends the program without");
  });
}

absl::Status Engine::status() const {
  const detail::MutexLock lock(mutex_);
  return status_;
}

void Engine::fail(absl::Status status) {
  {
    const detail::MutexLock lock(mutex_);
    if (status_.ok()) status_ = std::move(status);
  }
  if (failed_.exchange(true)) return;
  notify_all();
}

void Engine::fail(const detail::Operator& op, std::optional<RecordId> id, std::string_view cause,
                  absl::StatusCode code) {
  std::string message(op.env().node);
  if (id) {
    const std::string position = position_of(*id);
    message = position.starts_with(message) ? position : message + ": " + position;
  }
  fail(absl::Status(code, message + ": " + std::string(cause)));
}

std::string Engine::position_of(const RecordId& id) const {
  const Source* source = find_source(id.source);
  if (!source) return "a result of '" + node_name(id.source) + "'";
  std::string where = source->node->source->position(static_cast<int>(id.partition), id.offset);
  if (id.n > 0) where += " output " + std::to_string(id.n);
  return where;
}

void Engine::fail_connector(const std::string& node, const absl::Status& cause) {
  fail(annotate(cause, node));
}

void Engine::fail_internal(const std::string& what) {
  fail(absl::InternalError("a defect in slipstream: " + what));
}

// ---------------------------------------------------------------- progress

EventTime Engine::source_watermark(std::uint32_t node) const {
  const Source* source = find_source(node);
  EventTime least = kMaxTime;
  bool any_idle = false;
  for (const PartitionStatus& p : source->partitions) {
    if (p.is_finished.load()) continue;
    any_idle = any_idle || p.is_idle.load();
    if (!p.is_idle.load()) least = std::min(least, EventTime(Duration(p.watermark.load())));
  }
  return least == kMaxTime && any_idle ? kMinTime : least;
}

EventTime Engine::lowest_watermark() const {
  EventTime least = kMaxTime;
  for (const auto& source : sources_) {
    if (source->node->has_event_time) least = std::min(least, source_watermark(source->node->id));
  }
  return least;
}

void Engine::on_source_progress() {
  for (const auto& source : sources_) {
    for (auto& lane : source->stage->lanes) {
      if (static_cast<SourceLane&>(*lane).waits_for_others()) lane->notify();
    }
  }
}

std::string Engine::node_name(std::uint32_t node) const {
  for (const auto& n : graph_.nodes) {
    if (n->id == node) return n->name;
  }
  return {};
}

void Engine::log_quiet(const Node& node, int partition, std::chrono::nanoseconds quiet_for) {
  log(LogLevel::warning, node.name,
      node.source->name() + " partition " + std::to_string(partition) + " has had nothing for " +
          seconds(quiet_for));
}

std::size_t Engine::state_bytes() const {
  std::size_t sum = 0;
  for (const Lane* lane : lanes_) {
    for (const auto& op : lane->operators()) sum += op->counters.state_bytes.get();
  }
  return sum;
}

void Engine::schedule_state_check() {
  const bool has_state =
      std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [](const auto& n) { return n->is_stateful; });
  if (!has_state) return;
  executor_.call_at(executor_.now() + std::chrono::milliseconds(100), [this] {
    if (is_done()) return;
    const bool over = state_bytes() > config_.memory_budget;
    if (state_over_budget_.exchange(over) && !over) on_source_progress();
    schedule_state_check();
  });
}

// ---------------------------------------------------------------- tuning

void Engine::begin_tuning() {
  if (config_.tuning.mode == TuningMode::off) return;
  tuner_.emplace(config_.tuning, Knobs{config_.batch_max_records, config_.linger});
  apply(tuner_->knobs());
  for (Lane* lane : lanes_) lane->measure_latencies();
  counted_.at = executor_.now();
  schedule_tuning();
}

void Engine::schedule_tuning() {
  executor_.call_at(executor_.now() + std::chrono::nanoseconds(config_.tuning.interval), [this] { tune(); });
}

void Engine::tune() {
  if (is_done() || has_failed() || is_stopping()) return;
  const auto decision = tuner_->observe(measure());
  apply(tuner_->knobs());
  if (decision) log(decision->level, "tuning", decision->text);
  schedule_tuning();
}

/// Lanes look at them once per slice.
void Engine::apply(const Knobs& knobs) {
  batch_max_records_.store(knobs.batch, std::memory_order_relaxed);
  linger_.store(knobs.linger.count(), std::memory_order_relaxed);
}

/// What has happened since it was last asked.
Measured Engine::measure() {
  Counted now{executor_.now()};
  for (const auto& source : sources_) {
    for (const PartitionStatus& p : source->partitions)
      now.records += p.records.load(std::memory_order_relaxed);
    for (const auto& lane : source->stage->lanes)
      now.linger_asked += static_cast<const SourceLane&>(*lane).linger_asked();
  }
  for (const Lane* lane : lanes_) {
    if (lane->latencies()) lane->latencies()->add_to(now.latencies);
  }
  const Counted before = std::exchange(counted_, now);
  const std::chrono::duration<double> passed = now.at - before.at;
  Measured m;
  m.records_per_second = static_cast<double>(now.records - before.records) / std::max(passed.count(), 1e-9);
  m.lingers = now.linger_asked != before.linger_asked;
  for (std::size_t i = 0; i < now.latencies.size(); ++i) now.latencies[i] -= before.latencies[i];
  if (const auto p99 = Latencies::quantile(now.latencies, 0.99); p99.count() > 0) m.p99 = p99;
  return m;
}

// ---------------------------------------------------------------- commits

Guarantee Engine::guarantee() const {
  if (config_.guarantee != Guarantee::automatic) return config_.guarantee;
  const bool stateful =
      std::any_of(graph_.nodes.begin(), graph_.nodes.end(), [](const auto& n) { return n->is_stateful; });
  return stateful ? Guarantee::none : Guarantee::at_least_once;
}

void Engine::schedule_commit() {
  const bool any =
      std::any_of(sources_.begin(), sources_.end(), [](const auto& s) { return s->node->source->commits(); });
  if (any)
    executor_.call_at(executor_.now() + std::chrono::nanoseconds(config_.commit_interval),
                      [this] { commit_tick(); });
}

/// Without state, offsets are committed at a cut: sources pause, everything in flight is delivered, sources
/// go on. With state in memory only there is nothing a commit could make durable; the offsets serve lag
/// tools.
void Engine::commit_tick() {
  if (is_done() || has_failed() || is_stopping()) return;
  if (guarantee() == Guarantee::none) {
    commit_offsets();
    schedule_commit();
    return;
  }
  if (holds_records() && !is_making_room()) {
    // What waits for a retry isn't done; the next commit may find it so.
    enter(CommitPhase::none);
    schedule_commit();
    return;
  }
  if (commit_phase_.load() == CommitPhase::none) {
    commit_began_ = executor_.now();
    enter(CommitPhase::pausing);
  }
  if (!try_commit()) {
    executor_.call_at(executor_.now() + std::chrono::milliseconds(1), [this] { commit_tick(); });
    return;
  }
  enter(CommitPhase::none);
  schedule_commit();
}

void Engine::enter(CommitPhase phase) {
  if (commit_phase_.exchange(phase) == phase) return;
  for (auto& source : sources_) source->node->source_switch->ignore_room(phase != CommitPhase::none);
  notify_all();
}

/// Whether handlers hold records, or did, because what they write to is full, and are given the time to
/// handle them all the same: else under a steady load nothing would ever be committed.
bool Engine::is_making_room() const {
  const bool is_in_time = commit_phase_.load() == CommitPhase::none ||
                          executor_.now() - commit_began_ < std::chrono::nanoseconds(config_.commit_interval);
  return is_in_time && std::any_of(sources_.begin(), sources_.end(), [](const auto& source) {
           return source->node->source_switch->is_held_back();
         });
}

bool Engine::try_commit() {
  if (commit_phase_.load() == CommitPhase::pausing) {
    const bool paused = std::all_of(sources_.begin(), sources_.end(), [](const auto& source) {
      const auto& lanes = source->stage->lanes;
      return std::all_of(lanes.begin(), lanes.end(),
                         [](const auto& lane) { return lane->is_done() || lane->is_settled(); });
    });
    if (!paused || budget_.used() != 0) return false;
    enter(CommitPhase::settling);
  }
  // A handler may have paused a source meanwhile, and hold what was read. In this order: what is let go
  // between two looks shows in the next.
  if (holds_records() || budget_.used() != 0) return false;
  const bool settled = std::all_of(sinks_.begin(), sinks_.end(), [this](const SinkState& sink) {
    const Lane& lane = *stage_of(sink.node)->lanes.front();
    return lane.is_done() || lane.is_settled();
  });
  if (!settled) return false;
  commit_offsets();
  return true;
}

bool Engine::holds_records() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const Lane* lane) {
    return std::any_of(lane->operators().begin(), lane->operators().end(),
                       [](const auto& op) { return op->counters.held.get() > 0; });
  });
}

/// Whether records that were read will not be processed.
bool Engine::has_abandoned() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const Lane* lane) {
    return std::any_of(lane->operators().begin(), lane->operators().end(),
                       [](const auto& op) { return op->abandons_held() && op->counters.held.get() > 0; });
  });
}

void Engine::notify_all() {
  if (!is_started_.load(std::memory_order_acquire)) return;
  for (Lane* lane : lanes_) lane->notify();
}

/// Never beyond where a partition was sought back to. Nothing of one that wasn't read.
std::optional<std::int64_t> Engine::offset_to_commit(const Source& source, int partition) const {
  const PartitionStatus& status = source.partitions[static_cast<std::size_t>(partition)];
  const auto seek = source.node->source_switch->pending(partition);
  const std::int64_t next = status.next_offset.load();
  if (seek && seek->offset == kBeginning) return std::nullopt;  // where that is nobody knows yet
  if (seek && seek->offset >= 0) return std::min(seek->offset, next);
  return next > 0 || status.was_sought.load() ? std::optional(next) : std::nullopt;
}

void Engine::commit_offsets() {
  for (const auto& source : sources_) {
    if (!source->node->source->commits()) continue;
    std::vector<PartitionOffset> offsets;
    for (std::size_t p = 0; p < source->partitions.size(); ++p) {
      if (const auto next = offset_to_commit(*source, static_cast<int>(p)))
        offsets.push_back({static_cast<int>(p), *next});
    }
    if (offsets.empty()) continue;
    if (absl::Status s = source->node->source->commit(offsets); !s.ok())
      fail_connector(source->node->name, s);
  }
}

// ---------------------------------------------------------------- closing

absl::Status Engine::close() {
  if (!has_failed()) {
    for (SinkState& sink : sinks_) {
      if (absl::Status s = sink.node->sink->finish(); !s.ok()) fail_connector(sink.node->name, s);
    }
  }
  if (!has_failed() && !has_abandoned()) commit_offsets();
  close_connectors();  // no wake comes from here on
  detach_switches();
  executor_.stop();
  for (Lane* lane : lanes_) lane->discard();
  for (auto& source : sources_) {
    for (PartitionStatus& p : source->partitions) p.gates.store(0);  // after a failure nobody else does
  }
  if (detail::kChecked && budget_.used() != 0) {
    fail_internal(std::to_string(budget_.used()) + " bytes of credit were not given back");
  }
  run_exit_hooks();
  return status();
}

void Engine::detach_switches() {
  for (auto& source : sources_) source->node->source_switch->detach();
}

void Engine::run_exit_hooks() {
  for (const auto& hook : graph_.exit_hooks) {
    try {
      if (absl::Status s = hook(); !s.ok()) fail(annotate(s, "exit hook"));
    } catch (...) {
      fail(absl::AbortedError("exit hook: " + detail::describe_current_exception()));
    }
  }
}

void Engine::close_connectors() {
  for (auto& [name, part] : graph_.parts) part->close();
  for (SinkState& sink : sinks_) {
    if (!std::exchange(sink.is_open, false)) continue;
    if (absl::Status s = sink.node->sink->close(); !s.ok()) fail_connector(sink.node->name, s);
  }
  for (auto& source : sources_) {
    {
      const detail::MutexLock lock(connectors_mutex_);
      if (!std::exchange(source->is_open, false)) continue;
    }
    if (absl::Status s = source->node->source->close(); !s.ok()) fail_connector(source->node->name, s);
  }
  for (auto& [name, store] : graph_.stores) store->close();
}

// ---------------------------------------------------------------- looking on

std::optional<std::int64_t> Engine::end_offset(const Source& source, int partition) const {
  const detail::MutexLock lock(connectors_mutex_);
  return source.is_open ? source.node->source->end_offset(partition) : std::nullopt;
}

Metrics Engine::metrics() const {
  Metrics m;
  m.in_flight_bytes = static_cast<std::uint64_t>(budget_.used());
  m.in_flight_peak = static_cast<std::uint64_t>(budget_.peak());
  m.memory_budget = config_.memory_budget;
  for (const auto& node : graph_.nodes) {
    NodeMetrics n;
    n.name = node->name;
    n.kind = node->kind;
    for (const auto& port : node->inputs) {
      for (const detail::Input& input : port) n.from.push_back(input.from->name);
    }
    EventTime least = kMaxTime;
    std::map<std::string, std::uint64_t> blocked_by;
    for (const Lane* lane : lanes_) {
      const detail::Operator* op = lane->find_operator(*node);
      if (!op) continue;
      const detail::NodeCounters& c = op->counters;
      n.lanes += 1;
      n.in += c.in.get();
      n.out += c.out.get();
      n.forwarded += c.forwarded.get();
      n.absorbed += c.absorbed.get();
      n.filtered += c.filtered.get();
      n.late += c.late.get();
      n.skipped += c.skipped.get();
      n.dead_lettered += c.dead_lettered.get();
      n.held += c.held.get();
      n.held_peak += c.held_peak.get();
      n.out_of_order += c.out_of_order.get();
      n.state_bytes += c.state_bytes.get();
      const std::chrono::nanoseconds busy(c.busy.get());
      n.busy += busy;
      n.busiest = std::max(n.busiest, busy);
      n.stage = lane->stage().node->name;
      least = std::min(least, lane->watermark());
      if (lane->stage().node != node.get()) continue;
      n.waiting += lane->waiting();
      n.blocked += lane->blocked();
      n.queue_bytes += lane->queue_bytes();
      const OutEdge* fullest = lane->is_blocked() ? lane->fullest_edge() : nullptr;
      if (fullest) n.blocked_by = fullest->to->node->name;
      if (lane->waits_for_sink()) n.blocked_by = node->sink->name();
      for (const auto& edge : lane->edges()) blocked_by[edge->to->node->name] += edge->blocked.get();
    }
    n.watermark = least;
    const auto most = std::max_element(blocked_by.begin(), blocked_by.end(),
                                       [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most != blocked_by.end() && most->second > 0) n.mostly_blocked_by = most->first;
    if (n.lanes > 0) m.nodes.push_back(std::move(n));
  }
  for (const auto& source : sources_) {
    for (std::size_t p = 0; p < source->partitions.size(); ++p) {
      const PartitionStatus& s = source->partitions[p];
      PartitionMetrics pm;
      pm.source = source->node->name;
      pm.partition = static_cast<int>(p);
      pm.records = s.records.load();
      pm.next_offset = s.next_offset.load();
      if (const auto end = end_offset(*source, static_cast<int>(p))) {
        pm.lag = std::max<std::int64_t>(0, *end - pm.next_offset);
      }
      pm.dropped = source->node->source->dropped(static_cast<int>(p));
      pm.watermark = EventTime(Duration(s.watermark.load()));
      pm.largest_time = EventTime(Duration(s.largest.load()));
      pm.state = s.state.load();
      const std::uint32_t gates = s.gates.load();
      std::size_t n = 0;
      for (const detail::Dependency& dependency : source->node->dependencies) {
        for (const Node* other : dependency.on) {
          if (gates & Gates::dependency(n++)) pm.gates.push_back(other->name);
        }
      }
      if (gates & Gates::kMemory) pm.gates.push_back("memory");
      if (gates & Gates::kByHand) {
        for (std::string& reason : source->node->source_switch->reasons(static_cast<int>(p)))
          pm.gates.push_back(std::move(reason));
      }
      if (gates & Gates::kHeld) pm.gates.push_back("held");
      m.partitions.push_back(std::move(pm));
    }
  }
  return m;
}

std::string Engine::held_report() const {
  std::string report;
  for (const NodeMetrics& n : metrics().nodes) {
    if (n.held == 0) continue;
    report += (report.empty() ? "" : ", ") + std::to_string(n.held) + " records held by '" + n.name + "'";
  }
  return report;
}

namespace {

class EntryCollector final : public detail::SnapshotWriter {
 public:
  explicit EntryCollector(detail::Snapshot::NodeState& to) : to_(to) {}
  void put(std::uint32_t slot, std::string entry) override { to_.entries.emplace(slot, std::move(entry)); }

 private:
  detail::Snapshot::NodeState& to_;
};

}  // namespace

detail::Snapshot Engine::snapshot() const {
  detail::Snapshot snapshot;
  snapshot.hash = detail::kHashName;
  snapshot.shards = static_cast<std::uint32_t>(config_.shards);
  for (const auto& node : graph_.nodes) {
    for (const Lane* lane : lanes_) {
      const detail::Operator* op = lane->find_operator(*node);
      if (!op) continue;
      auto& state = snapshot.nodes[node->name];
      state.schema = op->state_schema();
      EntryCollector collector(state);
      op->snapshot(collector);
    }
  }
  for (const auto& source : sources_) {
    auto& clocks = snapshot.sources[source->node->name];
    for (std::size_t p = 0; p < source->partitions.size(); ++p) {
      const auto& lanes = source->stage->lanes;
      clocks.push_back(static_cast<SourceLane&>(*lanes[p % lanes.size()]).clock(static_cast<int>(p)));
    }
  }
  return snapshot;
}

absl::Status Engine::restore(const detail::Snapshot& snapshot) {
  if (snapshot.hash != detail::kHashName || snapshot.shards != static_cast<std::uint32_t>(config_.shards)) {
    return absl::FailedPreconditionError(
        "the snapshot was made with hash " + snapshot.hash + " and " + std::to_string(snapshot.shards) +
        " shards; this run has " + std::string(detail::kHashName) + " and " + std::to_string(config_.shards));
  }
  for (const auto& [name, state] : snapshot.nodes) {
    if (state.entries.empty()) continue;
    auto node = std::find_if(graph_.nodes.begin(), graph_.nodes.end(),
                             [&, n = name](const auto& g) { return g->name == n; });
    if (node == graph_.nodes.end()) {
      return absl::FailedPreconditionError("the snapshot has state of '" + name +
                                           "', which the program doesn't have");
    }
    std::vector<Lane*> lanes;
    for (Lane* lane : lanes_) {
      if (lane->find_operator(**node)) lanes.push_back(lane);
    }
    for (const auto& [slot, entry] : state.entries) {
      Lane& lane = *lanes[slot % lanes.size()];
      detail::Operator& op = *lane.find_operator(**node);
      if (op.state_schema() != state.schema) {
        return absl::FailedPreconditionError("the state of '" + name +
                                             "' has another layout: " + state.schema + " in the snapshot, " +
                                             op.state_schema() + " in the program");
      }
      if (absl::Status s = op.restore(slot, entry); !s.ok()) return annotate(s, name);
    }
  }
  for (const auto& source : sources_) {
    auto it = snapshot.sources.find(source->node->name);
    if (it == snapshot.sources.end()) continue;
    for (std::size_t p = 0; p < std::min(it->second.size(), source->partitions.size()); ++p) {
      const auto& lanes = source->stage->lanes;
      static_cast<SourceLane&>(*lanes[p % lanes.size()]).restore_clock(static_cast<int>(p), it->second[p]);
    }
  }
  return absl::OkStatus();
}

}  // namespace slipstream::runtime
