#include "slipstream/detail/source_switch.h"

#include <algorithm>
#include <utility>

#include "slipstream/detail/mutex.h"

namespace slipstream::detail {

struct SourceSwitch::Guarded {
  Mutex mutex;
  std::vector<std::string> reasons SLIPSTREAM_GUARDED_BY(mutex);
  std::function<void()> on_change SLIPSTREAM_GUARDED_BY(mutex);
};

SourceSwitch::SourceSwitch() : guarded_(std::make_unique<Guarded>()) {}
SourceSwitch::~SourceSwitch() = default;

void SourceSwitch::pause(std::string_view reason) {
  {
    Guarded& g = *guarded_;
    const MutexLock lock(g.mutex);
    if (std::find(g.reasons.begin(), g.reasons.end(), reason) == g.reasons.end())
      g.reasons.emplace_back(reason);
    paused_ = true;
    signal_ = Signal::pause;
  }
  changed();
}

void SourceSwitch::resume(std::string_view reason) {
  {
    Guarded& g = *guarded_;
    const MutexLock lock(g.mutex);
    std::erase(g.reasons, reason);
    if (!g.reasons.empty() || !paused_) return;
    paused_ = false;
    signal_ = Signal::resume;
  }
  changed();
}

void SourceSwitch::stop() {
  stopped_ = true;
  changed();
}

std::vector<std::string> SourceSwitch::reasons() const {
  const MutexLock lock(guarded_->mutex);
  return guarded_->reasons;
}

void SourceSwitch::on_change(std::function<void()> call) {
  const MutexLock lock(guarded_->mutex);
  guarded_->on_change = std::move(call);
}

/// Under the lock, so that nobody is called after the run has taken its callback away.
void SourceSwitch::changed() {
  const MutexLock lock(guarded_->mutex);
  if (guarded_->on_change) guarded_->on_change();
}

}  // namespace slipstream::detail
