#include "connectors/codecs/python_text.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "connectors/codecs/time_text.h"

namespace slipstream::codecs {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;
constexpr Wide kDayMicros = Wide{kDaySeconds} * 1'000'000;

Wide floor_div(Wide a, Wide b) { return a / b - (a % b < 0 ? 1 : 0); }

/// The shortest digits that read back as `number`, written as repr() does: 0.0001 but 1e-05, 1e+16 but
/// 1000000000000000.0.
template <class T>
void append_repr(T number, std::string& out) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), number, std::chars_format::scientific).ptr;
  std::string_view scientific(text, static_cast<std::size_t>(end - text));
  const std::size_t e = scientific.find('e');
  int exponent = 0;
  const std::size_t sign = scientific[e + 1] == '+' ? 1 : 0;  // from_chars takes no plus
  std::from_chars(text + e + 1 + sign, end, exponent);
  if (exponent < -4 || exponent >= 16) {
    out.append(scientific);
    return;
  }
  char fixed[32];
  const auto fixed_end = std::to_chars(fixed, fixed + sizeof(fixed), number, std::chars_format::fixed).ptr;
  const std::string_view digits(fixed, static_cast<std::size_t>(fixed_end - fixed));
  out.append(digits);
  if (digits.find('.') == digits.npos) out.append(".0");
}

void append_floating(const TypeInfo& type, const void* value, std::string& out) {
  const double number = load_double(type, value);
  if (std::isnan(number)) {
    out.append("NaN");
  } else if (std::isinf(number)) {
    out.append(number < 0 ? "-Infinity" : "Infinity");
  } else if (type.size == sizeof(float)) {
    append_repr(*static_cast<const float*>(value), out);
  } else {
    append_repr(number, out);
  }
}

void append_padded(std::int64_t number, std::size_t width, std::string& out) {
  const std::string digits = std::to_string(number);
  out.append(width - std::min(width, digits.size()), '0').append(digits);
}

/// str(datetime): 2023-01-01 10:30:00.000005+00:00
bool append_datetime(Wide nanoseconds, std::string& out) {
  constexpr std::int64_t kYear1 = -62'135'596'800;
  constexpr std::int64_t kYear10000 = 253'402'300'800;
  const Wide micros = floor_div(nanoseconds, 1000);
  const auto seconds = static_cast<std::int64_t>(floor_div(micros, 1'000'000));
  const auto rest = static_cast<std::int32_t>(micros - Wide{seconds} * 1'000'000);
  if (seconds < kYear1 || seconds >= kYear10000) return false;
  std::string text;
  append_time({seconds, 0}, text);  // 2023-01-01T10:30:00Z
  text[10] = ' ';
  text.pop_back();
  out.append(text);
  if (rest != 0) {
    out.push_back('.');
    append_padded(rest, 6, out);
  }
  out.append("+00:00");
  return true;
}

std::optional<Wide> micros_of(const TypeInfo& type, const void* value) {
  constexpr Wide kMaxMicros = (Wide{999'999'999} + 1) * kDayMicros - 1;
  Wide micros;
  if (type.kind == Kind::floating) {
    const double exact = load_double(type, value) * 1e6 * static_cast<double>(type.period_num) /
                         static_cast<double>(type.period_den);
    if (!(std::abs(exact) < static_cast<double>(kMaxMicros))) return std::nullopt;
    micros = static_cast<Wide>(std::nearbyint(exact));
  } else {
    const Wide ticks = type.is_signed ? Wide{load_signed(type, value)} : Wide{load_unsigned(type, value)};
    micros = floor_div(ticks * type.period_num * 1'000'000, type.period_den);
  }
  if (micros > kMaxMicros || micros < -Wide{999'999'999} * kDayMicros) return std::nullopt;
  return micros;
}

/// str(timedelta): 1:30:00, -1 day, 23:59:59.500000
bool append_timedelta(const TypeInfo& type, const void* value, std::string& out) {
  const auto micros = micros_of(type, value);
  if (!micros) return false;
  const auto days = static_cast<std::int64_t>(floor_div(*micros, kDayMicros));
  const auto rest = static_cast<std::int64_t>(*micros - days * kDayMicros);
  if (days != 0) {
    out.append(std::to_string(days)).append(days == 1 || days == -1 ? " day, " : " days, ");
  }
  const std::int64_t seconds = rest / 1'000'000;
  out.append(std::to_string(seconds / 3600)).push_back(':');
  append_padded(seconds / 60 % 60, 2, out);
  out.push_back(':');
  append_padded(seconds % 60, 2, out);
  if (rest % 1'000'000 != 0) {
    out.push_back('.');
    append_padded(rest % 1'000'000, 6, out);
  }
  return true;
}

