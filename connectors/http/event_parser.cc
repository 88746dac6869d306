#include "connectors/http/event_parser.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "slipstream/detail/units.h"

namespace slipstream::http {
namespace {

constexpr std::chrono::milliseconds kMaxRetry = std::chrono::hours(24);

/// How many bytes after the first byte of a character, and what the second one may be.
struct Lead {
  std::size_t more;
  unsigned char lowest = 0x80;
  unsigned char highest = 0xbf;
};
std::optional<Lead> lead_of(unsigned char byte) {
  if (byte < 0x80) return Lead{0};
  if (byte >= 0xc2 && byte <= 0xdf) return Lead{1};
  if (byte == 0xe0) return Lead{2, 0xa0, 0xbf};
  if (byte == 0xed) return Lead{2, 0x80, 0x9f};
  if (byte >= 0xe1 && byte <= 0xef) return Lead{2};
  if (byte == 0xf0) return Lead{3, 0x90, 0xbf};
  if (byte >= 0xf1 && byte <= 0xf3) return Lead{3};
  if (byte == 0xf4) return Lead{3, 0x80, 0x8f};
  return std::nullopt;
}

/// The length of what stands first in `bytes`, and whether it is a character.
std::pair<std::size_t, bool> first_character(std::string_view bytes) {
  const auto lead = lead_of(static_cast<unsigned char>(bytes[0]));
  if (!lead) return {1, false};
  unsigned char lowest = lead->lowest;
  unsigned char highest = lead->highest;
  for (std::size_t i = 1; i <= lead->more; ++i) {
    if (i == bytes.size()) return {i, false};
    const auto byte = static_cast<unsigned char>(bytes[i]);
    if (byte < lowest || byte > highest) return {i, false};
    lowest = 0x80, highest = 0xbf;
  }
  return {lead->more + 1, true};
}

std::optional<std::chrono::milliseconds> parse_retry(std::string_view value) {
  const bool digits =
      !value.empty() && std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) return std::nullopt;
  std::int64_t milliseconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), milliseconds);
  if (error != std::errc()) return kMaxRetry;
  return std::min(kMaxRetry, std::chrono::milliseconds(milliseconds));
}

absl::Status too_long(std::string_view what, std::size_t max) {
  return absl::ResourceExhaustedError(std::string(what) + " is longer than " + detail::format_bytes(max) +
                                      "; if such events are right, raise max_event_bytes");
}

}  // namespace

void append_utf8(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const auto [length, is_character] = first_character(bytes);
    out += is_character ? bytes.substr(0, length) : std::string_view("\xEF\xBF\xBD");
    bytes.remove_prefix(length);
  }
}

absl::Status EventParser::feed(std::string_view bytes, const Take& take) {
  while (!bytes.empty()) {
    if (std::exchange(after_cr_, false) && bytes.front() == '\n') {
      bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    const std::string_view piece = bytes.substr(0, end);
    if (piece.size() > max_ - line_.size()) return too_long("a line", max_);
    line_ += piece;
    if (end == bytes.npos) break;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (absl::Status s = take_line(take); !s.ok()) return s;
    line_.clear();
  }
  return absl::OkStatus();
}

void EventParser::restart() {
  line_.clear();
  after_cr_ = false;
  at_start_ = true;
  data_.clear();
  type_.clear();
  event_retry_.reset();
  id_ = last_event_id_;  // browsers, too, keep the last id for events of the new answer that have none
}

absl::Status EventParser::take_line(const Take& take) {
  std::string_view line = line_;
  if (std::exchange(at_start_, false) && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  if (line.empty()) {
    dispatch(take);
    return absl::OkStatus();
  }
  const std::size_t colon = line.find(':');
  if (colon == 0) return absl::OkStatus();  // a comment
  std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  return take_field(line.substr(0, colon), value);
}

absl::Status EventParser::take_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    append_utf8(value, data_);
    data_ += '\n';
    // The bytes that replace one that isn't UTF-8 count too.
    if (data_.size() - 1 > max_) return too_long("an event", max_);
  } else if (name == "event") {
    type_.clear();
    append_utf8(value, type_);
  } else if (name == "id") {
    if (value.find('\0') != value.npos) return absl::OkStatus();
    id_.clear();
    append_utf8(value, id_);
  } else if (name == "retry") {
    if (const auto retry = parse_retry(value)) retry_ = event_retry_ = retry;
  }
  return absl::OkStatus();
}

void EventParser::dispatch(const Take& take) {
  last_event_id_ = id_;
  if (!data_.empty()) {
    data_.pop_back();
    take(Event{id_, type_.empty() ? "message" : type_, std::move(data_), event_retry_});
  }
  data_.clear();
  type_.clear();
  event_retry_.reset();
}

}  // namespace slipstream::http
