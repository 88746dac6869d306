#pragma once
#include <cstdint>

/// Counts what costs more than it looks: this program's own `operator new`, pthread_mutex_lock and
/// clock_gettime stand in front of the real ones.
namespace slipstream::bench {

struct Counts {
  std::uint64_t allocations = 0;
  std::uint64_t locks = 0;  ///< of pthread mutexes, ours and those of the libraries
  std::uint64_t clock_reads = 0;
};
inline Counts operator-(const Counts& a, const Counts& b) {
  return {a.allocations - b.allocations, a.locks - b.locks, a.clock_reads - b.clock_reads};
}

/// Counting costs time: it is off while something is timed.
void set_counting(bool on);
Counts counts();

}  // namespace slipstream::bench
