#pragma once
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// A speed is only worth something beside its limit on the same machine at the same time: pairs of runs, ours
/// and the limit's in turn, and the ratio of each pair.
namespace slipstream::bench {

/// Does the work once; returns what it came to, so that nobody can skip it.
using Work = std::function<std::int64_t()>;

struct Comparison {
  std::string name;
  double items = 0;  ///< in one run
  Work ours, limit;
  std::int64_t expected = 0;        ///< what both must come to
  std::optional<double> most = {};  ///< the ratio ours / limit, in time, that is promised, if any is
};

inline double seconds_of(const Comparison& c, const char* who, const Work& work) {
  const auto started = std::chrono::steady_clock::now();
  const std::int64_t result = work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  if (result != c.expected) {
    std::fprintf(stderr, "%s: %s came to %lld instead of %lld\n", c.name.c_str(), who,
                 static_cast<long long>(result), static_cast<long long>(c.expected));
    std::exit(1);
  }
  return took.count();
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Prints one line of a table; the first call prints its head. Runs each side once before it counts.
inline void compare(const Comparison& c, int pairs = 9) {
  static bool has_head = false;
  if (!std::exchange(has_head, true)) {
    std::printf("%-34s %14s %14s %8s %15s %8s\n", "", "limit, items/s", "ours, items/s", "ratio", "min … max",
                "promise");
  }
  seconds_of(c, "the limit", c.limit);
  seconds_of(c, "ours", c.ours);
  std::vector<double> ours, limit, ratios;
  for (int i = 0; i < pairs; ++i) {
    limit.push_back(seconds_of(c, "the limit", c.limit));
    ours.push_back(seconds_of(c, "ours", c.ours));
    ratios.push_back(ours.back() / limit.back());
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  std::printf("%-34s %14.0f %14.0f %8.2f %6.2f … %6.2f %8s\n", c.name.c_str(), c.items / median(limit),
              c.items / median(ours), median(ratios), *least, *most,
              c.most ? std::to_string(*c.most).substr(0, 4).c_str() : "");
  std::fflush(stdout);
}

}  // namespace slipstream::bench
