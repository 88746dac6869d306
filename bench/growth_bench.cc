#include <algorithm>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "bench/in_memory.h"

/// How the cost of a record changes as there are more keys, longer windows, more disorder, more partitions
/// and lanes: tumbling windows in two threads, varied in one thing at a time. No limit beside it: what counts
/// is whether four times as much takes more than four times as long.
namespace slipstream::bench {
namespace {

constexpr double kMostGrowth = 4.6;  // of the time, for four times as much

struct Shape {
  std::size_t records = 0;
  std::uint64_t keys = 10'000;
  std::int64_t window_ms = 10'000;
  std::int64_t disorder_ms = 2'000;
  std::size_t partitions = 1;
  int lanes = 2;
  double hot = 0;  ///< the part of all records that has one key
};

std::vector<std::vector<Bid>> bids_of(const Shape& shape) {
  std::vector<std::vector<Bid>> partitions(shape.partitions);
  for (std::size_t i = 0; i < shape.records; ++i) {
    const std::uint64_t random = mix64(i);
    const bool is_hot = static_cast<double>(mix64(random) % 1000) < shape.hot * 1000;
    const auto late = static_cast<std::int64_t>(random % static_cast<std::uint64_t>(shape.disorder_ms + 1));
    partitions[i % shape.partitions].push_back(
        {is_hot ? 0 : mix64(random + 1) % shape.keys, 0, 1,
         1'700'000'000'000 + static_cast<std::int64_t>(i / 10) - late});
  }
  return partitions;
}

/// The best of some runs, in seconds. Every record must be counted once.
double seconds_of(Suite& suite, const std::string& name, const Shape& shape) {
  const auto bids = bids_of(shape);
  double best = 1e9;
  for (int i = 0; i < suite.size(3, 1); ++i) {
    App app;
    Answer answer;
    app.set("runtime.parallelism", std::to_string(shape.lanes));
    app.set("runtime.threads", "2");
    app.source(from_partitions(bids))
        .event_time([](const Bid& b) { return time_of(b); },
                    {.max_out_of_orderness = std::chrono::milliseconds(shape.disorder_ms)})
        .key_by(&Bid::auction)
        .window(tumbling(std::chrono::milliseconds(shape.window_ms)))
        .aggregate<Total>("totals")
        .sink([&](const Windowed<std::uint64_t, Total>& result) { answer.count += result.value.count; });
    const Pass pass = timed([&] {
      check_ok(app.run());
      return answer;
    });
    suite.check(name, pass.answer, {shape.records, 0});
    best = std::min(best, pass.seconds);
  }
  return best;
}

using Vary = std::function<void(Shape&, double)>;

void series(Suite& suite, Chart& chart, const std::string& name, std::vector<double> values,
            const Vary& vary) {
  if (suite.quick()) values = {values.front(), values.back()};
  Curve curve{name, {}};
  for (const double value : values) {
    Shape shape{.records = suite.size<std::size_t>(4'000'000, 20'000)};
    vary(shape, value);
    char label[32];
    std::snprintf(label, sizeof label, "%.0f", value);
    const double seconds = seconds_of(suite, name + " " + label, shape);
    const double nanoseconds = seconds * 1e9 / static_cast<double>(shape.records);
    curve.points.emplace_back(value, nanoseconds);
    suite.report({"growth: " + name + " " + label, nanoseconds, "ns per record"});
  }
  chart.curves.push_back(std::move(curve));
}

void records(Suite& suite) {
  const std::size_t least = suite.size<std::size_t>(1'000'000, 5'000);
  const double few = seconds_of(suite, "records", {.records = least});
  const double many = seconds_of(suite, "four times the records", {.records = 4 * least});
  suite.report({"growth: time of 4n records to n", many / few, "at most 4.6"});
  if (!suite.quick() && many / few > kMostGrowth) std::printf("  MORE THAN %.1f\n", kMostGrowth);
}

const Registered growth("growth", [](Suite& suite) {
  records(suite);
  Chart chart{"growth",
              "Tumbling windows in two threads: what a record costs",
              "how many, or milliseconds",
              "ns per record",
              {}};
  series(suite, chart, "keys", {1e3, 4e3, 16e3, 64e3, 256e3, 1024e3, 4096e3},
         [](Shape& s, double n) { s.keys = static_cast<std::uint64_t>(n); });
  series(suite, chart, "window, ms", {1e3, 1e4, 6e4, 3.6e6, 8.64e7},
         [](Shape& s, double n) { s.window_ms = static_cast<std::int64_t>(n); });
  series(suite, chart, "disorder, ms", {1, 1e3, 6e4, 3.6e6},
         [](Shape& s, double n) { s.disorder_ms = static_cast<std::int64_t>(n); });
  series(suite, chart, "source partitions", {1, 4, 16, 64, 256, 1000},
         [](Shape& s, double n) { s.partitions = static_cast<std::size_t>(n); });
  series(suite, chart, "lanes", {1, 2, 4, 8}, [](Shape& s, double n) { s.lanes = static_cast<int>(n); });
  series(suite, chart, "percent of one key", {1, 10, 50, 90}, [](Shape& s, double n) { s.hot = n / 100; });
  suite.draw(chart);
});

}  // namespace
}  // namespace slipstream::bench
