#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipstream/connector.h"
#include "slipstream/detail/exchange.h"
#include "slipstream/detail/operator.h"
#include "slipstream/detail/source_operator.h"
#include "slipstream/detail/source_switch.h"

/// What a program's streams describe: nodes and how they are connected, with the typed parts hidden behind
/// functions. The runtime turns it into stages of lanes.
namespace slipstream {

class Values;
struct RuntimeConfig;

/// What a quiet source partition (everything read, nothing coming) does with its watermark.
struct WhenQuiet {
  enum class Action {
    hold,     ///< nothing: a quiet partition may be a broken one
    advance,  ///< after `after`, the watermark goes on with the monotonic clock
    alarm,    ///< after `after`, a warning is logged, once per quiet spell
  };
  Action action = Action::hold;
  Duration after{0};
  static WhenQuiet hold() { return {}; }
  static WhenQuiet advance(Duration after) { return {Action::advance, after}; }
  static WhenQuiet alarm(Duration after) { return {Action::alarm, after}; }
};

struct DependencyOptions {
  /// How far this stream's watermark may be ahead of the other's, in event time. >= 0.
  Duration max_lag = std::chrono::minutes(10);
};

namespace detail {

enum class Role {
  source,   ///< heads a stage that reads; as many lanes as partitions, at most the parallelism
  chained,  ///< runs in the lane of what feeds it
  keyed,    ///< heads a stage of lanes that own keys
  sink,     ///< heads a stage of one lane and ends there
  serial,   ///< heads a stage of one lane
};

struct Node;

struct Input {
  Node* from = nullptr;
  int port = 0;  ///< of `from`
};

/// A receiver of some type with its owner; the edge of a lane into another stage.
struct EdgeEnd {
  std::shared_ptr<void> owner;
  void* receiver = nullptr;  ///< a Receiver<T>*, T being the type of the port it is made for
};

struct Dependency {
  std::vector<Node*> on;  ///< sources
  DependencyOptions options;
};

struct Node {
  std::uint32_t id = 0;
  std::string name;
  bool named = false;    ///< by the user
  std::string kind;      ///< "source", "map", "aggregate", … for pictures and messages
  std::string location;  ///< "orders.cc:17"
  Role role = Role::chained;
  bool is_stateful = false;
  bool needs_event_time = false;
  bool revises = false;         ///< may tell a result again, with the same RecordId
  bool counts_records = false;  ///< what it makes would be wrong if a record came and then its revision
  ErrorPolicy errors;
  /// By input port; several where streams were merged.
  std::vector<std::vector<Input>> inputs;
  std::size_t outputs = 1;

  std::function<std::unique_ptr<Operator>(const OperatorEnv&)> make;
  /// Connects output `port` of an operator of this node to a Receiver of the port's type.
  std::function<void(Operator&, int port, void* receiver)> connect;
  /// The operator of a chained node as a Receiver.
  std::function<void*(Operator&)> as_receiver;
  /// The end of a lane's chain that feeds input `port` of this stage.
  std::function<EdgeEnd(int port, const EdgeEnv&)> make_edge;

  // Sources
  SourceControl* source = nullptr;
  std::shared_ptr<SourceSwitch> source_switch;
  bool is_proxy = false;
  /// Reads another TypedSource of the same record type instead; for tests.
  std::function<void(std::shared_ptr<void> typed_source, SourceControl*)> substitute;
  bool has_event_time = false;
  WhenQuiet when_quiet;
  std::vector<Dependency> dependencies;
  std::vector<const Node*> waits_for;  ///< sources that checkpoints pause it for
  // Sinks
  RawSink* sink = nullptr;
  bool is_blocking = false;
  bool is_dead_letters = false;  ///< the stage all lanes send diverted records to
};

/// What a run offers to those that are part of it without being a node.
struct RunEnv {
  std::function<EventTime()> now;  ///< UTC, by a clock that never jumps
  /// Calls it at or after this time of now(), from a thread of the run's own.
  std::function<void(EventTime, std::function<void()>)> call_at;
  std::function<void()> wake;  ///< lanes look again for something to do
  std::function<void(LogLevel, std::string_view message)> log;
  std::function<void(absl::Status)> fail;  ///< ends the run; from any thread
  const RuntimeConfig* config = nullptr;   ///< never null
};
/// Something that lives as long as a run and isn't a node of the graph, such as a checkpoint.
class RunPart {
 public:
  virtual ~RunPart() = default;
  /// Before anything is read. An error ends the start.
  virtual absl::Status open(const RunEnv& env) = 0;
  /// Nothing runs any more, and what open() was given is used no more.
  virtual void close() = 0;
};

struct Graph : std::enable_shared_from_this<Graph> {
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<std::string> mistakes;  ///< found while it was described; said when it is run
  std::vector<std::function<absl::Status()>> exit_hooks;
  /// By name, for messages. `stores` open before the sources and close behind them, `parts` open last.
  std::vector<std::pair<std::string, std::shared_ptr<RunPart>>> stores;
  std::vector<std::pair<std::string, std::shared_ptr<RunPart>>> parts;
  std::shared_ptr<const Values> values;  ///< for handlers; never null while it runs

  Node& add(std::string kind, Role role, std::string_view name, const std::source_location& where);
  /// `name`, or "name 2" and so on when there is a node of that name: snapshots and metrics tell sources
  /// apart by their names.
  std::string unused_name(const std::string& name) const;
};

/// The sources a stream is made from.
std::vector<Node*> sources_of(const std::vector<Input>& inputs);

}  // namespace detail
}  // namespace slipstream
