#include "slipstream/app.h"

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>

#include "runtime/engine.h"
#include "runtime/graph_picture.h"
#include "runtime/standard_descriptors.h"
#include "runtime/stepped_executor.h"
#include "runtime/stop_signals.h"
#include "slipstream/detail/exit_code.h"
#include "slipstream/detail/handler_operator.h"
#include "slipstream/detail/mutex.h"
#include "slipstream/detail/units.h"
#include "slipstream/values.h"

namespace slipstream {
namespace {

using runtime::Engine;

/// The head of the stage that all lanes send diverted records to.
class DeadLetterHead final : public detail::TypedOperator<DeadLetter> {
 public:
  using TypedOperator::TypedOperator;
  detail::OutputPort<DeadLetter> out;

 protected:
  void process(detail::Batch<DeadLetter>& batch) override {
    counters.forwarded += batch.size();
    counters.out += batch.size();
    out.emit(batch);
  }
};

/// A graph with those that may run it: the App and its runs hold it as this. When the last has let go, what
/// users gave the nodes goes, for it may hold streams, which hold the graph.
std::shared_ptr<detail::Graph> to_be_run(std::shared_ptr<detail::Graph> graph) {
  detail::Graph* const raw = graph.get();
  return {raw, [graph = std::move(graph)](detail::Graph*) {
            for (const auto& node : graph->nodes) {
              node->make = {};
              node->connect = {};
              node->as_receiver = {};
              node->make_edge = {};
              node->substitute = {};
              node->source = nullptr;
              node->sink = nullptr;
            }
            graph->exit_hooks.clear();
            graph->parts.clear();
            graph->stores.clear();
          }};
}

/// Passes a stop on to the run, which is there only when everything is open.
class Stopper {
 public:
  Stopper(std::string program, Duration patience) : program_(std::move(program)), patience_(patience) {}

  /// On the signals' thread. Nobody can interrupt a connector that opens (a broker may not answer for long):
  /// after a while the process ends without it. Nothing was read yet.
  void stop() {
    const auto deadline = std::chrono::steady_clock::now() + patience_;
    detail::MutexLock lock(mutex_);
    while (!is_open_ && lock.wait_until(changed_, deadline)) {
    }
    if (!is_open_) {
      std::fprintf(stderr,
                   "%s: stopped while it was opening its sources and sinks, which took more than %s; nothing "
                   "was read\n",
                   program_.c_str(), detail::format_duration(patience_).c_str());
      std::fflush(stdout);
      std::_Exit(detail::kExitNotDrained);
    }
    if (run_) run_->stop();
  }
  /// Everything is open, or nothing will be. Null: there is nothing to stop any more.
  void attach(Run* run) {
    const detail::MutexLock lock(mutex_);
    run_ = run;
    is_open_ = true;
    changed_.notify_all();
  }

 private:
  const std::string program_;
  const Duration patience_;
  detail::Mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  Run* run_ SLIPSTREAM_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace

// ---------------------------------------------------------------- Run

struct Run::Impl {
  Impl(detail::Graph& graph, RuntimeConfig config, LogHook log)
      : executor(runtime::make_tbb_executor(config.threads)),
        engine(graph, std::move(config), std::move(log), *executor) {}

  void run() {
    engine.start();
    executor->wait();
    absl::Status end = engine.close();
    {
      const detail::MutexLock lock(mutex);
      status = std::move(end);
      done = true;
    }
    ended.notify_all();
  }

