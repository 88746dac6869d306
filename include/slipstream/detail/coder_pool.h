#pragma once
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "slipstream/detail/mutex.h"

namespace slipstream::detail {

/// Lends coders, which are used by one thread at a time, to any thread: as many are made as are used at once.
template <class Coder>
class CoderPool {
 public:
  explicit CoderPool(std::function<Coder()> make) : make_(std::move(make)) {}

  /// Gives the coder back at its end.
  class Lent {
   public:
    Lent(CoderPool& pool, std::unique_ptr<Coder> coder) : pool_(pool), coder_(std::move(coder)) {}
    Lent(const Lent&) = delete;
    ~Lent() { pool_.give_back(std::move(coder_)); }
    Coder& operator*() const { return *coder_; }

   private:
    CoderPool& pool_;
    std::unique_ptr<Coder> coder_;
  };
  Lent take() { return Lent(*this, free_or_new()); }

 private:
  std::unique_ptr<Coder> free_or_new() {
    {
      const MutexLock lock(mutex_);
      if (!free_.empty()) {
        std::unique_ptr<Coder> coder = std::move(free_.back());
        free_.pop_back();
        return coder;
      }
    }
    return std::make_unique<Coder>(make_());
  }
  void give_back(std::unique_ptr<Coder> coder) {
    const MutexLock lock(mutex_);
    free_.push_back(std::move(coder));
  }

  const std::function<Coder()> make_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Coder>> free_ SLIPSTREAM_GUARDED_BY(mutex_);
};

}  // namespace slipstream::detail
