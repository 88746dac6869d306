#include "connectors/file/record_cutter.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace slipstream::file {
namespace {

const char* find(const char* from, const char* to, char c) {
  return from == to ? nullptr
                    : static_cast<const char*>(std::memchr(from, c, static_cast<std::size_t>(to - from)));
}

bool is_blank(std::string_view s) { return s.find_first_not_of(" \t\r") == s.npos; }

}  // namespace

std::span<char> RecordCutter::room() {
  const std::size_t pending = end_ - begin_;
  if (capacity_ - pending < kMinRoom) {
    const std::size_t capacity = std::max(capacity_ * 2, kMinRoom * 4);
    std::unique_ptr<char[]> bigger(new char[capacity]);
    std::copy_n(buffer_.get() + begin_, pending, bigger.get());
    buffer_ = std::move(bigger);
    capacity_ = capacity;
  } else if (begin_ > 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, pending);
  }
  scan_ -= begin_;
  begin_ = 0;
  end_ = pending;
  return {buffer_.get() + end_, capacity_ - end_};
}

RecordCutter::Next RecordCutter::next(Record& out) {
  if (at_start_ && !skip_byte_order_mark()) return Next::starved;
  for (;;) {
    const char* end = find_end();
    if (!end && begin_ == end_) return Next::starved;
    if (!end && !ended_) return end_ - begin_ - 1 > max_ ? Next::too_long : Next::starved;  // the 1: a \r
    if (!end && field_ == Field::quoted) return Next::open_quote;
    const Next result = take(end ? end : buffer_.get() + end_, out);
    if (result == Next::record && cut_ != Cut::lines && is_blank(out.bytes)) continue;
    return result;
  }
}

RecordCutter::Next RecordCutter::collect(const ReadLimits& limits, std::vector<RawRecord>& out) {
  out.clear();
  Record record;
  for (std::size_t bytes = 0; out.size() < limits.max_records && bytes < limits.max_bytes;) {
    if (const Next stopped_by = next(record); stopped_by != Next::record) return stopped_by;
    bytes += std::max<std::size_t>(record.bytes.size(), 1);
    RawRecord& added = out.emplace_back();
    added.value = record.bytes;
    added.offset = record.line;
  }
  return Next::record;
}

bool RecordCutter::skip_byte_order_mark() {
  if (end_ - begin_ < 3 && !ended_) return false;
  if (end_ - begin_ >= 3 && std::string_view(buffer_.get(), 3) == "\xEF\xBB\xBF") begin_ = scan_ = 3;
  at_start_ = false;
  return true;
}

const char* RecordCutter::find_end() {
  if (cut_ == Cut::csv_rows) return find_row_end();
  const char* end = find(buffer_.get() + scan_, buffer_.get() + end_, '\n');
  if (!end) scan_ = end_;
  return end;
}

// A double quote opens a quoted field only as the field's first character; inside, "" stands for one quote.
// What follows the closing quote up to the separator is left for the codec to refuse.
const char* RecordCutter::find_row_end() {
  const char* p = buffer_.get() + scan_;
  const char* const end = buffer_.get() + end_;
  if (scan_ == begin_) {  // most rows have no quotes
    const char* line_end = find(p, end, '\n');
    if (line_end && !find(p, line_end, '"')) return line_end;
  }
  while (p < end) {
    switch (field_) {
      case Field::start:
        field_ = *p == '"' ? Field::quoted : Field::plain;
        if (field_ == Field::quoted) ++p;
        break;
      case Field::plain:
        while (p < end && *p != separator_ && *p != '\n') ++p;
        if (p == end) break;
        field_ = Field::start;
        if (*p == '\n') return p;
        ++p;
        break;
      case Field::quoted: {
        const char* quote = find(p, end, '"');
        inner_breaks_ += std::count(p, quote ? quote : end, '\n');
        if (quote) field_ = Field::after_quote;
        p = quote ? quote + 1 : end;
        break;
      }
      case Field::after_quote:
        field_ = *p == '"' ? Field::quoted : Field::plain;
        if (field_ == Field::quoted) ++p;
        break;
    }
  }
  scan_ = end_;
  return nullptr;
}

RecordCutter::Next RecordCutter::take(const char* end, Record& out) {
  std::string_view bytes(buffer_.get() + begin_, static_cast<std::size_t>(end - buffer_.get()) - begin_);
  if (bytes.ends_with('\r')) bytes.remove_suffix(1);
  if (bytes.size() > max_) return Next::too_long;
  out = {bytes, line_};
  line_ += 1 + std::exchange(inner_breaks_, 0);
  begin_ = scan_ = std::min(static_cast<std::size_t>(end - buffer_.get()) + 1, end_);
  field_ = Field::start;
  return Next::record;
}

absl::Status cut_error(RecordCutter::Next what, std::string_view position, std::size_t max_record_bytes,
                       Cut cut) {
  std::string message(position);
  if (what == RecordCutter::Next::open_quote) {
    return absl::InvalidArgumentError(
        message + ": the row has a quoted field that never ends; a closing \" is missing");
  }
  message += " is longer than max_record_bytes = " + std::to_string(max_record_bytes);
  message +=
      cut == Cut::csv_rows ? "; raise it, or look for a missing closing \"" : "; raise it if that is meant";
  return absl::ResourceExhaustedError(message);
}

}  // namespace slipstream::file
