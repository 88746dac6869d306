#pragma once
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replay.h"
#include "slipstream/checkpoint.h"

/// Checkpoints by hand.
namespace slipstream::test {

using Counts = std::map<std::string, int>;

inline EventTime time_of(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  std::sscanf(std::string(text).c_str(), "%d-%d-%dT%d:%d:%d", &year, &month, &day, &hour, &minute, &second);
  using namespace std::chrono;
  return sys_days(std::chrono::year(year) / month / day) + hours(hour) + minutes(minute) + seconds(second);
}
inline std::string json_of(EventTime t) {
  using namespace std::chrono;
  const auto day = floor<days>(t);
  const year_month_day date(day);
  const auto s = duration_cast<seconds>(t - day).count();
  char text[32];
  std::snprintf(text, sizeof(text), "%04d-%02u-%02uT%02d:%02d:%02d", int(date.year()), unsigned(date.month()),
                unsigned(date.day()), int(s / 3600), int(s / 60 % 60), int(s % 60));
  return object({{"$datetime", json_of(std::string_view(text))}});
}
inline std::string json_of(Duration d) {
  return object({{"$duration_s", std::to_string(d / std::chrono::seconds(1)) + ".0"}});
}
inline std::string json_of(const Counts& counts) {
  std::vector<std::pair<std::string, std::string>> members;
  for (const auto& [name, n] : counts) members.emplace_back(name, json_of(n));
  return object(members);
}

/// How the recordings write markers and downtimes: as times, or as numbers.
struct Notation {
  bool is_number = false;
  EventTime marker(simdjson::dom::element element) const {
    if (is_number) return EventTime(std::chrono::seconds(std::int64_t(element)));
    return time_of(std::string_view(element["$datetime"]));
  }
  std::string operator()(std::optional<EventTime> marker) const {
    if (!marker) return "null";
    return is_number ? std::to_string(marker->time_since_epoch() / std::chrono::seconds(1))
                     : json_of(*marker);
  }
  std::string operator()(Duration downtime) const {
    return is_number ? std::to_string(downtime / std::chrono::seconds(1)) : json_of(downtime);
  }
};

/// A checkpoint that takes the steps of a recording.
class Steps {
 public:
  Steps(Notation notation, std::vector<std::string> dependencies, DowntimeOptions<int> options = {})
      : write_(notation), names_(std::move(dependencies)) {
    auto dependent = app_.source("dependent", from(std::vector<int>{}));
    std::vector<Dependency> all;
    for (const std::string& name : names_)
      all.push_back(dependency(name, app_.source(name, from(std::vector<int>{})), options));
    checkpoint_.emplace(
        app_.checkpoint<Counts>("checkpoint", dependent, all,
                                {.on_downtime = [this](const Outage<Counts>& o) { on_downtime(o); },
                                 .on_recovery = [this](const Outage<Counts>& o) { on_recovery(o); }}));
  }
  std::function<void(const Outage<Counts>&)> on_downtime = [](const Outage<Counts>&) {};
  std::function<void(const Outage<Counts>&)> on_recovery = on_downtime;

  std::string rows(simdjson::dom::element steps) {
    std::string all;
    for (simdjson::dom::element step : steps.get_array()) all += (all.empty() ? "" : ",") + row(step);
    return "[" + all + "]";
  }
  const Checkpoint<int, Counts>& checkpoint() const { return *checkpoint_; }

