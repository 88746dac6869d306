#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "bench/counters.h"

/// A speed is only worth something beside its limit on the same machine at the same time: pairs of runs, the
/// limit's and ours in turn, and the ratio of each pair. Nothing is printed before the answer was checked.
namespace slipstream::bench {

/// Throws unless it is OK.
void check_ok(const absl::Status& status);

/// That this process has had of all processors.
double cpu_seconds();
/// Of at least one; of an even number the greater one in the middle.
double median(std::vector<double> values);

/// What a piece of work came to, so that nobody can skip it.
struct Answer {
  std::uint64_t count = 0;
  std::uint64_t checksum = 0;
  friend bool operator==(const Answer&, const Answer&) = default;
};

/// Work done once, with the time it took; what it needed before and after isn't part of that.
struct Pass {
  double seconds = 0;
  Answer answer;
  Counts counts;  ///< of what happened meanwhile, when the suite counts
};
using Work = std::function<Pass()>;

/// Does `work`, which returns an Answer, and times it.
template <class F>
Pass timed(F&& work) {
  const Counts before = counts();
  const auto started = std::chrono::steady_clock::now();
  const Answer answer = work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  return {took.count(), answer, counts() - before};
}

struct Comparison {
  std::string name;
  double items = 0;  ///< in one pass
  Work ours, limit;
  Answer expected;                    ///< what both must come to
  std::optional<double> target = {};  ///< the ratio that is promised, if any is
  bool counts = false;                ///< report allocations, locks and clock reads of ours per item
};

/// How late something is, say the p99 of a run, where less is better.
struct Delays {
  std::string name;
  std::function<double()> ours, limit;  ///< a run each, in microseconds; throws where the answer is wrong
  std::optional<double> target = {};    ///< the ratio that is promised, if any is
};

/// A number that has no limit beside it.
struct Measurement {
  std::string name;
  double value = 0;
  std::string unit;
  double published = 0;  ///< the same by somebody else, elsewhere; 0: nobody says
};

/// y over x, both on logarithmic scales, one line for each name.
struct Curve {
  std::string name;
  std::vector<std::pair<double, double>> points;
};
struct Chart {
  std::string file;  ///< without .svg
  std::string title, x, y;
  std::vector<Curve> curves;
};

struct Options {
  bool quick = false;              ///< small inputs, once, only for the answers
  int pairs = 9;                   ///< of runs of at least a second each
  std::string json;                ///< a file; empty: none
  std::string svg;                 ///< a folder; empty: no charts
  std::vector<std::string> names;  ///< of benches; empty: all
};

/// What benches report to.
class Suite {
 public:
  explicit Suite(Options options) : options_(std::move(options)) {}
  /// Small inputs, once: whether it runs and answers rightly.
  bool quick() const { return options_.quick; }
  /// `full`, or `small` in a quick run.
  template <class T>
  T size(T full, T small) const {
    return quick() ? small : full;
  }

  /// Runs both in turn and prints one line: the ratio is the speed of ours to the limit's, 1 is as fast.
  /// Throws when one of them doesn't come to what is expected.
  void compare(const Comparison& comparison);
  /// The same for delays: the ratio is the limit's delay to ours, so here, too, 1 is as good and 2 twice as
  /// good.
  void compare(const Delays& delays);
  void report(const Measurement& measurement);
  /// Throws unless they are equal.
  void check(const std::string& name, const Answer& answer, const Answer& expected) const;
  void draw(const Chart& chart);
  /// Writes what options ask for.
  void finish(const std::string& bench);
  void write_json() const;

 private:
  struct Row {
    std::string name;
    std::vector<std::pair<std::string, double>> numbers;
    std::vector<std::pair<std::string, std::string>> texts = {};
  };
  struct Ratio {
    std::string name;
    double median, least, most;
    std::optional<double> target;
  };
  /// What is compared: how it is called, in JSON too, and whether more of it is better.
  struct Unit {
    const char* text;
    const char* key;
    bool more_is_better;
  };
  static const Unit kSpeed, kDelay;
  /// Runs both in turn and prints the line.
  Row& compare(const std::string& name, const Unit& unit, std::optional<double> target,
               const std::function<double()>& ours, const std::function<double()>& limit);
  void answers_rightly(const std::string& name);

  Options options_;
  std::vector<Row> rows_;
  std::vector<Ratio> ratios_;   ///< of the bench that runs
  const Unit* head_ = nullptr;  ///< of the last line
};

/// `const Registered x{"x", [](Suite& suite) { … }};` in x_bench.cc. A bench may have several parts of one
/// name, say one that needs Kafka.
struct Registered {
  Registered(const std::string& name, std::function<void(Suite&)> run);
};

}  // namespace slipstream::bench
