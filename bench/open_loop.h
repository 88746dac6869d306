#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/workload.h"
#include "slipstream/slipstream.h"

/// Records that come at a rate whatever the program does. One that could only be read late counts from when
/// it should have been (no coordinated omission).
namespace slipstream::bench {

using Clock = std::chrono::steady_clock;

inline std::int64_t nanoseconds(Clock::time_point t) { return t.time_since_epoch().count(); }

struct Due {
  std::uint64_t key = 0;
  std::int64_t at = 0;  ///< nanoseconds of the steady clock
};
SLIPSTREAM_FIELDS(Due, key, at)

/// Of the i-th record.
constexpr std::uint64_t due_key(std::size_t i) { return mix64(i) % 10'000; }

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
      const Due record{due_key(at_), due(at_)};
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
  /// When the first record is due that isn't before `time`; empty: all are. Once it is open.
  std::optional<std::int64_t> first_due_from(std::int64_t time) const {
    const double gaps = std::max(0.0, static_cast<double>(time - start_) / gap_ - 1);
    auto i = static_cast<std::size_t>(gaps);  // it or one just before it
    while (i < count_ && due(i) < time) ++i;
    return i < count_ ? std::optional(due(i)) : std::nullopt;
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
inline Codec<Due> as_in_memory() {
  Codec<Due> codec;
  codec.make_decoder = [] {
    return [](std::string_view bytes, Due& due) {
      std::memcpy(&due, bytes.data(), sizeof due);
      return absl::OkStatus();
    };
  };
  return codec;
}

/// Nanoseconds. Reorders what it is given, which isn't empty.
inline std::int64_t quantile(std::vector<std::int64_t>& waits, double part) {
  const auto at = static_cast<std::size_t>(part * static_cast<double>(waits.size() - 1));
  std::nth_element(waits.begin(), waits.begin() + static_cast<std::ptrdiff_t>(at), waits.end());
  return waits[at];
}

inline void report_quantiles(Suite& suite, const std::string& name, std::vector<std::int64_t> waits) {
  const std::pair<const char*, double> quantiles[] = {
      {"p50", 0.5}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};
  for (const auto& [label, part] : quantiles) {
    suite.report({"latency: " + name + " " + label, static_cast<double>(quantile(waits, part)) / 1000, "us"});
  }
}

}  // namespace slipstream::bench
