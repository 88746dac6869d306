#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/codec.h"
#include "slipstream/config.h"
#include "slipstream/error_policy.h"
#include "slipstream/log.h"
#include "slipstream/metrics.h"
#include "slipstream/source.h"
#include "slipstream/stream.h"

namespace slipstream {

class Values;
template <class T>
class Proxy;
template <class K, class V>
class Topic;
template <class K>
struct TopicOptions;
template <class K, class V>
struct Message;
template <class T, class State>
class Checkpoint;
template <class T, class State>
struct CheckpointOptions;
class Dependency;
template <class K, class V>
class Cache;
namespace detail {
class Handlers;
template <class K, class V>
struct TopicTypes;
}  // namespace detail

/// A running App. Destroying it stops the run and waits.
class Run {
 public:
  ~Run();
  Run(const Run&) = delete;
  /// Until the run has ended: all sources finished, stop() was called and all is drained, or something
  /// failed. The error names the node, the record and the cause. Returns the same thing each time;
  /// thread-safe.
  absl::Status wait();
  /// Sources stop reading; what was read is processed and written. Returns at once. When that takes longer
  /// than runtime.drain_timeout, the run ends with DeadlineExceeded and says what was left. Windows that were
  /// still open are not emitted: their input goes on elsewhere or later. Thread-safe.
  void stop();
  bool is_done() const;
  /// From any thread, at any time.
  Metrics metrics() const;
  /// "12 records held by 'flight weather'", for every node that has any; empty when none has.
  std::string held_report() const;

