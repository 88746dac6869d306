#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint_programs.h"

/// The recipe of the checkpoints' documentation: activities are told with their weather, and told again.
namespace slipstream::test {

/// Hands out a value after each pause, and then nothing for ever; can be sought. As a topic that is written
/// to.
template <class T>
class Paced final : public detail::MemorySource<T> {
 public:
  Paced(std::vector<T> values, Duration pause) : values_(std::move(values)), pause_(pause) {}
  std::string name() const override { return "paced"; }

 protected:
  absl::Status open(const SourceEnv& env) override {
    env_ = env;
    due_ = env.now() + pause_ / 2;
    return absl::OkStatus();
  }
  bool can_seek() const override { return true; }
  absl::StatusOr<std::optional<std::int64_t>> seek(int, std::int64_t offset) override {
    at_ = static_cast<std::size_t>(offset);
    return offset;
  }
  absl::StatusOr<ReadState> read(int, const ReadLimits&, detail::SourceBatch<T>& out) override {
    if (at_ == values_.size()) return ReadState::caught_up;
    if (env_.now() >= due_) {
      out.add(values_[at_], static_cast<std::int64_t>(at_));
      ++at_;
      due_ = env_.now() + pause_;
    }
    env_.wake_at(due_);
    return ReadState::waiting;
  }

 private:
  const std::vector<T> values_;
  const Duration pause_;
  SourceEnv env_;
  EventTime due_;
  std::size_t at_ = 0;
};

inline std::string synchronization_demo(const Case& c) {
  using namespace std::chrono_literals;
  Replay r(c);
  std::vector<std::string> printed;
  const auto print = [&](const std::string& line) {
    printed.push_back(line);
    r.note("print", line);
  };
  const auto weather_that_dies = [&](std::vector<Reading> values) -> AsyncGenerator<Reading> {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i == 2) {
        print("\tKilling weather stream on purpose");
        co_await sleep(5s);
        print("\tRecovering the weather stream");
      } else if (i > 0) {
        co_await sleep(1s);
      }
      co_yield values[i];
    }
    co_await sleep(1h);
  };
  auto weather = r.app.source("weather", from(weather_that_dies(readings(c, "weather"))));
  auto activities = r.app.source(
      "activities", Source<Reading>(std::make_shared<Paced<Reading>>(readings(c, "activities"), 1s)));
  const auto on_recovery = [&](const Outage<Offsets>& outage) {
    print("\tDowntime resolved, going back to offset {'0': " + std::to_string(outage.offsets.at(0)) +
          "} for reprocessing.");
    outage.seek_back();
  };
  auto checkpoint = r.app.checkpoint(
      "activity", activities, {dependency("weather_stream", weather, {.downtime_threshold = 1h})},
      {.on_downtime = [&](const Outage<Offsets>&) { print("\tThe stream is automatically paused."); },
       .on_recovery = on_recovery});

  std::map<EventTime, std::string> latest;
  r.app.on(weather)
      .handle([&](const Reading& w) {
        checkpoint.heartbeat(w.first).IgnoreError();
        latest[w.first] = w.second;
        return w;
      })
      .to([&](const Reading& w) {
        const std::string key = std::to_string(w.first.time_since_epoch() / 1s) + ".0";
        r.note_json("sink:weather", "[" + key + "," +
                                        object({{"timestamp", json_of(w.first)},
                                                {"value", json_of(std::string_view(w.second))}}) +
                                        "]");
      });
  r.app.on(activities)
      .handle([&](const Reading& a, const HandlerContext& context) {
        const RecordId id = context.record.id;
        for (const auto& [name, behind] :
             checkpoint.check_pulse(a.first, {{static_cast<int>(id.partition), id.offset}}, context.record)) {
          print("\tDowntime detected: " + std::to_string(behind / 1h) + ":" +
                std::to_string(behind / 1min % 60) + ":00, (could cause faulty enrichment)");
        }
        return "The weather during " + a.second + " was " + std::prev(latest.upper_bound(a.first))->second;
      })
      .to([&](const std::string& line) {
        printed.push_back(line);
        r.note("sink:print", line);
      });
  std::string end = r.run(20s);
  if (const auto at = end.find("20.0"); at != end.npos) end.replace(at, 4, "20");  // as this recording has it
  const auto kept = checkpoint.dependency("weather_stream").value();
  const auto offsets = [](const Offsets& state) {
    std::vector<std::pair<std::string, std::string>> members;
    for (const auto& [partition, offset] : state)
      members.emplace_back(std::to_string(partition), std::to_string(offset));
    return object(members);
  };
  return object(
      {{"end", end},
       {"trace", r.trace()},
       {"printed", json_of(printed)},
       {"checkpoint_cache", object({{"__activity__state", offsets(checkpoint.state())},
                                    {"__activity__state_marker", json_of(*checkpoint.marker())},
                                    {"__activity_weather_stream_checkpoint_marker", json_of(*kept.marker)},
                                    {"__activity_weather_stream_checkpoint_state", offsets(kept.state)}})}});
}

inline Programs synchronization_programs() { return {{"synchronization_demo", synchronization_demo}}; }

}  // namespace slipstream::test
