#pragma once
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>
#include <variant>

#include "slipstream/detail/coroutine.h"
#include "slipstream/time.h"

namespace slipstream {

/// `co_await sleep(40ms)` in a coroutine of this library: it goes on when that much time has passed on the
/// runtime's clock, which is virtual in tests. No thread waits meanwhile.
struct Sleep {
  Duration length{0};
};
inline Sleep sleep(Duration length) { return {length}; }

/// A function that may take its time without holding a thread:
///
///     slipstream::Task<bool> is_back(const slipstream::Markers& markers) {
///       while (!service_answers()) co_await slipstream::sleep(1s);
///       co_return true;
///     }
///
/// It begins when the library first looks at it and is resumed by one thread at a time; it must not block.
/// Arguments that are references must outlive it: those the library passes do.
template <class R>
class Task {
 public:
  struct promise_type {
    std::optional<R> result;
    std::optional<Duration> sleep;
    std::exception_ptr error;

    Task get_return_object() { return Task(*this); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always await_transform(Sleep s) noexcept {
      sleep = s.length;
      return {};
    }
    void return_value(R value) { result.emplace(std::move(value)); }
    void unhandled_exception() { error = std::current_exception(); }
  };

  /// A result that is there already.
  explicit Task(R result) : state_(std::move(result)) {}

  // For the library itself.
  /// Runs it until its end, or until it sleeps: then for how long. Throws what it throws.
  std::optional<Duration> resume() {
    if (state_.index() == 0) return std::nullopt;
    auto coroutine = std::get<1>(state_).handle();
    coroutine.promise().sleep.reset();
    detail::resume(coroutine);
    if (!coroutine.done()) return coroutine.promise().sleep;
    R result = std::move(*coroutine.promise().result);
    state_.template emplace<0>(std::move(result));
    return std::nullopt;
  }
  const R& result() const { return std::get<0>(state_); }

 private:
  explicit Task(promise_type& promise) : state_(detail::Coroutine<promise_type>(promise)) {}
  std::variant<R, detail::Coroutine<promise_type>> state_;
};

}  // namespace slipstream
