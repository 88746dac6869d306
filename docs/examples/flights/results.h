#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "docs/examples/flights/flights.h"

/// What the program computed, and the two files it becomes.
namespace flights {

struct Results {
  std::vector<CarrierDay> carrier_days;
  std::vector<FlightWeather> flight_weather;
  std::int64_t late_for_carrier_days = 0;
  std::int64_t late_for_flight_weather = 0;
};

/// Ends the program's streams in `results`, which must outlive the run and belongs to it meanwhile.
void collect(const Program& program, Results& results);

/// Into the order of the files: by window and carrier; by scheduled time, carrier, flight number, ….
void sort(Results& results);

/// Makes the folder if it isn't there. FailedPrecondition when files can't be written there.
absl::Status prepare_folder(const std::string& folder);

/// Writes carrier_day.csv and flight_weather.csv; both appear when both are complete, over older ones.
absl::Status write_files(const Results& results, const std::string& folder);

}  // namespace flights
