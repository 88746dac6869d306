#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "slipstream/file.h"

namespace slipstream::file {

/// Cuts a stream of bytes into records without copying them. Bytes go in through room() and filled().
class RecordCutter {
 public:
  struct Record {
    std::string_view bytes;  ///< without its line break; valid until room() is called
    std::int64_t line = 0;   ///< where it starts, from 1
  };
  enum class Next {
    record,      ///< `out` is the next record
    starved,     ///< needs more bytes; after end(): there are no more records
    too_long,    ///< the record at line() is longer than allowed
    open_quote,  ///< the input ended inside a quoted field of the record at line()
  };

  RecordCutter(Cut cut, CsvOptions csv, std::size_t max_record_bytes)
      : cut_(cut), csv_(csv), max_(max_record_bytes) {}

  Next next(Record& out);
  /// Overwrites `out` with records until a limit is reached (then the answer is `record`) or next() stops.
  Next collect(const ReadLimits& limits, std::vector<RawRecord>& out);
  /// The line on which the record that next() looks at starts.
  std::int64_t line() const { return line_; }

  /// Where the next bytes may be put, at least kMinRoom.
  std::span<char> room();
  void filled(std::size_t bytes) { end_ += bytes; }
  /// No more bytes will come.
  void end() { ended_ = true; }
  bool ended() const { return ended_; }

 private:
  static constexpr std::size_t kMinRoom = std::size_t{32} << 10;

  bool skip_byte_order_mark();
  const char* find_end();
  bool ends_in_quotes() const;
  Next take(const char* end, Record& out);

  const Cut cut_;
  const CsvOptions csv_;
  const std::size_t max_;
  std::unique_ptr<char[]> buffer_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;       // of the record that is looked for
  std::size_t line_begin_ = 0;  // of the line that scan_ is in
  std::size_t scan_ = 0;        // what lies before it has been looked at
  std::size_t end_ = 0;         // of the bytes put in
  std::int64_t line_ = 1;
  std::int64_t inner_breaks_ = 0;  // line breaks inside the record's quoted fields
  bool is_quoted_ = false;         // the CSV row's line before line_begin_ left a quoted field open
  bool at_start_ = true;
  bool ended_ = false;
};

/// The sentence for too_long and open_quote.
absl::Status cut_error(RecordCutter::Next what, std::string_view position, std::size_t max_record_bytes,
                       Cut cut);

}  // namespace slipstream::file