  std::shared_ptr<detail::Graph> graph;
  std::unique_ptr<runtime::Executor> executor;
  Engine engine;
  mutable detail::Mutex mutex;
  std::condition_variable ended;
  absl::Status status SLIPSTREAM_GUARDED_BY(mutex);
  bool done SLIPSTREAM_GUARDED_BY(mutex) = false;
  std::thread thread;
};

Run::Run(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Run::~Run() {
  stop();
  impl_->thread.join();
}

absl::Status Run::wait() {
  detail::MutexLock lock(impl_->mutex);
  while (!impl_->done) lock.wait(impl_->ended);
  return impl_->status;
}

void Run::stop() {
  if (!is_done()) impl_->engine.request_stop();
}

bool Run::is_done() const {
  const detail::MutexLock lock(impl_->mutex);
  return impl_->done;
}

Metrics Run::metrics() const { return impl_->engine.metrics(); }
std::string Run::held_report() const { return impl_->engine.held_report(); }

// ---------------------------------------------------------------- SteppedRun

struct SteppedRun::Impl {
  Impl(detail::Graph& graph, RuntimeConfig config, LogHook log)
      : engine(graph, std::move(config), std::move(log), executor) {}
  std::shared_ptr<detail::Graph> graph;
  runtime::SteppedExecutor executor;
  Engine engine;
  std::optional<absl::Status> status;
};

SteppedRun::SteppedRun(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) { impl_->engine.start(); }

SteppedRun::~SteppedRun() {
  if (!impl_->status) {
    impl_->engine.fail(absl::CancelledError("the run was given up"));
    while (step(std::chrono::seconds(1))) {
    }
  }
}

bool SteppedRun::step(Duration at_most) {
  if (impl_->status) return false;
  const auto until = std::chrono::steady_clock::now() + at_most;
  while (!impl_->executor.is_finished() && impl_->executor.step()) {
    if (std::chrono::steady_clock::now() >= until) return true;
  }
  if (impl_->executor.is_finished()) impl_->status = impl_->engine.close();
  return !impl_->status;
}

void SteppedRun::stop() { impl_->engine.request_stop(); }
absl::Status SteppedRun::status() const { return impl_->status.value_or(absl::OkStatus()); }
Metrics SteppedRun::metrics() const { return impl_->engine.metrics(); }

// ---------------------------------------------------------------- App

struct App::Impl {
  std::string program = "slipstream";
  std::string about;
  absl::StatusOr<Arguments> arguments = Arguments{};
  std::vector<std::string> rest;
  bool program_reads_rest = false;
  ConfigSources sources;
  std::optional<Config> config;
  std::vector<std::function<void(RuntimeConfig&)>> changes;
  LogHook log;
  std::shared_ptr<detail::Graph> graph;  ///< as to_be_run()
  bool was_run = false;

  absl::Status check_rest() const;
};

App::App() : handlers_(std::make_shared<detail::Handlers>(*graph_)), impl_(std::make_unique<Impl>()) {
  graph_->values = std::make_shared<const Values>();
  impl_->graph = to_be_run(graph_);
}

App::App(int argc, const char* const* argv, std::string about) : App() {
  impl_->about = std::move(about);
  if (argc > 0) impl_->program = std::string_view(argv[0]).substr(std::string_view(argv[0]).rfind('/') + 1);
  impl_->arguments = parse_arguments(argc, argv);
  if (impl_->arguments.ok()) impl_->rest = impl_->arguments->rest;
}

App::~App() = default;

const std::vector<std::string>& App::arguments() const {
  impl_->program_reads_rest = true;
  return impl_->rest;
}
void App::set(std::string key, std::string value) {
  impl_->sources.code.emplace_back(std::move(key), std::move(value));
}
void App::tune(std::function<void(RuntimeConfig&)> change) { impl_->changes.push_back(std::move(change)); }
void App::log_to(LogHook hook) { impl_->log = std::move(hook); }

/// A program that doesn't look at arguments() has none of its own.
absl::Status App::Impl::check_rest() const {
  if (!arguments.ok() || program_reads_rest) return arguments.status();
  return check_nothing_left(*arguments);
}

absl::StatusOr<Config> App::config() {
  if (!impl_->arguments.ok()) return impl_->arguments.status();
  if (!impl_->config) {
    auto loaded = Config::load(*impl_->arguments, impl_->sources);
    if (!loaded.ok()) return loaded.status();
    impl_->config = *std::move(loaded);
  }
  return *impl_->config;
}

absl::StatusOr<RuntimeConfig> App::runtime_config() {
  if (std::exchange(impl_->was_run, true)) {
    return absl::FailedPreconditionError("an App runs once; make another one");
  }
  handlers_->complete();
  if (absl::Status s = impl_->check_rest(); !s.ok()) return s;
  auto loaded = config();
  if (!loaded.ok()) return loaded.status();
  std::vector<std::string> nodes;
  for (const auto& node : graph_->nodes) nodes.push_back(node->name);
  if (absl::Status s = loaded->check_nodes(nodes); !s.ok()) return s;
  RuntimeConfig config = loaded->runtime();
  for (const auto& change : impl_->changes) change(config);
  return config;
}

Stream<DeadLetter> App::dead_letters() {
  for (const auto& node : graph_->nodes) {
    if (node->is_dead_letters) return Stream<DeadLetter>(graph_, {{node.get(), 0}});
  }
  detail::Node& node = graph_->add("dead letters", detail::Role::serial, "dead letters", Here::current());
  node.is_dead_letters = true;
  node.make = [](const detail::OperatorEnv& env) { return std::make_unique<DeadLetterHead>(env); };
  node.make_edge = [](int, const detail::EdgeEnv& env) { return detail::make_forward<DeadLetter>(env); };
  detail::connect_single<DeadLetterHead>(node);
  return Stream<DeadLetter>(graph_, {{&node, 0}});
}

const std::shared_ptr<detail::Graph>& App::graph() const {
  handlers_->complete();
  return impl_->graph;
}

absl::StatusOr<std::unique_ptr<Run>> App::start(const Values& values) {
  graph_->values = std::make_shared<const Values>(values);
  return start();
}

absl::StatusOr<std::unique_ptr<Run>> App::start() {
  auto config = runtime_config();
  if (!config.ok()) return config.status();
  auto impl = std::make_unique<Run::Impl>(*graph_, *std::move(config), impl_->log);
  impl->graph = impl_->graph;
  if (absl::Status s = impl->engine.open(); !s.ok()) return s;
  return std::unique_ptr<Run>(new Run(std::move(impl)));
}

absl::StatusOr<std::unique_ptr<SteppedRun>> App::start_stepped() {
  auto config = runtime_config();
  if (!config.ok()) return config.status();
  auto impl = std::make_unique<SteppedRun::Impl>(*graph_, *std::move(config), impl_->log);
  impl->graph = impl_->graph;
  if (absl::Status s = impl->engine.open(); !s.ok()) return s;
  return std::unique_ptr<SteppedRun>(new SteppedRun(std::move(impl)));
}

absl::Status App::run(const Values& values) {
  graph_->values = std::make_shared<const Values>(values);
  return run();
}

absl::Status App::run() {
  auto run = start();
  return run.ok() ? (*run)->wait() : run.status();
}

std::string App::graph_dot() const { return runtime::to_dot(*graph()); }

int App::main(const Values& values) {
  graph_->values = std::make_shared<const Values>(values);
  return main();
}

int App::main() {
  occupy_standard_descriptors();
  const int code = do_main();
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  std::fprintf(stderr, "%s: what was written to standard output is not all there%s%s\n",
               impl_->program.c_str(), errno ? ": " : "", errno ? std::strerror(errno) : "");
  return code == detail::kExitOk ? static_cast<int>(detail::kExitNotDrained) : code;
}

int App::do_main() {
  const auto complain = [this](const absl::Status& s) {
    std::fprintf(stderr, "%s: %s\n", impl_->program.c_str(), std::string(s.message()).c_str());
    return static_cast<int>(detail::exit_code(s));
  };
  if (!impl_->arguments.ok()) return complain(impl_->arguments.status());
  if (impl_->arguments->help) {
    std::fputs(help_text(*impl_->arguments, impl_->about).c_str(), stdout);
    return detail::kExitOk;
  }
  if (absl::Status s = impl_->check_rest(); !s.ok()) return complain(s);
  auto loaded = config();
  if (!loaded.ok()) return complain(loaded.status());
  if (impl_->arguments->print_config) {
    std::fputs(loaded->print().c_str(), stdout);
    return detail::kExitOk;
  }
  if (impl_->arguments->graph) {
    absl::Status s = runtime::write_picture(*graph(), *impl_->arguments->graph);
    return s.ok() ? static_cast<int>(detail::kExitOk) : complain(s);
  }
  if (!impl_->log) impl_->log = stderr_log(loaded->runtime().log_level);
  // From before anything is opened until after the end, so that no signal finds the process without a
  // handler.
  Stopper stopper(impl_->program, loaded->runtime().drain_timeout);
  auto signals = StopSignals::install([&] { stopper.stop(); });
  if (!signals.ok()) return complain(signals.status());
  auto run = start();
  stopper.attach(run.ok() ? run->get() : nullptr);
  if (!run.ok()) return complain(run.status());
  const auto started = std::chrono::steady_clock::now();
  const absl::Status status = (*run)->wait();
  const auto elapsed = std::chrono::steady_clock::now() - started;
  stopper.attach(nullptr);
  if (impl_->arguments->profile) std::fputs(profile_text((*run)->metrics(), elapsed).c_str(), stderr);
  if (!status.ok()) return complain(status);
  if (const std::string held = (*run)->held_report(); !held.empty()) {
    return complain(absl::DeadlineExceededError("stopped before everything was finished: " + held));
  }
  return detail::kExitOk;
}

}  // namespace slipstream
