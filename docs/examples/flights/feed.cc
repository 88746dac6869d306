#include "docs/examples/flights/feed.h"

#include <algorithm>
#include <random>
#include <utility>

#include "docs/examples/flights/csv_file.h"

namespace flights {
namespace {

using slipstream::Duration;

/// FNV-1a: the same partition in every run.
std::uint32_t hash(std::string_view key) {
  std::uint32_t h = 2166136261u;
  for (const char c : key) h = (h ^ static_cast<unsigned char>(c)) * 16777619u;
  return h;
}

template <class T>
Feed<T> shuffle(std::span<const T> records, Duration disorder, std::uint64_t seed, int partitions) {
  Feed<T> feed{records, {}, std::vector<std::int64_t>(static_cast<std::size_t>(partitions))};
  feed.arrivals.reserve(records.size());
  std::mt19937_64 random(seed);
  const auto bound = static_cast<std::uint64_t>(std::max<std::int64_t>(1, disorder.count()));
  for (const T& record : records) {
    const auto index = static_cast<std::uint32_t>(feed.arrivals.size());
    const auto partition = hash(key_of(record)) % static_cast<std::uint32_t>(partitions);
    const Duration delay{static_cast<std::int64_t>(random() % bound)};
    feed.arrivals.push_back({time_of(record) + delay, index, static_cast<int>(partition)});
    feed.per_partition[partition] += 1;
  }
  std::sort(feed.arrivals.begin(), feed.arrivals.end(), [](const Arrival& a, const Arrival& b) {
    return std::pair(a.at, a.index) < std::pair(b.at, b.index);
  });
  return feed;
}

}  // namespace

absl::StatusOr<Data> read_data(const std::string& folder) {
  auto flights = read_csv<Flight>(folder + "/flights.csv.gz");
  if (!flights.ok()) return flights.status();
  auto weather = read_csv<Weather>(folder + "/weather.csv.gz");
  if (!weather.ok()) return weather.status();
  return Data{*std::move(flights), *std::move(weather)};
}

Feed<Flight> make_feed(std::span<const Flight> flights, Duration disorder, std::uint64_t seed,
                       int partitions) {
  return shuffle(flights, disorder, seed, partitions);
}
Feed<Weather> make_feed(std::span<const Weather> weather, Duration disorder, std::uint64_t seed,
                        int partitions) {
  return shuffle(weather, disorder, seed + 1, partitions);
}

}  // namespace flights
