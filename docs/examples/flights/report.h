#pragma once
#include <string>

#include "docs/examples/flights/results.h"

namespace flights {

/// Mean departure delay by wind band, as a table for people.
std::string delay_by_wind(const Results& results);
/// The carriers' worst days by mean departure delay, among those with enough departures to mean something.
std::string worst_carrier_days(const Results& results);

}  // namespace flights