 private:
  std::string row(simdjson::dom::element step) {
    const EventTime marker = write_.marker(step.at(1));
    const std::string returns =
        std::string_view(step.at(0)) == "pulse" ? pulse(marker, step.at(2)) : beat(marker, step.at(2));
    return object({{"step", simdjson::minify(step)}, {"returns", returns}, {"after", after()}});
  }
  std::string pulse(EventTime marker, simdjson::dom::element state) {
    Counts counts;
    for (const auto& [name, n] : state.get_object())
      counts[std::string(name)] = static_cast<int>(std::int64_t(n));
    const Downtime downtime = checkpoint_->check_pulse(marker, counts);
    std::vector<std::pair<std::string, std::string>> members;
    for (const auto& [name, behind] : downtime) members.emplace_back(name, write_(behind));
    return downtime.empty() ? "null" : object(members);
  }
  std::string beat(EventTime marker, simdjson::dom::element name) {
    const auto found =
        checkpoint_->heartbeat(marker, name.is_null() ? std::string_view() : std::string_view(name)).value();
    return object({{"is_late", found.is_late ? "true" : "false"},
                   {"dependent_marker", write_(found.dependent_marker)},
                   {"dependency_marker", write_(found.dependency_marker)}});
  }
  std::string after() const {
    std::vector<std::pair<std::string, std::string>> dependencies;
    for (const std::string& name : names_) {
      const auto d = checkpoint_->dependency(name).value();
      dependencies.emplace_back(name, object({{"is_down", d.is_down ? "true" : "false"},
                                              {"checkpoint_state", d.marker ? json_of(d.state) : "null"},
                                              {"checkpoint_marker", write_(d.marker)}}));
    }
    return object({{"state", json_of(checkpoint_->state())},
                   {"state_marker", write_(checkpoint_->marker())},
                   {"dependencies", object(dependencies)}});
  }

