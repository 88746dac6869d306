#include "connectors/codecs/scalars.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "connectors/codecs/time_text.h"
#include "simdjson.h"
#include "slipstream/detail/nearest.h"

namespace slipstream::codecs {
namespace {

template <class T>
bool parse_all(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// 2.0 and 2e0 are integers too, as long as a double holds every integer of their size.
bool parse_whole_double(std::string_view text, std::int64_t& value) {
  constexpr double kExact = 9007199254740992;  // 2^53
  double number;
  if (!parse_all(text, number) || !(std::abs(number) < kExact) || number != std::floor(number)) return false;
  value = static_cast<std::int64_t>(number);
  return true;
}

bool parse_integer(std::string_view text, const TypeInfo& type, void* out) {
  std::uint64_t magnitude;
  std::int64_t value;
  if (!type.is_signed && parse_all(text, magnitude)) return put_unsigned(magnitude, type.size, out);
  if (!parse_all(text, value) && !parse_whole_double(text, value)) return false;
  if (!type.is_signed) return value >= 0 && put_unsigned(value, type.size, out);
  return put_signed(value, type.size, out);
}

template <class T>
bool parse_floating(std::string_view text, void* out) {
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Out of range with a negative exponent is too small, so zero.
  const bool is_tiny = error == std::errc::result_out_of_range && text.find_first_of("eE") != text.npos &&
                       text[text.find_first_of("eE") + 1] == '-';
  if ((error != std::errc() && !is_tiny) || end != text.data() + text.size() || !std::isfinite(value))
    return false;
  *static_cast<T*>(out) = is_tiny ? T{0} : value;
  return true;
}

bool parse_bool(std::string_view text, void* out) {
  const bool is_true = text == "true";
  if (!is_true && text != "false") return false;
  *static_cast<bool*>(out) = is_true;
  return true;
}

bool parse_time_scalar(std::string_view text, const TypeInfo& type, void* out) {
  std::int64_t milliseconds;
  if (parse_all(text, milliseconds) || parse_whole_double(text, milliseconds)) {
    return put_time(Wide{milliseconds} * 1'000'000, type, out);
  }
  return parse_time_text(text, type, out);
}

void append_time_scalar(const TypeInfo& type, const void* value, std::string& out) {
  const Wide nanoseconds = load_time(type, value);
  Wide seconds = nanoseconds / 1'000'000'000;
  auto rest = static_cast<std::int32_t>(nanoseconds % 1'000'000'000);
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  append_time({static_cast<std::int64_t>(seconds), rest}, out);
}

template <class T>
void append_chars(T value, std::string& out) {
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr);
}

bool append_floating(const TypeInfo& type, const void* value, std::string& out) {
  const double number = load_double(type, value);
  if (!std::isfinite(number)) return false;
  type.size == sizeof(float) ? append_chars(static_cast<float>(number), out) : append_chars(number, out);
  return true;
}

bool append_enumerator(const TypeInfo& type, const void* value, std::string& out) {
  const std::uint64_t bits = load_unsigned(type, value);
  for (std::size_t i = 0; i < type.count; ++i) {
    if (type.enumerators[i].bits != bits) continue;
    out.append(type.enumerators[i].name);
    return true;
  }
  return false;
}

std::string expected_integer(const TypeInfo& type) {
  const unsigned bits = 8 * type.size - (type.is_signed ? 1 : 0);
  const std::uint64_t max = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
  const std::string min = type.is_signed ? "-" + std::to_string(max + 1) : "0";
  return "an integer from " + min + " to " + std::to_string(max);
}

std::string expected_enumerator(const TypeInfo& type) {
  constexpr std::size_t kMost = 12;
  std::string text = "one of ";
  for (std::size_t i = 0; i < std::min(type.count, kMost); ++i) {
    text.append(i == 0 ? "" : ", ").append(type.enumerators[i].name);
  }
  return type.count > kMost ? text + ", …" : text;
}

/// The length of the UTF-8 sequence at the front of `text`, 0 when it isn't one (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto continues = [byte](std::size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned a = byte(0), b = byte(1);
  if (a < 0x80) return 1;
  if (a >= 0xc2 && a <= 0xdf) return continues(1) ? 2 : 0;
  if (a == 0xe0 && b < 0xa0) return 0;  // overlong
  if (a == 0xed && b > 0x9f) return 0;  // surrogate
  if (a >= 0xe0 && a <= 0xef) return continues(1) && continues(2) ? 3 : 0;
  if ((a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f)) return 0;  // overlong, beyond U+10FFFF
  if (a >= 0xf0 && a <= 0xf4) return continues(1) && continues(2) && continues(3) ? 4 : 0;
  return 0;
}

void append_hex(unsigned char byte, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  out.append("\\x").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
}

/// Most texts are ASCII, and too short for a call of simdjson to be worth it.
bool is_ascii(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  std::uint64_t seen = 0;
  for (std::uint64_t word = 0; text.size() >= sizeof(word); text.remove_prefix(sizeof(word))) {
    std::memcpy(&word, text.data(), sizeof(word));
    seen |= word;
  }
  for (const char c : text) seen |= static_cast<unsigned char>(c);
  return (seen & kHighBits) == 0;
}

}  // namespace

std::int64_t load_signed(const TypeInfo& type, const void* value) {
  std::int64_t bits = 0;
  std::memcpy(&bits, value, type.size);
  const unsigned unused = 64 - 8 * type.size;
  return type.is_signed ? (bits << unused) >> unused : bits;
}
std::uint64_t load_unsigned(const TypeInfo& type, const void* value) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, value, type.size);
  return bits;
}
double load_double(const TypeInfo& type, const void* value) {
  if (type.size == sizeof(double)) return *static_cast<const double*>(value);
  return *static_cast<const float*>(value);
}

