#include <charconv>
#include <filesystem>
#include <stop_token>

#include "docs/examples/flights/demo.h"
#include "runtime/cli/command.h"
#include "runtime/stop_signals.h"
#include "slipstream/detail/units.h"

namespace slipstream::cli {
namespace {

using std::chrono::milliseconds;

constexpr Option kOut = {"--out", "DIR", "write carrier_day.csv and flight_weather.csv there"};
constexpr Option kRate = {
    "--rate", "max|TIME",
    "how long the year takes, e.g. 60s (default 20s); max: as fast as it goes, nothing held back"};
constexpr Option kBound = {
    "--bound-fraction", "F",
    "let the watermarks allow for this part of the real disorder, e.g. 0.1: some come late"};
constexpr Option kBootstrap = {"--bootstrap", "HOST:PORT",
                               "use a real broker; the topics are deleted afterwards"};
constexpr Option kKeep = {"--keep", "", "don't delete the topics on the real broker"};
constexpr Option kServe = {"--serve", "PORT",
                           "serve a page on this machine that shows the counts moving; 0: a free port"};
constexpr Option kSeed = {"--seed", "N", "another order of arrival (default 1)"};
constexpr Option kData = {"--data", "DIR", "where flights.csv.gz and weather.csv.gz are"};
// Taken off by parse_arguments().
constexpr Option kParallelism = {"--parallelism", "N", "lanes per stage (default: one per processor)"};

absl::Status wrong(const Option& option, std::string_view wanted, const std::string& found) {
  return absl::InvalidArgumentError(std::string(option.name) + " expects " + std::string(wanted) +
                                    ", found '" + detail::one_line(found) + "'");
}

template <class Number>
bool parse_number(const std::string& text, Number& out) {
  const char* end = text.data() + text.size();
  return std::from_chars(text.data(), end, out).ptr == end && !text.empty();
}

/// Beside an installed tool, or where this one was built.
std::string data_folder() {
  std::error_code error;
  const auto tool = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto installed = tool.parent_path().parent_path() / "share" / "slipstream" / "flights";
  return std::filesystem::is_directory(installed, error) ? installed.string() : SLIPSTREAM_FLIGHTS_DATA;
}

absl::StatusOr<std::optional<flights::Pace>> parse_rate(const std::string& text) {
  if (text == "max") return std::nullopt;
  const auto year = detail::parse_duration(text);
  if (!year || *year <= Duration{0}) return wrong(kRate, "max or a time such as 20s", text);
  const auto all = std::chrono::duration_cast<milliseconds>(*year);
  return flights::Pace{all, std::min(flights::kDefaultPace.hold, all * 3 / 20)};
}

absl::StatusOr<int> parse_port(const std::string& text) {
#ifndef SLIPSTREAM_HTTP
  return absl::InvalidArgumentError("--serve needs a build with SLIPSTREAM_HTTP");
#endif
  int port = 0;
  if (!parse_number(text, port) || port < 0 || port > 65535)
    return wrong(kServe, "a port from 0 to 65535", text);
  return port;
}

absl::StatusOr<flights::DemoOptions> parse(const Invocation& invocation) {
  flights::DemoOptions options;
  options.data_folder = invocation.value(kData.name).value_or(data_folder());
  options.out_folder = invocation.value(kOut.name).value_or("");
  options.bootstrap = invocation.value(kBootstrap.name).value_or("");
  options.keep_topics = invocation.has(kKeep.name);
  options.runtime = invocation.config.runtime();
  options.profile = invocation.profile;
  if (const auto rate = invocation.value(kRate.name)) {
    auto pace = parse_rate(*rate);
    if (!pace.ok()) return pace.status();
    options.pace = *pace;
  }
  const std::string bound = invocation.value(kBound.name).value_or("1");
  if (!parse_number(bound, options.bound_fraction) ||
      !(options.bound_fraction >= 0 && options.bound_fraction <= 1)) {
    return wrong(kBound, "a number from 0 to 1", bound);
  }
  const std::string seed = invocation.value(kSeed.name).value_or("1");
  if (!parse_number(seed, options.seed)) return wrong(kSeed, "a whole number from 0 on", seed);
  if (const auto serve = invocation.value(kServe.name)) {
    auto port = parse_port(*serve);
    if (!port.ok()) return port.status();
    options.port = *port;
  }
  if (options.keep_topics && options.bootstrap.empty()) {
    return absl::InvalidArgumentError("--keep is for a real broker: give --bootstrap too");
  }
  return options;
}

absl::Status demo(const Invocation& invocation) {
  auto options = parse(invocation);
  if (!options.ok()) return options.status();
  std::stop_source stop;
  options->stop = stop.get_token();
  const auto signals = StopSignals::install([&stop] { stop.request_stop(); });
  if (!signals.ok()) return signals.status();
  return flights::run_demo(*options, stdout);
}

}  // namespace

int run_demo(int argc, const char* const* argv) {
  return run_command(
      {.name = "demo",
       .arguments = {},
       .about =
           "Plays a year of flights out of New York, and the weather there, into the topics of a Kafka "
           "broker\n"
           "that it starts in memory; counts the flights per carrier and day, and joins each with the "
           "weather\n"
           "at its departure. In the middle the weather stays away for a while, and the flights wait for it.",
       .options = {kOut, kRate, kBound, kBootstrap, kKeep, kServe, kSeed, kData, kParallelism, kProfile},
       .run = demo},
      argc, argv);
}

}  // namespace slipstream::cli
