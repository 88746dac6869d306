#pragma once
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include "slipstream/detail/coroutine.h"

namespace slipstream {

template <class In, class Out>
class Pipe;

/// Where a pipe gets its messages: `std::optional<In> m = co_await in;`, empty when no more will come.
template <class In>
struct Incoming {};

/// A transformation of a stream in front of a handler, as a coroutine that awaits messages and yields any
/// number of others:
///
///     slipstream::Pipe<int, int> running_sum(slipstream::Incoming<int> in) {
///       for (int sum = 0; auto m = co_await in;) co_yield sum += *m;
///     }
///     app.on(numbers).pipe(running_sum).handle(...);
///
/// App::on(...).pipe(f) calls f once. A message goes through the pipe before the next handler of the same
/// source gets it. A pipe that returns takes nothing more; the source's other handlers go on. What it throws
/// is an error of the handler behind it.
template <class In, class Out>
class Pipe {
 public:
  struct promise_type {
    std::optional<In> message;  ///< to be awaited
    std::optional<Out> value;   ///< just yielded
    std::exception_ptr error;

    struct Next {
      promise_type& promise;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<>) const noexcept {}
      std::optional<In> await_resume() { return std::exchange(promise.message, std::nullopt); }
    };

    Pipe get_return_object() { return Pipe(*this); }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(Out v) {
      value.emplace(std::move(v));
      return {};
    }
    Next await_transform(Incoming<In>) noexcept { return {*this}; }
    void return_void() noexcept {}
    void unhandled_exception() { error = std::current_exception(); }
  };
  using Input = In;
  using Output = Out;

  /// Hands a message over (empty: the end) and calls f(output) for everything that is yielded until the pipe
  /// awaits the next one. Also for what it yields before it awaits its first.
  template <class F>
  void run(std::optional<In> message, F&& f) {
    drain(f);
    const auto handle = coroutine_.handle();
    if (handle.done()) return;
    handle.promise().message = std::move(message);
    handle.resume();
    drain(f);
  }

 private:
  explicit Pipe(promise_type& promise) : coroutine_(promise) {}
  template <class F>
  void drain(F& f) {
    const auto handle = coroutine_.handle();
    for (;;) {
      detail::rethrow(handle);
      if (!handle.promise().value) return;
      const Out value = std::move(*std::exchange(handle.promise().value, std::nullopt));
      f(value);
      handle.resume();
    }
  }
  detail::Coroutine<promise_type> coroutine_;
};

/// (previous, current) of all messages that follow each other.
template <class T>
Pipe<T, std::pair<T, T>> pairwise(Incoming<T> in) {
  auto previous = co_await in;
  if (!previous) co_return;
  while (auto current = co_await in) {
    co_yield {*previous, *current};
    previous = std::move(current);
  }
}

/// Each message added (+) to the sum of those before it.
template <class T>
Pipe<T, T> accumulate(Incoming<T> in) {
  auto sum = co_await in;
  if (!sum) co_return;
  co_yield *sum;
  while (auto next = co_await in) {
    *sum = *sum + *next;
    co_yield *sum;
  }
}

}  // namespace slipstream
