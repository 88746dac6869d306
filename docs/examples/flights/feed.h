#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "docs/examples/flights/flights.h"

/// The two feeds: the records of the CSV files in the order in which they arrive.
namespace flights {

struct Data {
  std::vector<Flight> flights;  ///< by `scheduled`
  std::vector<Weather> weather;
};

/// Reads flights.csv.gz and weather.csv.gz.
absl::StatusOr<Data> read_data(const std::string& folder);

inline slipstream::EventTime time_of(const Flight& f) { return f.scheduled; }
inline slipstream::EventTime time_of(const Weather& w) { return w.observed; }
/// What decides a record's partition. Some flights lack a tail number; they share one.
inline std::string_view key_of(const Flight& f) { return f.tailnum ? std::string_view(*f.tailnum) : ""; }
inline std::string_view key_of(const Weather& w) { return w.origin; }

struct Arrival {
  slipstream::EventTime at;
  std::uint32_t index;  ///< of the record
  int partition;
};

/// Records, which must outlive it, in order of arrival: event time plus a random part of `disorder`.
template <class T>
struct Feed {
  std::span<const T> records;
  std::vector<Arrival> arrivals;
  std::vector<std::int64_t> per_partition;  ///< how many records each partition will hold
};
Feed<Flight> make_feed(std::span<const Flight> flights, slipstream::Duration disorder, std::uint64_t seed,
                       int partitions);
Feed<Weather> make_feed(std::span<const Weather> weather, slipstream::Duration disorder, std::uint64_t seed,
                        int partitions);

}  // namespace flights
