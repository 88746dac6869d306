#pragma once
#include <condition_variable>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "slipstream/detail/cache_store.h"
#include "slipstream/detail/mutex.h"

namespace slipstream::rocks {

/// Who has which key to himself: exactly that key, there are no stripes that two keys may share. From any
/// thread.
class KeyHolds : public std::enable_shared_from_this<KeyHolds> {
 public:
  /// Waits until nobody else has it. FailedPrecondition: the calling thread has it.
  absl::StatusOr<std::unique_ptr<detail::KeyHold>> hold(std::string key);

 private:
  class Hold;
  void give_up(const std::string& key);

  detail::Mutex mutex_;
  std::condition_variable given_up_;
  std::map<std::string, std::thread::id> holders_ SLIPSTREAM_GUARDED_BY(mutex_);
};

}  // namespace slipstream::rocks
