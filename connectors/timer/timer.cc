#include "slipstream/timer.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>

namespace slipstream {
namespace {

class Timer final : public RawSource {
 public:
  Timer(Duration every, TimerOptions options) : every_(every), options_(options) {}

  std::string name() const override { return "timer"; }
  std::string position(int, std::int64_t offset) const override {
    return "timer tick " + std::to_string(offset);
  }
  int partition_count() const override { return 1; }

  absl::Status open(const SourceEnv& env) override {
    if (every_ <= Duration::zero()) return refused("interval must be positive", every_.count(), " us");
    if (options_.count && *options_.count < 0) return refused("count can't be negative", *options_.count, "");
    env_ = env;
    start_ = env_.now();
    last_ = 0;
    return absl::OkStatus();
  }

  absl::StatusOr<ReadState> read(int, const ReadLimits&, RawCollector& out) override {
    const std::int64_t due = std::min((env_.now() - start_) / every_, options_.count.value_or(INT64_MAX));
    if (due > last_) emit(due, out);
    if (last_ == options_.count) return ReadState::finished;
    env_.wake_at(saturating_plus(start_ + every_ * last_, every_));
    return ReadState::caught_up;
  }

 private:
  static absl::Status refused(const char* rule, std::int64_t found, const char* unit) {
    return absl::InvalidArgumentError("timer: the " + std::string(rule) + ", got " + std::to_string(found) +
                                      unit);
  }

  void emit(std::int64_t tick, RawCollector& out) {
    const EventTime time = start_ + every_ * tick;
    const std::string value = std::to_string(time.time_since_epoch().count());
    RawRecord record;
    record.value = value;
    record.offset = tick;
    record.timestamp = time;
    out.add({&record, 1});
    last_ = tick;
  }

  const Duration every_;
  const TimerOptions options_;
  SourceEnv env_;
  EventTime start_{};
  std::int64_t last_ = 0;  // number of the last tick handed over
};

absl::Status decode_tick(std::string_view bytes, EventTime& out) {
  Duration::rep microseconds = 0;
  const auto end = bytes.data() + bytes.size();
  const auto [stopped, error] = std::from_chars(bytes.data(), end, microseconds);
  if (error != std::errc() || stopped != end) return absl::InternalError("not a tick: " + std::string(bytes));
  out = EventTime(Duration(microseconds));
  return absl::OkStatus();
}

}  // namespace

std::shared_ptr<RawSource> raw_timer(Duration every, TimerOptions options) {
  return std::make_shared<Timer>(every, options);
}

Source<EventTime> timer(Duration every, TimerOptions options) {
  Codec<EventTime> ticks;
  ticks.name = "tick";
  ticks.make_decoder = [] { return decode_tick; };
  return decoded<EventTime>(raw_timer(every, options), std::move(ticks));
}

}  // namespace slipstream
