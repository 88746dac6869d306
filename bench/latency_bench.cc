#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/in_memory.h"
#include "bench/open_loop.h"

/// How long a record takes from when it is due to its result, at rates a program can keep up with.
namespace slipstream::bench {
namespace {

void report(Suite& suite, const std::string& name, std::vector<std::int64_t> waits) {
  const std::pair<const char*, double> quantiles[] = {
      {"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};
  for (const auto& [label, part] : quantiles) {
    suite.report({"latency: " + name + " " + label, static_cast<double>(quantile(waits, part)) / 1000, "us"});
  }
}

/// A sleeping thread beside it: what this machine adds to anything that waits.
void timer_jitter(Suite& suite) {
  std::vector<std::int64_t> late;
  for (int i = 0; i < suite.size(2000, 10); ++i) {
    const auto until = Clock::now() + std::chrono::milliseconds(1);
    std::this_thread::sleep_until(until);
    late.push_back(nanoseconds(Clock::now()) - nanoseconds(until));
  }
  report(suite, "a timer of 1 ms", std::move(late));
}

void running_totals(Suite& suite, const std::string& name, double per_second) {
  const auto count = static_cast<std::size_t>(suite.size(5.0, 0.02) * per_second) + 10;
  std::vector<std::int64_t> waits;
  waits.reserve(count);
  App app;
  app.set("runtime.parallelism", "2");
  app.set("runtime.threads", "2");
  app.source(decoded<Due>(std::make_shared<Schedule>(count, per_second), as_in_memory()))
      .key_by(&Due::key)
      .aggregate<Latest>("latest")
      .sink([&](const Keyed<std::uint64_t, Latest>& result) {
        waits.push_back(nanoseconds(Clock::now()) - result.value.at);
      });
  check_ok(app.run());
  suite.check(name, {waits.size(), 0}, {count, 0});
  report(suite, name, std::move(waits));
}

const Registered latency("latency", [](Suite& suite) {
  timer_jitter(suite);
  running_totals(suite, "m1 at 1 k/s", 1e3);
  running_totals(suite, "m1 at 100 k/s", 1e5);
  running_totals(suite, "m1 at 1 M/s", 1e6);
});

}  // namespace
}  // namespace slipstream::bench
