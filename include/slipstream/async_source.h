#pragma once
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "slipstream/detail/coroutine.h"
#include "slipstream/signal.h"
#include "slipstream/source.h"
#include "slipstream/task.h"
#include "slipstream/time.h"

namespace slipstream {

/// `co_yield nothing` in an AsyncGenerator: no record, only a look at the signal. What a source that handles
/// its pauses itself yields while it is paused; sleep between two of them.
struct Nothing {};
inline constexpr Nothing nothing;

/// A source as a coroutine, with pauses between its records and an ear for signals:
///
///     slipstream::AsyncGenerator<int> ticks() {
///       for (int i = 0;; ++i) {
///         co_await slipstream::sleep(1s);
///         const slipstream::Signal told = co_yield i;  // what the source was told last
///       }
///     }
///     app.on(slipstream::from(ticks())).handle(...);
///
/// It is resumed for its next record when the last one was dealt with, by one thread at a time; it must not
/// block. What it throws ends the run. Arguments that are references must outlive the run.
template <class T>
class AsyncGenerator {
 public:
  struct promise_type {
    std::optional<T> value;
    std::optional<Duration> sleep;
    Signal signal = Signal::none;
    std::exception_ptr error;

    struct Told {
      promise_type& promise;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<>) const noexcept {}
      Signal await_resume() const noexcept { return promise.signal; }
    };

    AsyncGenerator get_return_object() { return AsyncGenerator(*this); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    Told yield_value(T v) {
      value.emplace(std::move(v));
      return {*this};
    }
    Told yield_value(Nothing) noexcept { return {*this}; }
    std::suspend_always await_transform(Sleep s) noexcept {
      sleep = s.length;
      return {};
    }
    void return_void() noexcept {}
    void unhandled_exception() { error = std::current_exception(); }
  };
  /// For the runtime.
  std::coroutine_handle<promise_type> handle() const { return coroutine_.handle(); }

 private:
  explicit AsyncGenerator(promise_type& promise) : coroutine_(promise) {}
  detail::Coroutine<promise_type> coroutine_;
};

namespace detail {

template <class T>
class AsyncSource final : public MemorySource<T> {
 public:
  explicit AsyncSource(AsyncGenerator<T> generator) : generator_(std::move(generator)) {}
  std::string name() const override { return "coroutine"; }
  /// The coroutine hears what was said while its last record was handled.
  bool reads_ahead() const override { return false; }

 protected:
  absl::Status open(const SourceEnv& env) override {
    env_ = env;
    return absl::OkStatus();
  }
  absl::StatusOr<ReadState> read(int, const ReadLimits&, SourceBatch<T>& out) override {
    if (due_ && env_.now() < *due_) return ReadState::waiting;
    due_.reset();
    auto handle = generator_.handle();
    auto& promise = handle.promise();
    promise.signal = env_.signal();
    try {
      detail::resume(handle);
    } catch (...) {
      return absl::UnknownError("the coroutine failed at record " + std::to_string(offset_) + ": " +
                                describe_current_exception());
    }
    if (handle.done()) return ReadState::finished;
    if (promise.sleep) {
      due_ = saturating_plus(env_.now(), *std::exchange(promise.sleep, std::nullopt));
      env_.wake_at(*due_);
      return ReadState::waiting;
    }
    if (promise.value) {
      out.add(std::move(*promise.value), offset_++);
      promise.value.reset();
    }
    return ReadState::more;
  }

 private:
  AsyncGenerator<T> generator_;
  SourceEnv env_;
  std::optional<EventTime> due_;  ///< when the coroutine wants to go on
  std::int64_t offset_ = 0;
};

}  // namespace detail

/// The records a coroutine yields. Ends when the coroutine does.
template <class T>
Source<T> from(AsyncGenerator<T> generator) {
  return Source<T>(std::make_shared<detail::AsyncSource<T>>(std::move(generator)));
}

}  // namespace slipstream
