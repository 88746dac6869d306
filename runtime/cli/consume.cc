#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>

#include "runtime/cli/command.h"
#include "runtime/cli/json_lines.h"
#include "runtime/stop_signals.h"
#include "slipstream/detail/mutex.h"
#include "slipstream/detail/units.h"

namespace slipstream::cli {
namespace {

constexpr Option kFrom = {"--from", "beginning|end|OFFSET",
                          "where to begin in every partition (default: beginning)"};
constexpr Option kWait = {"--wait-for-topic", "DURATION",
                          "how long TOPIC may be missing, e.g. 30s (default: not at all)"};
constexpr Option kUntilEnd = {"--until-end", "", "end after the records that are there now"};

absl::StatusOr<kafka::Start> parse_start(const std::string& text) {
  if (text == "beginning") return kafka::Start::beginning();
  if (text == "end") return kafka::Start::end();
  std::int64_t offset = -1;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, offset);
  if (parsed.ptr == end && offset >= 0) return kafka::Start::offset(offset);
  return absl::InvalidArgumentError("--from expects beginning, end or an offset, found '" +
                                    detail::one_line(text) + "'");
}

EventTime now() { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }

/// What ends or wakes the reading loop, from other threads.
class Events {
 public:
  void wake_at(EventTime time) {
    const detail::MutexLock lock(mutex_);
    wake_at_ = std::min(wake_at_, time);
    changed_.notify_one();
  }
  void end(absl::Status status) {
    const detail::MutexLock lock(mutex_);
    if (!ended_) ended_ = std::move(status);
    changed_.notify_one();
  }
  /// Waits for either; the status once it is over.
  std::optional<absl::Status> wait() {
    detail::MutexLock lock(mutex_);
    while (!ended_ && wake_at_ > now()) {
      if (wake_at_ == kMaxTime) {
        lock.wait(changed_);
      } else {
        lock.wait_until(changed_, wake_at_);
      }
    }
    wake_at_ = kMaxTime;
    return ended_;
  }

 private:
  detail::Mutex mutex_;
  std::condition_variable changed_;
  EventTime wake_at_ SLIPSTREAM_GUARDED_BY(mutex_) = kMinTime;
  std::optional<absl::Status> ended_ SLIPSTREAM_GUARDED_BY(mutex_);
};

class Printer : public RawCollector {
 public:
  void add(std::span<const RawRecord> records) override {
    for (const RawRecord& record : records) {
      if (status_.ok()) status_ = writer_.write(record, partition_, text_);
    }
  }
  void begin(int partition) { partition_ = partition; }
  absl::Status end() {
    if (status_.ok() && !text_.empty()) status_ = print(text_);
    text_.clear();
    return status_;
  }

 private:
  LineWriter writer_;
  int partition_ = 0;
  std::string text_;
  absl::Status status_;
};

SourceEnv environment(const RuntimeConfig& config, Events& events) {
  SourceEnv env;
  env.wake = [&events] { events.wake_at(kMinTime); };
  env.fail = [&events](absl::Status status) { events.end(std::move(status)); };
  env.log = stderr_log(config.log_level);
  env.memory_budget = config.memory_budget;
  env.now = now;
  env.wake_at = [&events](EventTime time) { events.wake_at(time); };
  return env;
}

/// Reads every partition that isn't finished once; true when all are.
absl::StatusOr<bool> read_all(RawSource& source, Printer& printer, std::vector<bool>& finished,
                              Events& events) {
  constexpr ReadLimits kLimits{1000, 1 << 20};
  for (std::size_t partition = 0; partition < finished.size(); ++partition) {
    if (finished[partition]) continue;
    printer.begin(static_cast<int>(partition));
    const absl::StatusOr<ReadState> state = source.read(static_cast<int>(partition), kLimits, printer);
    if (!state.ok()) return state.status();
    if (absl::Status status = printer.end(); !status.ok()) return status;
    finished[partition] = *state == ReadState::finished;
    if (*state == ReadState::more) events.wake_at(kMinTime);
  }
  return std::find(finished.begin(), finished.end(), false) == finished.end();
}

absl::Status print_records(RawSource& source, Events& events) {
  Printer printer;
  std::vector<bool> finished(static_cast<std::size_t>(source.partition_count()), false);
  while (true) {
    if (const std::optional<absl::Status> ended = events.wait()) return *ended;
    const absl::StatusOr<bool> is_finished = read_all(source, printer, finished, events);
    if (!is_finished.ok() || *is_finished) return is_finished.status();
  }
}

absl::StatusOr<std::chrono::milliseconds> parse_wait(const std::string& text) {
  const std::optional<Duration> wait = detail::parse_duration(text);
  if (wait) return std::chrono::ceil<std::chrono::milliseconds>(*wait);
  return absl::InvalidArgumentError("--wait-for-topic expects a duration such as 500ms, 10s or 2h, found '" +
                                    detail::one_line(text) + "'");
}

absl::StatusOr<kafka::SourceOptions> source_options(const Invocation& invocation) {
  const kafka::ClientOptions client = client_options(invocation);
  kafka::SourceOptions options;
  options.brokers = client.brokers;
  options.connect_timeout = client.connect_timeout;
  options.settings = client.settings;
  options.until_end = invocation.has(kUntilEnd.name);
  const auto start = parse_start(invocation.value(kFrom.name).value_or("beginning"));
  if (!start.ok()) return start.status();
  options.start = *start;
  const auto wait = parse_wait(invocation.value(kWait.name).value_or("0"));
  if (!wait.ok()) return wait.status();
  options.wait_for_topic = *wait;
  return options;
}

absl::Status consume(const Invocation& invocation) {
  const absl::StatusOr<kafka::SourceOptions> options = source_options(invocation);
  if (!options.ok()) return options.status();
  Events events;
  const auto source = kafka::raw_source(invocation.arguments[0], *options);
  if (absl::Status status = source->open(environment(invocation.config.runtime(), events)); !status.ok())
    return with_way_out(status, "create it, or wait for it with --wait-for-topic 30s");
  // Not before: until now a signal may simply end the program.
  const auto signals = StopSignals::install([&events] { events.end(absl::OkStatus()); });
  if (!signals.ok()) return signals.status();
  const absl::Status printed = print_records(*source, events);
  const absl::Status closed = source->close();
  return printed.ok() ? closed : printed;
}

}  // namespace

int run_consume(int argc, const char* const* argv) {
  return run_command(
      {.name = "consume",
       .arguments = {"TOPIC"},
       .about = "Prints the records of all partitions of TOPIC as lines of JSON, in the form that produce\n"
                "reads, until SIGINT or SIGTERM.",
       .options = {kFrom, kUntilEnd, kWait, kBrokers},
       .run = consume},
      argc, argv);
}

}  // namespace slipstream::cli
