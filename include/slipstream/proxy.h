#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "slipstream/detail/mutex.h"
#include "slipstream/handler.h"

namespace slipstream {

namespace detail {

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
/// listeners before the domain's next message; without listeners it is dropped. Made by App::proxy(). A run
/// doesn't end while handlers listen to a Proxy, because anybody may publish: close() it or stop the run.
template <class T>
class Proxy {
 public:
  Proxy(SourceStream<T> stream, std::shared_ptr<detail::ProxySource<T>> source)
      : stream_(std::move(stream)), source_(std::move(source)) {}
  /// From any thread, before or while the App runs. Never waits; what isn't handled yet is queued without a
  /// limit. Inside handlers use to(proxy) instead.
  void publish(T message) const { source_->push(std::move(message)); }
  /// Nothing will be published from outside any more.
  void close() const { source_->finish(); }
  const SourceStream<T>& stream() const { return stream_; }

 private:
  SourceStream<T> stream_;
  std::shared_ptr<detail::ProxySource<T>> source_;
};

template <class T>
Proxy<T> App::proxy(std::string_view name, Here here) {
  auto source = std::make_shared<detail::ProxySource<T>>(std::string(name));
  return Proxy<T>(this->source(name, Source<T>(source), here), source);
}

}  // namespace slipstream
