#pragma once
#include <coroutine>
#include <exception>
#include <iterator>
#include <memory>
#include <utility>

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

    Generator get_return_object() { return Generator(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    std::suspend_always yield_value(const T& v) noexcept {
      value = std::addressof(v);
      return {};
    }
    void return_void() noexcept {}
    void unhandled_exception() { error = std::current_exception(); }
  };
  using Handle = std::coroutine_handle<promise_type>;

  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    explicit Iterator(Handle handle) : handle_(handle) {}
    const T& operator*() const { return *handle_.promise().value; }
    Iterator& operator++() {
      resume(handle_);
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return handle_.done(); }

   private:
    Handle handle_;
  };

  Generator(Generator&& o) noexcept : handle_(std::exchange(o.handle_, {})) {}
  Generator& operator=(Generator&& o) noexcept {
    std::swap(handle_, o.handle_);
    return *this;
  }
  ~Generator() {
    if (handle_) handle_.destroy();
  }

  /// Runs to the first value; call once. Rethrows what the coroutine throws, as ++ does.
  Iterator begin() {
    resume(handle_);
    return Iterator(handle_);
  }
  std::default_sentinel_t end() const { return {}; }

 private:
  explicit Generator(Handle handle) : handle_(handle) {}
  static void resume(Handle handle) {
    handle.resume();
    if (handle.promise().error) std::rethrow_exception(std::exchange(handle.promise().error, {}));
  }

  Handle handle_;
};

}  // namespace slipstream
