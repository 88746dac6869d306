#include <gtest/gtest.h>

#include <chrono>
#include <utility>
#include <vector>

#include "tests/demo/year.h"

namespace flights {
namespace {

using namespace std::chrono_literals;

template <class T>
std::vector<std::vector<T>> by_partition(const Feed<T>& feed) {
  std::vector<std::vector<T>> partitions(feed.per_partition.size());
  for (const Arrival& arrival : feed.arrivals) {
    partitions[static_cast<std::size_t>(arrival.partition)].push_back(feed.records[arrival.index]);
  }
  return partitions;
}

absl::StatusOr<Results> compute(std::uint64_t seed, int parallelism, const Disorder& bound = {}) {
  const Disorder disorder;
  Results results;
  slipstream::App app;
  app.tune([&](slipstream::RuntimeConfig& config) { config.parallelism = parallelism; });
  collect(
      describe(
          app,
          slipstream::from_partitions(by_partition(make_feed(year().flights, disorder.flights, seed, 16))),
          slipstream::from_partitions(by_partition(make_feed(year().weather, disorder.weather, seed, 4))),
          bound),
      results);
  if (absl::Status status = app.run(); !status.ok()) return status;
  sort(results);
  return results;
}

class FlightsInMemory : public testing::TestWithParam<int> {};

TEST_P(FlightsInMemory, EqualTheExpectedResultsWhateverTheOrderOfArrival) {
  for (std::uint64_t seed = 1; seed <= (kIsSlow ? 1u : 5u); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const auto results = compute(seed, GetParam());
    ASSERT_TRUE(results.ok()) << results.status();
    EXPECT_EQ(results->late_for_carrier_days, 0);
    EXPECT_EQ(results->late_for_flight_weather, 0);
    expect_the_year(*results);
  }
}

INSTANTIATE_TEST_SUITE_P(Parallelism, FlightsInMemory, testing::Range(kIsSlow ? 7 : 1, 9, kIsSlow ? 2 : 1));

TEST(FlightsLate, CountEveryFlightOnceWhenTheBoundIsTooSmall) {
  const auto results = compute(1, 4, {.flights = 3min, .weather = 18min});
  ASSERT_TRUE(results.ok()) << results.status();
  std::int64_t counted = 0;
  for (const CarrierDay& day : results->carrier_days) counted += day.flights;
  EXPECT_GT(results->late_for_carrier_days, 0);
  EXPECT_GT(results->late_for_flight_weather, 0);
  EXPECT_EQ(counted + results->late_for_carrier_days, kFlights);
  EXPECT_EQ(std::ssize(results->flight_weather) + results->late_for_flight_weather, kFlights);
}

}  // namespace
}  // namespace flights
