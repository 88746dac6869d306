#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "bench/in_memory.h"

/// How long a record takes from when it is due to its result, at rates a program can keep up with. Open loop:
/// a record that could only be read late counts from when it should have been (no coordinated omission).
namespace slipstream::bench {
namespace {

using Clock = std::chrono::steady_clock;

std::int64_t nanoseconds(Clock::time_point t) { return t.time_since_epoch().count(); }

struct Due {
  std::uint64_t key = 0;
  std::int64_t at = 0;  ///< nanoseconds of the steady clock
};
SLIPSTREAM_FIELDS(Due, key, at)

/// Keeps the latest due time of what it counted: the record that made this result.
struct Latest {
  std::int64_t at = 0;
  void add(const Due& due) { at = std::max(at, due.at); }
};
SLIPSTREAM_FIELDS(Latest, at)

/// Hands out what is due and asks to be looked at again when there is more, at the earliest in 50 us.
class Schedule final : public RawSource {
 public:
  Schedule(std::size_t count, double per_second) : count_(count), gap_(1e9 / per_second) {}
  std::string name() const override { return "schedule"; }
  absl::Status open(const SourceEnv& env) override {
    env_ = env;
    start_ = nanoseconds(Clock::now()) + 50'000'000;  // when everything has started
    return absl::OkStatus();
  }
  int partition_count() const override { return 1; }
  absl::StatusOr<ReadState> read(int, const ReadLimits& limits, RawCollector& out) override {
    const std::int64_t now = nanoseconds(Clock::now());
    for (std::size_t n = 0; n < limits.max_records && at_ < count_ && due(at_) <= now; ++n, ++at_) {
      const Due record{mix64(at_) % 10'000, due(at_)};
      RawRecord raw;
      raw.value = std::string_view(reinterpret_cast<const char*>(&record), sizeof record);
      raw.offset = static_cast<std::int64_t>(at_);
      out.add({&raw, 1});
    }
    if (at_ == count_) return ReadState::finished;
    if (due(at_) <= now) return ReadState::more;
    const std::int64_t wait = std::max<std::int64_t>(due(at_) - now, 50'000);
    env_.wake_at(env_.now() + std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(wait)));
    return ReadState::caught_up;
  }

 private:
  std::int64_t due(std::size_t i) const {
    return start_ + static_cast<std::int64_t>(static_cast<double>(i) * gap_);
  }
  SourceEnv env_;
  std::size_t count_;
  double gap_;
  std::int64_t start_ = 0;
  std::size_t at_ = 0;
};

/// Records as they lie in memory: it isn't decoding that is measured.
Codec<Due> as_in_memory() {
  Codec<Due> codec;
  codec.make_decoder = [] {
    return [](std::string_view bytes, Due& due) {
      std::memcpy(&due, bytes.data(), sizeof due);
      return absl::OkStatus();
    };
  };
  return codec;
}

void report(Suite& suite, const std::string& name, std::vector<std::int64_t> waits) {
  std::sort(waits.begin(), waits.end());
  const std::pair<const char*, double> quantiles[] = {
      {"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};
  for (const auto& [label, part] : quantiles) {
    const auto at = static_cast<std::size_t>(part * static_cast<double>(waits.size() - 1));
    suite.report({"latency: " + name + " " + label, static_cast<double>(waits[at]) / 1000, "us"});
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
