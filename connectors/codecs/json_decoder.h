#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "connectors/codecs/scalars.h"
#include "simdjson.h"
#include "slipstream/json.h"

namespace slipstream::codecs {

/// Reads JSON into one described type; keeps its buffers from one record to the next.
///
/// simdjson cuts the record into tokens and checks that it is UTF-8; the walk over the tokens is ours,
/// because simdjson's own costs 22 ns a field when it is driven by a table instead of inlined code, and
/// doesn't check the values that it skips. A token is where an operator, a string or any other scalar starts;
/// a scalar's text reaches to the next token.
class JsonDecoder {
 public:
  JsonDecoder(const TypeInfo& type, JsonStyle style) : type_(type), is_python_(style == JsonStyle::python) {}

  absl::Status decode(std::string_view bytes, void* out);

 private:
  bool tokenize(std::string_view bytes);

  bool read(const TypeInfo& type, void* out, int depth);
  bool read_integer(const TypeInfo& type, void* out);
  bool read_digits(const TypeInfo& type, void* out);
  bool read_scalar(const TypeInfo& type, void* out);
  bool read_string(const TypeInfo& type, std::string& out);
  bool read_name(const TypeInfo& type, void* out);
  bool read_time(const TypeInfo& type, void* out);
  bool read_python_number(const TypeInfo& type, void* out);
  bool read_optional(const TypeInfo& type, void* out, int depth);
  bool read_list(const TypeInfo& type, void* out, int depth);
  bool read_map(const TypeInfo& type, void* out, int depth);
  bool read_entry(const TypeInfo& type, void* out, int depth);
  bool read_key(const TypeInfo& type, std::string_view text, void* out);
  bool read_struct(const TypeInfo& type, void* out, int depth);
  bool read_absent(const TypeInfo& type, std::uint64_t seen, void* out);
  /// An object's key with its colon. `index` is where the key is expected; it becomes type.count for a key
  /// that the struct hasn't.
  bool read_field_name(const TypeInfo& type, std::size_t& index);

  /// Checks a value that nobody wants.
  bool skip(int depth);
  bool skip_array(int depth);
  bool skip_object(int depth);

  /// The string at the token, without quotes and escapes; valid until the next call.
  bool take_string(std::string_view& text);

  bool at_end() const { return next_ == end_; }
  char peek() const { return next_ == end_ ? '\0' : text_[*next_]; }
  bool accept(char c) {
    if (peek() != c) return false;
    ++next_;
    return true;
  }
  /// A scalar as it is written.
  std::string_view token() const;

  // These return false, for `return fail(…)`; the callers on the way out put their part of the path in front.
  bool fail(std::string what);
  bool fail_tokens(simdjson::error_code error);
  bool fail_syntax();
  bool fail_type(const TypeInfo& type);
  bool in(std::string part);

  /// A number or literal as JSON, or as the style, knows it.
  bool is_scalar(std::string_view token) const;

  const TypeInfo& type_;
  const bool is_python_;
  std::unique_ptr<simdjson::internal::dom_parser_implementation> tokenizer_;
  std::string_view text_;
  const std::uint32_t* next_ = nullptr;
  const std::uint32_t* end_ = nullptr;  ///< *end_ is text_.size()
  std::string unescaped_;
  std::string path_;
  std::string what_;
};

}  // namespace slipstream::codecs
