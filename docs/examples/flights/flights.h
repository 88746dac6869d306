#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "slipstream/slipstream.h"

/// The program: a year of flights out of New York, counted per carrier and day, and joined with the weather.
/// Start reading here; flights.cc holds the two computations.
namespace flights {

using Time = std::chrono::sys_seconds;

struct Flight {
  Time scheduled;  ///< departure
  std::string carrier;
  int flight = 0;
  std::optional<std::string> tailnum;
  std::string origin;
  std::string dest;
  std::optional<int> dep_delay;  ///< minutes; empty: the flight never left
  std::optional<int> arr_delay;
  std::optional<int> air_time;
  std::optional<int> distance;
  friend bool operator==(const Flight&, const Flight&) = default;
};
SLIPSTREAM_FIELDS(Flight, scheduled, carrier, flight, tailnum, origin, dest, dep_delay, arr_delay, air_time,
                  distance)

struct Weather {
  Time observed;
  std::string origin;
  std::optional<double> temp, dewp, humid;
  std::optional<int> wind_dir;
  std::optional<double> wind_speed, wind_gust, precip, pressure, visib;
  friend bool operator==(const Weather&, const Weather&) = default;
};
SLIPSTREAM_FIELDS(Weather, observed, origin, temp, dewp, humid, wind_dir, wind_speed, wind_gust, precip,
                  pressure, visib)

/// (a) A carrier's flights on one UTC day of `scheduled`.
struct CarrierDay {
  Time window_start;
  std::string carrier;
  std::int64_t flights = 0;
  std::int64_t departed = 0;
  std::int64_t delay_sum = 0;    ///< minutes, of those departed
  std::optional<int> delay_max;  ///< empty when none departed
  friend bool operator==(const CarrierDay&, const CarrierDay&) = default;
};
SLIPSTREAM_FIELDS(CarrierDay, window_start, carrier, flights, departed, delay_sum, delay_max)

/// (b) A flight with the latest weather at its origin at or before `scheduled`.
struct FlightWeather {
  Time scheduled;
  std::string carrier;
  int flight = 0;
  std::string origin;
  std::string dest;
  std::optional<int> dep_delay;
  std::optional<Time> observed;
  std::optional<double> wind_speed;
  std::optional<double> visib;
  friend bool operator==(const FlightWeather&, const FlightWeather&) = default;
};
SLIPSTREAM_FIELDS(FlightWeather, scheduled, carrier, flight, origin, dest, dep_delay, observed, wind_speed,
                  visib)

/// How much later than its event time a record may arrive, per feed.
struct Disorder {
  slipstream::Duration flights = std::chrono::minutes(30);
  slipstream::Duration weather = std::chrono::hours(3);
};

/// How far flights may run ahead of the weather before they wait for it.
inline constexpr slipstream::Duration kMaxLag = std::chrono::hours(24);

/// What describe() leaves open: where results go.
struct Program {
  slipstream::Stream<CarrierDay> carrier_days;
  slipstream::Stream<FlightWeather> flight_weather;
  /// Flights that came later than `bound` allows.
  slipstream::Stream<Flight> late_for_carrier_days;
  slipstream::Stream<Flight> late_for_flight_weather;
};

/// Adds both computations to `app`. `bound` is the disorder that the watermarks allow for.
Program describe(slipstream::App& app, const slipstream::Source<Flight>& flight_source,
                 const slipstream::Source<Weather>& weather_source, const Disorder& bound);

}  // namespace flights
