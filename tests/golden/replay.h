#pragma once
#include <simdjson.h>

#include <cctype>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipstream/async_source.h"
#include "slipstream/handler.h"
#include "slipstream/json.h"
#include "slipstream/slipstream.h"
#include "slipstream/testing.h"

/// Observed runs of the Python package, replayed by programs written with this library. What both did is
/// compared as JSON.
namespace slipstream::test {

// ---------------------------------------------------------------- JSON text of what a program sees

inline std::string json_of(int n) { return std::to_string(n); }
inline std::string json_of(std::int64_t n) { return std::to_string(n); }
/// As Python has it: 1.0.
inline std::string json_of(double value) {
  std::string out;
  json<double>({.style = JsonStyle::python}).make_encoder()(value, out).IgnoreError();
  return out;
}
inline std::string json_of(std::string_view s) {
  std::string out = "\"";
  for (const char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += c;
    }
  }
  return out + "\"";
}
template <class A, class B>
std::string json_of(const std::pair<A, B>& p) {
  return "[" + json_of(p.first) + "," + json_of(p.second) + "]";
}
template <class T>
std::string json_of(const std::vector<T>& items) {
  std::string out;
  for (const T& item : items) out += (out.empty() ? "" : ",") + json_of(item);
  return "[" + out + "]";
}
/// {"name": value, ...} of values that are JSON already.
inline std::string object(const std::vector<std::pair<std::string, std::string>>& members) {
  std::string out;
  for (const auto& [name, value] : members) out += (out.empty() ? "" : ",") + json_of(name) + ":" + value;
  return "{" + out + "}";
}

// ---------------------------------------------------------------- one run

/// What an App says, line by line, as the recordings have it: {"level": …, "message": …}.
class Lines {
 public:
  void add(LogLevel level, std::string_view message) {
    std::string name(to_string(level));
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    lines_.push_back(object({{"level", json_of(name)}, {"message", json_of(message)}}));
  }
  /// Topics have other names each time.
  void replace(std::string_view name, std::string_view by) {
    for (std::string& line : lines_) {
      for (std::size_t at; (at = line.find(name)) != line.npos;) line.replace(at, name.size(), by);
    }
  }
  std::string json() const {
    std::string all;
    for (const std::string& line : lines_) all += (all.empty() ? "" : ",") + line;
    return "[" + all + "]";
  }

 private:
  std::vector<std::string> lines_;
};

/// What the package's own recordings of a case hold, and how ours is to be made.
struct Case {
  simdjson::dom::element file;
  std::uint64_t seed = 1;
  std::shared_ptr<Lines> log = std::make_shared<Lines>();  ///< what all Replays of this case say

  std::vector<int> numbers(std::string_view name = "messages") const {
    std::vector<int> all;
    for (auto n : file["input"][name].get_array()) all.push_back(static_cast<int>(std::int64_t(n)));
    return all;
  }
  std::vector<std::string> texts(std::string_view name = "messages") const {
    std::vector<std::string> all;
    for (auto s : file["input"][name].get_array()) all.emplace_back(std::string_view(s));
    return all;
  }
};

/// An App in virtual time, and the trace its program writes.
class Replay {
 public:
  explicit Replay(const Case& c) : seed_(c.seed), case_log_(c.log) {}
  App app;

  template <class T>
  void note(std::string_view where, const T& value) {
    trace_.push_back("[" + json_of(where) + "," + json_of(value) + "]");
  }
  void note_json(std::string_view where, const std::string& value) {
    trace_.push_back("[" + json_of(where) + "," + value + "]");
  }
  void note(std::string_view where) { trace_.push_back("[" + json_of(where) + "]"); }
  /// A sink that writes itself into the trace.
  auto sink(const std::string& name) {
    return [this, where = "sink:" + name](const auto& value) { note(where, value); };
  }
  void at(Duration when, std::function<void()> what) { later_.emplace_back(when, std::move(what)); }

  /// Runs until the end, or for so long; says how it ended.
  std::string run(Duration cut_off = std::chrono::seconds(60)) {
    RuntimeConfig config;
    config.parallelism = 2;
    detail::SimulatedRun run(app.graph(), config, seed_,
                             [this](LogLevel level, std::string_view, std::string_view message) {
                               log_.add(level, message);
                               case_log_->add(level, message);
                             });
    run_ = &run;
    start_ = run.now();
    if (absl::Status s = run.open(); !s.ok()) return raised(s);
    for (const auto& [when, what] : later_) {
      run.advance_time(when - passed());
      what();
    }
    run.run_until_idle();
    while (!run.is_over() && passed() < cut_off)
      run.advance_time(std::min<Duration>(cut_off - passed(), kStep));
    run_ = nullptr;
    if (run.is_over())
      return run.status().ok() ? object({{"stream", json_of("ends")}}) : raised(run.status());
    const auto tenths = cut_off / std::chrono::milliseconds(100);
    return object({{"stream", json_of("does_not_end")},
                   {"cut_off_after_s", std::to_string(tenths / 10) + "." + std::to_string(tenths % 10)}});
  }
  /// Since the start, in virtual time.
  Duration passed() const { return std::chrono::duration_cast<Duration>(run_->now() - start_); }
  std::string trace() const {
    std::string all;
    for (const std::string& entry : trace_) all += (all.empty() ? "" : ",") + entry;
    return "[" + all + "]";
  }
  std::string log() const { return log_.json(); }
  /// {"end": …, "trace": …}
  std::string observed(Duration cut_off = std::chrono::seconds(60)) {
    const std::string end = run(cut_off);
    return object({{"end", end}, {"trace", trace()}});
  }

 private:
  static constexpr Duration kStep = std::chrono::milliseconds(50);
  static std::string raised(const absl::Status& s) {
    return object({{"stream", json_of("raises")},
                   {"exception", object({{"message", json_of({s.message().data(), s.message().size()})}})}});
  }
  const std::uint64_t seed_;
  const std::shared_ptr<Lines> case_log_;
  Lines log_;
  std::vector<std::string> trace_;
  std::vector<std::pair<Duration, std::function<void()>>> later_;
  detail::SimulatedRun* run_ = nullptr;
  std::chrono::nanoseconds start_{0};
};

/// Returns what was observed, as the case's file has it.
using Program = std::function<std::string(const Case&)>;
using Programs = std::map<std::string, Program>;

/// The values, each after the same pause.
template <class T>
AsyncGenerator<T> every(Duration pause, std::vector<T> values) {
  for (T& value : values) {
    co_await sleep(pause);
    co_yield std::move(value);
  }
}

}  // namespace slipstream::test
