#include "runtime/cli/json_lines.h"

#include <simdjson.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/escaping.h"
#include "slipstream/detail/nearest.h"
#include "slipstream/detail/units.h"
#include "slipstream/json.h"

namespace slipstream::cli {
namespace {

namespace ondemand = simdjson::ondemand;

absl::Status wrong(std::string_view field, std::string_view expected, std::string_view found) {
  return absl::InvalidArgumentError(std::string(field) + ": expected " + std::string(expected) + ", found " +
                                    detail::one_line(found));
}

absl::StatusOr<std::string> from_base64(std::string_view field, std::string_view text) {
  std::string bytes;
  if (absl::Base64Unescape(absl::string_view(text.data(), text.size()), &bytes)) return bytes;
  return wrong(field, "base64", "'" + detail::one_line(text) + "'");
}

std::string to_base64(std::string_view bytes) {
  return absl::Base64Escape(absl::string_view(bytes.data(), bytes.size()));
}

/// A member as it stands in the line, which is known to be JSON.
std::string_view trimmed(std::string_view text) {
  while (!text.empty() &&
         (text.back() == ' ' || text.back() == '\t' || text.back() == '\r' || text.back() == '\n')) {
    text.remove_suffix(1);
  }
  return text;
}

std::string_view raw(ondemand::value& value) {
  ondemand::object object;
  if (value.get_object().get(object) == simdjson::SUCCESS) return trimmed(object.raw_json().value_unsafe());
  ondemand::array array;
  if (value.get_array().get(array) == simdjson::SUCCESS) return trimmed(array.raw_json().value_unsafe());
  return trimmed(value.raw_json_token());
}

/// The text of a string, the JSON text of anything else, empty for null.
std::optional<std::string> content(ondemand::value& value) {
  if (value.is_null()) return std::nullopt;
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) return std::string(text);
  return std::string(raw(value));
}

/// "value" and "value_base64" are two ways to give the same thing.
std::string without_base64(const std::string& field) {
  constexpr std::string_view kEnd = "_base64";
  return field.ends_with(kEnd) ? field.substr(0, field.size() - kEnd.size()) : field;
}

const std::vector<std::string>& field_names() {
  static const std::vector<std::string> names = {"key",    "value",     "headers",    "partition",
                                                 "offset", "timestamp", "key_base64", "value_base64"};
  return names;
}

}  // namespace

struct LineReader::Impl {
  simdjson::dom::parser checker;
  ondemand::parser parser;
  Codec<EventTime>::Decode decode_time = json<EventTime>().make_decoder();

  absl::StatusOr<LineRecord> read(std::string_view line) {
    const simdjson::padded_string padded(line);
    simdjson::dom::element whole;
    if (const auto error = checker.parse(padded).get(whole); error != simdjson::SUCCESS) {
      return absl::InvalidArgumentError("not JSON: " + std::string(simdjson::error_message(error)));
    }
    ondemand::document document;
    ondemand::object object;
    if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
        document.get_object().get(object) != simdjson::SUCCESS) {
      return wrong("the line", "an object", detail::one_line(line));
    }
    return read_members(object);
  }

  absl::StatusOr<LineRecord> read_members(ondemand::object& object) {
    LineRecord record;
    std::vector<std::string> seen;
    for (auto member : object) {
      std::string_view name;
      ondemand::value value;
      if (member.unescaped_key().get(name) != simdjson::SUCCESS ||
          member.value().get(value) != simdjson::SUCCESS) {
        return absl::InvalidArgumentError("not JSON");
      }
      const std::string field(name);
      seen.push_back(without_base64(field));
      if (std::count(seen.begin(), seen.end(), seen.back()) > 1) {
        return absl::InvalidArgumentError(detail::one_line(seen.back()) + ": comes twice");
      }
      if (absl::Status status = read_member(field, value, record); !status.ok()) return status;
    }
    if (std::count(seen.begin(), seen.end(), "value") == 0)
      return absl::InvalidArgumentError("value is missing; null makes a tombstone");
    return record;
  }

  absl::Status read_member(const std::string& field, ondemand::value& value, LineRecord& record) {
    if (field == "key") return assign(content(value), record.key);
    if (field == "value") return assign(content(value), record.value);
    if (field == "key_base64") return read_base64(field, value, record.key);
    if (field == "value_base64") return read_base64(field, value, record.value);
    if (field == "headers") return read_headers(value, record.headers);
    if (field == "partition") return read_partition(value, record.partition);
    if (field == "timestamp") return read_time(value, record.timestamp);
    if (field == "offset") return absl::OkStatus();
    return absl::InvalidArgumentError("unknown field '" + detail::one_line(field) + "'" +
                                      detail::did_you_mean(field, field_names()));
  }

  static absl::Status assign(std::optional<std::string> text, std::optional<std::string>& out) {
    out = std::move(text);
    return absl::OkStatus();
  }

  static absl::Status read_base64(std::string_view field, ondemand::value& value,
                                  std::optional<std::string>& out) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return wrong(field, "base64", raw(value));
    auto bytes = from_base64(field, text);
    if (!bytes.ok()) return bytes.status();
    out = *std::move(bytes);
    return absl::OkStatus();
  }

  static absl::Status read_headers(ondemand::value& value, Headers& out) {
    ondemand::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS) return wrong("headers", "an object", raw(value));
    for (auto member : object) {
      std::string_view name;
      ondemand::value item;
      if (member.unescaped_key().get(name) != simdjson::SUCCESS ||
          member.value().get(item) != simdjson::SUCCESS) {
        return absl::InvalidArgumentError("not JSON");
      }
      Header header{std::string(name), ""};
      if (absl::Status status = read_header(item, header); !status.ok()) return status;
      out.push_back(std::move(header));
    }
    return absl::OkStatus();
  }

  static absl::Status read_header(ondemand::value& value, Header& out) {
    std::string_view text;
    if (value.get_string().get(text) == simdjson::SUCCESS) {
      out.value = text;
      return absl::OkStatus();
    }
    const std::string field = "headers." + out.name;
    ondemand::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS ||
        object.find_field("base64").get_string().get(text) != simdjson::SUCCESS) {
      return wrong(field, "text", raw(value));
    }
    auto bytes = from_base64(field, text);
    if (!bytes.ok()) return bytes.status();
    out.value = *std::move(bytes);
    return absl::OkStatus();
  }

  static absl::Status read_partition(ondemand::value& value, std::optional<int>& out) {
    std::int64_t number = 0;
    if (value.get_int64().get(number) != simdjson::SUCCESS || number < 0 ||
        number > std::numeric_limits<int>::max()) {
      return wrong("partition", "a partition's number", raw(value));
    }
    out = static_cast<int>(number);
    return absl::OkStatus();
  }

  absl::Status read_time(ondemand::value& value, std::optional<EventTime>& out) {
    EventTime time;
    if (absl::Status status = decode_time(raw(value), time); !status.ok()) {
      return absl::InvalidArgumentError("timestamp: " + std::string(status.message()));
    }
    out = time;
    return absl::OkStatus();
  }
};