  const Notation write_;
  App app_;
  std::vector<std::string> names_;
  std::optional<Checkpoint<int, Counts>> checkpoint_;
};

inline std::string checkpoint_one_dependency(const Case& c) {
  Steps steps({}, {"dependency"});
  std::vector<std::string> calls;
  steps.on_downtime = [&](const Outage<Counts>& o) {
    calls.push_back("[\"downtime_callback\"," + json_of(o.dependency) + "," + json_of(o.dependency_marker) +
                    "]");
  };
  steps.on_recovery = [&](const Outage<Counts>& o) {
    calls.push_back("[\"recovery_callback\"," + json_of(o.dependency) + "," + json_of(o.dependency_marker) +
                    "," + json_of(o.state) + "]");
  };
  const std::string rows = steps.rows(c.file["input"]["steps"]);
  std::string all;
  for (const std::string& call : calls) all += (all.empty() ? "" : ",") + call;
  return object({{"rows", rows}, {"callbacks", "[" + all + "]"}});
}

inline std::string checkpoint_two_dependencies(const Case& c) {
  Steps steps({}, {"a", "b"});
  std::vector<std::pair<std::string, std::string>> calls;
  steps.on_downtime = [&](const Outage<Counts>& o) { calls.emplace_back("downtime_callback", o.dependency); };
  steps.on_recovery = [&](const Outage<Counts>& o) { calls.emplace_back("recovery_callback", o.dependency); };
  const std::string rows = steps.rows(c.file["input"]["steps"]);
  return object({{"rows", rows}, {"callbacks", json_of(calls)}});
}

inline std::optional<Duration> ten_behind(const Markers& m) {
  const Duration behind = m.dependent - m.dependency;
  return behind > std::chrono::seconds(10) ? std::optional(behind) : std::nullopt;
}
inline bool caught_up(const Markers& m) { return m.dependency >= m.dependent; }
inline Task<std::optional<Duration>> ten_behind_async(const Markers& m) { co_return ten_behind(m); }
inline Task<bool> caught_up_async(const Markers& m) { co_return caught_up(m); }

inline std::string checkpoint_custom_checks(const Case& c) {
  // The steps stand in what was observed.
  const auto rows = [&](std::string_view name, DowntimeOptions<int> options) {
    simdjson::dom::parser parser;
    std::string steps;
    for (simdjson::dom::element row : c.file["observed"][name].get_array())
      steps += (steps.empty() ? "" : ",") + std::string(simdjson::minify(row["step"]));
    return Steps({.is_number = true}, {"d"}, options).rows(parser.parse("[" + steps + "]"));
  };
  const DowntimeOptions<int> plain{.is_down = ten_behind, .is_recovered = caught_up};
  const DowntimeOptions<int> async{.is_down = ten_behind_async, .is_recovered = caught_up_async};
  return object({{"sync", rows("sync", plain)},
                 {"async", rows("async", async)},
                 {"marker_zero", rows("marker_zero", plain)},
                 {"custom_check_first_pulse", rows("custom_check_first_pulse", plain)}});
}

inline std::string checkpoint_errors(const Case&) {
  using namespace std::chrono_literals;
  const auto raises = [](const absl::Status& s) {
    return object(
        {{"raises",
          object({{"message", json_of(std::string_view(s.message().data(), s.message().size()))}})}});
  };
  const EventTime noon = time_of("2025-01-01T12:00:00");
  Steps none({}, {}), one({}, {"d"}), two({}, {"a", "b"}), throwing({}, {"d"});
  throwing.on_downtime = [](const Outage<Counts>&) { throw std::runtime_error("callback failed"); };
  throwing.checkpoint().check_pulse(noon);
  std::string thrown;
  try {
    throwing.checkpoint().check_pulse(noon + 11min);
  } catch (const std::exception& e) {
    thrown = e.what();
  }
  return object(
      {{"heartbeat_unknown_dependency", raises(one.checkpoint().heartbeat(noon, "nope").status())},
       {"heartbeat_two_dependencies_no_name", raises(two.checkpoint().heartbeat(noon).status())},
       {"heartbeat_no_dependencies", raises(none.checkpoint().heartbeat(noon).status())},
       {"pulse_no_dependencies",
        object({{"returns", none.checkpoint().check_pulse(noon).empty() ? "null" : "\"downtime\""}})},
       {"getitem_unknown", raises(one.checkpoint().dependency("nope").status())},
       {"downtime_callback_raises", raises(absl::AbortedError(thrown))},
       {"downtime_callback_raises_then",
        object({{"is_down", throwing.checkpoint().dependency("d").value().is_down ? "true" : "false"}})}});
}

using Reading = std::pair<EventTime, std::string>;
inline std::vector<Reading> readings(const Case& c, std::string_view name) {
  std::vector<Reading> all;
  for (simdjson::dom::element pair : c.file["input"][name].get_array())
    all.emplace_back(Notation().marker(pair.at(0)), std::string_view(pair.at(1)));
  return all;
}
inline AsyncGenerator<Reading> after_pauses(std::vector<Duration> pauses, std::vector<Reading> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    co_await sleep(pauses[i]);
    co_yield values[i];
  }
}
inline std::string checkpoint_pauses_stream(const Case& c) {
  using namespace std::chrono_literals;
  Replay r(c);
  auto weather =
      r.app.source("weather", from(after_pauses({0ms, 50ms, 450ms, 50ms}, readings(c, "weather"))));
  auto activities =
      r.app.source("activities", from(after_pauses({20ms, 50ms, 50ms, 50ms}, readings(c, "activities"))));
  auto checkpoint =
      r.app.checkpoint("activity", activities, {dependency("weather", weather, {.downtime_threshold = 1h})},
                       {.on_downtime = [&](const Outage<Offsets>&) { r.note("downtime_callback"); },
                        .on_recovery = [&](const Outage<Offsets>&) { r.note("recovery_callback"); }});
  std::map<EventTime, std::string> latest;
  r.app.on(weather).handle([&](const Reading& w) {
    r.note("weather", w.second);
    const auto beat = checkpoint.heartbeat(w.first).value();
    if (beat.is_late) {
      r.note_json("late", object({{"is_late", "true"},
                                  {"dependent_marker", json_of(*beat.dependent_marker)},
                                  {"dependency_marker", json_of(beat.dependency_marker)}}));
    }
    latest[w.first] = w.second;
  });
  r.app.on(activities)
      .handle([&](const Reading& a) {
        const Downtime downtime = checkpoint.check_pulse(a.first);
        for (const auto& [name, behind] : downtime) r.note_json("downtime", json_of(behind));
        return "The weather during " + a.second + " was " + std::prev(latest.upper_bound(a.first))->second;
      })
      .to(r.sink("print"));
  return r.observed();
}

inline Programs checkpoint_programs() {
  return {{"checkpoint_one_dependency", checkpoint_one_dependency},
          {"checkpoint_two_dependencies", checkpoint_two_dependencies},
          {"checkpoint_custom_checks", checkpoint_custom_checks},
          {"checkpoint_errors", checkpoint_errors},
          {"checkpoint_pauses_stream", checkpoint_pauses_stream}};
}

}  // namespace slipstream::test