 private:
  friend class App;
  struct Impl;
  explicit Run(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A run driven by the caller's own loop, on the caller's thread. Not thread-safe, but for stop().
class SteppedRun {
 public:
  ~SteppedRun();
  SteppedRun(const SteppedRun&) = delete;
  /// Works for up to `at_most`, less when there is nothing to do. False when the run has ended.
  bool step(Duration at_most);
  void stop();
  /// How the run ended; OK while it goes on.
  absl::Status status() const;
  Metrics metrics() const;

 private:
  friend class App;
  struct Impl;
  explicit SteppedRun(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A program: its streams and its settings. Describe the streams, then run them once. Several Apps may live
/// in one process. Not thread-safe; the streams' functions are called from the run's threads.
class App {
 public:
  App();
  /// Takes --config, --set, --parallelism, --print-config, --graph, --log-level and --help from the command
  /// line; what is left is in arguments(). Mistakes are reported by main() and run().
  App(int argc, const char* const* argv, std::string about = {});
  ~App();
  App(const App&) = delete;

  template <class T>
  SourceStream<T> source(const Source<T>& source, Here here = Here::current()) {
    return this->source({}, source, here);
  }
  /// `name` names the source in metrics, messages and snapshots; without it, it is the connector's own name,
  /// with a number behind it when several have the same.
  template <class T>
  SourceStream<T> source(std::string_view name, const Source<T>& source, Here here = Here::current()) {
    using Op = detail::TypedSourceOperator<T>;
    detail::Node& node = graph_->add("source", detail::Role::source, name, here);
    auto typed = std::make_shared<std::shared_ptr<detail::TypedSource<T>>>(source.impl());
    auto stamping = std::make_shared<typename Op::Stamping>();
    node.source = &source.impl()->control();
    if (name.empty()) node.name = graph_->unused_name(node.source->name());
    node.make = [typed, stamping](const detail::OperatorEnv& env) {
      return std::make_unique<Op>(env, **typed, *stamping);
    };
    node.substitute = [typed, &node](std::shared_ptr<void> other, SourceControl* control) {
      *typed = std::static_pointer_cast<detail::TypedSource<T>>(other);
      node.source = control;
    };
    detail::connect_single<Op>(node);
    return SourceStream<T>(graph_, node, stamping);
  }

  /// Listens to sources with a handler: app.on(a, b).handle(f).to(x, y). Each is a Source, a Stream, a
  /// Topic, a Proxy or a Cache; the same one given several times is read once. Include slipstream/handler.h.
  template <class... From>
    requires(sizeof...(From) > 0)
  auto on(const From&... from);
  /// A channel between handlers. Include slipstream/proxy.h.
  template <class T>
  Proxy<T> proxy(std::string_view name, Here here = Here::current());
  /// A Kafka topic of keys K and values V, to read and to write. Include slipstream/topic.h.
  template <class K, class V>
  Topic<K, V> topic(std::string name, typename detail::TopicTypes<K, V>::ValueCodec codec,
                    TopicOptions<K> options = {}, Here here = Here::current());
  /// A map on disk, in the App's database or, with options.path, one of its own. It opens before the sources
  /// do, or the run ends with the reason. Values are JSON, texts are themselves, or a codec says what they
  /// are. Include slipstream/cache.h.
  template <class K, class V>
  Cache<K, V> cache(const std::string& name, const typename Cache<K, V>::Options& options = {});
  template <class K, class V>
  Cache<K, V> cache(const std::string& name, const Codec<V>& codec,
                    const typename Cache<K, V>::Options& options = {});
  /// Keeps a stream in step with others. Include slipstream/checkpoint.h.
  template <class State = std::map<int, std::int64_t>, class T>
  Checkpoint<T, State> checkpoint(std::string_view name, const Stream<T>& dependent,
                                  std::vector<Dependency> dependencies,
                                  CheckpointOptions<T, State> options = {});
  template <class State = std::map<int, std::int64_t>, class K, class V>
  Checkpoint<Message<K, V>, State> checkpoint(std::string_view name, const Topic<K, V>& dependent,
                                              std::vector<Dependency> dependencies,
                                              CheckpointOptions<Message<K, V>, State> options = {});
  /// Called when the run has ended, well or not, or could not open what it reads and writes, in the order of
  /// these calls, before run() returns. What a hook throws or returns is reported if nothing failed before
  /// it; the others are called all the same.
  template <class F>
  void at_exit(F hook) {
    graph_->exit_hooks.push_back([hook = std::move(hook)]() mutable -> absl::Status {
      if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
        hook();
        return absl::OkStatus();
      } else {
        return hook();
      }
    });
  }

  /// The records that nodes with ErrorPolicy::dead_letter diverted.
  Stream<DeadLetter> dead_letters();

  /// Arguments that aren't the library's own.
  const std::vector<std::string>& arguments() const;
  /// What the program says about its settings, before command line, environment and file are applied over it.
  void set(std::string key, std::string value);
  /// All settings; loads them at the first call. A mistake in them is an error.
  absl::StatusOr<Config> config();
  /// Changes settings behind everything else, for programs that know better and for tests.
  void tune(std::function<void(RuntimeConfig&)> change);
  /// Where messages go; nowhere by default.
  void log_to(LogHook hook);

  /// Runs until all sources have finished or something fails.
  absl::Status run();
  absl::StatusOr<std::unique_ptr<Run>> start();
  /// The same, with values for the handlers.
  absl::Status run(const Values& values);
  absl::StatusOr<std::unique_ptr<Run>> start(const Values& values);
  absl::StatusOr<std::unique_ptr<SteppedRun>> start_stepped();
  /// What a program's main() returns: does what the command line asks for, or runs until the end or SIGINT or
  /// SIGTERM (a second one ends the process at once, with 130); messages go to stderr. Exit codes: 0 all
  /// done; 1 not everything drained; 2 usage or configuration; 4 a record failed; 5 broker or authentication.
  int main();
  int main(const Values& values);

  /// The graph as DOT.
  std::string graph_dot() const;
  const std::shared_ptr<detail::Graph>& graph() const;

 private:
  absl::StatusOr<RuntimeConfig> runtime_config();
  int do_main();

  struct Impl;
  std::shared_ptr<detail::Graph> graph_ = std::make_shared<detail::Graph>();
  std::shared_ptr<detail::Handlers> handlers_;  ///< made with the App
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipstream
