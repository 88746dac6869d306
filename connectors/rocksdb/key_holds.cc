#include "connectors/rocksdb/key_holds.h"

#include <utility>

namespace slipstream::rocks {

class KeyHolds::Hold final : public detail::KeyHold {
 public:
  Hold(std::shared_ptr<KeyHolds> holds, std::string key) : holds_(std::move(holds)), key_(std::move(key)) {}
  ~Hold() override { holds_->give_up(key_); }

 private:
  const std::shared_ptr<KeyHolds> holds_;
  const std::string key_;
};

absl::StatusOr<std::unique_ptr<detail::KeyHold>> KeyHolds::hold(std::string key) {
  const std::thread::id me = std::this_thread::get_id();
  detail::MutexLock lock(mutex_);
  while (true) {
    const auto [holder, is_mine] = holders_.try_emplace(key, me);
    if (is_mine) break;
    if (holder->second == me)
      return absl::FailedPreconditionError("this thread has a transaction of this key already");
    lock.wait(given_up_);
  }
  return std::make_unique<Hold>(shared_from_this(), std::move(key));
}

void KeyHolds::give_up(const std::string& key) {
  const detail::MutexLock lock(mutex_);
  holders_.erase(key);
  given_up_.notify_all();
}

}  // namespace slipstream::rocks
