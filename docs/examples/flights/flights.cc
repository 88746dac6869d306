#include "docs/examples/flights/flights.h"

#include <algorithm>

namespace flights {

using namespace std::chrono_literals;
using slipstream::tumbling;

/// The state of one carrier's day.
struct Delays {
  std::int64_t flights = 0;
  std::int64_t departed = 0;
  std::int64_t sum = 0;
  std::optional<int> max;

  void add(const Flight& flight) {
    flights += 1;
    if (!flight.dep_delay) return;
    departed += 1;
    sum += *flight.dep_delay;
    max = std::max(max, flight.dep_delay);  // an empty optional is less than any value
  }
};
SLIPSTREAM_FIELDS(Delays, flights, departed, sum, max)

FlightWeather with_weather(const Flight& f, const Weather* w) {
  return {f.scheduled,
          f.carrier,
          f.flight,
          f.origin,
          f.dest,
          f.dep_delay,
          w ? std::optional(w->observed) : std::nullopt,
          w ? w->wind_speed : std::nullopt,
          w ? w->visib : std::nullopt};
}

CarrierDay as_row(const slipstream::Windowed<std::string, Delays>& day) {
  const auto start = std::chrono::floor<std::chrono::seconds>(day.window.start);
  return {start, day.key, day.value.flights, day.value.departed, day.value.sum, day.value.max};
}

Program describe(slipstream::App& app, const slipstream::Source<Flight>& flight_source,
                 const slipstream::Source<Weather>& weather_source, const Disorder& bound) {
  auto weather = app.source("weather", weather_source)
                     .event_time(&Weather::observed, {.max_out_of_orderness = bound.weather});

  auto flights = app.source("flights", flight_source)
                     .event_time(&Flight::scheduled, {.max_out_of_orderness = bound.flights})
                     .depends_on(weather, {.max_lag = kMaxLag});

  auto days = flights.key_by(&Flight::carrier).window(tumbling(24h)).aggregate<Delays>("carrier day");

  auto joined = flights.key_by(&Flight::origin)
                    .as_of_join("flight weather", weather.key_by(&Weather::origin), {}, &with_weather);

  return {days.map(&as_row), joined, days.late(), joined.late()};
}

}  // namespace flights
