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
  line_begin_ -= begin_;
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
    if (!end && ends_in_quotes()) return Next::open_quote;
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
  if (end_ - begin_ >= 3 && std::string_view(buffer_.get(), 3) == "\xEF\xBB\xBF")
    begin_ = line_begin_ = scan_ = 3;
  at_start_ = false;
  return true;
}

const char* RecordCutter::find_end() {
  const char* const base = buffer_.get();
  while (const char* end = find(base + scan_, base + end_, '\n')) {
    const bool has_quote = cut_ == Cut::csv_rows && find(base + line_begin_, end, '"') != nullptr;
    if (!is_quoted_ && !has_quote) return end;
    is_quoted_ = csv_continues({base + line_begin_, end}, is_quoted_, csv_);
    if (!is_quoted_) return end;
    ++inner_breaks_;
    line_begin_ = scan_ = static_cast<std::size_t>(end - base) + 1;
  }
  scan_ = end_;
  return nullptr;
}

bool RecordCutter::ends_in_quotes() const {
  const char* const base = buffer_.get();
  return cut_ == Cut::csv_rows && csv_continues({base + line_begin_, base + end_}, is_quoted_, csv_);
}

RecordCutter::Next RecordCutter::take(const char* end, Record& out) {
  std::string_view bytes(buffer_.get() + begin_, static_cast<std::size_t>(end - buffer_.get()) - begin_);
  if (bytes.ends_with('\r')) bytes.remove_suffix(1);
  if (bytes.size() > max_) return Next::too_long;
  out = {bytes, line_};
  line_ += 1 + std::exchange(inner_breaks_, 0);
  begin_ = line_begin_ = scan_ = std::min(static_cast<std::size_t>(end - buffer_.get()) + 1, end_);
  return Next::record;
}

absl::Status cut_error(RecordCutter::Next what, std::string_view position, std::size_t max_record_bytes,
                       Cut cut) {
  std::string message(position);
  if (what == RecordCutter::Next::open_quote) {
    return absl::DataLossError(message +
                               ": the row has a quoted field that never ends; a closing \" is missing");
  }
  message += " is longer than max_record_bytes = " + std::to_string(max_record_bytes);
  message +=
      cut == Cut::csv_rows ? "; raise it, or look for a missing closing \"" : "; raise it if that is meant";
  return absl::ResourceExhaustedError(message);
}

}  // namespace slipstream::file
