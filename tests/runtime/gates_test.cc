#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "fakes.h"
#include "probe.h"
#include "slipstream/testing.h"
#include "waiting.h"

/// Why partitions aren't read, and what a quiet one does to event time.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

struct Event {
  std::string key;
  EventTime at;
};
SLIPSTREAM_FIELDS(Event, key, at)

EventTime at(Duration d) { return EventTime(d); }

const PartitionMetrics& partition(const Metrics& m, const std::string& source, int number = 0) {
  for (const PartitionMetrics& p : m.partitions) {
    if (p.source == source && p.partition == number) return p;
  }
  static const PartitionMetrics none;
  ADD_FAILURE() << "no partition " << number << " of " << source;
  return none;
}

struct Outage {
  App app;
  SourceStream<Event> weather = app.source("weather", from(std::vector<Event>{})).event_time(&Event::at);
  SourceStream<Event> flights = app.source("flights", from(std::vector<Event>{}))
                                    .event_time(&Event::at)
                                    .depends_on(weather, {.max_lag = 10s});
  Outage() {
    weather.sink([](const Event&) {});
    flights.sink([](const Event&) {});
  }
};

TEST(DependsOn, HoldsWhatIsStrictlyMoreThanTheLagAhead) {
  Outage o;
  TestDriver driver(o.app, {.batch_max_records = 1});
  driver.push(o.weather, {"", at(100s)});
  for (int i = 0; i < 100; ++i) driver.push(o.flights, {"", at(i * 10s)});
  ASSERT_TRUE(driver.run().ok());
  // At 110 s it is exactly as far ahead as it may be, so 120 s is read.
  EXPECT_EQ(partition(driver.metrics(), "flights").watermark, at(120s));
  EXPECT_THAT(partition(driver.metrics(), "flights").gates, ElementsAre("weather"));

  driver.push(o.weather, {"", at(500s)});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_EQ(partition(driver.metrics(), "flights").watermark, at(520s));
}

TEST(DependsOn, LetsGoWhenTheOtherFinishes) {
  Outage o;
  TestDriver driver(o.app, {.batch_max_records = 1});
  driver.push(o.weather, {"", at(100s)});
  for (int i = 0; i < 100; ++i) driver.push(o.flights, {"", at(i * 10s)});
  driver.finish(o.flights);
  EXPECT_EQ(driver.run_to_end().message(), "the run waits for something: a source hasn't finished");
  driver.finish(o.weather);
  ASSERT_TRUE(driver.run_to_end().ok());
  EXPECT_EQ(partition(driver.metrics(), "flights").records, 100u);
  EXPECT_THAT(partition(driver.metrics(), "flights").gates, IsEmpty());
  EXPECT_EQ(partition(driver.metrics(), "flights").state, "finished");
}

TEST(DependsOn, HoldsOnlyThePartitionsThatAreAhead) {
  Outage o;
  TestDriver driver(o.app, {.batch_max_records = 1, .partitions = 2});
  driver.push(o.weather, {"", at(100s)}, 0);
  driver.push(o.weather, {"", at(100s)}, 1);
  for (int i = 0; i < 10; ++i) {
    driver.push(o.flights, {"", at(1h)}, 0);
    driver.push(o.flights, {"", at(5s)}, 1);
  }
  ASSERT_TRUE(driver.run().ok());
  const Metrics m = driver.metrics();
  EXPECT_EQ(partition(m, "flights", 0).records, 1u);
  EXPECT_THAT(partition(m, "flights", 0).gates, ElementsAre("weather"));
  EXPECT_EQ(partition(m, "flights", 1).records, 10u);
  EXPECT_THAT(partition(m, "flights", 1).gates, IsEmpty());
}

TEST(DependsOn, FollowsTheSlowestPartitionOfTheOther) {
  Outage o;
  TestDriver driver(o.app, {.batch_max_records = 1, .partitions = 2});
  driver.push(o.weather, {"", at(1h)}, 0);
  for (int i = 0; i < 10; ++i) driver.push(o.flights, {"", at(i * 1s)}, 0);
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(partition(driver.metrics(), "flights").gates, ElementsAre("weather"))
      << "nothing is known of partition 1";
  driver.push(o.weather, {"", at(1h)}, 1);
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(partition(driver.metrics(), "flights").gates, IsEmpty());
  EXPECT_EQ(partition(driver.metrics(), "flights").records, 10u);
}

