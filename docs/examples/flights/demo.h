#pragma once
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "docs/examples/flights/producer.h"
#include "slipstream/config.h"

namespace flights {

/// The year takes 20 s, of which the weather stays away for 3.
inline constexpr Pace kDefaultPace = {std::chrono::seconds(20), std::chrono::seconds(3)};

struct DemoOptions {
  std::string data_folder;                  ///< with flights.csv.gz and weather.csv.gz
  std::string out_folder = {};              ///< for carrier_day.csv and flight_weather.csv; empty: no files
  std::optional<Pace> pace = kDefaultPace;  ///< empty: as fast as it goes
  double bound_fraction = 1;                ///< the watermarks allow for this part of the real disorder
  std::string bootstrap = {};               ///< HOST:PORT of a real broker; empty: an embedded one
  bool keep_topics = false;                 ///< leave the topics on the real broker
  std::uint64_t seed = 1;                   ///< of the order of arrival
  bool profile = false;                     ///< say at the end where the time went
  std::optional<int> port = {};             ///< serve a page there that shows the run; 0: a free one
  slipstream::RuntimeConfig runtime = {};
  std::stop_token stop = {};  ///< asks it to end early: what was read is drained, no files are written
};

/// Plays both feeds into Kafka topics and runs the program on them meanwhile; progress and report go to
/// `out`. DeadlineExceeded, with counts, when it was stopped early.
absl::Status run_demo(const DemoOptions& options, std::FILE* out);

}  // namespace flights
