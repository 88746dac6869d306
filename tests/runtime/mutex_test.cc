#include "slipstream/detail/mutex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace slipstream::detail {
namespace {

class Counter {
 public:
  void add() {
    MutexLock lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  int add_twice_with_a_gap() {
    MutexLock lock(mutex_);
    ++count_;
    lock.unlock();
    add();
    lock.lock();
    return count_;
  }
  int wait_for(int count) {
    MutexLock lock(mutex_);
    while (count_ < count) lock.wait(changed_);
    return count_;
  }
  bool reaches_before(int count, std::chrono::steady_clock::time_point deadline) {
    MutexLock lock(mutex_);
    while (count_ < count) {
      if (!lock.wait_until(changed_, deadline)) return false;
    }
    return true;
  }

 private:
  Mutex mutex_;
  std::condition_variable changed_;
  int count_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
};

TEST(Mutex, LetsOneThreadInAtATime) {
  Counter counter;
  const auto add = [&counter] {
    for (int i = 0; i < 10'000; ++i) counter.add();
  };
  std::thread first(add), second(add);
  EXPECT_EQ(counter.wait_for(20'000), 20'000);
  first.join();
  second.join();
}

TEST(Mutex, IsFreeBetweenUnlockAndLock) {
  Counter counter;
  EXPECT_EQ(counter.add_twice_with_a_gap(), 2);
}

TEST(Mutex, WaitsNoLongerThanTheDeadline) {
  Counter counter;
  EXPECT_FALSE(counter.reaches_before(1, std::chrono::steady_clock::now() - std::chrono::seconds(1)));
  counter.add();
  EXPECT_TRUE(counter.reaches_before(1, std::chrono::steady_clock::now() - std::chrono::seconds(1)));
}

}  // namespace
}  // namespace slipstream::detail