// That everything of the other is read proves nothing about what is coming.
TEST(DependsOn, HoldsWhileNothingIsKnownOfTheOther) {
  for (const bool by_end : {false, true}) {
    Outage o;
    TestDriver driver(o.app, {.batch_max_records = 1});
    driver.skip_to(o.weather, 0, 0);
    for (int i = 0; i < 10; ++i) driver.push(o.flights, {"", at(i * 1s)});
    ASSERT_TRUE(driver.advance_time(24h).ok());
    EXPECT_EQ(partition(driver.metrics(), "weather").state, "caught up");
    EXPECT_EQ(partition(driver.metrics(), "flights").records, 1u)
        << "until it has read it doesn't know it is ahead";
    EXPECT_THAT(partition(driver.metrics(), "flights").gates, ElementsAre("weather"));

    by_end ? driver.finish(o.weather) : driver.push(o.weather, {"", at(0s)});
    ASSERT_TRUE(driver.run().ok());
    EXPECT_EQ(partition(driver.metrics(), "flights").records, 10u);
    EXPECT_THAT(partition(driver.metrics(), "flights").gates, IsEmpty());
  }
}

TEST(DependsOn, NamesAllThatAreWaitedFor) {
  App app;
  auto weather = app.source("weather", from(std::vector<Event>{})).event_time(&Event::at);
  auto traffic = app.source("traffic", from(std::vector<Event>{})).event_time(&Event::at);
  auto flights = app.source("flights", from(std::vector<Event>{}))
                     .event_time(&Event::at)
                     .depends_on(weather, {.max_lag = 10s})
                     .depends_on(traffic, {.max_lag = 10s});
  TestDriver driver(app, {.batch_max_records = 1});
  driver.push(weather, {"", at(0s)});
  driver.push(traffic, {"", at(0s)});
  for (int i = 0; i < 3; ++i) driver.push(flights, {"", at(100s)});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(partition(driver.metrics(), "flights").gates, ElementsAre("weather", "traffic"));
  driver.push(traffic, {"", at(100s)});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(partition(driver.metrics(), "flights").gates, ElementsAre("weather"));
  driver.push(traffic, {"", at(100s)});
  driver.push(weather, {"", at(100s)});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(partition(driver.metrics(), "flights").gates, IsEmpty());
}

TEST(Gates, GoWhenTheRunIsStoppedOrFails) {
  for (const bool fails : {false, true}) {
    auto journal = std::make_shared<Journal>();
    auto silent =
        std::make_shared<FakeSource>(FakeSource::Options{.name = "weather", .finished = false}, journal);
    App app;
    auto weather =
        app.source("weather", decoded(silent, text())).event_time([](const std::string&) { return at(0s); });
    std::vector<Event> all;
    for (int i = 0; i < 100; ++i) all.push_back({"", at(i * 1s)});
    app.source("flights", from(all)).event_time(&Event::at).depends_on(weather).sink([](const Event&) {});
    RuntimeConfig config;
    config.batch_max_records = 1;
    detail::SimulatedRun run(app.graph(), config, 1, {});
    ASSERT_TRUE(run.open().ok());
    run.run_until_idle();
    EXPECT_THAT(partition(run.metrics(), "flights").gates, ElementsAre("weather"));

    fails ? silent->env().fail(absl::UnavailableError("gone")) : run.stop();
    run.run_until_idle();
    EXPECT_EQ(run.status(), fails ? absl::UnavailableError("weather: gone") : absl::OkStatus());
    EXPECT_THAT(partition(run.metrics(), "flights").gates, IsEmpty());
    EXPECT_EQ(partition(run.metrics(), "flights").state, fails ? "active" : "stopped");
  }
}

