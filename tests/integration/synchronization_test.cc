#include <map>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/checkpoint.h"
#include "slipstream/json.h"
#include "slipstream/slipstream.h"
#include "tests/integration/kafka_testing.h"

namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;

struct Happening {
  EventTime at;
  std::string what;
};
SLIPSTREAM_FIELDS(Happening, at, what)

std::string at(std::string_view time, const std::string& what) {
  return R"({"at":"2023-01-01T)" + std::string(time) + R"(:00Z","what":")" + what + R"("})";
}

using CheckpointOnARealBroker = RealBroker;

TEST_F(CheckpointOnARealBroker, PausesOnTheOutageAndCorrectsEveryWrongEnrichment) {
  const std::string weather_topic = create_topic(1), activity_topic = create_topic(2);
  auto producer = kafka::Producer::connect({.brokers = broker()});
  ASSERT_EQ(producer.status(), absl::OkStatus());
  const auto send = [&](const std::string& topic, int partition, const std::vector<std::string>& messages) {
    for (const std::string& m : messages)
      EXPECT_EQ(producer->produce(topic, {.partition = partition, .value = m}), absl::OkStatus());
    EXPECT_EQ(producer->flush(), absl::OkStatus());
  };
  send(weather_topic, 0, {at("10:00", "sun"), at("11:00", "clouds")});

  App app;
  auto weather = app.source("weather", kafka::source(weather_topic, json<Happening>(),
                                                     {.brokers = broker(), .until_offsets = {{0, 4}}}));
  auto activities =
      app.source("activities", kafka::source(activity_topic, json<Happening>(),
                                             {.brokers = broker(), .until_offsets = {{0, 4}, {1, 2}}}));
  std::vector<std::string> calls;
  std::vector<Offsets> offsets;
  auto checkpoint =
      app.checkpoint("activities", activities,
                     {dependency("weather", weather, {.downtime_threshold = 1h, .marker = &Happening::at})},
                     {.on_downtime =
                          [&](const Outage<Offsets>& o) {
                            calls.push_back("down " + std::to_string(o.downtime / 1min));
                            // Handled before the recovery, because this partition isn't ahead.
                            send(activity_topic, 1, {at("11:45", "reading"), at("11:50", "cooking")});
                          },
                      .on_recovery =
                          [&](const Outage<Offsets>& o) {
                            calls.push_back("back");
                            offsets.push_back(o.offsets);
                            o.seek_back();
                          },
                      .marker = &Happening::at});
  std::map<EventTime, std::string> sky;
  std::map<std::string, std::vector<std::string>> told;
  app.on(weather).handle([&](const Happening& w) {
    sky[w.at] = w.what;
    if (sky.size() == 2) {
      send(activity_topic, 0,
           {at("10:30", "swimming"), at("11:30", "walking"), at("12:30", "shopping"), at("13:10", "lunch")});
    }
  });
  app.on(checkpoint).handle([&](const Happening& a) {
    told[a.what].push_back(std::prev(sky.upper_bound(a.at))->second);
    // The station is repaired when all was told that could be.
    if (a.what == "cooking" && sky.size() == 2)
      send(weather_topic, 0, {at("11:40", "hail"), at("13:00", "rain")});
  });
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());

  EXPECT_THAT(calls, ElementsAre("down 90", "back"));
  EXPECT_THAT(offsets, ElementsAre(Offsets{{0, 1}, {1, 0}}));
  EXPECT_THAT(told["swimming"], ElementsAre("sun"));
  EXPECT_THAT(told["walking"], ElementsAre("clouds", "clouds"));
  EXPECT_THAT(told["shopping"], ElementsAre("clouds", "hail"));
  EXPECT_THAT(told["reading"], ElementsAre("clouds", "hail"));
  EXPECT_THAT(told["cooking"], ElementsAre("clouds", "hail"));
  EXPECT_THAT(told["lunch"], ElementsAre("rain"));
  EXPECT_THAT(checkpoint.state(), ElementsAre(Pair(0, 3), Pair(1, 1)));
}

TEST_F(CheckpointOnARealBroker, HasNothingToCorrectWhereAJoinWaitsInEventTime) {
  const std::string weather_topic = create_topic(1), activity_topic = create_topic(1);
  auto producer = kafka::Producer::connect({.brokers = broker()});
  ASSERT_EQ(producer.status(), absl::OkStatus());
  const auto send = [&](const std::string& topic, const std::vector<std::string>& messages) {
    for (const std::string& m : messages) EXPECT_EQ(producer->produce(topic, {.value = m}), absl::OkStatus());
    EXPECT_EQ(producer->flush(), absl::OkStatus());
  };
  send(weather_topic, {at("10:00", "sun"), at("11:00", "clouds")});
  send(activity_topic,
       {at("10:30", "swimming"), at("11:30", "walking"), at("12:30", "shopping"), at("13:10", "lunch")});

  App app;
  auto weather = app.source("weather", kafka::source(weather_topic, json<Happening>(),
                                                     {.brokers = broker(), .until_offsets = {{0, 4}}}))
                     .event_time(&Happening::at);
  auto activities = app.source("activities", kafka::source(activity_topic, json<Happening>(),
                                                           {.brokers = broker(), .until_offsets = {{0, 4}}}))
                        .event_time(&Happening::at)
                        .depends_on(weather, {.max_lag = 1h});
  const auto everywhere = [](const Happening&) { return 0; };
  const auto told = [](const Happening& a, const Happening* w) {
    return a.what + ": " + (w ? w->what : "unknown");
  };
  std::vector<std::string> final_lines;
  activities.key_by(everywhere)
      .as_of_join("final", weather.key_by(everywhere), {}, told)
      .sink([&](const std::string& line) { final_lines.push_back(line); });
  std::map<RecordId, std::string> table;
  bool is_repaired = false;
  activities.key_by(everywhere)
      .as_of_join("speculative", weather.key_by(everywhere), {.emit = AsOfOptions::Emit::speculative}, told)
      .sink([&](const std::string& line, const RecordInfo& record) {
        table[record.id] = line;
        // The station is repaired when somebody was told wrong.
        if (line == "shopping: clouds" && !std::exchange(is_repaired, true))
          send(weather_topic, {at("12:00", "drizzle"), at("13:00", "rain")});
      });
  ASSERT_EQ(run_to_end(app).status, absl::OkStatus());

  const auto right =
      testing::UnorderedElementsAre("swimming: sun", "walking: clouds", "shopping: drizzle", "lunch: rain");
  EXPECT_TRUE(is_repaired);
  EXPECT_THAT(final_lines, right);
  std::vector<std::string> corrected;
  for (const auto& [id, line] : table) corrected.push_back(line);
  EXPECT_THAT(corrected, right);
}

}  // namespace
}  // namespace slipstream::test
