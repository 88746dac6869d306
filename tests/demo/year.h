#pragma once
#include <gtest/gtest.h>

#include <string>

#include "docs/examples/flights/csv_file.h"
#include "docs/examples/flights/feed.h"
#include "docs/examples/flights/results.h"

namespace flights {

/// Under sanitizers a year takes twenty times as long, so there are fewer.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kIsSlow = true;
#else
inline constexpr bool kIsSlow = false;
#endif

inline constexpr std::int64_t kFlights = 336'776;
inline constexpr std::int64_t kObservations = 26'115;
inline const std::string kDataFolder = SLIPSTREAM_SOURCE_DIR "/docs/examples/flights/data";

/// All flights and observations; read once.
inline const Data& year() {
  static const Data data = read_data(kDataFolder).value();
  return data;
}

/// What an SQL engine made of them.
inline const Results& expected() {
  static const Results results = [] {
    const std::string folder = SLIPSTREAM_SOURCE_DIR "/tests/data/expected";
    Results r;
    r.carrier_days = read_csv<CarrierDay>(folder + "/carrier_day.csv.gz").value();
    r.flight_weather = read_csv<FlightWeather>(folder + "/flight_weather.csv.gz").value();
    return r;
  }();
  return results;
}

template <class T>
void expect_rows(const std::vector<T>& rows, const std::vector<T>& wanted, const char* name) {
  ASSERT_EQ(rows.size(), wanted.size()) << name;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSERT_TRUE(rows[i] == wanted[i]) << name << " differs in row " << i + 1;
  }
}
inline void expect_the_year(const Results& results) {
  expect_rows(results.carrier_days, expected().carrier_days, "carrier_day");
  expect_rows(results.flight_weather, expected().flight_weather, "flight_weather");
}

}  // namespace flights
