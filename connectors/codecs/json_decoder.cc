#include "connectors/codecs/json_decoder.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>
#include <utility>

#include "connectors/codecs/python_text.h"

namespace slipstream::codecs {
namespace {

using detail::FieldInfo;

constexpr int kMaxDepth = 64;

void* at(void* object, std::size_t offset) { return static_cast<char*>(object) + offset; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// [-] 0 or digits without leading zero [. digits] [e [+-] digits]
bool is_json_number(std::string_view text) {
  const auto digits = [&text] {
    const std::size_t size = std::min(text.find_first_not_of("0123456789"), text.size());
    text.remove_prefix(size);
    return size;
  };
  const auto skip = [&text](std::string_view any) {
    if (text.empty() || any.find(text.front()) == any.npos) return false;
    text.remove_prefix(1);
    return true;
  };
  skip("-");
  const bool has_leading_zero = text.starts_with('0');
  const std::size_t whole = digits();
  if (whole == 0 || (has_leading_zero && whole > 1)) return false;
  if (skip(".") && digits() == 0) return false;
  if (skip("eE")) {
    skip("+-");
    if (digits() == 0) return false;
  }
  return text.empty();
}

/// Four hex digits at the front of `text`; -1 when there aren't.
int hex4(std::string_view text) {
  unsigned code = 0;
  if (text.size() < 4) return -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + 4, code, 16);
  return error == std::errc() && end == text.data() + 4 ? static_cast<int>(code) : -1;
}

void append_utf8(std::uint32_t code, std::string& out) {
  const auto tail = [code](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3f)); };
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out.append(1, static_cast<char>(0xc0 | code >> 6)).append(1, tail(0));
  } else if (code < 0x10000) {
    out.append(1, static_cast<char>(0xe0 | code >> 12)).append(1, tail(6)).append(1, tail(0));
  } else {
    out.append(1, static_cast<char>(0xf0 | code >> 18))
        .append(1, tail(12))
        .append(1, tail(6))
        .append(1, tail(0));
  }
}

/// Takes XXXX of \uXXXX, or XXXX\uXXXX when it is a surrogate pair, off the front of `text`.
bool unescape_unicode(std::string_view& text, std::string& out) {
  const int high = hex4(text);
  if (high < 0 || (high >= 0xdc00 && high <= 0xdfff)) return false;
  text.remove_prefix(4);
  if (high < 0xd800 || high > 0xdbff) {
    append_utf8(static_cast<std::uint32_t>(high), out);
    return true;
  }
  const int low = text.starts_with("\\u") ? hex4(text.substr(2)) : -1;
  if (low < 0xdc00 || low > 0xdfff) return false;
  text.remove_prefix(6);
  append_utf8(static_cast<std::uint32_t>(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)), out);
  return true;
}

/// Appends the string that starts at `text`, up to its closing quote. False for an escape that JSON doesn't
/// know.
bool unescape(std::string_view text, std::string& out) {
  constexpr std::string_view kEscapes = "\"\\/bfnrt";
  constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
  while (!text.empty() && text.front() != '"') {
    const std::size_t plain = std::min(text.find_first_of("\"\\"), text.size());
    out.append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (!text.starts_with('\\') || text.size() < 2) continue;
    const char c = text[1];
    text.remove_prefix(2);
    const std::size_t known = kEscapes.find(c);
    if (known != kEscapes.npos) {
      out.push_back(kMeanings[known]);
    } else if (c != 'u' || !unescape_unicode(text, out)) {
      return false;
    }
  }
  return !text.empty();
}

}  // namespace

absl::Status JsonDecoder::decode(std::string_view bytes, void* out) {
  if (tokenize(bytes) && read(type_, out, 1)) {
    if (at_end()) return absl::OkStatus();
    fail("expected the end of the record, found " + in_quotes(text_.substr(*next_)));
  }
  if (path_.starts_with('.')) path_.erase(0, 1);
  return absl::InvalidArgumentError(path_.empty() ? what_ : std::exchange(path_, {}) + ": " + what_);
}

