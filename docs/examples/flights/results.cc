#include "docs/examples/flights/results.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <tuple>
#include <utility>

#include "slipstream/file.h"

namespace flights {
namespace {

namespace file = slipstream::file;

auto order(const CarrierDay& row) { return std::tie(row.window_start, row.carrier); }
auto order(const FlightWeather& row) {
  return std::tie(row.scheduled, row.carrier, row.flight, row.origin, row.dest, row.dep_delay, row.observed,
                  row.wind_speed, row.visib);
}

template <class T>
void sort_rows(std::vector<T>& rows) {
  std::sort(rows.begin(), rows.end(), [](const T& a, const T& b) { return order(a) < order(b); });
}

template <class T>
void write_rows(slipstream::App& app, const std::vector<T>& rows, const std::string& path) {
  app.source(slipstream::from(rows)).sink(file::csv_sink<T>(path, {.overwrite = true}));
}

}  // namespace

void collect(const Program& program, Results& results) {
  program.carrier_days.sink([&results](const CarrierDay& row) { results.carrier_days.push_back(row); },
                            {.name = "carrier_day.csv"});
  program.flight_weather.sink([&results](const FlightWeather& row) { results.flight_weather.push_back(row); },
                              {.name = "flight_weather.csv"});
  program.late_for_carrier_days.sink([&results](const Flight&) { ++results.late_for_carrier_days; },
                                     {.name = "late for carrier day"});
  program.late_for_flight_weather.sink([&results](const Flight&) { ++results.late_for_flight_weather; },
                                       {.name = "late for flight weather"});
}

void sort(Results& results) {
  sort_rows(results.carrier_days);
  sort_rows(results.flight_weather);
}

absl::Status prepare_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error && ::access(folder.c_str(), W_OK | X_OK) != 0) error.assign(errno, std::generic_category());
  if (!error) return absl::OkStatus();
  return absl::FailedPreconditionError("can't write to folder '" + folder + "': " + error.message());
}

absl::Status write_files(const Results& results, const std::string& folder) {
  slipstream::App app;
  write_rows(app, results.carrier_days, folder + "/carrier_day.csv");
  write_rows(app, results.flight_weather, folder + "/flight_weather.csv");
  return app.run();
}

}  // namespace flights
