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

/// A sleeping thread beside it: what this machine adds to anything that waits.
void timer_jitter(Suite& suite) {
  std::vector<std::int64_t> late;
  for (int i = 0; i < suite.size(2000, 10); ++i) {
    const auto until = Clock::now() + std::chrono::milliseconds(1);
    std::this_thread::sleep_until(until);
    late.push_back(nanoseconds(Clock::now()) - nanoseconds(until));
  }
  report_quantiles(suite, "a timer of 1 ms", std::move(late));
}

std::size_t records(const Suite& suite, double per_second) {
  return static_cast<std::size_t>(suite.size(5.0, 0.02) * per_second) + 10;
}

void running_totals(Suite& suite, const std::string& name, double per_second) {
  const std::size_t count = records(suite, per_second);
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
  report_quantiles(suite, name, std::move(waits));
}

/// M2's state; what is summed is as good as a price.
struct DueTotal {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  void add(const Due& due) {
    ++count;
    sum += due.key;
  }
};
SLIPSTREAM_FIELDS(DueTotal, count, sum)

Answer totals_of(std::size_t count) {
  Answer answer{count, 0};
  for (std::size_t i = 0; i < count; ++i) answer.checksum += due_key(i);
  return answer;
}

/// Event time is when a record is due, and in order, so a window is complete with the first record that is
/// due at its end or later: its result is as late as it comes after that. Windows that end with the input,
/// which no record completes, aren't among them.
void window_totals(Suite& suite, const std::string& name, double per_second) {
  const std::size_t count = records(suite, per_second);
  const auto schedule = std::make_shared<Schedule>(count, per_second);
  Answer answer;
  std::vector<std::int64_t> waits;
  waits.reserve(count);
  App app;
  app.set("runtime.parallelism", "2");
  app.set("runtime.threads", "2");
  app.source(decoded<Due>(schedule, as_in_memory()))
      .event_time([](const Due& due) {
        return EventTime(std::chrono::floor<Duration>(std::chrono::nanoseconds(due.at)));
      })
      .key_by(&Due::key)
      .window(tumbling(std::chrono::milliseconds(10)))
      .aggregate<DueTotal>("totals")
      .sink([&](const Windowed<std::uint64_t, DueTotal>& result) {
        const std::chrono::nanoseconds end = result.window.end.time_since_epoch();
        if (const auto due = schedule->first_due_from(end.count()))
          waits.push_back(nanoseconds(Clock::now()) - *due);
        answer.count += result.value.count;
        answer.checksum += result.value.sum;
      });
  check_ok(app.run());
  suite.check(name, answer, totals_of(count));
  report_quantiles(suite, name, std::move(waits));
}

const Registered latency("latency", [](Suite& suite) {
  timer_jitter(suite);
  const std::pair<const char*, double> rates[] = {{"1 k/s", 1e3}, {"100 k/s", 1e5}, {"1 M/s", 1e6}};
  for (const auto& [rate, per_second] : rates) {
    running_totals(suite, std::string("m1 at ") + rate, per_second);
    window_totals(suite, std::string("m2 at ") + rate, per_second);
  }
});

}  // namespace
}  // namespace slipstream::bench