LineReader::LineReader() : impl_(std::make_unique<Impl>()) {}
LineReader::~LineReader() = default;
absl::StatusOr<LineRecord> LineReader::read(std::string_view line) { return impl_->read(line); }

struct LineWriter::Impl {
  simdjson::dom::parser parser;
  Codec<std::string>::Encode encode_text = json<std::string>().make_encoder();
  Codec<EventTime>::Encode encode_time = json<EventTime>().make_encoder();

  absl::Status write(const RawRecord& record, int partition, std::string& out) {
    out += '{';
    if (record.key) append_bytes("key", *record.key, out);
    if (record.key) out += ',';
    if (record.value) {
      append_bytes("value", *record.value, out);
    } else {
      out += "\"value\":null";
    }
    if (record.headers && !record.headers->empty()) append_headers(*record.headers, out);
    out += ",\"partition\":" + std::to_string(partition) + ",\"offset\":" + std::to_string(record.offset);
    if (record.timestamp) {
      out += ",\"timestamp\":";
      if (absl::Status status = encode_time(*record.timestamp, out); !status.ok()) return status;
    }
    out += "}\n";
    return absl::OkStatus();
  }

  void append_bytes(const std::string& field, std::string_view bytes, std::string& out) {
    if (!simdjson::validate_utf8(bytes.data(), bytes.size())) {
      out += "\"" + field + "_base64\":\"" + to_base64(bytes) + "\"";
      return;
    }
    out += "\"" + field + "\":";
    if (!append_as_json(bytes, out)) append_text(bytes, out);
  }

  void append_text(std::string_view text, std::string& out) {
    const std::size_t size = out.size();
    if (!encode_text(std::string(text), out).ok()) out.resize(size);
  }

  /// Only objects and arrays: a value 5 and a value "5" would look alike otherwise.
  bool append_as_json(std::string_view text, std::string& out) {
    if (text.empty() || (text.front() != '{' && text.front() != '[')) return false;
    simdjson::dom::element element;
    if (parser.parse(text.data(), text.size()).get(element) != simdjson::SUCCESS) return false;
    const bool is_one_line = text.find_first_of("\r\n") == std::string_view::npos;
    out += is_one_line ? std::string(text) : simdjson::minify(element);
    return true;
  }

  void append_headers(const Headers& headers, std::string& out) {
    out += ",\"headers\":{";
    for (std::size_t i = 0; i < headers.size(); ++i) {
      if (i > 0) out += ',';
      append_text(headers[i].name, out);
      out += ':';
      const std::string& value = headers[i].value;
      if (simdjson::validate_utf8(value.data(), value.size())) {
        append_text(value, out);
      } else {
        out += "{\"base64\":\"" + to_base64(value) + "\"}";
      }
    }
    out += '}';
  }
};

LineWriter::LineWriter() : impl_(std::make_unique<Impl>()) {}
LineWriter::~LineWriter() = default;
absl::Status LineWriter::write(const RawRecord& record, int partition, std::string& out) {
  return impl_->write(record, partition, out);
}
void LineWriter::append_member(const std::string& field, std::string_view bytes, std::string& out) {
  impl_->append_bytes(field, bytes, out);
}

}  // namespace slipstream::cli
