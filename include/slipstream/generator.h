#pragma once
#include <coroutine>
#include <exception>
#include <iterator>
#include <memory>

#include "slipstream/detail/coroutine.h"

namespace slipstream {

/// What a coroutine that yields values returns; an input range, run lazily and once.
///
///     slipstream::Generator<int> up_to(int n) { for (int i = 0; i < n; ++i) co_yield i; }
///
/// Arguments of the coroutine that are references must outlive it. In flat_map the record does.
template <class T>
class Generator {
 public:
  struct promise_type {
    const T* value = nullptr;
    std::exception_ptr error;

    Generator get_return_object() { return Generator(*this); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(const T& v) noexcept {
      value = std::addressof(v);
      return {};
    }
    void return_void() noexcept {}
    void unhandled_exception() { error = std::current_exception(); }
  };

  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    explicit Iterator(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
    const T& operator*() const { return *handle_.promise().value; }
    Iterator& operator++() {
      detail::resume(handle_);
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return handle_.done(); }

   private:
    std::coroutine_handle<promise_type> handle_;
  };

  /// Runs to the first value; call once. Rethrows what the coroutine throws, as ++ does.
  Iterator begin() {
    detail::resume(coroutine_.handle());
    return Iterator(coroutine_.handle());
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  explicit Generator(promise_type& promise) : coroutine_(promise) {}

  detail::Coroutine<promise_type> coroutine_;
};

}  // namespace slipstream
