#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <future>
#include <mutex>
#include <string>
#include <vector>

#include "child.h"
#include "fakes.h"
#include "waiting.h"

/// Stopping: what was read is written, what isn't known yet stays unsaid, and it ends in time.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::MatchesRegex;

struct Event {
  std::int64_t key = 0;
  EventTime at;
};
SLIPSTREAM_FIELDS(Event, key, at)

/// Events without end, a second apart; counts them.
Source<Event> endless(std::atomic<std::int64_t>& made) {
  return generate([&made]() {
    const std::int64_t n = made++;
    return std::optional<Event>(Event{n % 10, EventTime(std::chrono::seconds(n))});
  });
}

TEST(Stop, WritesAllThatWasRead) {
  for (const bool blocking : {false, true}) {
    App app;
    app.tune([](RuntimeConfig& c) { c.parallelism = c.threads = 2; });
    std::atomic<std::int64_t> made{0}, written{0};
    app.source(endless(made))
        .key_by(&Event::key)
        .count("count")
        .sink([&](const auto&) { ++written; }, {.blocking = blocking});
    auto run = app.start();
    ASSERT_TRUE(run.ok());
    ASSERT_TRUE(eventually([&] { return written > 10'000; }));
    EXPECT_FALSE((*run)->is_done());
    (*run)->stop();
    (*run)->stop();  // twice is once
    ASSERT_TRUE(end_of(**run).ok());
    EXPECT_EQ(made, written);
    EXPECT_EQ((*run)->metrics().in_flight_bytes, 0u);
    EXPECT_EQ((*run)->held_report(), "");
    EXPECT_EQ((*run)->metrics().partitions[0].state, "stopped");
  }
}

TEST(Stop, LeavesWindowsOpen) {
  App app;
  std::atomic<std::int64_t> made{0};
  std::int64_t counted = 0;
  app.source(endless(made))
      .event_time(&Event::at)
      .key_by(&Event::key)
      .window(tumbling(1h))
      .count("count")
      .sink([&](const Windowed<std::int64_t, std::int64_t>& w) { counted += w.value; });
  auto run = app.start();
  ASSERT_TRUE(run.ok());
  ASSERT_TRUE(eventually([&] { return made > 100'000; }));
  (*run)->stop();
  ASSERT_TRUE(end_of(**run).ok());
  // Whole hours, and not the one the watermark stands in.
  EXPECT_GT(counted, 0);
  EXPECT_EQ(counted % 3'600, 0);
  EXPECT_EQ(counted, (made - 1) / 3'600 * 3'600);
}

TEST(Stop, SaysWhatIsHeld) {
  auto journal = std::make_shared<Journal>();
  auto rows = std::make_shared<FakeSource>(FakeSource::Options{.name = "rows", .finished = false}, journal);
  auto weather =
      std::make_shared<FakeSource>(FakeSource::Options{.name = "weather", .finished = false}, journal);
  for (int i = 1; i <= 12; ++i) rows->push(std::to_string(i));
  App app;
  const auto time = [](const std::string& s) { return EventTime(std::chrono::seconds(std::stoi(s))); };
  auto right = app.source("weather", decoded(weather, text())).event_time(time);
  std::atomic<int> out{0};
  app.source("rows", decoded(rows, text()))
      .event_time(time)
      .key_by([](const std::string&) { return 1; })
      .as_of_join("row weather", right.key_by([](const std::string&) { return 1; }), {},
                  [](const std::string& l, const std::string*) { return l; })
      .sink([&](const std::string&) { ++out; });
  auto run = app.start();
  ASSERT_TRUE(run.ok());
  ASSERT_TRUE(eventually([&] { return (*run)->metrics().node("row weather")->held == 12; }));
  EXPECT_EQ((*run)->held_report(), "12 records held by 'row weather'");
  (*run)->stop();
  ASSERT_TRUE(end_of(**run).ok());
  EXPECT_EQ((*run)->held_report(), "12 records held by 'row weather'");
  EXPECT_EQ(out, 0);
}

TEST(Stop, FinishesAndClosesConnectorsAsAnEndDoes) {
  auto journal = std::make_shared<Journal>();
  auto source = std::make_shared<FakeSource>(FakeSource::Options{.name = "in", .finished = false}, journal);
  auto sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "out"}, journal);
  for (int i = 0; i < 100; ++i) source->push("x");
  App app;
  app.source(decoded(source, text())).sink(encoded(sink, text()));
  auto run = app.start();
  ASSERT_TRUE(run.ok());
  ASSERT_TRUE(eventually([&] { return sink->taken() == 100; }));
  (*run)->stop();
  EXPECT_TRUE(end_of(**run).ok());
  EXPECT_THAT(journal->ends(), ElementsAre("in open", "out open", "out finish", "out close", "in close"));
}

TEST(Stop, GivesUpOnASinkThatNeverDrains) {
  auto journal = std::make_shared<Journal>();
  auto sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "out", .room = 10}, journal);
  App app;
  app.tune([](RuntimeConfig& c) {
    c.drain_timeout = 300ms;
    c.memory_budget = 100'000;
    c.parallelism = c.threads = 2;
  });
  std::atomic<std::int64_t> made{0};
  app.source("events", endless(made))
      .map([](const Event& e) { return std::to_string(e.key); })
      .sink(encoded(sink, text()), {.name = "stuck"});
  auto run = app.start();
  ASSERT_TRUE(run.ok());
  ASSERT_TRUE(journal->wait_for("out is full"));
  (*run)->stop();
  const absl::Status status = end_of(**run);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(status.message()),
              MatchesRegex("not everything was drained within 0\\.3 s: [0-9]+ bytes in flight; still busy: "
                           "'stuck'( \\([0-9]+ bytes queued\\))?"));
  EXPECT_EQ((*run)->metrics().in_flight_bytes, 0u);
  EXPECT_EQ(journal->count("out finish"), 0u);
  EXPECT_EQ(journal->count("out close"), 1u);
}

TEST(Stop, IsWhatDestroyingARunDoes) {
  auto journal = std::make_shared<Journal>();
  auto source = std::make_shared<FakeSource>(FakeSource::Options{.name = "in", .finished = false}, journal);
  auto sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "out"}, journal);
  for (int i = 0; i < 1'000; ++i) source->push("x");
  App app;
  app.source(decoded(source, text())).sink(encoded(sink, text()));
  {
    auto run = app.start();
    ASSERT_TRUE(run.ok());
    ASSERT_TRUE(eventually([&] { return source->read_so_far() > 0; }));
  }
  EXPECT_EQ(static_cast<std::int64_t>(sink->taken()), source->read_so_far());
  EXPECT_EQ(journal->count("in close"), 1u);
}

TEST(SteppedRun, DrainsWhenStopped) {
  App app;
  std::atomic<std::int64_t> made{0}, written{0};
  app.source(endless(made)).key_by(&Event::key).count("count").sink([&](const auto&) { ++written; });
  auto run = app.start_stepped();
  ASSERT_TRUE(run.ok()) << run.status();
  while (written < 10'000) ASSERT_TRUE((*run)->step(1ms));
  EXPECT_TRUE((*run)->status().ok());
  (*run)->stop();
  while ((*run)->step(1ms)) {
  }
  EXPECT_TRUE((*run)->status().ok()) << (*run)->status();
  EXPECT_EQ(made, written);
  EXPECT_FALSE((*run)->step(1ms));
}

TEST(SteppedRun, MayBeGivenUp) {
  auto journal = std::make_shared<Journal>();
  auto source = std::make_shared<FakeSource>(FakeSource::Options{.name = "in", .finished = false}, journal);
  auto sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "out", .room = 1}, journal);
  for (int i = 0; i < 1'000; ++i) source->push("x");
  App app;
  app.source(decoded(source, text())).sink(encoded(sink, text()));
  {
    auto run = app.start_stepped();
    ASSERT_TRUE(run.ok()) << run.status();
    while (sink->taken() == 0) ASSERT_TRUE((*run)->step(1ms));
  }
  EXPECT_THAT(journal->ends(), ElementsAre("in open", "out open", "out close", "in close"));
}

// ---------------------------------------------------------------- signals

/// A program without end that says what it read and wrote.
int run_program(std::size_t sink_room) {
  const char* const argv[] = {"program", "--set", "runtime.drain_timeout=8s"};
  App app(3, argv);
  std::atomic<std::int64_t> made{0};
  auto journal = std::make_shared<Journal>();
  FakeSink::Options options{.name = "out", .room = sink_room};
  options.on_write = [said = false](std::size_t taken) mutable {
    if (taken == 0 || std::exchange(said, true)) return;
    std::puts("running");
    std::fflush(stdout);
  };
  auto sink = std::make_shared<FakeSink>(options, journal);
  app.source(endless(made))
      .map([](const Event& e) { return std::to_string(e.key); })
      .sink(encoded(sink, text()), {.name = "stuck"});
  const int code = app.main();
  std::printf("read %lld, wrote %zu\n", static_cast<long long>(made.load()), sink->taken());
  std::fflush(stdout);
  return code;
}

class Signal : public testing::TestWithParam<int> {};

TEST_P(Signal, DrainsAProgram) {
  if (Child::is_one()) std::_Exit(run_program(SIZE_MAX));
  const auto started = std::chrono::steady_clock::now();
  Child child;
  ASSERT_TRUE(child.prints("running\n")) << child.output();
  child.signal(GetParam());
  EXPECT_EQ(child.exit_code(), 0) << child.output();
  EXPECT_LT(std::chrono::steady_clock::now() - started, kPatience);
  long long read = -1, wrote = -2;
  std::sscanf(child.output().c_str() + child.output().find("read "), "read %lld, wrote %lld", &read, &wrote);
  EXPECT_EQ(read, wrote);
}

INSTANTIATE_TEST_SUITE_P(Numbers, Signal, testing::Values(SIGINT, SIGTERM),
                         [](const auto& info) { return info.param == SIGINT ? "Interrupt" : "Terminate"; });

TEST(Signals, TwoOfThemEndAProgramAtOnce) {
  if (Child::is_one()) std::_Exit(run_program(10));
  Child child;
  ASSERT_TRUE(child.prints("running\n")) << child.output();
  child.signal(SIGINT);
  child.signal(SIGTERM);  // two of one kind may become one
  EXPECT_EQ(child.exit_code(), 130) << child.output();
  EXPECT_NE(child.output().find("interrupted twice: ending without draining\n"), std::string::npos);
}

/// What has to come before it can be read never does.
class NeverOpen final : public RawSource {
 public:
  std::string name() const override { return "never"; }
  absl::Status open(const SourceEnv&) override {
    std::puts("opening");
    std::fflush(stdout);
    // Not a future: the thread sanitizer delivers no signal while a thread waits for one.
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable().wait(lock, [] { return false; });
    return absl::OkStatus();
  }
  int partition_count() const override { return 1; }
  absl::StatusOr<ReadState> read(int, const ReadLimits&, RawCollector&) override {
    return ReadState::finished;
  }
};

int open_forever() {
  const char* const argv[] = {"program", "--set", "runtime.drain_timeout=100ms"};
  App app(3, argv);
  app.source(decoded(std::make_shared<NeverOpen>(), text())).sink([](const std::string&) {});
  return app.main();
}

TEST(Signals, EndAProgramThatDoesNotComeToOpenItsSources) {
  if (Child::is_one()) std::_Exit(open_forever());
  Child child;
  ASSERT_TRUE(child.prints("opening\n")) << child.output();
  child.signal(SIGTERM);
  EXPECT_EQ(child.exit_code(), 1) << child.output();
  EXPECT_EQ(child.output().substr(child.output().find("program: ")),
            "program: stopped while it was opening its sources and sinks, which took more than 100ms; "
            "nothing was read\n");
}

TEST(Stop, SaysThatAFunctionDoesNotReturn) {
  App app;
  app.tune([](RuntimeConfig& c) { c.drain_timeout = 100ms; });
  std::promise<void> called, logged;
  app.log_to([&](LogLevel level, std::string_view, std::string_view message) {
    if (level != LogLevel::error) return;
    EXPECT_THAT(std::string(message),
                MatchesRegex("not drained within 0.1 s; waiting for a function to return: .*'slow'; a "
                             "second signal ends the program without"));
    logged.set_value();
  });
  app.source("one", from<int>({1}))
      .sink(
          [&](int) {
            called.set_value();
            logged.get_future().wait();
          },
          {.name = "slow", .blocking = true});
  auto run = app.start();
  ASSERT_TRUE(run.ok()) << run.status();
  called.get_future().wait();
  (*run)->stop();
  EXPECT_TRUE(absl::IsDeadlineExceeded((*run)->wait()));
}

/// Rows that wait in a join for weather which doesn't come.
int hold_rows() {
  const char* const argv[] = {"program"};
  App app(1, argv);
  auto journal = std::make_shared<Journal>();
  auto rows = std::make_shared<FakeSource>(FakeSource::Options{.name = "rows", .finished = false}, journal);
  auto weather =
      std::make_shared<FakeSource>(FakeSource::Options{.name = "weather", .finished = false}, journal);
  for (int i = 1; i <= 12; ++i) rows->push(std::to_string(i));
  const auto time = [](const std::string& s) { return EventTime(std::chrono::seconds(std::stoi(s))); };
  const auto key = [](const std::string&) { return 1; };
  auto left = app.source("rows", decoded(rows, text())).event_time(time);
  auto right = app.source("weather", decoded(weather, text())).event_time(time);
  left.sink([](const std::string& s) {
    if (s != "12") return;
    std::puts("running");
    std::fflush(stdout);
  });
  left.key_by(key)
      .as_of_join("row weather", right.key_by(key), {},
                  [](const std::string& l, const std::string*) { return l; })
      .sink([](const std::string&) {});
  return app.main();
}

TEST(Signals, LeaveWordOfWhatIsHeld) {
  if (Child::is_one()) std::_Exit(hold_rows());
  Child child;
  ASSERT_TRUE(child.prints("running\n")) << child.output();
  child.signal(SIGINT);
  EXPECT_EQ(child.exit_code(), 1) << child.output();
  EXPECT_NE(child.output().find(
                "program: stopped before everything was finished: 12 records held by 'row weather'\n"),
            std::string::npos)
      << child.output();
}

TEST(Signals, LeaveAProgramThatCannotDrainItsTime) {
  if (Child::is_one()) std::_Exit(run_program(10));
  Child child;
  ASSERT_TRUE(child.prints("running\n")) << child.output();
  const auto signalled = std::chrono::steady_clock::now();
  child.signal(SIGTERM);
  EXPECT_EQ(child.exit_code(), 1) << child.output();
  EXPECT_LT(std::chrono::steady_clock::now() - signalled, 10s) << "stuck sinks are reported within 10 s";
  EXPECT_NE(child.output().find("program: not everything was drained within 8.0 s: "), std::string::npos)
      << child.output();
}

}  // namespace
}  // namespace slipstream::test
