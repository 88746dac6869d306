#include "slipstream/log.h"

#include <chrono>
#include <cstdio>
#include <string>

#include "slipstream/detail/units.h"

namespace slipstream {
namespace {

/// Hours to milliseconds in UTC.
std::string time_of_day(std::chrono::system_clock::time_point now) {
  const auto since_midnight = now - std::chrono::floor<std::chrono::days>(now);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(since_midnight).count();
  char text[32];
  std::snprintf(text, sizeof(text), "%02d:%02d:%02d.%03d", static_cast<int>(ms / 3'600'000),
                static_cast<int>(ms / 60'000 % 60), static_cast<int>(ms / 1'000 % 60),
                static_cast<int>(ms % 1'000));
  return text;
}

}  // namespace

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "?";
}

LogHook stderr_log(LogLevel minimum) {
  return [minimum](LogLevel level, std::string_view component, std::string_view message) {
    if (level < minimum) return;
    constexpr std::size_t kLongest = 4096;
    std::string line = time_of_day(std::chrono::system_clock::now()) + "Z " + std::string(to_string(level)) +
                       " " + detail::one_line(component) + ": " + detail::one_line(message, kLongest) + "\n";
    std::fwrite(line.data(), 1, line.size(), stderr);
  };
}

}  // namespace slipstream
