#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "simdjson.h"
#include "slipstream/avro.h"
#include "slipstream/csv.h"
#include "slipstream/detail/state_codec.h"
#include "slipstream/json.h"
#include "slipstream/protobuf.h"
#include "slipstream/time.h"
#include "tests/codecs/memory_registry.h"

/// What must hold for any bytes. Each check returns "" or what is wrong; the libFuzzer targets abort on that,
/// and tests/codecs/fuzz_test.cc runs a small corpus through them.
namespace slipstream::fuzz {

enum class Color : std::uint8_t { red, green };
SLIPSTREAM_ENUM(Color, red, green)

struct Leaf {
  std::string text;
  std::uint8_t small = 0;
  std::optional<Color> color;
};
SLIPSTREAM_FIELDS(Leaf, text, small, color)

struct Root {
  std::optional<std::int64_t> i;
  std::optional<std::uint64_t> u;
  std::optional<float> f;
  std::optional<double> d;
  std::optional<bool> b;
  std::optional<std::string> s;
  std::optional<EventTime> at;
  std::optional<std::chrono::milliseconds> took;
  std::optional<Leaf> leaf;
  std::optional<std::vector<std::optional<Leaf>>> list;
  std::optional<std::map<std::string, std::vector<double>>> map;
};
SLIPSTREAM_FIELDS(Root, i, u, f, d, b, s, at, took, leaf, list, map)

struct Row {
  std::string text;
  std::optional<std::string> note;
  std::optional<std::int32_t> i;
  std::optional<double> d;
  std::optional<EventTime> at;
  std::optional<bool> b;
  std::optional<Color> color;
};
SLIPSTREAM_FIELDS(Row, text, note, i, d, at, b, color)

struct State {
  bool b = false;
  std::optional<std::string> text;
  std::vector<std::pair<std::int32_t, std::string>> list;
  std::map<std::string, std::vector<double>> map;
  EventTime at{};
};
SLIPSTREAM_FIELDS(State, b, text, list, map, at)

/// Needs no member and reads none, so that what it accepts is what is JSON.
struct Anything {
  std::optional<bool> a_name_that_no_input_has;
};
SLIPSTREAM_FIELDS(Anything, a_name_that_no_input_has)

/// Reads, and minds only how.
template <class T>
std::string check_reads(const Codec<T>& codec, std::string_view bytes) {
  T value{};
  const absl::Status status = codec.make_decoder()(bytes, value);
  return status.ok() || !status.message().empty() ? "" : "an error without words";
}

enum Writable { must_be_writable, may_be_unwritable };

/// What was read can be written; what was written is read as the same.
template <class T>
std::string check_reads_and_writes(const Codec<T>& codec, std::string_view bytes,
                                   Writable writable = must_be_writable) {
  const auto decode = codec.make_decoder();
  const auto encode = codec.make_encoder();
  T value{}, again{};
  if (!decode(bytes, value).ok()) return "";
  std::string once, twice;
  if (!encode(value, once).ok()) return writable == may_be_unwritable ? "" : "can't write what it has read";
  if (!decode(once, again).ok()) return "can't read what it has written: " + once;
  if (!encode(again, twice).ok() || once != twice) return "reads something else than it has written: " + once;
  return "";
}

/// simdjson's own parser agrees about what is a JSON object, but for numbers too large for it. A fuzzer finds
/// the one name that is read by watching comparisons: such input is left out.
inline std::string check_json_like_simdjson(std::string_view bytes) {
  if (bytes.find("a_name_that_no_input_has") != bytes.npos) return "";
  Anything out;
  const bool is_ours = json<Anything>().make_decoder()(bytes, out).ok();
  simdjson::dom::parser parser;
  if (parser.allocate(bytes.size() + 1, 64)) return "";
  const auto parsed = parser.parse(bytes.data(), bytes.size());
  const auto error = parsed.error();
  if (error == simdjson::NUMBER_ERROR || error == simdjson::DEPTH_ERROR) return "";
  const bool is_theirs = !error && parsed.is_object();
  if (is_ours == is_theirs) return "";
  return is_ours ? "takes what simdjson refuses" : "refuses what simdjson takes";
}

inline std::string check_json(std::string_view bytes) {
  if (auto wrong = check_json_like_simdjson(bytes); !wrong.empty()) return wrong;
  if (auto wrong = check_reads_and_writes(json<Root>(), bytes); !wrong.empty()) return wrong;
  // Python has no times beyond the year 9999.
  return check_reads_and_writes(json<Root>({.style = JsonStyle::python}), bytes, may_be_unwritable);
}

inline std::string check_avro(std::string_view bytes) {
  static const Codec<Root> codec = avro<Root>();  // or most of the time would go into its schema
  return check_reads_and_writes(codec, bytes);
}

/// The first line as a schema, the rest as a record: written with it and read as ours, and written and read
/// with it, which may have too few or too many fields to write with.
inline std::string check_avro_schema(std::string_view bytes) {
  const std::size_t line = bytes.find('\n');
  const std::string schema(bytes.substr(0, line));
  const std::string_view record = line == bytes.npos ? std::string_view() : bytes.substr(line + 1);
  const auto evolved = avro_with_schema<Root>(avro_schema<Root>(), {.writer_schema = schema});
  if (evolved.ok()) {
    if (auto wrong = check_reads(*evolved, record); !wrong.empty()) return wrong;
  }
  const auto own = avro_with_schema<Root>(schema);
  return own.ok() ? check_reads_and_writes(*own, record, may_be_unwritable) : "";
}

/// Up to the last line break a .proto file, behind it a record of one of its messages.
inline std::string check_protobuf_frame(std::string_view bytes) {
  const std::size_t line = bytes.rfind('\n');
  std::string_view record = bytes.substr(line == bytes.npos ? 0 : line + 1);
  auto registry = std::make_shared<test::MemoryRegistry>();
  registry->add({"PROTOBUF", std::string(bytes.substr(0, line == bytes.npos ? 0 : line)), {}});
  auto type = std::make_shared<detail::ProtobufType>();
  type->name = "shop.Order";
  const std::string_view before = record;
  const bool is_taken = detail::ProtobufFrame(type, registry, {}).take(record).ok();
  return is_taken && !before.ends_with(record) ? "takes something else than the front" : "";
}

/// The first line as a header, the rest as a row; and all of it as a row.
inline std::string check_csv(std::string_view bytes) {
  csv_continues(bytes, false);
  const std::size_t line = bytes.find('\n');
  if (line != bytes.npos) {
    const auto codec = csv_with_header<Row>(bytes.substr(0, line));
    if (codec.ok()) return check_reads_and_writes(*codec, bytes.substr(line + 1));
  }
  return check_reads_and_writes(csv<Row>(), bytes);
}

inline std::string check_state(std::string_view bytes) {
  std::string_view in = bytes;
  State value, again;
  if (!detail::load(in, value)) return "";
  std::string once, twice;
  detail::store(value, once);
  std::string_view rest = once;
  if (!detail::load(rest, again) || !rest.empty()) return "can't load what it has stored";
  detail::store(again, twice);
  return once == twice ? "" : "loads something else than it has stored";
}

}  // namespace slipstream::fuzz
