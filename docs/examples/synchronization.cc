// Activities are told with their weather. The weather station fails, so activities wait for it, and what was
// told too early is told again. docs/checkpoints.md shows this program piece by piece.
#include <cstdio>
#include <cstdlib>
#include <map>

#include "slipstream/checkpoint.h"
#include "slipstream/json.h"
#include "slipstream/kafka.h"
#include "slipstream/slipstream.h"
using namespace slipstream;
using namespace std::chrono_literals;

struct Weather {
  EventTime at;
  std::string city;
  std::string sky;
};
SLIPSTREAM_FIELDS(Weather, at, city, sky)

struct Activity {
  EventTime at;
  std::string city;
  std::string what;
};
SLIPSTREAM_FIELDS(Activity, at, city, what)

// What happens outside of the program, on a broker inside of it.
struct World {
  std::string brokers;
  kafka::Producer producer;

  void send(const std::string& topic, const std::vector<std::string>& messages) {
    for (const std::string& m : messages) {
      if (!producer.produce(topic, {.value = m}).ok()) std::abort();
    }
    if (!producer.flush().ok()) std::abort();
  }
  void report_weather() {
    send("weather", {R"({"at":"2023-01-01T10:00:00Z","city":"ams","sky":"sun"})",
                     R"({"at":"2023-01-01T11:00:00Z","city":"ams","sky":"clouds"})"});
  }
  void go_out() {
    send("activities", {R"({"at":"2023-01-01T10:30:00Z","city":"ams","what":"swimming"})",
                        R"({"at":"2023-01-01T11:30:00Z","city":"ams","what":"walking home"})",
                        R"({"at":"2023-01-01T12:30:00Z","city":"ams","what":"shopping"})",
                        R"({"at":"2023-01-01T13:10:00Z","city":"ams","what":"lunch"})"});
  }
  void repair_station() {
    send("weather", {R"({"at":"2023-01-01T12:00:00Z","city":"ams","sky":"drizzle"})",
                     R"({"at":"2023-01-01T13:00:00Z","city":"ams","sky":"rain"})"});
  }
};

void print(const std::string& line) { std::printf("%s\n", line.c_str()); }

absl::Status with_a_checkpoint(World& world) {
  App app;
  auto weather = app.source("weather", kafka::source("weather", json<Weather>(),
                                                     {.brokers = world.brokers, .until_offsets = {{0, 4}}}));
  auto activities = app.source(
      "activities",
      kafka::source("activities", json<Activity>(), {.brokers = world.brokers, .until_offsets = {{0, 4}}}));

  const auto on_downtime = [&](const Outage<Offsets>& outage) {
    std::printf("%s is %d min behind: activities wait\n", outage.dependency.c_str(),
                static_cast<int>(outage.downtime / 1min));
    world.repair_station();
  };
  const auto on_recovery = [](const Outage<Offsets>& outage) {
    std::printf("%s is back: once more from offset %d on\n", outage.dependency.c_str(),
                static_cast<int>(outage.offsets.at(0)));
    outage.seek_back();
  };
  auto checkpoint =
      app.checkpoint("activities", activities,
                     {dependency("weather", weather, {.downtime_threshold = 1h, .marker = &Weather::at})},
                     {.on_downtime = on_downtime, .on_recovery = on_recovery, .marker = &Activity::at});

  std::map<EventTime, std::string> sky;
  app.on(weather).handle([&](const Weather& w) {
    sky[w.at] = w.sky;
    if (sky.size() == 2) world.go_out();
  });
  app.on(checkpoint)
      .handle([&](const Activity& a) {
        const auto next = sky.upper_bound(a.at);
        return "The weather during " + a.what + " was " +
               (next == sky.begin() ? "unknown" : std::prev(next)->second);
      })
      .to(print);
  return app.run();
}

// The same in event time: a join waits until it knows, so there is nothing to correct.
absl::Status in_event_time(World& world) {
  App app;
  auto weather =
      app.source(kafka::source("weather", json<Weather>(), {.brokers = world.brokers, .until_end = true}))
          .event_time(&Weather::at);
  auto activities =
      app.source(kafka::source("activities", json<Activity>(), {.brokers = world.brokers, .until_end = true}))
          .event_time(&Activity::at)
          .depends_on(weather, {.max_lag = 1h});
  const auto told = [](const Activity& a, const Weather* w) {
    return a.what + ": " + (w ? w->sky : "unknown");
  };
  activities.key_by(&Activity::city)
      .as_of_join("activity weather", weather.key_by(&Weather::city), {}, told)
      .sink(print);

  // Joined at once, and once more under the same id where that was wrong: the newer replaces the older.
  std::map<RecordId, std::string> table;
  activities.key_by(&Activity::city)
      .as_of_join("weather so far", weather.key_by(&Weather::city), {.emit = AsOfOptions::Emit::speculative},
                  told)
      .sink([&](const std::string& line, const RecordInfo& record) { table[record.id] = line; });
  absl::Status status = app.run();
  for (const auto& [id, line] : table) print("in the table, " + line);
  return status;
}

int main() {
  auto broker = kafka::EmbeddedBroker::start(
      {{.name = "weather", .partitions = 1}, {.name = "activities", .partitions = 1}});
  if (!broker.ok()) return 5;
  auto producer = kafka::Producer::connect({.brokers = broker->bootstrap()});
  if (!producer.ok()) return 5;
  World world{broker->bootstrap(), *std::move(producer)};
  world.report_weather();
  absl::Status status = with_a_checkpoint(world);
  if (status.ok()) status = in_event_time(world);
  if (!status.ok()) print(std::string(status.message()));
  return status.ok() ? 0 : 1;
}
