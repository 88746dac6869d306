#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/executor.h"
#include "runtime/lane.h"
#include "slipstream/detail/graph.h"
#include "slipstream/detail/mutex.h"

namespace slipstream::runtime {
namespace {

namespace flow = tbb::flow;

/// Runs callbacks at their time on one thread.
class Timers {
 public:
  Timers() : thread_([this] { loop(); }) {}
  ~Timers() { stop(); }
  void stop() {
    {
      const detail::MutexLock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    if (thread_.joinable()) thread_.join();
  }
  void add(std::chrono::nanoseconds when, std::function<void()> f) {
    {
      const detail::MutexLock lock(mutex_);
      due_.emplace(when, std::move(f));
    }
    changed_.notify_one();
  }
  static std::chrono::nanoseconds now() { return std::chrono::steady_clock::now().time_since_epoch(); }

 private:
  void loop() {
    detail::MutexLock lock(mutex_);
    while (!stopping_) {
      if (due_.empty()) {
        lock.wait(changed_);
        continue;
      }
      const auto next = due_.begin()->first;
      if (now() < next) {
        lock.wait_until(changed_, std::chrono::steady_clock::time_point(next));
        continue;
      }
      auto f = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      lock.unlock();
      f();
      lock.lock();
    }
  }

  detail::Mutex mutex_;
  std::condition_variable changed_;
  std::multimap<std::chrono::nanoseconds, std::function<void()>> due_ SLIPSTREAM_GUARDED_BY(mutex_);
  bool stopping_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

/// A lane that may block: run by a thread of its own.
class OwnThread {
 public:
  explicit OwnThread(Lane& lane) : lane_(lane), thread_([this] { loop(); }) {}
  ~OwnThread() { stop(); }
  void stop() {
    stopping_ = true;
    ready_.release();
    if (thread_.joinable()) thread_.join();
  }
  void schedule() { ready_.release(); }

 private:
  void loop() {
    for (;;) {
      ready_.acquire();
      if (stopping_) return;
      lane_.run();
    }
  }
  Lane& lane_;
  std::counting_semaphore<> ready_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

struct WakeToken {};

class TbbExecutor final : public Executor {
 public:
  // One slot of the arena is for the thread in wait(): tasks put from outside the arena need a thread in it.
  explicit TbbExecutor(int threads) : arena_(std::min(threads, most_threads()), 1) {
    arena_.execute([this] { graph_.emplace(); });
    graph_->reserve_wait();
  }
  ~TbbExecutor() override {
    finish();
    stop();
    nodes_.clear();
    arena_.execute([this] { graph_.reset(); });
  }

  void add(Lane& lane) override {
    if (lane.stage().node->is_blocking) {
      own_.emplace(&lane, std::make_unique<OwnThread>(lane));
      return;
    }
    nodes_.push_back(std::make_unique<LaneNode>(*graph_, lane));
    lane.executor_data = nodes_.back().get();
  }
  void schedule(Lane& lane) override {
    if (stopped_.load()) return;
    auto* node = static_cast<LaneNode*>(lane.executor_data);
    if (!node) return own_thread(lane).schedule();
    // A task put directly is the next that this worker takes: what it works on is in its cache. Lanes that
    // wake each other would go on like that forever while an enqueued one waits, so sometimes they queue as
    // well.
    if (++node->times % kQueueEvery == 0) return enqueue(*node);
    node->body.try_put(WakeToken{});
  }
  void yield(Lane& lane) override {
    if (stopped_.load()) return;
    auto* node = static_cast<LaneNode*>(lane.executor_data);
    if (!node) return own_thread(lane).schedule();
    enqueue(*node);
  }
  std::chrono::nanoseconds now() const override { return Timers::now(); }
  std::chrono::nanoseconds to_utc() const override { return to_utc_; }
  void call_at(std::chrono::nanoseconds when, std::function<void()> f) override {
    timers_.add(when, std::move(f));
  }
  void finish() override {
    if (!finished_.exchange(true)) graph_->release_wait();
  }
  void wait() override {
    arena_.execute([this] { graph_->wait_for_all(); });
  }
  void stop() override {
    timers_.stop();
    stopped_ = true;
    for (auto& [lane, thread] : own_) thread->stop();
    wait();
  }

 private:
  /// TBB ignores demands for more, and says so on stderr.
  static int most_threads() {
    return static_cast<int>(tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism));
  }

  /// User code may use TBB itself; isolated, a thread that waits inside it never picks up another lane.
  struct LaneNode {
    LaneNode(flow::graph& graph, Lane& lane)
        : body(graph, flow::serial, [&lane](WakeToken) {
            tbb::this_task_arena::isolate([&lane] { lane.run(); });
            return flow::continue_msg();
          }) {}
    flow::function_node<WakeToken, flow::continue_msg> body;
    unsigned times = 0;  ///< scheduled; written only by whoever notified the idle lane
  };
  static constexpr unsigned kQueueEvery = 16;

  /// Enqueued tasks are taken in order, when a worker has nothing of its own left.
  void enqueue(LaneNode& node) {
    graph_->reserve_wait();
    arena_.enqueue([this, &node] {
      node.body.try_put(WakeToken{});
      graph_->release_wait();
    });
  }

  OwnThread& own_thread(Lane& lane) { return *own_.at(&lane); }

  tbb::task_arena arena_;
  std::optional<flow::graph> graph_;
  std::vector<std::unique_ptr<LaneNode>> nodes_;
  std::map<Lane*, std::unique_ptr<OwnThread>> own_;
  std::atomic<bool> finished_{false};
  std::atomic<bool> stopped_{false};
  const std::chrono::nanoseconds to_utc_ =
      std::chrono::system_clock::now().time_since_epoch() - Timers::now();
  Timers timers_;
};

}  // namespace

std::unique_ptr<Executor> make_tbb_executor(int threads) { return std::make_unique<TbbExecutor>(threads); }

}  // namespace slipstream::runtime
