#include "slipstream/ordered_key.h"

#include <bit>
#include <cmath>

#include "slipstream/detail/type_info.h"
#include "slipstream/detail/units.h"

namespace slipstream::detail {
namespace {

constexpr unsigned char kFirstInteger = kZeroCode - 8;
constexpr unsigned char kLastInteger = kZeroCode + 8;
constexpr std::uint64_t kSign = std::uint64_t{1} << 63;

int byte_count(std::uint64_t magnitude) { return (static_cast<int>(std::bit_width(magnitude)) + 7) / 8; }

void append_big_endian(std::uint64_t bits, int bytes, std::string& out) {
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(bits >> (8 * i)));
}

bool read_big_endian(std::string_view& in, int bytes, std::uint64_t& bits) {
  if (in.size() < static_cast<std::size_t>(bytes)) return false;
  bits = 0;
  for (int i = 0; i < bytes; ++i)
    bits = bits << 8 | static_cast<unsigned char>(in[static_cast<std::size_t>(i)]);
  in.remove_prefix(static_cast<std::size_t>(bytes));
  return true;
}

bool take_code(std::string_view& in, KeyCode code) {
  if (in.empty() || static_cast<unsigned char>(in.front()) != code) return false;
  in.remove_prefix(1);
  return true;
}

/// All bits turned for negative numbers, the sign for the others: so they compare as they should.
std::uint64_t ordered(std::uint64_t bits) { return bits & kSign ? ~bits : bits | kSign; }
std::uint64_t unordered(std::uint64_t bits) { return bits & kSign ? bits ^ kSign : ~bits; }

std::uint64_t low_bits(int bytes) {
  return bytes == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << (8 * bytes)) - 1;
}

}  // namespace

KeyKind kind_of_code(unsigned char code) {
  switch (code) {
    case kNullCode:
      return KeyKind::null;
    case kBytesCode:
      return KeyKind::bytes;
    case kTextCode:
      return KeyKind::text;
    case kNestedCode:
      return KeyKind::nested;
    case kDoubleCode:
      return KeyKind::floating;
    case kFalseCode:
    case kTrueCode:
      return KeyKind::boolean;
    case kTimeCode:
      return KeyKind::time;
    default:
      return code >= kFirstInteger && code <= kLastInteger ? KeyKind::integer : KeyKind::none;
  }
}

void append_escaped(std::string_view text, std::string& out) {
  std::size_t begin = 0;
  for (std::size_t zero; (zero = text.find('\0', begin)) != text.npos; begin = zero + 1) {
    out.append(text, begin, zero + 1 - begin).push_back('\xff');
  }
  out.append(text, begin);
}

void append_key_text(KeyCode code, std::string_view text, std::string& out) {
  out.push_back(static_cast<char>(code));
  append_escaped(text, out);
  out.push_back('\0');
}

void append_key_integer(bool is_negative, std::uint64_t magnitude, std::string& out) {
  const int bytes = byte_count(magnitude);
  out.push_back(static_cast<char>(is_negative ? kZeroCode - bytes : kZeroCode + bytes));
  append_big_endian(is_negative ? ~magnitude : magnitude, bytes, out);
}

void append_key_double(double value, std::string& out) {
  out.push_back(static_cast<char>(kDoubleCode));
  if (std::isnan(value)) return append_big_endian(~std::uint64_t{0}, 8, out);
  append_big_endian(ordered(std::bit_cast<std::uint64_t>(value == 0 ? 0.0 : value)), 8, out);
}

void append_key_time(std::int64_t microseconds, std::string& out) {
  out.push_back(static_cast<char>(kTimeCode));
  append_big_endian(static_cast<std::uint64_t>(microseconds) ^ kSign, 8, out);
}

bool read_key_text(KeyCode code, std::string_view& in, std::string& out) {
  if (!take_code(in, code)) return false;
  out.clear();
  while (true) {
    const std::size_t zero = in.find('\0');
    if (zero == in.npos) return false;
    const bool is_escape = zero + 1 < in.size() && in[zero + 1] == '\xff';
    out.append(in.substr(0, zero + (is_escape ? 1 : 0)));
    in.remove_prefix(zero + (is_escape ? 2 : 1));
    if (!is_escape) return true;
  }
}