Wide load_time(const TypeInfo& type, const void* value) {
  const Wide ticks = type.is_signed ? Wide{load_signed(type, value)} : Wide{load_unsigned(type, value)};
  return ticks * (Wide{type.period_num} * 1'000'000'000 / type.period_den);
}

bool put_time(Wide nanoseconds, const TypeInfo& type, void* out) {
  const Wide tick = Wide{type.period_num} * 1'000'000'000 / type.period_den;
  const Wide ticks = nanoseconds / tick - (nanoseconds % tick < 0 ? 1 : 0);
  if (!type.is_signed) {
    return ticks >= 0 && ticks <= std::numeric_limits<std::uint64_t>::max() &&
           put_unsigned(static_cast<std::uint64_t>(ticks), type.size, out);
  }
  return ticks >= std::numeric_limits<std::int64_t>::min() &&
         ticks <= std::numeric_limits<std::int64_t>::max() &&
         put_signed(static_cast<std::int64_t>(ticks), type.size, out);
}

bool parse_time_text(std::string_view text, const TypeInfo& type, void* out) {
  const auto time = parse_time(text);
  return time && put_time(Wide{time->seconds} * 1'000'000'000 + time->nanoseconds, type, out);
}

bool parse_enumerator(std::string_view name, const TypeInfo& type, void* out) {
  for (std::size_t i = 0; i < type.count; ++i) {
    if (type.enumerators[i].name != name) continue;
    std::memcpy(out, &type.enumerators[i].bits, type.size);
    return true;
  }
  return false;
}

bool parse_scalar(std::string_view text, const TypeInfo& type, void* out) {
  switch (type.kind) {
    case Kind::boolean:
      return parse_bool(text, out);
    case Kind::signed_integer:
    case Kind::unsigned_integer:
      return parse_integer(text, type, out);
    case Kind::floating:
      return type.size == sizeof(float) ? parse_floating<float>(text, out)
                                        : parse_floating<double>(text, out);
    case Kind::enumeration:
      return parse_enumerator(text, type, out);
    case Kind::time:
      return parse_time_scalar(text, type, out);
    default:
      return false;
  }
}

bool append_scalar(const TypeInfo& type, const void* value, std::string& out) {
  switch (type.kind) {
    case Kind::boolean:
      out.append(*static_cast<const bool*>(value) ? "true" : "false");
      return true;
    case Kind::signed_integer:
      append_chars(load_signed(type, value), out);
      return true;
    case Kind::unsigned_integer:
      append_chars(load_unsigned(type, value), out);
      return true;
    case Kind::floating:
      return append_floating(type, value, out);
    case Kind::enumeration:
      return append_enumerator(type, value, out);
    case Kind::time:
      append_time_scalar(type, value, out);
      return true;
    default:
      return false;
  }
}

std::string expected(const TypeInfo& type) {
  switch (type.kind) {
    case Kind::boolean:
      return "true or false";
    case Kind::signed_integer:
    case Kind::unsigned_integer:
      return expected_integer(type);
    case Kind::floating:
      return type.size == sizeof(float) ? "a number within ±3.4e38" : "a number within ±1.8e308";
    case Kind::string:
      return "a string";
    case Kind::enumeration:
      return expected_enumerator(type);
    case Kind::time:
      return "a time such as 2013-01-01T10:15:00Z or milliseconds since 1970";
    case Kind::structure:
    case Kind::map:
      return "an object";
    case Kind::list:
      return "an array";
    case Kind::optional:
      return expected(*type.elements->element);
  }
  return "";
}

std::string did_you_mean_enumerator(std::string_view name, const TypeInfo& type) {
  if (type.kind != Kind::enumeration) return "";
  std::vector<std::string> names;
  for (std::size_t i = 0; i < type.count; ++i) names.emplace_back(type.enumerators[i].name);
  return detail::did_you_mean(name, names);
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::string out;
  const std::size_t size = text.size();
  while (!text.empty() && size - text.size() < kMost) {
    const std::size_t length = utf8_length(text);
    const auto byte = static_cast<unsigned char>(text.front());
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      append_hex(byte, out);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text.empty() ? out : out + "…";
}

std::string key_part(const TypeInfo& type, const void* key) {
  std::string text;
  if (type.kind == Kind::string) {
    text = *static_cast<const std::string*>(key);
  } else if (!append_scalar(type, key, text)) {
    return "[a key]";
  }
  return "[" + in_quotes(text) + "]";
}

std::string in_quotes(std::string_view text) { return "\"" + shortened(text) + "\""; }

std::string unwritable(const TypeInfo& type, const void* value) {
  if (type.kind == Kind::enumeration) {
    const std::string number = type.is_signed ? std::to_string(load_signed(type, value))
                                              : std::to_string(load_unsigned(type, value));
    return "the enum value " + number + " has no name (there are: " + expected_enumerator(type).substr(7) +
           ")";
  }
  const double number = load_double(type, value);
  const std::string_view name = std::isnan(number) ? "NaN" : number < 0 ? "-infinity" : "infinity";
  return std::string(name) + " can't be written as text; use std::optional for a value that may be missing";
}

std::size_t find_invalid_utf8(std::string_view text) {
  if (is_ascii(text) || simdjson::validate_utf8(text.data(), text.size())) return text.npos;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t length = utf8_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return text.npos;
}

}  // namespace slipstream::codecs
