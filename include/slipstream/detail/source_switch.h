#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "slipstream/signal.h"

namespace slipstream::detail {

/// Pauses and resumes one source by hand, from any thread: SourceStream and Proxy hold it, the lanes that
/// read the source and those that handle its messages look at it.
class SourceSwitch {
 public:
  SourceSwitch();
  ~SourceSwitch();
  /// Paused while any reason is left. The same reason counts once.
  void pause(std::string_view reason);
  /// A reason that isn't there is no mistake.
  void resume(std::string_view reason);
  void stop();

  bool is_paused() const { return paused_.load(std::memory_order_acquire); }
  bool is_stopped() const { return stopped_.load(std::memory_order_acquire); }
  Signal signal() const { return signal_.load(std::memory_order_acquire); }
  std::vector<std::string> reasons() const;
  /// Called after every change, by who made it; set by the run before it starts, taken away at its end.
  void on_change(std::function<void()> call);

 private:
  void changed();

  struct Guarded;
  const std::unique_ptr<Guarded> guarded_;
  std::atomic<bool> paused_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<Signal> signal_{Signal::none};
};

}  // namespace slipstream::detail
