#pragma once
#include <atomic>

namespace slipstream::rocks {

/// Lets callers in while it is open; closing it waits for those inside. From any thread.
class Gate {
 public:
  enum class State { unopened, open, closed };

  State state() const { return state_.load(); }
  void open() { state_.store(State::open); }
  /// False: it wasn't open. When it returns true nobody is inside, and nobody will be.
  bool close() {
    if (state_.exchange(State::closed) != State::open) return false;
    while (const int n = inside_.load()) inside_.wait(n);
    return true;
  }

  /// Whoever holds one that is_in() is inside.
  class Pass {
   public:
    explicit Pass(Gate& gate) : gate_(gate) {
      // First inside, then a look: close() does it the other way round, so one of the two sees the other.
      gate_.inside_.fetch_add(1);
      is_in_ = gate_.state() == State::open;
      if (!is_in_) gate_.leave();
    }
    ~Pass() {
      if (is_in_) gate_.leave();
    }
    Pass(const Pass&) = delete;
    bool is_in() const { return is_in_; }

   private:
    Gate& gate_;
    bool is_in_;
  };

 private:
  void leave() {
    if (inside_.fetch_sub(1) == 1 && state() == State::closed) inside_.notify_all();
  }
  std::atomic<State> state_{State::unopened};
  std::atomic<int> inside_{0};
};

}  // namespace slipstream::rocks