// Over the budget only those ahead of the laggard stop: nothing but its progress can free the state.
TEST(MemoryGate, NeverStopsTheLaggard) {
  App app;
  auto left = app.source("left", from(std::vector<Event>{})).event_time(&Event::at);
  auto right = app.source("right", from(std::vector<Event>{})).event_time(&Event::at);
  auto joined = left.key_by(&Event::key)
                    .as_of_join("join", right.key_by(&Event::key), {},
                                [](const Event& l, const Event*) { return l.at; });
  TestDriver driver(app, {.batch_max_records = 1, .memory_budget = 10'000});
  auto out = driver.watch(joined);
  driver.push(right, {"a", at(0s)});
  for (int i = 0; i < 1'000; ++i) driver.push(left, {"a", at(i * 1s)});
  ASSERT_TRUE(driver.advance_time(1s).ok());
  EXPECT_EQ(driver.metrics().node("join")->held, 1'000u) << "the first look at the state comes later";

  for (int i = 1'000; i < 2'000; ++i) driver.push(left, {"a", at(i * 1s)});
  ASSERT_TRUE(driver.advance_time(1s).ok());
  EXPECT_EQ(partition(driver.metrics(), "left").records, 1'000u);
  EXPECT_THAT(partition(driver.metrics(), "left").gates, ElementsAre("memory"));
  EXPECT_THAT(partition(driver.metrics(), "right").gates, IsEmpty());

  driver.push(right, {"a", at(990s)});
  ASSERT_TRUE(driver.advance_time(1s).ok());
  EXPECT_EQ(out->values.size(), 990u);
  EXPECT_EQ(partition(driver.metrics(), "left").records, 2'000u);

  driver.finish(left);
  driver.finish(right);
  ASSERT_TRUE(driver.run_to_end().ok());
  EXPECT_EQ(out->values.size(), 2'000u);
  EXPECT_THAT(partition(driver.metrics(), "left").gates, IsEmpty());
}

TEST(MemoryGate, LetsAJoinFinishWithAnyBudget) {
  for (const std::size_t budget : {std::size_t{1}, std::size_t{1'000}, std::size_t{100'000}}) {
    App app;
    app.tune([&](RuntimeConfig& c) {
      c.memory_budget = budget;
      c.parallelism = c.threads = 2;
      c.batch_max_records = 16;
    });
    std::vector<std::vector<Event>> many(2);
    std::vector<Event> few;
    for (int i = 0; i < 2'000; ++i) {
      many[static_cast<std::size_t>(i % 2)].push_back({std::to_string(i % 5), at(i * 1s)});
      if (i % 10 == 0) few.push_back({std::to_string(i % 5), at(i * 1s)});
    }
    int results = 0;
    auto left = app.source("left", from_partitions(many)).event_time(&Event::at);
    auto right = app.source("right", from(few)).event_time(&Event::at);
    left.key_by(&Event::key)
        .as_of_join("join", right.key_by(&Event::key), {}, [](const Event& l, const Event*) { return l.at; })
        .sink([&](EventTime) { ++results; });
    const Ended end = run_to_end(app);
    EXPECT_TRUE(end.status.ok()) << end.status;
    EXPECT_EQ(results, 2'000);
    for (const PartitionMetrics& p : end.metrics.partitions) EXPECT_THAT(p.gates, IsEmpty());
  }
}

struct Counts {
  App app;
  std::vector<std::string> log;
  SourceStream<Event> events;
  std::unique_ptr<TestDriver> driver;
  std::shared_ptr<detail::Collected<Windowed<std::string, std::int64_t>>> out;

  explicit Counts(WhenQuiet quiet, int parallelism = 1, int partitions = 1)
      : events(
            app.source("events", from(std::vector<Event>{})).event_time(&Event::at, {.when_quiet = quiet})) {
    auto counts = events.key_by(&Event::key).window(tumbling(60s)).count("counts");
    TestOptions options;
    options.parallelism = parallelism;
    options.partitions = partitions;
    options.log = [this](LogLevel level, std::string_view component, std::string_view message) {
      log.push_back(std::string(to_string(level)) + " " + std::string(component) + ": " +
                    std::string(message));
    };
    driver = std::make_unique<TestDriver>(app, options);
    out = driver->watch(counts);
  }
};

TEST(QuietPartition, HoldsTheWindowUntilItFinishes) {
  Counts c(WhenQuiet::hold());
  c.driver->push(c.events, {"a", at(10s)});
  ASSERT_TRUE(c.driver->advance_time(24h).ok());
  EXPECT_EQ(partition(c.driver->metrics(), "events").state, "caught up");
  EXPECT_TRUE(c.out->values.empty()) << "reading everything proves nothing about what is coming";
  c.driver->finish(c.events);
  ASSERT_TRUE(c.driver->run_to_end().ok());
  EXPECT_EQ(c.out->values.size(), 1u);
}

TEST(QuietPartition, HoldsTheOthersBack) {
  Counts c(WhenQuiet::hold(), 1, 2);
  c.driver->push(c.events, {"a", at(10s)}, 0);
  c.driver->push(c.events, {"a", at(600s)}, 1);
  ASSERT_TRUE(c.driver->advance_time(24h).ok());
  EXPECT_TRUE(c.out->values.empty());
  c.driver->push(c.events, {"a", at(61s)}, 0);
  ASSERT_TRUE(c.driver->run().ok());
  EXPECT_EQ(c.out->values.size(), 1u);
}

TEST(QuietPartition, AdvancesWithTheClockWhenTold) {
  Counts c(WhenQuiet::advance(30s));
  c.driver->push(c.events, {"a", at(50s)});
  ASSERT_TRUE(c.driver->advance_time(29s).ok());
  EXPECT_EQ(partition(c.driver->metrics(), "events").watermark, at(50s));
  ASSERT_TRUE(c.driver->advance_time(2s).ok());
  EXPECT_EQ(partition(c.driver->metrics(), "events").watermark, at(80s)) << "the time it was quiet for";
  ASSERT_EQ(c.out->values.size(), 1u);

  // A record behind the advanced watermark is late, though it is the newest.
  c.driver->push(c.events, {"a", at(55s)});
  ASSERT_TRUE(c.driver->run().ok());
  EXPECT_EQ(c.driver->metrics().node("counts")->late, 1u);
  c.driver->finish(c.events);
  ASSERT_TRUE(c.driver->run_to_end().ok());
  EXPECT_EQ(c.out->values.size(), 1u);
}

// Each advance is a message to all lanes, so they come in steps of 10 ms at least and not as fast as the lane
// can.
TEST(QuietPartition, AdvancesInSteps) {
  App app;
  app.tune([](RuntimeConfig& c) { c.parallelism = 1; });  // the probe is told once
  std::int64_t advances = 0;
  EventTime watermark = kMinTime;
  ProbeHooks<std::string> hooks;
  hooks.on_watermark = [&](std::uint32_t, EventTime to) {
    ++advances;
    watermark = to;
  };
  auto journal = std::make_shared<Journal>();
  auto source = std::make_shared<FakeSource>(FakeSource::Options{.finished = false}, journal);
  source->push("only one");
  auto rows =
      app.source("rows", decoded(source, text()))
          .event_time([](const std::string&) { return at(0s); }, {.when_quiet = WhenQuiet::advance(0s)});
  probe(
      rows, "probe", [](const std::string&) { return 0; }, hooks)
      .sink([](const std::string&) {});
  auto run = app.start_stepped();
  ASSERT_TRUE(run.ok()) << run.status();
  while (watermark < at(100ms)) (*run)->step(1ms);
  EXPECT_LE(advances, (watermark - at(0s)) / 10ms + 2) << "up to " << (watermark - at(0s)) / 1ms << " ms";
}

// A gate looks at partitions, not at lanes, whose watermark may be held back by a retry.
TEST(QuietPartition, LetsDependentsGoThoughARetryWaits) {
  App app;
  auto weather = app.source("weather", from(std::vector<Event>{}))
                     .event_time(&Event::at, {.when_quiet = WhenQuiet::advance(1s)});
  weather
      .map([](const Event& e) {
        if (e.key == "bad") throw std::runtime_error("not yet");
        return e;
      })
      .on_error(ErrorPolicy::retry(1, 1min, ErrorPolicy::Action::skip))
      .sink([](const Event&) {});
  auto flights = app.source("flights", from(std::vector<Event>{}))
                     .event_time(&Event::at)
                     .depends_on(weather, {.max_lag = 10s});
  TestDriver driver(app, {.batch_max_records = 1});
  driver.push(weather, {"bad", at(0s)});
  for (int i = 0; i < 3; ++i) driver.push(flights, {"", at(30s)});
  ASSERT_TRUE(driver.advance_time(19s).ok());
  EXPECT_THAT(partition(driver.metrics(), "flights").gates, ElementsAre("weather"));
  ASSERT_TRUE(driver.advance_time(2s).ok());
  EXPECT_THAT(partition(driver.metrics(), "flights").gates, IsEmpty());
  EXPECT_EQ(partition(driver.metrics(), "flights").records, 3u);
}

TEST(QuietPartition, RaisesTheAlarmOncePerSpell) {
  Counts c(WhenQuiet::alarm(30s));
  c.driver->push(c.events, {"a", at(10s)});
  ASSERT_TRUE(c.driver->advance_time(10min).ok());
  const std::string warning = "warning events: pushed records partition 0 has had nothing for 30.0 s";
  EXPECT_THAT(c.log, ElementsAre(warning));
  EXPECT_TRUE(c.out->values.empty());
  c.driver->push(c.events, {"a", at(11s)});
  ASSERT_TRUE(c.driver->advance_time(10min).ok());
  EXPECT_THAT(c.log, ElementsAre(warning, warning));
}

}  // namespace
}  // namespace slipstream::test