bool JsonDecoder::tokenize(std::string_view bytes) {
  constexpr std::size_t kFirstCapacity = 1024;
  text_ = bytes;
  auto error = simdjson::SUCCESS;
  if (!tokenizer_) {
    const std::size_t capacity = std::max(bytes.size(), kFirstCapacity);
    error = simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, kMaxDepth,
                                                                                    tokenizer_);
  } else if (tokenizer_->capacity() < bytes.size()) {
    error = tokenizer_->allocate(2 * bytes.size(), kMaxDepth);
  }
  if (error) return fail_tokens(error);
  error = tokenizer_->stage1(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
                             simdjson::stage1_mode::regular);
  if (error) return fail_tokens(error);
  next_ = tokenizer_->structural_indexes.get();
  end_ = next_ + tokenizer_->n_structural_indexes;
  return true;
}

bool JsonDecoder::read(const TypeInfo& type, void* out, int depth) {
  switch (type.kind) {
    case Kind::signed_integer:
    case Kind::unsigned_integer:
      return read_integer(type, out);
    case Kind::boolean:
    case Kind::floating:
      return read_scalar(type, out);
    case Kind::string:
      return read_string(type, *static_cast<std::string*>(out));
    case Kind::enumeration:
      return read_name(type, out);
    case Kind::time:
      return read_time(type, out);
    case Kind::structure:
      return read_struct(type, out, depth);
    case Kind::optional:
      return read_optional(type, out, depth);
    case Kind::list:
      return read_list(type, out, depth);
    case Kind::map:
      return read_map(type, out, depth);
  }
  return false;
}

bool JsonDecoder::read_integer(const TypeInfo& type, void* out) {
  if (read_digits(type, out)) {
    ++next_;
    return true;
  }
  return read_scalar(type, out);
}

/// The common case: up to 18 digits, the next token right behind them. False doesn't mean an error.
bool JsonDecoder::read_digits(const TypeInfo& type, void* out) {
  if (next_ == end_) return false;
  const char* p = text_.data() + *next_;
  const char* const last = text_.data() + next_[1];
  const bool is_negative = *p == '-';
  p += is_negative ? 1 : 0;
  if (p == last || last - p > 18 || (*p == '0' && last - p > 1)) return false;
  std::int64_t value = 0;
  for (; p != last; ++p) {
    if (!is_digit(*p)) return false;
    value = value * 10 + (*p - '0');
  }
  if (type.is_signed) return put_signed(is_negative ? -value : value, type.size, out);
  return !is_negative && put_unsigned(static_cast<std::uint64_t>(value), type.size, out);
}

bool JsonDecoder::read_scalar(const TypeInfo& type, void* out) {
  if (is_python_ && read_python_number(type, out)) return true;
  const std::string_view text = token();
  if (type.kind != Kind::boolean && !is_json_number(text)) return fail_type(type);
  if (!parse_scalar(text, type, out)) return fail_type(type);
  ++next_;
  return true;
}

/// NaN, Infinity, or a duration's text. False doesn't mean an error.
bool JsonDecoder::read_python_number(const TypeInfo& type, void* out) {
  std::string_view text = token();
  if (type.is_duration && text.starts_with('"') && text.ends_with('"') && text.size() > 1) {
    text = text.substr(1, text.size() - 2);
    if (!parse_python_duration(text, type, out)) return false;
  } else if (!parse_python_constant(text, type, out)) {
    return false;
  }
  ++next_;
  return true;
}

bool JsonDecoder::read_string(const TypeInfo& type, std::string& out) {
  std::string_view text;
  if (peek() != '"') return fail_type(type);
  if (!take_string(text)) return false;
  out.assign(text);
  return true;
}

bool JsonDecoder::read_name(const TypeInfo& type, void* out) {
  std::string_view name;
  if (peek() != '"') return fail_type(type);
  if (!take_string(name)) return false;
  if (parse_enumerator(name, type, out)) return true;
  return fail("expected " + expected(type) + ", found " + in_quotes(name) +
              did_you_mean_enumerator(name, type));
}

