#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/connector.h"
#include "slipstream/record.h"
#include "slipstream/time.h"

/// Records as lines of JSON:
///
///   {"key":"EWR","value":{"wind":7},"headers":{"from":"test"},"partition":0,"offset":12,"timestamp":"2013-01-01T05:00:00Z"}
///
/// Keys and values are text; an object or an array stands for its own JSON text. Bytes that are no text are
/// written as "key_base64", "value_base64" and, in headers, {"base64":"…"}. A null value is a tombstone.
namespace slipstream::cli {

/// What a line says; `offset` is ignored, so that lines can go from one topic into another.
struct LineRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  Headers headers;
  std::optional<int> partition;
  std::optional<EventTime> timestamp;
};

class LineReader {
 public:
  LineReader();
  ~LineReader();
  /// InvalidArgument says what is wrong with the line.
  absl::StatusOr<LineRecord> read(std::string_view line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class LineWriter {
 public:
  LineWriter();
  ~LineWriter();
  /// Appends the record and a line end.
  absl::Status write(const RawRecord& record, int partition, std::string& out);
  /// Appends a member: "field":… or "field_base64":"…".
  void append_member(const std::string& field, std::string_view bytes, std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace slipstream::cli
