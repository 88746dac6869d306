#include "connectors/codecs/time_text.h"

#include <charconv>

namespace slipstream::codecs {
namespace {

constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kDaysPer400Years = 146'097;

constexpr bool is_leap(std::int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

constexpr int days_in_month(std::int64_t year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return kDays[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

/// Days before the first of `month`, 0 for January.
constexpr int days_before_month(std::int64_t year, int month) {
  constexpr int kDays[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  return kDays[month - 1] + (month > 2 && is_leap(year) ? 1 : 0);
}

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Days from 0000-01-01 to the first of January of `year`, 0 <= year < 400.
constexpr std::int64_t days_before_year(std::int64_t year) {
  return year == 0 ? 0 : 365 * year + (year - 1) / 4 - (year - 1) / 100 + 1;
}

constexpr std::int64_t kEpochDay = days_before_year(1970 - 1600) + 4 * kDaysPer400Years;

struct Date {
  std::int64_t year;
  int month;
  int day;
};

constexpr std::int64_t to_days(const Date& date) {
  const std::int64_t cycle = floor_div(date.year, 400);
  return cycle * kDaysPer400Years + days_before_year(date.year - cycle * 400) +
         days_before_month(date.year, date.month) + date.day - 1 - kEpochDay;
}

constexpr Date to_date(std::int64_t days) {
  days += kEpochDay;
  const std::int64_t cycle = floor_div(days, kDaysPer400Years);
  days -= cycle * kDaysPer400Years;
  std::int64_t year = days / 366;
  while (days_before_year(year + 1) <= days) ++year;
  days -= days_before_year(year);
  int month = 1;
  while (month < 12 && days_before_month(year, month + 1) <= days) ++month;
  return {cycle * 400 + year, month, static_cast<int>(days) - days_before_month(year, month) + 1};
}

/// Reads text from front to back; what doesn't fit leaves it as it was.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool at_end() const { return text_.empty(); }
  char peek() const { return text_.empty() ? '\0' : text_.front(); }

  bool skip(char c) {
    if (peek() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// Between `min` and `max` digits, as many as there are.
  bool digits(std::size_t min, std::size_t max, std::int64_t& value) {
    std::size_t n = 0;
    value = 0;
    for (; n < max && n < text_.size() && is_digit(text_[n]); ++n) value = value * 10 + (text_[n] - '0');
    if (n < min) return false;
    text_.remove_prefix(n);
    return true;
  }
  bool two_digits(int& value) {
    std::int64_t wide;
    if (!digits(2, 2, wide)) return false;
    value = static_cast<int>(wide);
    return true;
  }
  /// The digits behind a decimal point, as nanoseconds.
  bool fraction(std::int32_t& nanoseconds) {
    std::size_t n = 0;
    nanoseconds = 0;
    for (std::int32_t unit = 100'000'000; n < text_.size() && is_digit(text_[n]); ++n, unit /= 10) {
      nanoseconds += unit * (text_[n] - '0');
    }
    text_.remove_prefix(n);
    return n > 0;
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  std::string_view text_;
};

bool scan_date(Scanner& in, Date& date) {
  const bool is_negative = in.peek() == '-';
  const bool has_sign = in.skip('-') || in.skip('+');
  if (!in.digits(4, has_sign ? 12 : 4, date.year)) return false;
  if (is_negative) date.year = -date.year;
  return in.skip('-') && in.two_digits(date.month) && in.skip('-') && in.two_digits(date.day) &&
         date.month >= 1 && date.month <= 12 && date.day >= 1 &&
         date.day <= days_in_month(date.year, date.month);
}

bool scan_clock(Scanner& in, Instant& time) {
  int hours, minutes, seconds = 0;
  if (!in.two_digits(hours) || !in.skip(':') || !in.two_digits(minutes)) return false;
  if (in.skip(':')) {
    if (!in.two_digits(seconds)) return false;
    if ((in.skip('.') || in.skip(',')) && !in.fraction(time.nanoseconds)) return false;
  }
  time.seconds += hours * 3600 + minutes * 60 + seconds;
  return hours < 24 && minutes < 60 && seconds < 60;
}

bool scan_offset(Scanner& in, Instant& time) {
  if (in.at_end() || in.skip('Z') || in.skip('z')) return true;
  const bool is_east = in.peek() == '+';
  if (!in.skip('+') && !in.skip('-')) return false;
  int hours, minutes = 0;
  if (!in.two_digits(hours)) return false;
  if ((in.skip(':') || !in.at_end()) && !in.two_digits(minutes)) return false;
  const int offset = hours * 3600 + minutes * 60;
  time.seconds += is_east ? -offset : offset;
  return hours < 24 && minutes < 60;
}

void append_number(std::int64_t value, std::size_t width, std::string& out) {
  char digits[20];
  const char* end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  const std::size_t size = end - digits;
  if (size < width) out.append(width - size, '0');
  out.append(digits, size);
}

void append_year(std::int64_t year, std::string& out) {
  if (year >= 0 && year <= 9999) return append_number(year, 4, out);
  out.push_back(year < 0 ? '-' : '+');
  append_number(year < 0 ? -year : year, 6, out);
}

void append_fraction(std::int32_t nanoseconds, std::string& out) {
  if (nanoseconds == 0) return;
  out.push_back('.');
  if (nanoseconds % 1'000'000 == 0) return append_number(nanoseconds / 1'000'000, 3, out);
  if (nanoseconds % 1'000 == 0) return append_number(nanoseconds / 1'000, 6, out);
  append_number(nanoseconds, 9, out);
}

}  // namespace

std::optional<Instant> parse_time(std::string_view text) {
  Scanner in(text);
  Date date;
  if (!scan_date(in, date)) return std::nullopt;
  Instant time{to_days(date) * kSecondsPerDay, 0};
  if (in.at_end()) return time;
  if (!in.skip('T') && !in.skip('t') && !in.skip(' ')) return std::nullopt;
  if (!scan_clock(in, time) || !scan_offset(in, time) || !in.at_end()) return std::nullopt;
  return time;
}

void append_time(const Instant& time, std::string& out) {
  const std::int64_t days = floor_div(time.seconds, kSecondsPerDay);
  const std::int64_t second = time.seconds - days * kSecondsPerDay;
  const Date date = to_date(days);
  append_year(date.year, out);
  out.push_back('-');
  append_number(date.month, 2, out);
  out.push_back('-');
  append_number(date.day, 2, out);
  out.push_back('T');
  append_number(second / 3600, 2, out);
  out.push_back(':');
  append_number(second / 60 % 60, 2, out);
  out.push_back(':');
  append_number(second % 60, 2, out);
  append_fraction(time.nanoseconds, out);
  out.push_back('Z');
}

}  // namespace slipstream::codecs
