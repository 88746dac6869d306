#include "bench/counters.h"

#include <dlfcn.h>
#include <pthread.h>
#include <time.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace slipstream::bench {
namespace {

std::atomic<bool> counting{false};
std::atomic<std::uint64_t> allocations{0}, locks{0}, clock_reads{0};

void count(std::atomic<std::uint64_t>& what) {
  if (counting.load(std::memory_order_relaxed)) what.fetch_add(1, std::memory_order_relaxed);
}

template <class F>
F* real(const char* name) {
  return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

void* allocate(std::size_t size, std::size_t alignment) {
  count(allocations);
  void* const memory = alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__
                           ? std::malloc(size == 0 ? 1 : size)
                           : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void set_counting(bool on) { counting = on; }
Counts counts() { return {allocations, locks, clock_reads}; }

}  // namespace slipstream::bench

void* operator new(std::size_t size) { return slipstream::bench::allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return slipstream::bench::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

extern "C" {

int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  static const auto lock = slipstream::bench::real<int(pthread_mutex_t*)>("pthread_mutex_lock");
  slipstream::bench::count(slipstream::bench::locks);
  return lock(mutex);
}
int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const auto read = slipstream::bench::real<int(clockid_t, timespec*)>("clock_gettime");
  slipstream::bench::count(slipstream::bench::clock_reads);
  return read(clock, time);
}

}  // extern "C"
