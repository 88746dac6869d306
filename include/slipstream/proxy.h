#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/detail/mutex.h"
#include "slipstream/handler.h"

namespace slipstream {

/// Keeps a function subscribed to a Proxy; ends with its scope. When end() or the destructor has returned,
/// the function isn't being called and won't be any more, except when the function itself ends it. From any
/// thread; may outlive the Proxy and the App.
class [[nodiscard]] Subscription {
 public:
  Subscription() = default;
  explicit Subscription(std::function<void()> end) : end_(std::move(end)) {}
  Subscription(Subscription&& other) noexcept : end_(std::exchange(other.end_, {})) {}
  Subscription& operator=(Subscription&& other) noexcept {
    end();
    end_ = std::exchange(other.end_, {});
    return *this;
  }
  ~Subscription() { end(); }
  void end() {
    if (const auto end = std::exchange(end_, {})) end();
  }

 private:
  std::function<void()> end_;
};

namespace detail {

/// Functions that are called with what is published, in the order in which they subscribed.
template <class T>
class Subscribers : public std::enable_shared_from_this<Subscribers<T>> {
 public:
  Subscription add(std::function<void(const T&)> f) {
    auto one = std::make_shared<One>(std::move(f));
    {
      const MutexLock lock(mutex_);
      auto longer = std::make_shared<List>(*list_);
      longer->push_back(one);
      set(std::move(longer));
    }
    return Subscription([self = this->shared_from_this(), one] { self->remove(one); });
  }
  /// Calls those that are there now, but for those that end meanwhile.
  void call(const T& message) { call(message, message); }
  /// The last of them with `last`: it may say that what it refers to can be moved from.
  void call(const T& message, const T& last) {
    if (!any_.load(std::memory_order_acquire)) return;
    std::shared_ptr<const List> list;
    {
      const MutexLock lock(mutex_);
      list = list_;
    }
    for (const auto& one : *list) {
      const std::lock_guard calling(one->calling);
      if (!one->ended) one->f(one == list->back() ? last : message);
    }
  }

 private:
  struct One {
    explicit One(std::function<void(const T&)> function) : f(std::move(function)) {}
    const std::function<void(const T&)> f;
    /// Held during a call, so that its end waits for the call. Recursive: a function may end itself and may
    /// publish.
    std::recursive_mutex calling;
    bool ended = false;  ///< under `calling`
  };
  using List = std::vector<std::shared_ptr<One>>;

  void remove(const std::shared_ptr<One>& one) {
    {
      const MutexLock lock(mutex_);
      auto shorter = std::make_shared<List>(*list_);
      std::erase(*shorter, one);
      set(std::move(shorter));
    }
    const std::lock_guard calling(one->calling);
    one->ended = true;
  }
  void set(std::shared_ptr<const List> list) SLIPSTREAM_REQUIRES(mutex_) {
    any_.store(!list->empty(), std::memory_order_release);
    list_ = std::move(list);
  }

  Mutex mutex_;
  std::shared_ptr<const List> list_ SLIPSTREAM_GUARDED_BY(mutex_) =
      std::make_shared<List>();  ///< never changed
  std::atomic<bool> any_{false};
};

/// Messages published from outside of any handler.
template <class T>
class ProxySource final : public MemorySource<T> {
 public:
  explicit ProxySource(std::string name) : name_(std::move(name)) {}
  std::string name() const override { return name_; }
  void push(T value) {
    {
      const MutexLock lock(mutex_);
      queue_.push_back(std::move(value));
    }
    wake();
  }
  void finish() {
    {
      const MutexLock lock(mutex_);
      finished_ = true;
    }
    wake();
  }

 protected:
  absl::Status open(const SourceEnv& env) override {
    const MutexLock lock(mutex_);
    wake_ = env.wake;
    return absl::OkStatus();
  }
  absl::Status close() override {
    const MutexLock lock(mutex_);
    wake_ = {};
    return absl::OkStatus();
  }
  absl::StatusOr<ReadState> read(int, const ReadLimits& limits, SourceBatch<T>& out) override {
    const MutexLock lock(mutex_);
    for (std::size_t n = 0; n < limits.max_records && !queue_.empty(); ++n) {
      out.add(std::move(queue_.front()), offset_++);
      queue_.pop_front();
    }
    if (!queue_.empty()) return ReadState::more;
    return finished_ ? ReadState::finished : ReadState::caught_up;
  }

 private:
  void wake() {
    const MutexLock lock(mutex_);
    if (wake_) wake_();
  }
  const std::string name_;
  Mutex mutex_;
  std::deque<T> queue_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::function<void()> wake_ SLIPSTREAM_GUARDED_BY(mutex_);
  bool finished_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  std::int64_t offset_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
};

}  // namespace detail

/// A channel between handlers: a sink for some, a source for others. What a handler publishes reaches the
/// listeners before the domain's next message, in the order in which they were bound; without listeners it is
/// dropped. Made by App::proxy(). A run
/// doesn't end while handlers listen to a Proxy, because anybody may publish: close() it or stop the run.
template <class T>
class Proxy {
 public:
  Proxy(SourceStream<T> stream, std::shared_ptr<detail::ProxySource<T>> source)
      : stream_(std::move(stream)), source_(std::move(source)) {}
  /// From any thread, before or while the App runs. Never waits; what isn't handled yet is queued without a
  /// limit. Inside handlers use to(proxy) instead.
  void publish(T message) const {
    subscribers_->call(message);
    source_->push(std::move(message));
  }
  /// Calls f(message) for what is published from now on, in the thread that publishes and before the
  /// listeners get it, until the Subscription ends; of several in the order in which they subscribed, and
  /// each by one thread at a time. For what comes and goes while the App runs, such as a client that is
  /// connected; from any thread. What f throws comes out of publish(), or is an error of the handler that
  /// published.
  Subscription subscribe(std::function<void(const T&)> f) const { return subscribers_->add(std::move(f)); }
  /// Nothing will be published from outside any more.
  void close() const { source_->finish(); }
  const SourceStream<T>& stream() const { return stream_; }
  /// For the library.
  const std::shared_ptr<detail::Subscribers<T>>& subscribers() const { return subscribers_; }

 private:
  SourceStream<T> stream_;
  std::shared_ptr<detail::ProxySource<T>> source_;
  std::shared_ptr<detail::Subscribers<T>> subscribers_ = std::make_shared<detail::Subscribers<T>>();
};

template <class T>
Proxy<T> App::proxy(std::string_view name, Here here) {
  auto source = std::make_shared<detail::ProxySource<T>>(std::string(name));
  auto stream = this->source(name, Source<T>(source), here);
  stream.outputs().front().from->is_proxy = true;
  return Proxy<T>(std::move(stream), source);
}

}  // namespace slipstream
