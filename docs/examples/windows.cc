// Windows and interval joins: docs/operators.md shows this program piece by piece.
#include <cstdio>

#include "slipstream/slipstream.h"
using namespace slipstream;
using namespace std::chrono_literals;

struct Ride {
  std::string bike;
  int km;
  EventTime at;
};
SLIPSTREAM_FIELDS(Ride, bike, km, at)

struct Alarm {
  std::string bike;
  std::string what;
  EventTime at;
};
SLIPSTREAM_FIELDS(Alarm, bike, what, at)

struct Distance {
  int km = 0;
  void add(const Ride& r) { km += r.km; }
  void merge(const Distance& other) { km += other.km; }
};
SLIPSTREAM_FIELDS(Distance, km)

constexpr EventTime at(std::chrono::minutes m) { return EventTime(m); }

void print(const Stream<Windowed<std::string, Distance>>& windows, const char* kind) {
  windows.sink([kind](const Windowed<std::string, Distance>& w) {
    std::printf("%s %s from minute %d: %d km\n", kind, w.key.c_str(),
                static_cast<int>(w.window.start.time_since_epoch() / 1min), w.value.km);
  });
}

int main() {
  App app;
  auto rides = app.source("rides", from<Ride>({{"red", 3, at(20min)},
                                               {"red", 4, at(25min)},
                                               {"blue", 1, at(28min)},
                                               {"red", 5, at(41min)}}))
                   .event_time(&Ride::at);
  auto alarms = app.source("alarms", from<Alarm>({{"red", "brake", at(23min)}, {"blue", "tyre", at(50min)}}))
                    .event_time(&Alarm::at);
  auto by_bike = rides.key_by(&Ride::bike);

  print(by_bike.window(hopping(20min, 10min)).aggregate<Distance>("last twenty minutes"), "hopping");
  print(by_bike.window(sliding(15min)).aggregate<Distance>("up to each ride"), "sliding");
  print(by_bike.window(session(10min)).aggregate<Distance>("tours"), "session");

  auto near = by_bike.interval_join("alarms near rides", alarms.key_by(&Alarm::bike),
                                    {.lower = -5min, .upper = 5min}, [](const Ride& r, const Alarm& a) {
                                      return a.what + " of " + r.bike + " around a ride of " +
                                             std::to_string(r.km) + " km";
                                    });
  near.sink([](const std::string& line) { std::printf("alarm %s\n", line.c_str()); });

  return app.main();
}
