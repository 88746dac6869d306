#include "slipstream/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "files/scratch.h"
#include "mistaken.h"
#include "slipstream/async_source.h"
#include "slipstream/slipstream.h"
#include "slipstream/testing.h"

/// Streams kept in step: pulses, heartbeats, outages, recoveries.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

EventTime at(Duration d) { return EventTime(d); }

struct Event {
  EventTime time;
  std::string what;
};
SLIPSTREAM_FIELDS(Event, time, what)

std::vector<Event> events(std::vector<std::pair<Duration, std::string>> all) {
  std::vector<Event> made;
  for (auto& [time, what] : all) made.push_back({at(time), what});
  return made;
}

/// Keeps what it is given; for restarts.
class MemoryStore final : public CheckpointStore {
 public:
  std::map<std::string, std::string, std::less<>> kept;
  absl::Status failure;
  absl::StatusOr<std::optional<std::string>> load(std::string_view key) override {
    const auto it = kept.find(key);
    return it == kept.end() ? std::nullopt : std::optional(it->second);
  }
  absl::Status save(std::string_view key, std::string_view bytes) override {
    if (!failure.ok()) return failure;
    kept[std::string(key)] = bytes;
    return absl::OkStatus();
  }
};

/// Activities that need the weather: a checkpoint by hand.
struct ByHand {
  App app;
  SourceStream<Event> activities = app.source("activities", from(std::vector<Event>{}));
  SourceStream<Event> weather = app.source("weather", from(std::vector<Event>{}));
  std::vector<std::string> calls;
  Checkpoint<Event, int> checkpoint;

  explicit ByHand(std::vector<std::string> names = {"weather"}, CheckpointOptions<Event, int> options = {},
                  DowntimeOptions<Event> downtime = {.downtime_threshold = 10s})
      : checkpoint(make(names, options, downtime)) {}
  detail::SourceSwitch& by_hand() { return *activities.outputs().front().from->source_switch; }

 private:
  Checkpoint<Event, int> make(const std::vector<std::string>& names, CheckpointOptions<Event, int> options,
                              const DowntimeOptions<Event>& downtime) {
    std::vector<Dependency> all;
    for (const std::string& name : names) all.push_back(dependency(name, weather, downtime));
    if (!options.on_downtime)
      options.on_downtime = [this](const Outage<int>& o) { calls.push_back("down " + o.dependency); };
    if (!options.on_recovery)
      options.on_recovery = [this](const Outage<int>& o) { calls.push_back("back " + o.dependency); };
    return app.checkpoint<int>("activity", activities, all, options);
  }
};

// ---------------------------------------------------------------- by hand

TEST(Checkpoint, IsHealthyUpToTheThreshold) {
  ByHand c;
  c.checkpoint.check_pulse(at(100s), 1);  // the weather was never heard of: it counts from here
  EXPECT_EQ(c.checkpoint.check_pulse(at(110s), 2), Downtime{});
  EXPECT_EQ(c.checkpoint.check_pulse(at(111s), 3), (Downtime{{"weather", 11s}}));
  EXPECT_EQ(c.checkpoint.check_pulse(at(130s), 4), (Downtime{{"weather", 30s}}));
  EXPECT_EQ(c.checkpoint.downtime(), (Downtime{{"weather", 30s}}));
  EXPECT_THAT(c.calls, ElementsAre("down weather"));
}

TEST(Checkpoint, RecoversWhenTheDependencyIsNewerThanTheDependent) {
  ByHand c;
  c.checkpoint.check_pulse(at(100s), 1);
  c.checkpoint.check_pulse(at(120s), 2);
  EXPECT_TRUE(c.by_hand().is_paused());
  for (const auto& [time, is_late] : {std::pair(110s, true), std::pair(120s, true), std::pair(121s, false)}) {
    const auto beat = c.checkpoint.heartbeat(at(time));
    ASSERT_TRUE(beat.ok());
    EXPECT_EQ(beat->is_late, is_late) << time.count();
    EXPECT_EQ(beat->dependent_marker, at(120s));
    EXPECT_EQ(beat->dependency_marker, at(time));
  }
  EXPECT_FALSE(c.by_hand().is_paused());
  EXPECT_THAT(c.calls, ElementsAre("down weather", "back weather"));
}

TEST(Checkpoint, MovesMarkersOnlyForward) {
  ByHand c;
  c.checkpoint.check_pulse(at(100s), 1);
  c.checkpoint.check_pulse(at(50s), 2);
  EXPECT_EQ(c.checkpoint.marker(), at(100s));
  EXPECT_EQ(c.checkpoint.state(), 2);
  EXPECT_EQ(c.checkpoint.heartbeat(at(200s))->dependency_marker, at(200s));
  EXPECT_EQ(c.checkpoint.heartbeat(at(150s))->dependency_marker, at(200s));
}

TEST(Checkpoint, TellsOfEveryDependencyThatIsDown) {
  ByHand c({"weather", "traffic"});
  c.checkpoint.check_pulse(at(100s), 1);
  ASSERT_TRUE(c.checkpoint.heartbeat(at(105s), "traffic").ok());
  EXPECT_EQ(c.checkpoint.check_pulse(at(112s), 2), (Downtime{{"weather", 12s}}));
  EXPECT_EQ(c.checkpoint.check_pulse(at(120s), 3), (Downtime{{"traffic", 15s}, {"weather", 20s}}));
  EXPECT_FALSE(c.checkpoint.heartbeat(at(121s), "weather")->is_late);
  EXPECT_TRUE(c.by_hand().is_paused());
  EXPECT_FALSE(c.checkpoint.heartbeat(at(121s), "traffic")->is_late);
  EXPECT_FALSE(c.by_hand().is_paused());
  EXPECT_THAT(c.calls, ElementsAre("down weather", "down traffic", "back traffic"));
}