bool JsonDecoder::read_time(const TypeInfo& type, void* out) {
  if (peek() != '"') return read_scalar(type, out);
  std::string_view text;
  if (!take_string(text)) return false;
  return parse_time_text(text, type, out) ||
         fail("expected " + expected(type) + ", found " + in_quotes(text));
}

bool JsonDecoder::read_optional(const TypeInfo& type, void* out, int depth) {
  const auto& access = *type.elements;
  if (peek() == 'n' && token() == "null") {
    ++next_;
    access.clear(out);
    return true;
  }
  return read(*access.element, access.add(out, nullptr), depth);
}

bool JsonDecoder::read_list(const TypeInfo& type, void* out, int depth) {
  if (peek() != '[') return fail_type(type);
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  ++next_;
  const auto& access = *type.elements;
  access.clear(out);
  if (accept(']')) return true;
  std::size_t index = 0;
  do {
    if (!read(*access.element, access.add(out, nullptr), depth + 1))
      return in("[" + std::to_string(index) + "]");
    ++index;
  } while (accept(','));
  return accept(']') || fail_syntax();
}

bool JsonDecoder::read_map(const TypeInfo& type, void* out, int depth) {
  if (peek() != '{') return fail_type(type);
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  ++next_;
  type.elements->clear(out);
  if (accept('}')) return true;
  do {
    if (!read_entry(type, out, depth + 1)) return false;
  } while (accept(','));
  return accept('}') || fail_syntax();
}

bool JsonDecoder::read_entry(const TypeInfo& type, void* out, int depth) {
  std::string_view text;
  if (peek() != '"') return fail_syntax();
  if (!take_string(text)) return false;
  const std::string key(text);
  if (!accept(':')) return fail_syntax();
  std::uint64_t scalar = 0;
  const bool is_text = type.elements->key->kind == Kind::string;
  if (!is_text && !read_key(*type.elements->key, key, &scalar)) return in("[" + in_quotes(key) + "]");
  void* const element = type.elements->add(out, is_text ? static_cast<const void*>(&key) : &scalar);
  if (element == nullptr) return fail("comes twice") || in("[" + in_quotes(key) + "]");
  return read(*type.elements->element, element, depth) || in("[" + in_quotes(key) + "]");
}

bool JsonDecoder::read_key(const TypeInfo& type, std::string_view text, void* out) {
  if (is_python_ && parse_python_constant(text, type, out)) return true;
  const bool is_named = type.kind == Kind::boolean || type.kind == Kind::enumeration;
  if ((is_named || is_json_number(text)) && parse_scalar(text, type, out)) return true;
  return fail("expected " + expected(type) + " as key, found " + in_quotes(text) +
              did_you_mean_enumerator(text, type));
}

bool JsonDecoder::read_struct(const TypeInfo& type, void* out, int depth) {
  if (peek() != '{') return fail_type(type);
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  ++next_;
  if (accept('}')) return read_absent(type, 0, out);
  std::uint64_t seen = 0;
  std::size_t index = 0;
  do {
    const std::size_t after_last = index;
    if (!read_field_name(type, index)) return false;
    if (index == type.count) {
      if (!skip(depth + 1)) return false;
      index = after_last;
      continue;
    }
    const FieldInfo& field = type.fields[index];
    const std::uint64_t bit = std::uint64_t{1} << index;
    if (seen & bit) return fail("comes twice") || in("." + std::string(field.name));
    seen |= bit;
    if (!read(*field.type, at(out, field.offset), depth + 1)) return in("." + std::string(field.name));
    ++index;
  } while (accept(','));
  if (!accept('}')) return fail_syntax();
  return seen == ~std::uint64_t{0} >> (64 - type.count) || read_absent(type, seen, out);
}

bool JsonDecoder::read_absent(const TypeInfo& type, std::uint64_t seen, void* out) {
  for (std::size_t i = 0; i < type.count; ++i) {
    if (seen >> i & 1) continue;
    const FieldInfo& field = type.fields[i];
    if (field.type->kind != Kind::optional) {
      return fail("missing, and not a std::optional") || in("." + std::string(field.name));
    }
    field.type->elements->clear(at(out, field.offset));
  }
  return true;
}