void append_u(std::uint32_t unit, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out.append("\\u");
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(kHex[unit >> shift & 15]);
}

/// Takes a character off the front of UTF-8 text that is known to be valid.
std::uint32_t take_code_point(std::string_view& text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  std::uint32_t code = length == 1 ? first : first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3fu);
  text.remove_prefix(length);
  return code;
}

void append_escaped_code(std::uint32_t code, std::string& out) {
  constexpr std::string_view kPlain = "\"\\\n\r\t\f\b";
  constexpr std::string_view kLetters = "\"\\nrtfb";
  if (code >= 0x10000) {
    append_u(0xd800 + ((code - 0x10000) >> 10), out);
    append_u(0xdc00 + ((code - 0x10000) & 0x3ff), out);
  } else if (const auto at = code < 0x80 ? kPlain.find(static_cast<char>(code)) : kPlain.npos;
             at != kPlain.npos) {
    out.append(1, '\\').append(1, kLetters[at]);
  } else if (code >= 0x20 && code < 0x7f) {
    out.push_back(static_cast<char>(code));
  } else {
    append_u(code, out);
  }
}

/// Digits off the front of `text`, and what is expected behind them.
bool take_number(std::string_view& text, std::string_view behind, std::int64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.starts_with(behind)) return false;
  text.remove_prefix(behind.size());
  return true;
}

std::optional<Wide> parse_timedelta(std::string_view text) {
  std::int64_t days = 0, hours = 0, minutes = 0, seconds = 0, micros = 0;
  if (text.find(" day") != text.npos) {
    if (!take_number(text, " day", days)) return std::nullopt;
    if (text.starts_with('s')) text.remove_prefix(1);
    if (!text.starts_with(", ")) return std::nullopt;
    text.remove_prefix(2);
  }
  if (text.find('-') != text.npos) return std::nullopt;
  if (!take_number(text, ":", hours) || !take_number(text, ":", minutes) || !take_number(text, "", seconds))
    return std::nullopt;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (text.size() != 6 || !take_number(text, "", micros)) return std::nullopt;
  }
  if (!text.empty() || hours > 23 || minutes > 59 || seconds > 59) return std::nullopt;
  return Wide{days} * kDayMicros + (hours * 3600 + minutes * 60 + seconds) * 1'000'000 + micros;
}

}  // namespace

bool append_python_scalar(const TypeInfo& type, const void* value, std::string& out) {
  if (type.kind == Kind::time) return append_datetime(load_time(type, value), out);
  if (type.is_duration) return append_timedelta(type, value, out);
  if (type.kind != Kind::floating) return append_scalar(type, value, out);
  append_floating(type, value, out);
  return true;
}

std::string unwritable_in_python(const TypeInfo& type) {
  return type.kind == Kind::time ? "Python has no datetime outside the years 1 to 9999"
                                 : "Python has no timedelta of more than 999999999 days";
}

void append_python_escaped(std::string_view text, std::string& out) {
  while (!text.empty()) append_escaped_code(take_code_point(text), out);
}

bool is_python_constant(std::string_view text) {
  return text == "NaN" || text == "Infinity" || text == "-Infinity";
}

bool parse_python_constant(std::string_view text, const TypeInfo& type, void* out) {
  if (type.kind != Kind::floating || type.is_duration || !is_python_constant(text)) return false;
  double value =
      text == "NaN" ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  if (text.starts_with('-')) value = -value;
  if (type.size == sizeof(double)) {
    *static_cast<double*>(out) = value;
  } else {
    *static_cast<float*>(out) = static_cast<float>(value);
  }
  return true;
}

bool parse_python_duration(std::string_view text, const TypeInfo& type, void* out) {
  const auto micros = parse_timedelta(text);
  if (!micros) return false;
  if (type.kind == Kind::floating) {
    const double ticks = static_cast<double>(*micros) / 1e6 * static_cast<double>(type.period_den) /
                         static_cast<double>(type.period_num);
    if (type.size == sizeof(double)) {
      *static_cast<double*>(out) = ticks;
    } else {
      *static_cast<float*>(out) = static_cast<float>(ticks);
    }
    return true;
  }
  const Wide ticks = floor_div(*micros * type.period_den, Wide{type.period_num} * 1'000'000);
  if (ticks < std::numeric_limits<std::int64_t>::min() || ticks > std::numeric_limits<std::int64_t>::max())
    return false;
  if (type.is_signed) return put_signed(static_cast<std::int64_t>(ticks), type.size, out);
  return ticks >= 0 && put_unsigned(static_cast<std::uint64_t>(ticks), type.size, out);
}

}  // namespace slipstream::codecs