TEST(Checkpoint, KeepsTheStateOfTheLastBeatBesideTheDependency) {
  ByHand c;
  c.checkpoint.check_pulse(at(100s), 1);
  c.checkpoint.check_pulse(at(101s), 2);
  ASSERT_TRUE(c.checkpoint.heartbeat(at(101s)).ok());
  c.checkpoint.check_pulse(at(102s), 3);
  c.checkpoint.check_pulse(at(103s));
  const auto weather = c.checkpoint.dependency("weather");
  ASSERT_TRUE(weather.ok());
  EXPECT_EQ(weather->state, 2);
  EXPECT_EQ(weather->marker, at(101s));
  EXPECT_FALSE(weather->is_down);
  EXPECT_EQ(c.checkpoint.state(), 3);
}

TEST(Checkpoint, FindsOutagesWithoutPausing) {
  ByHand c({"weather"}, {.pause_dependent = false});
  c.checkpoint.check_pulse(at(100s), 1);
  EXPECT_EQ(c.checkpoint.check_pulse(at(111s), 2), (Downtime{{"weather", 11s}}));
  EXPECT_FALSE(c.by_hand().is_paused());
  EXPECT_TRUE(c.checkpoint.heartbeat(at(111s))->is_late);
  EXPECT_FALSE(c.checkpoint.heartbeat(at(112s))->is_late);
  EXPECT_THAT(c.calls, ElementsAre("down weather", "back weather"));
}

TEST(Checkpoint, MayBeCalledFromItsCallbacks) {
  std::vector<std::string> seen;
  ByHand* hand = nullptr;
  ByHand c({"weather"}, {.on_downtime =
                             [&](const Outage<int>& o) {
                               seen.push_back("down at " + std::to_string(hand->checkpoint.state()));
                               EXPECT_FALSE(hand->checkpoint.heartbeat(o.dependent_marker + 1s)->is_late);
                               seen.push_back("beaten");
                             },
                         .on_recovery = [&](const Outage<int>&) { seen.push_back("back"); }});
  hand = &c;
  c.checkpoint.check_pulse(at(100s), 1);
  c.checkpoint.check_pulse(at(120s), 2);
  EXPECT_THAT(seen, ElementsAre("down at 2", "beaten", "back"));
  EXPECT_FALSE(c.by_hand().is_paused());
}

TEST(Checkpoint, IsDownThoughTheCallbackThrows) {
  ByHand c({"weather"}, {.on_downtime = [](const Outage<int>&) { throw std::runtime_error("no pager"); }});
  c.checkpoint.check_pulse(at(100s), 1);
  EXPECT_THROW(c.checkpoint.check_pulse(at(120s), 2), std::runtime_error);
  EXPECT_TRUE(c.checkpoint.dependency("weather")->is_down);
  ASSERT_TRUE(c.checkpoint.heartbeat(at(121s)).ok());
  EXPECT_FALSE(c.by_hand().is_paused());
}

TEST(Checkpoint, PausesForAnOutageThoughAnotherDependencysCheckThrows) {
  App app;
  auto activities = app.source("activities", from(std::vector<Event>{}));
  auto weather = app.source("weather", from(std::vector<Event>{}));
  std::vector<std::string> down;
  auto checkpoint = app.checkpoint<int>(
      "activity", activities,
      {dependency("weather", weather, {.downtime_threshold = 10s}),
       dependency("map", weather, {.is_down = [](const Markers&) -> std::optional<Duration> {
                    throw std::runtime_error("no map");
                  }})},
      {.on_downtime = [&](const Outage<int>& o) { down.push_back(o.dependency); }});
  checkpoint.heartbeat(at(100s), "weather").IgnoreError();
  checkpoint.heartbeat(at(100s), "map").IgnoreError();
  EXPECT_THROW(checkpoint.check_pulse(at(150s), 1), std::runtime_error);
  EXPECT_THAT(down, ElementsAre("weather"));
  EXPECT_TRUE(activities.outputs().front().from->source_switch->is_paused());
}

TEST(Checkpoint, SaysWhichDependencyItDoesNotHave) {
  ByHand c({"weather", "traffic"});
  EXPECT_EQ(c.checkpoint.heartbeat(at(1s), "tide").status(),
            absl::NotFoundError("checkpoint 'activity' has no dependency 'tide'"));
  EXPECT_EQ(c.checkpoint.heartbeat(at(1s)).status(),
            absl::InvalidArgumentError(
                "checkpoint 'activity' has 2 dependencies: say which one the heartbeat is of"));
  EXPECT_EQ(c.checkpoint.dependency("tide").status(),
            absl::NotFoundError("checkpoint 'activity' has no dependency 'tide'"));
}

