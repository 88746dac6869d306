#include "docs/examples/flights/report.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "docs/examples/flights/text.h"

namespace flights {
namespace {

constexpr std::array<int, 6> kBands = {0, 5, 10, 15, 20, 25};  // mph; the last has no upper end
constexpr int kLate = 15;                                      // minutes
constexpr std::int64_t kEnoughDepartures = 20;
constexpr std::size_t kWorst = 5;

struct Band {
  std::int64_t departed = 0;
  std::int64_t delay = 0;
  std::int64_t late = 0;
};

std::size_t band_of(double wind) {
  const auto above = std::upper_bound(kBands.begin(), kBands.end(), wind);
  return static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, above - kBands.begin() - 1));
}

std::array<Band, kBands.size()> bands_of(const Results& results) {
  std::array<Band, kBands.size()> bands;
  for (const FlightWeather& row : results.flight_weather) {
    if (!row.dep_delay || !row.wind_speed) continue;
    Band& band = bands[band_of(*row.wind_speed)];
    band.departed += 1;
    band.delay += *row.dep_delay;
    band.late += *row.dep_delay > kLate;
  }
  return bands;
}

double mean_delay(const CarrierDay& day) {
  return static_cast<double>(day.delay_sum) / static_cast<double>(std::max<std::int64_t>(1, day.departed));
}

}  // namespace

std::string delay_by_wind(const Results& results) {
  std::string table =
      "Departure delay by wind at the origin\n\n     wind, mph    departed   mean delay   over 15 min late\n";
  const auto bands = bands_of(results);
  for (std::size_t i = 0; i < bands.size(); ++i) {
    const Band& band = bands[i];
    const double departed = static_cast<double>(std::max<std::int64_t>(1, band.departed));
    const double mean = static_cast<double>(band.delay) / departed;
    const std::string to = i + 1 < kBands.size() ? text("to %2d", kBands[i + 1]) : "and up";
    table += text("     %2d %-6s", kBands[i], to.c_str()) + right(grouped(band.departed), 12) +
             text("%9.1f min", mean) +
             text("%9.1f %%      ", 100 * static_cast<double>(band.late) / departed) +
             repeated("█", std::clamp(static_cast<int>(std::lround(mean)), 0, 30)) + "\n";
  }
  return table;
}

std::string worst_carrier_days(const Results& results) {
  std::vector<const CarrierDay*> days;
  for (const CarrierDay& day : results.carrier_days) {
    if (day.departed >= kEnoughDepartures) days.push_back(&day);
  }
  const std::size_t shown = std::min(kWorst, days.size());
  std::partial_sort(days.begin(), days.begin() + static_cast<std::ptrdiff_t>(shown), days.end(),
                    [](const CarrierDay* a, const CarrierDay* b) { return mean_delay(*a) > mean_delay(*b); });
  std::string table =
      "Worst carrier-days (20 departures or more)\n\n     day         carrier   flights   cancelled   mean "
      "delay   longest\n";
  for (std::size_t i = 0; i < shown; ++i) {
    const CarrierDay& day = *days[i];
    table += "     " + to_text(day.window_start).substr(0, 10) + text("  %-7s", day.carrier.c_str()) +
             right(grouped(day.flights), 10) + right(grouped(day.flights - day.departed), 12) +
             text("%9.0f min", mean_delay(day)) + right(grouped(day.delay_max.value_or(0)) + " min", 10) +
             "\n";
  }
  return table;
}

}  // namespace flights