bool read_key_integer(std::string_view& in, bool& is_negative, std::uint64_t& magnitude) {
  if (in.empty()) return false;
  const auto code = static_cast<unsigned char>(in.front());
  if (kind_of_code(code) != KeyKind::integer) return false;
  in.remove_prefix(1);
  is_negative = code < kZeroCode;
  const int bytes = is_negative ? kZeroCode - code : code - kZeroCode;
  if (!read_big_endian(in, bytes, magnitude)) return false;
  if (is_negative) magnitude = ~magnitude & low_bits(bytes);
  return byte_count(magnitude) == bytes;
}

bool read_key_double(std::string_view& in, double& out) {
  std::uint64_t bits = 0;
  if (!take_code(in, kDoubleCode) || !read_big_endian(in, 8, bits)) return false;
  out = std::bit_cast<double>(unordered(bits));
  if (std::isnan(out)) return bits == ~std::uint64_t{0};
  return out != 0 || !std::signbit(out);
}

bool read_key_time(std::string_view& in, std::int64_t& microseconds) {
  std::uint64_t bits = 0;
  if (!take_code(in, kTimeCode) || !read_big_endian(in, 8, bits)) return false;
  microseconds = static_cast<std::int64_t>(bits ^ kSign);
  return true;
}

// ---------------------------------------------------------------- for people

namespace {

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string tagged(std::string_view tag, std::string_view text) {
  return "{\"" + std::string(tag) + "\":\"" + std::string(text) + "\"}";
}

std::string text_json(const std::string& text) {
  const std::string json = json_text(text);
  return json.empty() ? tagged("text", hex(text)) : json;
}

std::string double_json(double value) {
  if (std::isnan(value)) return tagged("float", "nan");
  if (std::isinf(value)) return tagged("float", value < 0 ? "-inf" : "inf");
  const std::string json = json_text(value);
  return json.find_first_of(".eE") == json.npos ? json + ".0" : json;
}

std::string time_json(std::int64_t microseconds) {
  return "{\"time\":" + json_text(EventTime(Duration(microseconds))) + "}";
}

constexpr int kDeepest = 64;

/// Appends the element at the front of `in`, which is inside of so many others; false: it is none.
bool append_json(std::string_view& in, int depth, std::string& out);

bool append_nested_json(std::string_view& in, int depth, std::string& out) {
  if (depth == kDeepest) return false;
  in.remove_prefix(1);
  out += '[';
  for (bool first = true;; first = false) {
    if (in.empty()) return false;
    if (in.front() == '\0' && !in.starts_with(std::string_view("\0\xff", 2))) break;
    if (!first) out += ',';
    if (!append_json(in, depth + 1, out)) return false;
  }
  in.remove_prefix(1);
  out += ']';
  return true;
}

bool append_json(std::string_view& in, int depth, std::string& out) {
  std::string text;
  std::int64_t time = 0;
  std::uint64_t magnitude = 0;
  double number = 0;
  bool flag = false;
  switch (in.empty() ? KeyKind::none : kind_of_code(static_cast<unsigned char>(in.front()))) {
    case KeyKind::null:
      out += "null";
      return read_key_null(in, depth > 0);
    case KeyKind::bytes:
      if (!read_key_text(kBytesCode, in, text)) return false;
      out += tagged("bytes", hex(text));
      return true;
    case KeyKind::text:
      if (!read_key_text(kTextCode, in, text)) return false;
      out += text_json(text);
      return true;
    case KeyKind::nested:
      return append_nested_json(in, depth, out);
    case KeyKind::integer:
      if (!read_key_integer(in, flag, magnitude)) return false;
      out += (flag ? "-" : "") + std::to_string(magnitude);
      return true;
    case KeyKind::floating:
      if (!read_key_double(in, number)) return false;
      out += double_json(number);
      return true;
    case KeyKind::boolean:
      if (!read_key_element(in, flag)) return false;
      out += flag ? "true" : "false";
      return true;
    case KeyKind::time:
      if (!read_key_time(in, time)) return false;
      out += time_json(time);
      return true;
    case KeyKind::none:
      return false;
  }
  return false;
}

}  // namespace

std::string ordered_key_json(std::string_view bytes) {
  std::string_view in = bytes;
  std::string out;
  int elements = 0;
  while (!in.empty()) {
    if (elements++ > 0) out += ',';
    if (!append_json(in, 0, out)) return tagged("unreadable", hex(bytes));
  }
  return elements == 1 ? out : "[" + out + "]";
}

std::string ordered_key_text(std::string_view bytes) {
  constexpr std::size_t kLimit = 100;
  return one_line(ordered_key_json(bytes), kLimit);
}

}  // namespace slipstream::detail