TEST(Checkpoint, AsksChecksOfTheUsers) {
  ByHand c({"weather"}, {},
           {.is_down = [](const Markers& m) -> std::optional<Duration> {
              if (m.dependent - m.dependency > 3s) return m.dependent - m.dependency;
              return std::nullopt;
            },
            .is_recovered = [](const Markers& m) { return m.dependency >= m.dependent; }});
  c.checkpoint.check_pulse(at(100s), 1);
  EXPECT_EQ(c.checkpoint.check_pulse(at(104s), 1), (Downtime{{"weather", 4s}}));
  EXPECT_TRUE(c.checkpoint.heartbeat(at(103s))->is_late);
  EXPECT_FALSE(c.checkpoint.heartbeat(at(104s))->is_late);
}

TEST(Checkpoint, TakesPulsesAndBeatsFromManyThreads) {
  std::vector<std::string> calls;  // callbacks run one at a time
  ByHand c({"weather"}, {.on_downtime = [&](const Outage<int>&) { calls.push_back("down"); },
                         .on_recovery = [&](const Outage<int>&) { calls.push_back("back"); }});
  c.checkpoint.check_pulse(at(0s), 0);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 1; i <= 2'000; ++i) {
        const EventTime marker = at(std::chrono::seconds(20 * i));
        if (t % 2 == 0) {
          c.checkpoint.check_pulse(marker, i);
        } else {
          EXPECT_TRUE(c.checkpoint.heartbeat(marker).ok());
        }
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_FALSE(c.checkpoint.heartbeat(at(100'000s))->is_late);
  EXPECT_FALSE(c.by_hand().is_paused());
  for (std::size_t i = 0; i < calls.size(); ++i) EXPECT_EQ(calls[i], i % 2 == 0 ? "down" : "back") << i;
  EXPECT_EQ(calls.size() % 2, 0u) << "the last outage is over";
}

// ---------------------------------------------------------------- against a model

/// The same, as slowly and plainly as can be: all that was ever handled is kept.
class Model {
 public:
  struct Handled {
    EventTime marker;
    std::int64_t offset;
  };
  struct OneDependency {
    std::optional<EventTime> marker;
    std::set<int> ahead;
    std::optional<EventTime> marker_when_down;
    Duration downtime{0};
  };
  std::map<int, std::vector<Handled>> handled;
  std::map<int, EventTime> newest;
  std::map<std::string, OneDependency> dependencies;
  std::vector<EventTime> outage_markers;
  std::vector<std::string> calls;

  void pulse(int partition, std::int64_t offset, EventTime marker, Duration threshold) {
    auto& all = handled[partition];
    EventTime open = marker;  // what it takes the place of may be open as well
    std::erase_if(all, [&](const Handled& h) {
      if (h.offset >= offset) open = std::max(open, h.marker);
      return h.offset >= offset;
    });
    all.push_back({open, offset});
    newest[partition] = std::max(newest.contains(partition) ? newest[partition] : kMinTime, marker);
    for (auto& [name, d] : dependencies) {
      if (!d.marker) d.marker = marker;
    }
    for (auto& [name, d] : dependencies) {
      const Duration behind = newest[partition] - *d.marker;
      const bool was_down = !d.ahead.empty();
      if (behind > threshold) {
        d.downtime = behind;
        d.ahead.insert(partition);
        if (!was_down) {
          outage_markers.push_back(*d.marker);
          calls.push_back("down " + name + offsets());
        }
      } else if (was_down) {
        d.downtime = std::max(Duration{0}, behind);
      }
    }
  }
  void beat(const std::string& name, EventTime marker) {
    OneDependency& d = dependencies[name];
    d.marker = std::max(d.marker.value_or(marker), marker);
    const bool was_down = !d.ahead.empty();
    std::erase_if(d.ahead, [&](int partition) { return *d.marker > newest[partition]; });
    if (!was_down || !d.ahead.empty()) return;
    for (const auto& [other, o] : dependencies) {
      if (!o.ahead.empty()) return;
    }
    calls.push_back("back " + name + offsets());
    outage_markers.clear();
  }
  std::set<int> paused() const {
    std::set<int> all;
    for (const auto& [name, d] : dependencies) all.insert(d.ahead.begin(), d.ahead.end());
    return all;
  }
  Downtime downtime() const {
    Downtime all;
    for (const auto& [name, d] : dependencies) {
      if (!d.ahead.empty()) all[name] = d.downtime;
    }
    return all;
  }

 private:
  /// Where each partition's first message stands that is not older than what was known before the outage.
  std::string offsets() const {
    const EventTime from = *std::min_element(outage_markers.begin(), outage_markers.end());
    std::string text;
    for (const auto& [partition, all] : handled) {
      std::optional<std::int64_t> first;
      for (const Handled& h : all) {
        if (h.marker >= from) first = std::min(first.value_or(h.offset), h.offset);
      }
      if (first) text += " " + std::to_string(partition) + ":" + std::to_string(*first);
    }
    return text;
  }
};

std::string with_offsets(const Outage<int>& o) {
  std::string text = o.dependency;
  for (const auto& [partition, offset] : o.offsets)
    text += " " + std::to_string(partition) + ":" + std::to_string(offset);
  return text;
}

TEST(Checkpoint, DoesWhatThePlainModelDoes) {
  constexpr int kPartitions = 3;
  const std::vector<std::string> names{"traffic", "weather"};
  int recoveries = 0;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto up_to = [&](int most) { return static_cast<int>(random() % static_cast<unsigned>(most + 1)); };
    std::vector<std::string> calls;
    auto store = std::make_shared<MemoryStore>();
    ByHand c(names, {.on_downtime = [&](const Outage<int>& o) { calls.push_back("down " + with_offsets(o)); },
                     .on_recovery = [&](const Outage<int>& o) { calls.push_back("back " + with_offsets(o)); },
                     .store = store});
    Model model;
    for (const std::string& name : names) model.dependencies[name];
    const std::uint32_t source = c.activities.outputs().front().from->id;
    std::int64_t offsets[kPartitions] = {};
    int clock[kPartitions] = {};
    std::map<std::string, int> beats;
    for (int step = 0; step < 200; ++step) {
      if (up_to(2) > 0) {
        const int p = up_to(kPartitions - 1);
        if (up_to(20) == 0) offsets[p] = std::max<std::int64_t>(0, offsets[p] - up_to(5));  // sought back
        clock[p] += up_to(4);
        const EventTime marker = at(std::chrono::seconds(100 + clock[p] - up_to(3)));
        const RecordInfo record{marker, {source, static_cast<std::uint32_t>(p), offsets[p], 0}, nullptr};
        model.pulse(p, offsets[p], marker, 10s);
        EXPECT_EQ(c.checkpoint.check_pulse(marker, step, record), model.downtime());
        ++offsets[p];
      } else {
        const std::string& name = names[static_cast<std::size_t>(up_to(1))];
        beats[name] += up_to(12);
        const EventTime marker = at(std::chrono::seconds(100 + beats[name] - up_to(3)));
        model.beat(name, marker);
        const auto beat = c.checkpoint.heartbeat(marker, name);
        ASSERT_TRUE(beat.ok());
        EXPECT_EQ(beat->is_late, !model.dependencies[name].ahead.empty());
      }
      std::set<int> paused;
      for (int p = 0; p < kPartitions; ++p) {
        if (c.by_hand().is_paused(p)) paused.insert(p);
      }
      ASSERT_EQ(paused, model.paused()) << "step " << step;
      ASSERT_EQ(c.checkpoint.downtime(), model.downtime()) << "step " << step;
      ASSERT_EQ(calls, model.calls) << "step " << step;
    }
    recoveries += static_cast<int>(
        std::count_if(calls.begin(), calls.end(), [](const auto& call) { return call.starts_with("back"); }));
  }
  EXPECT_GT(recoveries, 100);  // the sequences do have outages that end
}

TEST(OpenOffsets, KnowSeveralMessagesOfOneRecord) {
  detail::OpenOffsets open;
  open.handled(at(105s), 5);
  open.handled(at(101s), 5);
  open.forget_before(at(103s));
  open.handled(at(110s), 6);
  EXPECT_EQ(open.first_from(at(103s)), 5);
}

TEST(OpenOffsets, AnswerALowerOffsetRatherThanGrowWithoutEnd) {
  detail::OpenOffsets open;
  for (int i = 0; i < 100'000; ++i) open.handled(at(std::chrono::seconds(i)), i);
  for (const int from : {0, 1, 50'000, 99'998, 99'999}) {
    const auto first = open.first_from(at(std::chrono::seconds(from)));
    ASSERT_TRUE(first.has_value()) << from;
    EXPECT_LE(*first, from);
    EXPECT_GE(*first, from - 200) << "no further back than the merged entries reach";
  }
  open.forget_before(at(99'999s));
  EXPECT_FALSE(open.first_from(at(100'000s)).has_value());
}

// ---------------------------------------------------------------- with handlers

/// Activities and weather through App::on(checkpoint), in virtual time.
struct Automatic {
  App app;
  SourceStream<Event> activities = app.source("activities", from(std::vector<Event>{}));
  SourceStream<Event> weather = app.source("weather", from(std::vector<Event>{}));
  std::vector<std::string> trace;
  Checkpoint<Event, Offsets> checkpoint;

  explicit Automatic(CheckpointOptions<Event, Offsets> options = {},
                     DowntimeOptions<Event> downtime = {.downtime_threshold = 10s})
      : checkpoint(make(std::move(options), std::move(downtime))) {
    app.on(checkpoint).handle([this](const Event& e, const HandlerContext& context) {
      std::string entry = e.what;
      for (const auto& [name, behind] : context.downtime)
        entry += " (" + name + " " + std::to_string(behind / 1s) + " s)";
      trace.push_back(entry);
    });
  }
  /// Weather from 100 s on.
  void begin(TestDriver& driver) {
    driver.skip_to(activities, 0, 0);
    driver.push(weather, {at(100s), ""});
    EXPECT_TRUE(driver.run().ok());
  }
  std::vector<std::string> gates(const TestDriver& driver, int partition = 0) {
    for (const PartitionMetrics& p : driver.metrics().partitions) {
      if (p.source == "activities" && p.partition == partition) return p.gates;
    }
    return {"no such partition"};
  }

 private:
  Checkpoint<Event, Offsets> make(CheckpointOptions<Event, Offsets> options,
                                  DowntimeOptions<Event> downtime) {
    options.marker = &Event::time;
    downtime.marker = &Event::time;
    if (!options.on_downtime)
      options.on_downtime = [this](const Outage<Offsets>&) { trace.push_back("down"); };
    if (!options.on_recovery)
      options.on_recovery = [this](const Outage<Offsets>&) { trace.push_back("back"); };
    return app.checkpoint("activity", activities, {dependency("weather", weather, downtime)}, options);
  }
};

TEST(BoundCheckpoint, PulsesBeforeTheHandlerAndPausesBehindIt) {
  Automatic a;
  TestDriver driver(a.app);
  a.begin(driver);
  for (const auto& [time, what] :
       {std::pair(101s, "first"), std::pair(120s, "second"), std::pair(125s, "third")})
    driver.push(a.activities, {at(time), what});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(a.trace, ElementsAre("first", "down", "second (weather 20 s)"));
  EXPECT_THAT(a.checkpoint.state(), ElementsAre(Pair(0, 1)));
  driver.push(a.activities, {at(126s), "fourth"});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(a.gates(driver), ElementsAre("activity"));

  driver.push(a.weather, {at(121s), ""});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(a.trace, ElementsAre("first", "down", "second (weather 20 s)", "back", "third", "fourth"));
  EXPECT_THAT(a.gates(driver), IsEmpty());
}

TEST(BoundCheckpoint, TellsHandlersWhatOthersOfItsStreamFoundToo) {
  App app;
  auto activities = app.source("activities", from(std::vector<Event>{})).event_time(&Event::time);
  auto weather = app.source("weather", from(std::vector<Event>{})).event_time(&Event::time);
  auto traffic = app.source("traffic", from(std::vector<Event>{})).event_time(&Event::time);
  std::vector<std::map<std::string, Duration, std::less<>>> told;
  const auto hear = [&](const Event&, const HandlerContext& context) { told.push_back(context.downtime); };
  app.on(app.checkpoint("one", activities, {dependency("weather", weather, {.downtime_threshold = 10s})},
                        {.pause_dependent = false}))
      .handle(hear);
  app.on(app.checkpoint("two", activities,
                        {dependency("traffic", traffic, {.downtime_threshold = 30s}),
                         dependency("weather", weather, {.downtime_threshold = 5s})},
                        {.pause_dependent = false}))
      .handle([](const Event&) {});
  TestDriver driver(app);
  driver.skip_to(activities, 0, 0);
  for (auto& source : {weather, traffic}) driver.push(source, {at(100s), ""});
  ASSERT_TRUE(driver.run().ok());
  for (const auto time : {104s, 108s, 120s, 140s}) driver.push(activities, {at(time), ""});
  ASSERT_TRUE(driver.run().ok());
  using Found = std::map<std::string, Duration, std::less<>>;
  EXPECT_THAT(told, ElementsAre(Found{}, Found{{"weather", 8s}}, Found{{"weather", 20s}},
                                Found{{"traffic", 40s}, {"weather", 40s}}));
}

TEST(BoundCheckpoint, TakesEventTimeWhereThereIsNoMarker) {
  App app;
  auto activities = app.source("activities", from(std::vector<Event>{})).event_time(&Event::time);
  auto weather = app.source("weather", from(std::vector<Event>{})).event_time(&Event::time);
  auto checkpoint = app.checkpoint("activity", activities, {dependency("weather", weather)});
  app.on(checkpoint).handle([](const Event&) {});
  TestDriver driver(app);
  driver.skip_to(activities, 0, 0);
  driver.push(weather, {at(100s), ""});
  ASSERT_TRUE(driver.run().ok());
  driver.push(activities, {at(200s), ""});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_EQ(checkpoint.marker(), at(200s));
  EXPECT_EQ(checkpoint.dependency("weather")->marker, at(100s));
}

TEST(BoundCheckpoint, LetsGoWhenTheDependencyEnds) {
  Automatic a;
  TestDriver driver(a.app);
  a.begin(driver);
  for (const auto& [time, what] : {std::pair(120s, "first"), std::pair(125s, "second")})
    driver.push(a.activities, {at(time), what});
  driver.finish(a.activities);
  EXPECT_FALSE(driver.run_to_end().ok()) << "it waits for the weather";
  driver.finish(a.weather);
  ASSERT_TRUE(driver.run_to_end().ok());
  EXPECT_THAT(a.trace, ElementsAre("down", "first (weather 20 s)", "back", "second"));
}

TEST(BoundCheckpoint, LetsGoThoughItsHandlerListensToTheDependencyToo) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    App app;
    auto activities =
        app.source("activities", from(events({{101s, "first"}, {150s, "second"}, {151s, "third"}})))
            .event_time(&Event::time);
    auto weather =
        app.source("weather", from(events({{100s, "sun"}, {102s, "rain"}}))).event_time(&Event::time);
    auto checkpoint =
        app.checkpoint("activity", activities, {dependency("weather", weather, {.downtime_threshold = 10s})});
    app.on(checkpoint).handle([](const Event&) {});
    std::multiset<std::string> seen;
    app.on(activities.merge(weather)).handle([&](const Event& e) { seen.insert(e.what); });
    detail::SimulatedRun run(app.graph(), {}, seed, LogHook{});
    ASSERT_TRUE(run.open().ok()) << run.status();
    ASSERT_TRUE(run.run_to_end()) << "seed " << seed;
    EXPECT_TRUE(run.status().ok()) << run.status();
    EXPECT_THAT(seen, ElementsAre("first", "rain", "second", "sun", "third"));
  }
}

TEST(BoundCheckpoint, PausesOnlyThePartitionsThatAreAhead) {
  Automatic a;
  TestDriver driver(a.app, {.partitions = 2});
  a.begin(driver);
  driver.push(a.activities, {at(150s), "ahead"}, 0);
  driver.push(a.activities, {at(151s), "held"}, 0);
  ASSERT_TRUE(driver.run().ok());
  driver.push(a.activities, {at(105s), "goes on"}, 1);
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(a.trace, ElementsAre("down", "ahead (weather 50 s)", "goes on (weather 5 s)"));
  EXPECT_THAT(a.gates(driver, 0), ElementsAre("activity"));
  EXPECT_THAT(a.gates(driver, 1), IsEmpty());
}

TEST(BoundCheckpoint, FailsTheRunWhenACallbackThrows) {
  Automatic a({.on_downtime = [](const Outage<Offsets>&) { throw std::runtime_error("no pager"); }});
  TestDriver driver(a.app);
  a.begin(driver);
  driver.push(a.activities, {at(150s), "ahead"});
  EXPECT_THAT(std::string(driver.run().message()), HasSubstr("checkpoint 'activity': no pager"));
}

// ---------------------------------------------------------------- going back

/// Weather that stops and comes back; activities are told with the newest weather not after them.
struct Recovery {
  App app;
  std::map<EventTime, std::string> known;
  std::vector<std::string> told;

  std::vector<std::string> run(std::vector<std::vector<Event>> activities, std::uint64_t seed) {
    const auto sky = [](Duration time, std::string what) { return Event{at(time), std::move(what)}; };
    auto weather = app.source("weather", from(late_weather({sky(10h, "sun"), sky(11h, "clouds")},
                                                           {sky(12h, "rain"), sky(14h, "snow")})));
    auto source = app.source("activities", from_partitions(std::move(activities)));
    auto checkpoint =
        app.checkpoint("activity", source,
                       {dependency("weather", weather, {.downtime_threshold = 1h, .marker = &Event::time})},
                       {.on_recovery =
                            [this](const Outage<Offsets>& outage) {
                              std::string entry = "back to";
                              for (const auto& [p, offset] : outage.offsets)
                                entry += " " + std::to_string(p) + ":" + std::to_string(offset);
                              told.push_back(entry);
                              outage.seek_back();
                            },
                        .marker = &Event::time});
    source.pause("until there is weather");
    app.on(weather).handle([this, &source](const Event& w) {
      known[w.time] = w.what;
      if (known.size() == 2) source.resume("until there is weather");
    });
    app.on(checkpoint).handle([this](const Event& a) {
      const auto after = known.upper_bound(a.time);
      told.push_back(a.what + " " + (after == known.begin() ? "?" : std::prev(after)->second));
    });
    RuntimeConfig config;
    config.batch_max_records = seed % 2 == 0 ? 1 : 4096;
    detail::SimulatedRun run(app.graph(), config, seed, LogHook{});
    EXPECT_TRUE(run.open().ok()) << run.status();
    EXPECT_TRUE(run.run_to_end());
    EXPECT_TRUE(run.status().ok()) << run.status();
    return told;
  }

 private:
  static AsyncGenerator<Event> late_weather(std::vector<Event> before, std::vector<Event> after) {
    for (Event& e : before) co_yield std::move(e);
    co_await sleep(5s);
    for (Event& e : after) co_yield std::move(e);
  }
};

TEST(SeekBack, CorrectsEveryMessageThatMayBeWrong) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Recovery r;
    EXPECT_THAT(
        r.run({events({{10h + 30min, "swimming"},
                       {11h + 30min, "walking"},
                       {11h + 50min, "talking"},
                       {12h + 30min, "shopping"},
                       {13h + 10min, "lunch"}})},
              seed),
        ElementsAre("swimming sun", "walking clouds", "talking clouds", "shopping clouds", "back to 0:1",
                    "walking clouds", "talking clouds", "shopping rain", "lunch rain"));
  }
}

TEST(SeekBack, ReachesTheLastMessageOfASource) {
  Recovery r;
  EXPECT_THAT(r.run({events({{10h + 30min, "swimming"}, {12h + 30min, "shopping"}})}, 1),
              ElementsAre("swimming sun", "shopping clouds", "back to 0:1", "shopping rain"));
}

TEST(SeekBack, GoesToTheFirstMessageBehindTheLastBeatInEachPartition) {
  std::vector<Offsets> offsets;
  App app;
  auto activities = app.source("activities", from(std::vector<Event>{}));
  auto weather = app.source("weather", from(std::vector<Event>{}));
  auto checkpoint =
      app.checkpoint("activity", activities,
                     {dependency("weather", weather, {.downtime_threshold = 10s, .marker = &Event::time})},
                     {.on_recovery = [&](const Outage<Offsets>& o) { offsets.push_back(o.offsets); },
                      .marker = &Event::time});
  app.on(checkpoint).handle([](const Event&) {});
  TestDriver driver(app, {.partitions = 2});
  driver.skip_to(activities, 0, 0);
  driver.push(weather, {at(100s), ""});
  ASSERT_TRUE(driver.run().ok());
  for (const auto time : {99s, 103s, 104s, 111s}) driver.push(activities, {at(time), ""}, 0);
  for (const auto time : {98s, 99s, 101s}) driver.push(activities, {at(time), ""}, 1);
  ASSERT_TRUE(driver.run().ok());
  driver.push(weather, {at(112s), ""});
  ASSERT_TRUE(driver.run().ok());
  ASSERT_EQ(offsets.size(), 1u);
  EXPECT_THAT(offsets.front(), ElementsAre(Pair(0, 1), Pair(1, 2)));
}

TEST(SeekBack, EndsTheRunWhereTheSourceCanNotBeSought) {
  App app;
  auto activities = app.source("activities", from(std::vector<Event>{}));
  auto weather = app.source("weather", from(std::vector<Event>{}));
  auto checkpoint = app.checkpoint(
      "activity", activities,
      {dependency("weather", weather, {.downtime_threshold = 10s, .marker = &Event::time})},
      {.on_recovery = [](const Outage<Offsets>& o) { o.seek_back(); }, .marker = &Event::time});
  app.on(checkpoint).handle([](const Event&) {});
  TestDriver driver(app);
  driver.skip_to(activities, 0, 0);
  driver.push(weather, {at(100s), ""});
  ASSERT_TRUE(driver.run().ok());
  driver.push(activities, {at(150s), ""});
  ASSERT_TRUE(driver.run().ok());
  driver.push(weather, {at(160s), ""});
  EXPECT_THAT(std::string(driver.run().message()),
              HasSubstr("checkpoint 'activity' can't go back: activities can't be sought"));
}

// ---------------------------------------------------------------- checks that take their time

Task<std::optional<Duration>> asks_for_a_second(const Markers& m) {
  co_await sleep(1s);
  const Duration behind = m.dependent - m.dependency;
  co_return behind > m.downtime_threshold ? std::optional(behind) : std::nullopt;
}
Task<bool> is_back_after_a_second(const Markers& m) {
  co_await sleep(1s);
  co_return m.dependency > m.dependent;
}

TEST(SlowCheck, HoldsTheMessageUntilItHasDecided) {
  Automatic a(
      {}, {.downtime_threshold = 10s, .is_down = asks_for_a_second, .is_recovered = is_back_after_a_second});
  TestDriver driver(a.app);
  a.begin(driver);
  driver.push(a.activities, {at(105s), "first"});
  driver.push(a.activities, {at(150s), "second"});
  driver.push(a.activities, {at(151s), "third"});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(a.trace, IsEmpty());
  ASSERT_TRUE(driver.advance_time(1s).ok());
  EXPECT_THAT(a.trace, ElementsAre("first"));
  ASSERT_TRUE(driver.advance_time(1s).ok());
  EXPECT_THAT(a.trace, ElementsAre("first", "down", "second (weather 50 s)"));

  driver.push(a.weather, {at(200s), ""});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_EQ(a.trace.size(), 3u);
  ASSERT_TRUE(driver.advance_time(1s).ok());  // the recovery, and "third" is looked at
  EXPECT_THAT(a.trace, ElementsAre("first", "down", "second (weather 50 s)", "back"));
  ASSERT_TRUE(driver.advance_time(1s).ok());
  EXPECT_EQ(a.trace.back(), "third");
}

TEST(SlowCheck, HearsOfTheBeatThatCameMeanwhile) {
  Automatic a({}, {.downtime_threshold = 10s, .is_down = asks_for_a_second});
  TestDriver driver(a.app);
  a.begin(driver);
  driver.push(a.activities, {at(150s), "first"});
  ASSERT_TRUE(driver.run().ok());
  driver.push(a.weather, {at(200s), ""});  // newer than the activity, while the check is under way
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(a.trace, IsEmpty());
  ASSERT_TRUE(driver.advance_time(1s).ok());
  EXPECT_THAT(a.trace, ElementsAre("down", "back", "first"));
  EXPECT_THAT(a.gates(driver), IsEmpty());
}

TEST(SlowCheck, FailsTheRunWhenItThrows) {
  Automatic a({}, {.is_down = [](const Markers&) -> Task<std::optional<Duration>> {
                co_await sleep(1s);
                throw std::runtime_error("nobody answers");
              }});
  TestDriver driver(a.app);
  driver.skip_to(a.weather, 0, 0);
  driver.push(a.activities, {at(105s), "first"});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(std::string(driver.advance_time(1s).message()), HasSubstr("activity: nobody answers"));
}

// ---------------------------------------------------------------- restarts

TEST(StoredCheckpoint, StartsPausedWhereItWasDown) {
  auto store = std::make_shared<MemoryStore>();
  {
    Automatic a({.store = store});
    TestDriver driver(a.app);
    a.begin(driver);
    for (const auto time : {101s, 102s, 120s}) driver.push(a.activities, {at(time), "x"});
    ASSERT_TRUE(driver.run().ok());
    EXPECT_EQ(a.trace, (std::vector<std::string>{"x", "x", "down", "x (weather 20 s)"}));
  }
  std::vector<Offsets> offsets;
  Automatic a({.on_recovery =
                   [&](const Outage<Offsets>& o) {
                     offsets.push_back(o.offsets);
                     EXPECT_EQ(o.state, (Offsets{{0, 2}}));
                   },
               .store = store});
  TestDriver driver(a.app);
  driver.skip_to(a.activities, 0, 3);
  driver.push(a.activities, {at(121s), "held"});
  driver.push(a.weather, {at(119s), ""});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(a.trace, IsEmpty());
  EXPECT_THAT(a.gates(driver), ElementsAre("activity"));
  EXPECT_EQ(a.checkpoint.downtime(), (Downtime{{"weather", 20s}}));

  driver.push(a.weather, {at(122s), ""});
  ASSERT_TRUE(driver.run().ok());
  EXPECT_THAT(a.trace, ElementsAre("held"));
  EXPECT_THAT(offsets, ElementsAre(Offsets{{0, 0}}))
      << "101 s was handled at offset 0, and the beat is 100 s";
}

TEST(StoredCheckpoint, GoesOnFromItsMarkersInAFile) {
  const file::Scratch scratch;
  {
    ByHand c({"weather"}, {.store = file_store(scratch.path("checkpoints"))});
    c.checkpoint.check_pulse(at(100s), 7);
    ASSERT_TRUE(c.checkpoint.heartbeat(at(105s)).ok());
  }
  ByHand c({"weather"}, {.store = file_store(scratch.path("checkpoints"))});
  EXPECT_EQ(c.checkpoint.state(), 7);
  EXPECT_EQ(c.checkpoint.marker(), at(100s));
  EXPECT_EQ(c.checkpoint.dependency("weather")->marker, at(105s));
  EXPECT_EQ(c.checkpoint.check_pulse(at(120s), 8), (Downtime{{"weather", 15s}}));
}

TEST(StoredCheckpoint, RefusesToStartFromADamagedFile) {
  const file::Scratch scratch;
  auto store = file_store(scratch.path("checkpoints"));
  {
    ByHand c({"weather"}, {.store = store});
    c.checkpoint.check_pulse(at(100s), 7);
  }
  const std::string path = scratch.path("checkpoints/activity.checkpoint");
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 3);
  ByHand c({"weather"}, {.store = store});
  c.app.on(c.activities).handle([](const Event&) {});
  const absl::Status s = c.app.run();
  EXPECT_EQ(s.code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(scratch.without_folder(std::string(s.message())),
            "checkpoint 'activity' can't be restored: checkpoints/activity.checkpoint is damaged: it was cut "
            "short or changed. Put back a copy of it, or delete it to start without what it held");
}

TEST(StoredCheckpoint, RefusesAnotherState) {
  auto store = std::make_shared<MemoryStore>();
  {
    ByHand c({"weather"}, {.store = store});
    c.checkpoint.check_pulse(at(100s), 7);
  }
  Automatic a({.store = store});
  const absl::Status s = a.app.run();
  EXPECT_EQ(s.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(
      s.message(),
      "checkpoint 'activity' can't be restored: its state was i32 when it was saved and is [(i32,i64)] now");
}

TEST(StoredCheckpoint, EndsTheRunWhenItCanNotBeSaved) {
  auto store = std::make_shared<MemoryStore>();
  Automatic a({.store = store});
  TestDriver driver(a.app);
  driver.skip_to(a.weather, 0, 0);
  driver.push(a.activities, {at(100s), "x"});
  store->failure = absl::UnavailableError("the disk is full");
  EXPECT_THAT(std::string(driver.run().message()),
              HasSubstr("checkpoint 'activity' can't be saved: the disk is full"));
}

// ---------------------------------------------------------------- mistakes

TEST(CheckpointMistakes, AreOneSentence) {
  const auto told = [](const std::function<void(App&, SourceStream<Row>, SourceStream<Row>)>& build) {
    return complaint([&](App& app) {
      auto a = app.source("activities", no_rows());
      auto w = app.source("weather", no_rows());
      a.sink(kNothing);
      w.sink(kNothing);
      build(app, a, w);
    });
  };
  EXPECT_EQ(told([](App& app, auto a, auto w) {
              app.checkpoint("x", a, {dependency("w", w), dependency("w", w)});
            }),
            "checkpoint 'x' has two dependencies named 'w': their markers are kept under their names");
  EXPECT_EQ(told([](App& app, auto a, auto w) {
              app.checkpoint("x", a, {dependency("w", w)});
              app.checkpoint("x", a, {dependency("w", w)});
            }),
            "two checkpoints are named 'x': they are kept under their names");
  EXPECT_EQ(
      told([](App& app, auto a, auto) {
        app.checkpoint("x", a, {dependency("self", a.filter([](const Row&) { return true; }))});
      }),
      "checkpoint 'x' can't depend on what it pauses: dependency 'self' comes from the dependent's source "
      "'activities'");
  EXPECT_EQ(told([](App& app, auto a, auto w) {
              app.on(app.checkpoint("x", a, {dependency("w", w, {.marker = &Row::at})})).handle([] {});
            }),
            "checkpoint 'x' needs a marker of its dependent to be bound to handlers: give it .marker, or "
            "event_time() behind source 'activities'");
  EXPECT_EQ(told([](App& app, auto a, auto w) {
              app.on(app.checkpoint("x", a, {dependency("w", w)}, {.marker = &Row::at})).handle([] {});
            }),
            "checkpoint 'x' needs a marker of dependency 'w' to be bound to handlers: give it .marker, or "
            "event_time() behind source 'weather'");
  EXPECT_EQ(told([](App& app, auto a, auto w) {
              app.checkpoint("x", a, {dependency("w", w)});
              app.checkpoint("y", w, {dependency("a", a)});
            }),
            "checkpoints or depends_on() make a circle: source 'activities' would wait for itself");
  EXPECT_EQ(told([](App& app, auto a, auto w) { app.checkpoint("x", a.merge(w), {}); }),
            "checkpoint 'x' needs a dependent that comes from one source, which it can pause; this one comes "
            "from 2");
  EXPECT_EQ(told([](App& app, auto a, auto w) {
              app.checkpoint("x", a, {dependency("w", w, {.downtime_threshold = -1s})});
            }),
            "checkpoint 'x': dependency 'w' has a negative downtime_threshold");
}

}  // namespace
}  // namespace slipstream::test