bool JsonDecoder::read_field_name(const TypeInfo& type, std::size_t& index) {
  if (peek() != '"') return fail_syntax();
  const std::string_view rest = text_.substr(*next_ + 1);
  const auto is_named = [&](std::size_t i) {
    const std::string_view name = type.fields[i].name;
    return name.size() < rest.size() && rest[name.size()] == '"' &&
           std::memcmp(rest.data(), name.data(), name.size()) == 0;
  };
  if (index < type.count && is_named(index)) {
    ++next_;
    return accept(':') || fail_syntax();
  }
  std::string_view key;
  if (!take_string(key)) return false;
  const auto fields = std::span(type.fields, type.count);
  const auto found = std::ranges::find(fields, key, &FieldInfo::name);
  index = static_cast<std::size_t>(found - fields.begin());
  return accept(':') || fail_syntax();
}

bool JsonDecoder::skip(int depth) {
  std::string_view text;
  switch (peek()) {
    case '[':
      return skip_array(depth);
    case '{':
      return skip_object(depth);
    case '"':
      return take_string(text);
    default:
      if (!is_scalar(token())) return fail_syntax();
      ++next_;
      return true;
  }
}

bool JsonDecoder::skip_array(int depth) {
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  ++next_;
  if (accept(']')) return true;
  do {
    if (!skip(depth + 1)) return false;
  } while (accept(','));
  return accept(']') || fail_syntax();
}

bool JsonDecoder::skip_object(int depth) {
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  ++next_;
  if (accept('}')) return true;
  std::string_view key;
  do {
    if (peek() != '"') return fail_syntax();
    if (!take_string(key)) return false;
    if (!accept(':')) return fail_syntax();
    if (!skip(depth + 1)) return false;
  } while (accept(','));
  return accept('}') || fail_syntax();
}

bool JsonDecoder::take_string(std::string_view& text) {
  const std::string_view rest = text_.substr(*next_ + 1);
  const std::size_t size = rest.find('"');
  text = rest.substr(0, size);
  if (size == rest.npos || text.find('\\') != text.npos) {
    unescaped_.clear();
    if (!unescape(rest, unescaped_))
      return fail("not JSON: a bad escape in the string " + shortened(token()));
    text = unescaped_;
  }
  ++next_;
  return true;
}

bool JsonDecoder::is_scalar(std::string_view token) const {
  return token == "true" || token == "false" || token == "null" || is_json_number(token) ||
         (is_python_ && is_python_constant(token));
}

std::string_view JsonDecoder::token() const {
  if (next_ == end_) return {};
  const std::string_view text = text_.substr(*next_, next_[1] - *next_);
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

bool JsonDecoder::fail(std::string what) {
  what_ = std::move(what);
  return false;
}

bool JsonDecoder::fail_tokens(simdjson::error_code error) {
  switch (error) {
    case simdjson::EMPTY:
      return fail("expected " + expected(type_) + ", found nothing");
    case simdjson::UTF8_ERROR:
      return fail("not UTF-8 at byte " + std::to_string(find_invalid_utf8(text_)));
    case simdjson::UNCLOSED_STRING:
      return fail("not JSON: a string is not closed");
    case simdjson::UNESCAPED_CHARS:
      return fail("not JSON: a control character in a string is not escaped");
    default:
      return fail("can't read a record of " + std::to_string(text_.size()) +
                  " bytes: " + simdjson::error_message(error));
  }
}

bool JsonDecoder::fail_syntax() {
  if (at_end()) return fail("not JSON: it ends too early");
  return fail("not JSON at byte " + std::to_string(*next_) + ", near " + in_quotes(text_.substr(*next_)));
}

bool JsonDecoder::fail_type(const TypeInfo& type) {
  const char first = peek();
  const std::string_view text = token();
  if (first != '{' && first != '[' && first != '"' && !is_scalar(text)) return fail_syntax();
  const std::string found = first == '{' ? "an object" : first == '[' ? "an array" : shortened(text);
  return fail("expected " + expected(type) + ", found " + found);
}

bool JsonDecoder::in(std::string part) {
  path_.insert(0, part);
  return false;
}

}  // namespace slipstream::codecs
