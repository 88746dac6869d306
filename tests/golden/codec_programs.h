#pragma once
#include <deque>
#include <limits>
#include <map>
#include <optional>

#include "replay.h"
#include "slipstream/json.h"

namespace slipstream::test {

/// What has no type here stays null: Python's values may be of any type, ours are of one.
inline const std::string kNoType = "null";

struct KeyOnly {
  int key = 0;
};
SLIPSTREAM_FIELDS(KeyOnly, key)

/// A value as Python would have it, or why there is none.
template <class T>
std::string python_json(const T& value) {
  std::string out;
  const absl::Status status = json<T>({.style = JsonStyle::python}).make_encoder()(value, out);
  return status.ok() ? json_of(out) : object({{"raises", json_of(std::string(status.message()))}});
}

inline std::string encode_rows(const Case& c) {
  using namespace std::chrono;
  const auto at = EventTime(sys_days(2023y / 1 / 1) + 10h);
  const std::vector<std::string> returned = {
      python_json(KeyOnly{1}),
      kNoType,
      python_json(std::string("é🏆")),
      python_json(1.0),
      python_json(1e100),
      python_json(0.1),
      python_json(1e-07),
      kNoType,
      python_json(std::optional<int>()),
      python_json(std::vector<int>()),
      python_json(std::map<std::string, int>()),
      python_json(std::string("\"\\\n\t\x01/")),
      python_json(std::map<std::string, EventTime>{{"d", at}}),
      python_json(std::map<std::string, EventTime>{{"d", at + 30min + 5us}}),
      python_json(std::map<std::string, seconds>{{"t", 5400s}}),
      kNoType,
      python_json(std::vector<int>{1, 2}),
      python_json(std::numeric_limits<double>::quiet_NaN()),
      python_json(std::numeric_limits<double>::infinity()),
      kNoType,
      kNoType,
      kNoType,
  };
  std::string rows;
  std::size_t i = 0;
  for (auto row : c.file["observed"]["encode"].get_array()) {
    rows += (rows.empty() ? "" : ",") +
            object({{"value", simdjson::minify(row["value"].value())}, {"returns", returned.at(i++)}});
  }
  return "[" + rows + "]";
}

/// The rows say of what bytes; what they are read as is ours to say.
class DecodeRows {
 public:
  explicit DecodeRows(const Case& c) : rows_(c.file["observed"]["decode"].get_array()) {}

  /// `returned` makes JSON of what was read; by default it is what was read as the style writes it.
  template <class T>
  void read(
      const std::function<std::string(const T&)>& returned =
          [](const T& value) {
            std::string text;
            EXPECT_TRUE(json<T>({.style = JsonStyle::python}).make_encoder()(value, text).ok());
            return text;
          },
      const char* result = "returns") {
    T value{};
    const absl::Status status = json<T>({.style = JsonStyle::python}).make_decoder()(next(), value);
    const std::string message(status.message());
    add(status.ok() ? result : "raises",
        status.ok() ? returned(value) : object({{"message", json_of(message)}}));
  }
  /// Whatever is read wouldn't fit any type.
  void no_type() {
    next();
    add("returns", kNoType);
  }
  std::string rows() const { return "[" + text_ + "]"; }

 private:
  std::string next() {
    const simdjson::dom::element bytes = rows_.at(at_)["bytes"];
    std::string_view text;
    if (bytes["$bytes"].get(text) == simdjson::SUCCESS) return std::string(text);
    return std::string(
        1, static_cast<char>(std::stoi(std::string(bytes["$bytes_hex"].get_string().value()), nullptr, 16)));
  }
  void add(std::string_view name, const std::string& what) {
    const std::string bytes = simdjson::minify(rows_.at(at_++)["bytes"].value());
    text_ += (text_.empty() ? "" : ",") + object({{"bytes", bytes}, {std::string(name), what}});
  }
  simdjson::dom::array rows_;
  std::size_t at_ = 0;
  std::string text_;
};

inline std::string decode_rows(const Case& c) {
  using Ints = std::vector<int>;
  using Members = std::map<std::string, int>;
  const std::function<std::string(const double&)> non_finite = [](double d) {
    return object({{"$float", json_of(d != d ? "nan" : d > 0 ? "inf" : "-inf")}});
  };
  const std::function<std::string(const std::string&)> code_points = [](const std::string& s) {
    return s == "🏆" ? "[127942]" : json_of(s);
  };
  DecodeRows rows(c);
  rows.read<KeyOnly>();
  rows.read<Ints>();
  for (int i = 0; i < 5; ++i) rows.read<Members>();  // twice the same key, nothing, and pieces of objects
  rows.read<Members>();                              // text behind the end
  rows.read<Members>();                              // quotes that are none
  rows.read<Ints>();
  rows.read<double>(non_finite);
  rows.read<double>(non_finite);
  rows.read<double>();
  rows.read<int>();
  rows.read<std::string>(code_points, "returns_code_points");
  rows.read<std::string>(code_points, "returns_code_points");
  rows.read<std::string>();
  rows.read<Members>();
  rows.read<std::string>();
  rows.read<int>();
  rows.read<std::map<std::string, double>>();
  rows.no_type();
  return rows.rows();
}

inline std::string json_codec(const Case& c) {
  return object({{"encode", encode_rows(c)}, {"decode", decode_rows(c)}});
}

inline Programs codec_programs() { return {{"json_codec", json_codec}}; }

}  // namespace slipstream::test
