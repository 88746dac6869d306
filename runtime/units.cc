#include "slipstream/detail/units.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <span>

namespace slipstream::detail {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t size;
};

constexpr Unit kTimes[] = {{"d", 86'400'000'000},
                           {"h", 3'600'000'000},
                           {"min", 60'000'000},
                           {"m", 60'000'000},
                           {"s", 1'000'000},
                           {"ms", 1'000},
                           {"us", 1}};
constexpr Unit kSizes[] = {{"GiB", 1 << 30}, {"GB", 1'000'000'000}, {"MiB", 1 << 20}, {"MB", 1'000'000},
                           {"KiB", 1 << 10}, {"kB", 1'000},         {"KB", 1'000},    {"B", 1}};

const Unit* find_unit(std::span<const Unit> units, std::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

bool is_number_char(char c) { return (c >= '0' && c <= '9') || c == '.'; }

/// Takes the leading number off `text`. Doubles are exact up to 2^53, far beyond what anyone writes.
std::optional<double> take_number(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && is_number_char(text[size])) ++size;
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + size, number, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + size) return std::nullopt;
  text.remove_prefix(size);
  return number;
}

std::string_view take_word(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && !is_number_char(text[size])) ++size;
  const std::string_view word = text.substr(0, size);
  text.remove_prefix(size);
  return word;
}

std::optional<std::int64_t> whole(double number) {
  constexpr double kLargestExact = 9'007'199'254'740'992.0;
  const double rounded = std::round(number);
  if (rounded > kLargestExact || std::abs(number - rounded) > 1e-6) return std::nullopt;
  return static_cast<std::int64_t>(rounded);
}

/// In the largest unit that divides `count`, so that nothing is rounded.
std::string format(std::int64_t count, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (count % unit.size == 0 && count != 0)
      return std::to_string(count / unit.size) + std::string(unit.name);
  }
  return "0";
}

void append_escaped(std::string& out, unsigned char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (c == '\n') {
    out += "\\n";
  } else if (c == '\t') {
    out += "\\t";
  } else {
    out += "\\x";
    out += kDigits[c >> 4];
    out += kDigits[c & 15];
  }
}

}  // namespace

std::optional<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration(0);
  if (text.empty()) return std::nullopt;
  double sum = 0;
  while (!text.empty()) {
    const std::optional<double> number = take_number(text);
    const Unit* unit = find_unit(kTimes, take_word(text));
    if (!number || unit == nullptr) return std::nullopt;
    sum += *number * static_cast<double>(unit->size);
  }
  const std::optional<std::int64_t> count = whole(sum);
  if (!count) return std::nullopt;
  return Duration(*count);
}

std::string format_duration(Duration duration) { return format(duration.count(), kTimes); }

std::optional<std::size_t> parse_bytes(std::string_view text) {
  const std::optional<double> number = take_number(text);
  const Unit* unit = text.empty() ? find_unit(kSizes, "B") : find_unit(kSizes, text);
  if (!number || unit == nullptr) return std::nullopt;
  const std::optional<std::int64_t> count = whole(*number * static_cast<double>(unit->size));
  if (!count) return std::nullopt;
  return static_cast<std::size_t>(*count);
}

std::string format_bytes(std::size_t bytes) { return format(static_cast<std::int64_t>(bytes), kSizes); }

std::string one_line(std::string_view text, std::size_t limit) {
  std::string out;
  const bool is_cut = text.size() > limit;
  while (is_cut && limit > 0 && (text[limit] & 0xc0) == 0x80) --limit;  // whole UTF-8 characters
  for (const char c : text.substr(0, limit)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      append_escaped(out, byte);
    } else {
      out += c;
    }
  }
  if (is_cut) out += "…";
  return out;
}

}  // namespace slipstream::detail
