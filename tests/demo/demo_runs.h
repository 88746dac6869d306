#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include "docs/examples/flights/demo.h"
#include "tests/demo/year.h"

namespace flights {

struct Shown {
  absl::Status status;
  std::string text;
};

/// A folder of the test's own, empty at first.
inline std::string folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test->test_suite_name()) + "." + test->name();
  std::replace(name.begin(), name.end(), '/', '_');
  const auto path = std::filesystem::path(testing::TempDir()) / (name + std::to_string(::getpid()));
  std::filesystem::remove_all(path);
  return path.string();
}

inline Shown run(const DemoOptions& options) {
  char* buffer = nullptr;
  std::size_t size = 0;
  std::FILE* out = ::open_memstream(&buffer, &size);
  absl::Status status = run_demo(options, out);
  std::fclose(out);
  std::string text(buffer, size);
  std::free(buffer);
  return {std::move(status), std::move(text)};
}

inline DemoOptions fast(int parallelism) {
  DemoOptions options;
  options.data_folder = kDataFolder;
  options.pace.reset();
  options.runtime.parallelism = parallelism;
  return options;
}

inline void expect_the_years_files(const std::string& folder) {
  Results results;
  results.carrier_days = read_csv<CarrierDay>(folder + "/carrier_day.csv").value();
  results.flight_weather = read_csv<FlightWeather>(folder + "/flight_weather.csv").value();
  expect_the_year(results);
}

}  // namespace flights
