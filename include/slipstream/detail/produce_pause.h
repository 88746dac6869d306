#pragma once
#include "slipstream/detail/mutex.h"

namespace slipstream::detail {

struct Graph;

/// Pauses all sources of an App while at least one topic waits to offer messages again; not its Proxies, for
/// what a handler publishes belongs to the message it has. From any thread.
class ProducePause {
 public:
  explicit ProducePause(Graph& graph) : graph_(graph) {}
  void begin();
  void end();

 private:
  template <class F>
  void for_each_source(const F& f) const;
  Graph& graph_;  // complete before the first begin()
  Mutex mutex_;
  int waiting_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
};

}  // namespace slipstream::detail
