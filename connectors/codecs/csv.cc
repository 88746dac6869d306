#include "slipstream/csv.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "connectors/codecs/scalars.h"
#include "slipstream/detail/nearest.h"

namespace slipstream {
namespace codecs {
namespace {

using detail::ElementAccess;
using detail::ElementVisitor;
using detail::ErasedCodec;

struct Column {
  std::string name;
  std::size_t offset;
  const TypeInfo* type;           ///< never an optional
  const ElementAccess* optional;  ///< null when the value is required
};

void append_columns(const TypeInfo& type, const std::string& prefix, std::size_t offset,
                    std::vector<Column>& out) {
  for (const auto& field : std::span(type.fields, type.count)) {
    const std::string name = prefix + std::string(field.name);
    const std::size_t at = offset + field.offset;
    if (field.type->kind == Kind::structure) {
      append_columns(*field.type, name + ".", at, out);
    } else if (field.type->kind == Kind::optional) {
      out.push_back({name, at, field.type->elements->element, field.type->elements});
    } else {
      out.push_back({name, at, field.type, nullptr});
    }
  }
}

std::vector<Column> columns_of(const TypeInfo& type) {
  std::vector<Column> columns;
  append_columns(type, "", 0, columns);
  return columns;
}

absl::Status check_separator(char separator) {
  const auto c = static_cast<unsigned char>(separator);
  const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  const bool is_digit = c >= '0' && c <= '9';
  const bool is_taken = std::string_view("\"\r\n+-.:_").find(separator) != std::string_view::npos;
  if (c != 0 && c < 0x80 && !is_letter && !is_digit && !is_taken) return absl::OkStatus();
  return absl::InvalidArgumentError("CSV can't be separated by " +
                                    in_quotes(std::string_view(&separator, 1)) +
                                    ", which values may hold; use one of , ; | or a tab");
}

std::string_view without_line_break(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// Takes fields off the front of a line.
class FieldReader {
 public:
  FieldReader(std::string_view line, char separator)
      : rest_(without_line_break(line)), separator_(separator) {}

  bool at_end() const { return is_done_; }
  bool was_quoted() const { return was_quoted_; }

  /// Null, or what is wrong with the field. The text is valid until the next call.
  const char* next(std::string_view& text) {
    was_quoted_ = rest_.starts_with('"');
    const char* const wrong = was_quoted_ ? next_quoted(text) : next_plain(text);
    if (wrong != nullptr) return wrong;
    is_done_ = rest_.empty();
    if (!is_done_) rest_.remove_prefix(1);
    return nullptr;
  }

 private:
  const char* next_plain(std::string_view& text) {
    text = rest_.substr(0, rest_.find(separator_));
    if (text.find('"') != text.npos) return "a quote in a field that doesn't start with one";
    rest_.remove_prefix(text.size());
    return nullptr;
  }
  const char* next_quoted(std::string_view& text) {
    rest_.remove_prefix(1);
    unquoted_.clear();
    for (bool is_first = true;; is_first = false) {
      const std::size_t size = rest_.find('"');
      if (size == rest_.npos) return "the quoted field is not closed";
      const std::string_view part = rest_.substr(0, size);
      const bool goes_on = rest_.substr(size + 1).starts_with('"');
      if (goes_on || !is_first) unquoted_.append(part);
      rest_.remove_prefix(size + 1);
      if (goes_on) {
        unquoted_.push_back('"');
        rest_.remove_prefix(1);
        continue;
      }
      text = is_first ? part : std::string_view(unquoted_);
      break;
    }
    return rest_.empty() || rest_.front() == separator_ ? nullptr : "text behind the closing quote";
  }

  std::string_view rest_;
  char separator_;
  bool is_done_ = false;
  bool was_quoted_ = false;
  std::string unquoted_;
};

bool parse_word(std::string_view text, const TypeInfo& type, void* out) {
  if (type.kind != Kind::boolean) return parse_scalar(text, type, out);
  const auto is = [text](std::string_view word) {
    return std::ranges::equal(text, word,
                              [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
  };
  const bool is_true = text == "1" || is("true");
  if (!is_true && text != "0" && !is("false")) return false;
  *static_cast<bool*>(out) = is_true;
  return true;
}

void append_quoted(std::string_view text, std::string& out) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  out.push_back('"');
}

void append_field(std::string_view text, bool is_empty_quoted, char separator, std::string& out) {
  const char special[] = {separator, '"', '\n', '\r'};
  const bool is_special = text.find_first_of(std::string_view(special, sizeof(special))) != text.npos;
  if (is_special || (text.empty() && is_empty_quoted)) return append_quoted(text, out);
  out.append(text);
}

/// Rows of one struct. `places_` says for every column of the file which column of the struct it is.
class CsvRows {
 public:
  CsvRows(const TypeInfo& type, CsvOptions options) : options_(options), columns_(columns_of(type)) {
    for (std::size_t i = 0; i < columns_.size(); ++i) places_.push_back(i);
    status_ = check_separator(options.separator);
  }

  absl::Status find_columns(std::string_view header);
  absl::Status decode(std::string_view line, void* out) const;
  absl::Status encode(const void* value, std::string& out) const;
  std::string header() const;

 private:
  static constexpr std::size_t kIgnored = SIZE_MAX;

  absl::Status set(const Column& column, std::size_t place, std::string_view text, bool was_quoted,
                   void* out) const;
  absl::Status write(const Column& column, std::size_t place, const void* value, std::string& out) const;
  absl::Status error(std::size_t place, const std::string& what) const;
  absl::Status wrong_count(std::string_view line) const;

  CsvOptions options_;
  std::vector<Column> columns_;
  std::vector<std::size_t> places_;
  absl::Status status_;  ///< of the options
};

absl::Status CsvRows::error(std::size_t place, const std::string& what) const {
  const std::string number = "column " + std::to_string(place + 1);
  if (places_[place] == kIgnored) return absl::InvalidArgumentError(number + ": " + what);
  return absl::InvalidArgumentError(columns_[places_[place]].name + " (" + number + "): " + what);
}

absl::Status CsvRows::decode(std::string_view line, void* out) const {
  if (!status_.ok()) return status_;
  const std::size_t bad = find_invalid_utf8(line);
  if (bad != line.npos) return absl::InvalidArgumentError("not UTF-8 at byte " + std::to_string(bad));
  FieldReader reader(line, options_.separator);
  std::string_view text;
  std::size_t place = 0;
  for (; place < places_.size() && !reader.at_end(); ++place) {
    if (const char* wrong = reader.next(text)) return error(place, wrong);
    if (places_[place] == kIgnored) continue;
    if (auto status = set(columns_[places_[place]], place, text, reader.was_quoted(), out); !status.ok())
      return status;
  }
  return place == places_.size() && reader.at_end() ? absl::OkStatus() : wrong_count(line);
}

absl::Status CsvRows::set(const Column& column, std::size_t place, std::string_view text, bool was_quoted,
                          void* out) const {
  void* member = static_cast<char*>(out) + column.offset;
  if (column.optional != nullptr) {
    column.optional->clear(member);
    if (text.empty() && !was_quoted) return absl::OkStatus();
    member = column.optional->add(member, nullptr);
  }
  if (column.type->kind == Kind::string) {
    static_cast<std::string*>(member)->assign(text);
    return absl::OkStatus();
  }
  if (parse_word(text, *column.type, member)) return absl::OkStatus();
  const std::string found =
      text.empty() ? "nothing" : in_quotes(text) + did_you_mean_enumerator(text, *column.type);
  return error(place, "expected " + expected(*column.type) + ", found " + found);
}

absl::Status CsvRows::wrong_count(std::string_view line) const {
  FieldReader reader(line, options_.separator);
  std::string_view text;
  std::size_t count = 0;
  while (!reader.at_end() && reader.next(text) == nullptr) ++count;
  std::string names;
  for (const std::size_t place : places_) {
    names.append(names.empty() ? "" : ", ").append(place == kIgnored ? "(ignored)" : columns_[place].name);
  }
  return absl::InvalidArgumentError("the row has " + std::to_string(count) +
                                    (count == 1 ? " column" : " columns") + ", expected " +
                                    std::to_string(places_.size()) + ": " + names);
}

absl::Status CsvRows::encode(const void* value, std::string& out) const {
  if (!status_.ok()) return status_;
  for (std::size_t place = 0; place < places_.size(); ++place) {
    if (place > 0) out.push_back(options_.separator);
    if (places_[place] == kIgnored) continue;
    if (auto status = write(columns_[places_[place]], place, value, out); !status.ok()) return status;
  }
  return absl::OkStatus();
}

struct LastElement final : ElementVisitor {
  bool visit(const void*, const void* element) override {
    last = element;
    return true;
  }
  const void* last = nullptr;
};

absl::Status CsvRows::write(const Column& column, std::size_t place, const void* value,
                            std::string& out) const {
  const void* member = static_cast<const char*>(value) + column.offset;
  if (column.optional != nullptr) {
    LastElement visitor;
    column.optional->each(member, visitor);
    if (visitor.last == nullptr) return absl::OkStatus();
    member = visitor.last;
  }
  if (column.type->kind != Kind::string) {
    if (append_scalar(*column.type, member, out)) return absl::OkStatus();
    return error(place, unwritable(*column.type, member));
  }
  const auto& text = *static_cast<const std::string*>(member);
  const std::size_t bad = find_invalid_utf8(text);
  if (bad != text.npos)
    return error(place, "not UTF-8 at byte " + std::to_string(bad) + " of " + in_quotes(text));
  // A row of one empty field would be an empty line, which readers take for no row.
  append_field(text, column.optional != nullptr || places_.size() == 1, options_.separator, out);
  return absl::OkStatus();
}

std::string CsvRows::header() const {
  std::string out;
  for (const Column& column : columns_) {
    if (&column != columns_.data()) out.push_back(options_.separator);
    append_field(column.name, false, options_.separator, out);
  }
  return out;
}

absl::Status CsvRows::find_columns(std::string_view header) {
  if (!status_.ok()) return status_;
  if (header.starts_with("\xef\xbb\xbf")) header.remove_prefix(3);
  std::vector<std::string> names;
  FieldReader reader(header, options_.separator);
  std::string_view name;
  while (!reader.at_end()) {
    const char* const wrong = reader.next(name);
    const std::string column = "column " + std::to_string(names.size() + 1);
    if (wrong != nullptr) return absl::InvalidArgumentError("CSV header, " + column + ": " + wrong);
    names.emplace_back(name);
  }
  places_.assign(names.size(), kIgnored);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const std::string& wanted = columns_[i].name;
    const auto found = std::ranges::find(names, wanted);
    if (found == names.end()) {
      return absl::InvalidArgumentError("CSV header: no column " + in_quotes(wanted) +
                                        detail::did_you_mean(wanted, names));
    }
    if (std::find(found + 1, names.end(), wanted) != names.end()) {
      return absl::InvalidArgumentError("CSV header: column " + in_quotes(wanted) + " comes twice");
    }
    places_[static_cast<std::size_t>(found - names.begin())] = i;
  }
  return absl::OkStatus();
}

ErasedCodec codec_of(std::shared_ptr<const CsvRows> rows) {
  return {"csv",
          [rows] {
            return ErasedCodec::Decode(
                [rows](std::string_view bytes, void* out) { return rows->decode(bytes, out); });
          },
          [rows] {
            return ErasedCodec::Encode(
                [rows](const void* value, std::string& out) { return rows->encode(value, out); });
          }};
}

}  // namespace
}  // namespace codecs

namespace detail {

ErasedCodec csv_codec(const TypeInfo& type, CsvOptions options) {
  return codecs::codec_of(std::make_shared<codecs::CsvRows>(type, options));
}

absl::StatusOr<ErasedCodec> csv_codec_with_header(const TypeInfo& type, std::string_view header_line,
                                                  CsvOptions options) {
  auto rows = std::make_shared<codecs::CsvRows>(type, options);
  if (auto status = rows->find_columns(header_line); !status.ok()) return status;
  return codecs::codec_of(std::move(rows));
}

std::string csv_header(const TypeInfo& type, CsvOptions options) {
  return codecs::CsvRows(type, options).header();
}

}  // namespace detail

bool csv_continues(std::string_view line, bool is_open, CsvOptions options) {
  bool may_open = true;  // at a field's start, or right behind a quote that closed one: "" is a quote
  for (const char c : line) {
    if (is_open) {
      is_open = c != '"';
      may_open = true;
    } else {
      is_open = may_open && c == '"';
      may_open = c == options.separator;
    }
  }
  return is_open;
}

}  // namespace slipstream
