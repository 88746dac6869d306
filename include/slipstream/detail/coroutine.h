#pragma once
#include <coroutine>
#include <exception>
#include <utility>

namespace slipstream::detail {

/// Throws what a coroutine has thrown, once; its promise keeps that in `error`.
template <class Promise>
void rethrow(std::coroutine_handle<Promise> coroutine) {
  if (coroutine.promise().error) std::rethrow_exception(std::exchange(coroutine.promise().error, {}));
}
template <class Promise>
void resume(std::coroutine_handle<Promise> coroutine) {
  coroutine.resume();
  rethrow(coroutine);
}

/// Owns a coroutine and destroys it with itself. Moves, doesn't copy.
template <class Promise>
class Coroutine {
 public:
  explicit Coroutine(Promise& promise) : handle_(std::coroutine_handle<Promise>::from_promise(promise)) {}
  Coroutine(Coroutine&& o) noexcept : handle_(std::exchange(o.handle_, {})) {}
  Coroutine& operator=(Coroutine&& o) noexcept {
    std::swap(handle_, o.handle_);
    return *this;
  }
  ~Coroutine() {
    if (handle_) handle_.destroy();
  }
  std::coroutine_handle<Promise> handle() const { return handle_; }

 private:
  std::coroutine_handle<Promise> handle_;
};

}  // namespace slipstream::detail
