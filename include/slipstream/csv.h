#pragma once
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "slipstream/codec.h"
#include "slipstream/detail/type_info.h"

/// CSV (RFC 4180) of structs with SLIPSTREAM_FIELDS: one record per line, one column per field in their
/// order. A struct inside becomes columns of its own, named like `window.start`.
///
///  - A field is quoted when it holds the separator, a quote or a line break; `""` is a quote inside quotes.
///  A quote
///    in an unquoted field, or text behind a closing quote, is an error.
///  - An empty field is an empty optional, the empty string where the field is no optional, and an error for
///    everything else. `""` is the empty string for optionals too.
///  - Numbers, enums, times and durations are written as in JSON (json.h), without quotes. bool is read from
///  true,
///    false, 1 and 0, and TRUE, False and the like.
///  - Lines are UTF-8. One line break at their end is ignored; `\r\n` counts as one.
///
/// Decoding errors are InvalidArgument and say which column: `price (column 3): expected an integer from 0 to
/// 255, found "300"`.
namespace slipstream {

struct CsvOptions {
  char separator = ',';  ///< any ASCII character but letters, digits, quotes, line breaks, + - . : and _
};

namespace detail {
ErasedCodec csv_codec(const TypeInfo& type, CsvOptions options);
absl::StatusOr<ErasedCodec> csv_codec_with_header(const TypeInfo& type, std::string_view header_line,
                                                  CsvOptions options);
std::string csv_header(const TypeInfo& type, CsvOptions options);

/// Scalars, optionals of scalars and structs of these.
constexpr bool fits_columns(const TypeInfo& type) {
  if (type.kind == Kind::list || type.kind == Kind::map) return false;
  if (type.kind == Kind::optional) {
    return type.elements->element->kind != Kind::structure && fits_columns(*type.elements->element);
  }
  for (std::size_t i = 0; type.kind == Kind::structure && i < type.count; ++i) {
    if (!fits_columns(*type.fields[i].type)) return false;
  }
  return true;
}

template <class T>
constexpr const TypeInfo& row_type() {
  static_assert(HasFields<T>, "a CSV row is a struct: describe its fields with SLIPSTREAM_FIELDS");
  static_assert(fits_columns(kTypeInfo<T>),
                "a CSV column holds one value: no lists, maps or optional structs");
  return kTypeInfo<T>;
}
}  // namespace detail

/// Rows without a header: the columns are the fields, all of them, in their order.
template <class T>
Codec<T> csv(CsvOptions options = {}) {
  return detail::typed_codec<T>(detail::csv_codec(detail::row_type<T>(), options));
}

/// Rows below this header line: columns are found by name, in any order; columns that T hasn't are ignored
/// (and written empty). InvalidArgument when a column that T has is missing, with the nearest name there is,
/// or comes twice. A byte order mark in front of the header is ignored.
template <class T>
absl::StatusOr<Codec<T>> csv_with_header(std::string_view header_line, CsvOptions options = {}) {
  auto codec = detail::csv_codec_with_header(detail::row_type<T>(), header_line, options);
  if (!codec.ok()) return codec.status();
  return detail::typed_codec<T>(*std::move(codec));
}

/// The header line that fits csv<T>(), without a line break.
template <class T>
std::string csv_header(CsvOptions options = {}) {
  return detail::csv_header(detail::row_type<T>(), options);
}

/// Whether a record goes on behind the line break at the end of `line`, because a quoted field is open there.
/// `is_open` is what this said of the line before; false for a record's first line. A record's text is its
/// lines with the line breaks between them.
bool csv_continues(std::string_view line, bool is_open, CsvOptions options = {});

}  // namespace slipstream
