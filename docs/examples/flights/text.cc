#include "docs/examples/flights/text.h"

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <cstdio>

namespace flights {

std::string text(const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  const int size = std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return {buffer, static_cast<std::size_t>(std::clamp<int>(size, 0, sizeof buffer - 1))};
}

std::string grouped(std::int64_t number) {
  std::string digits = std::to_string(number);
  const int first = number < 0 ? 1 : 0;
  for (int i = static_cast<int>(digits.size()) - 3; i > first; i -= 3)
    digits.insert(static_cast<std::size_t>(i), 1, ',');
  return digits;
}

std::string to_text(slipstream::EventTime time) {
  if (time == slipstream::kMinTime) return "-";
  if (time == slipstream::kMaxTime) return "the end";
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto minutes = static_cast<int>(std::chrono::floor<std::chrono::minutes>(time - day).count());
  return text("%d-%02u-%02u %02d:%02d", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
              static_cast<unsigned>(date.day()), minutes / 60, minutes % 60);
}

std::string repeated(const char* what, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += what;
  return all;
}

std::string right(const std::string& words, std::size_t width) {
  return words.size() >= width ? words : std::string(width - words.size(), ' ') + words;
}

}  // namespace flights
