#include "connectors/codecs/json_encoder.h"

#include <utility>

#include "connectors/codecs/python_text.h"

namespace slipstream::codecs {
namespace {

using detail::ElementVisitor;
using detail::FieldInfo;

constexpr int kMaxDepth = 64;

class JsonEncoder {
 public:
  JsonEncoder(JsonStyle style, std::string& out) : is_python_(style == JsonStyle::python), out_(out) {}

  bool write(const TypeInfo& type, const void* value, int depth);
  absl::Status error();

 private:
  struct Elements;

  bool write_string(std::string_view text);
  bool write_scalar(const TypeInfo& type, const void* value);
  bool write_key(const TypeInfo& type, const void* key);
  void write_comma() { out_.append(is_python_ ? ", " : ","); }
  void write_colon() { out_.append(is_python_ ? ": " : ":"); }
  bool write_struct(const TypeInfo& type, const void* value, int depth);
  bool write_elements(const TypeInfo& type, const void* value, int depth);
  void write_escaped(std::string_view text);

  bool fail(std::string what);
  bool in(std::string_view part);

  const bool is_python_;
  std::string& out_;
  std::string path_;
  std::string what_;
};

struct JsonEncoder::Elements final : ElementVisitor {
  bool visit(const void* key, const void* element) override {
    if (index++ > 0) encoder.write_comma();
    if (key != nullptr) {
      if (!encoder.write_key(*access.key, key)) return encoder.in(part(key));
      encoder.write_colon();
    }
    return encoder.write(*access.element, element, depth) || encoder.in(part(key));
  }
  Elements(JsonEncoder& encoder, const detail::ElementAccess& access, int depth)
      : encoder(encoder), access(access), depth(depth) {}
  std::string part(const void* key) const {
    return key == nullptr ? "[" + std::to_string(index - 1) + "]" : key_part(*access.key, key);
  }
  JsonEncoder& encoder;
  const detail::ElementAccess& access;
  int depth;
  std::size_t index = 0;
};

/// Writes the value of an optional; is_empty stays true when there is none.
template <class Write>
struct OptionalValue final : ElementVisitor {
  explicit OptionalValue(Write write) : write(write) {}
  bool visit(const void*, const void* element) override {
    is_empty = false;
    return write(element);
  }
  Write write;
  bool is_empty = true;
};

bool JsonEncoder::write(const TypeInfo& type, const void* value, int depth) {
  switch (type.kind) {
    case Kind::string:
      return write_string(*static_cast<const std::string*>(value));
    case Kind::structure:
      return write_struct(type, value, depth);
    case Kind::list:
    case Kind::map:
      return write_elements(type, value, depth);
    case Kind::optional: {
      const auto& access = *type.elements;
      OptionalValue visitor([&](const void* element) { return write(*access.element, element, depth); });
      if (!access.each(value, visitor)) return false;
      if (visitor.is_empty) out_.append("null");
      return true;
    }
    default:
      return write_scalar(type, value);
  }
}

bool JsonEncoder::write_struct(const TypeInfo& type, const void* value, int depth) {
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  auto write_field = [&, is_first = true](const FieldInfo& field, const TypeInfo& field_type,
                                          const void* member) mutable {
    if (!std::exchange(is_first, false)) write_comma();
    out_.append("\"").append(field.name).append(is_python_ ? "\": " : "\":");
    return write(field_type, member, depth + 1) || in("." + std::string(field.name));
  };
  out_.push_back('{');
  for (std::size_t i = 0; i < type.count; ++i) {
    const FieldInfo& field = type.fields[i];
    const void* const member = static_cast<const char*>(value) + field.offset;
    if (field.type->kind != Kind::optional || is_python_) {
      if (!write_field(field, *field.type, member)) return false;
      continue;
    }
    const auto& access = *field.type->elements;
    OptionalValue visitor([&](const void* element) { return write_field(field, *access.element, element); });
    if (!access.each(member, visitor)) return false;
  }
  out_.push_back('}');
  return true;
}

bool JsonEncoder::write_elements(const TypeInfo& type, const void* value, int depth) {
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  const bool is_map = type.kind == Kind::map;
  Elements visitor(*this, *type.elements, depth + 1);
  out_.push_back(is_map ? '{' : '[');
  if (!type.elements->each(value, visitor)) return false;
  out_.push_back(is_map ? '}' : ']');
  return true;
}

bool JsonEncoder::write_scalar(const TypeInfo& type, const void* value) {
  const bool is_quoted =
      type.kind == Kind::enumeration || type.kind == Kind::time || (is_python_ && type.is_duration);
  if (is_quoted) out_.push_back('"');
  if (is_python_ ? !append_python_scalar(type, value, out_) : !append_scalar(type, value, out_)) {
    return fail(is_python_ && type.kind != Kind::enumeration ? unwritable_in_python(type)
                                                             : unwritable(type, value));
  }
  if (is_quoted) out_.push_back('"');
  return true;
}

bool JsonEncoder::write_key(const TypeInfo& type, const void* key) {
  if (type.kind == Kind::string) return write_string(*static_cast<const std::string*>(key));
  if (type.kind == Kind::enumeration) return write_scalar(type, key);
  out_.push_back('"');
  if (!write_scalar(type, key)) return false;
  out_.push_back('"');
  return true;
}

bool JsonEncoder::write_string(std::string_view text) {
  unsigned char all = 0;
  bool needs_escape = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    all |= byte;
    needs_escape |= byte < 0x20 || byte == '"' || byte == '\\';
  }
  if (all >= 0x80) {
    const std::size_t bad = find_invalid_utf8(text);
    if (bad != text.npos) return fail("not UTF-8 at byte " + std::to_string(bad) + " of " + in_quotes(text));
  }
  out_.push_back('"');
  if (is_python_) {
    append_python_escaped(text, out_);
    out_.push_back('"');
    return true;
  }
  needs_escape ? write_escaped(text) : void(out_.append(text));
  out_.push_back('"');
  return true;
}

void JsonEncoder::write_escaped(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out_.append(1, '\\').append(1, c);
    } else if (c == '\n') {
      out_.append("\\n");
    } else if (byte < 0x20) {
      out_.append("\\u00").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    } else {
      out_.push_back(c);
    }
  }
}

bool JsonEncoder::fail(std::string what) {
  what_ = std::move(what);
  return false;
}

bool JsonEncoder::in(std::string_view part) {
  path_.insert(0, part);
  return false;
}

absl::Status JsonEncoder::error() {
  if (path_.starts_with('.')) path_.erase(0, 1);
  return absl::InvalidArgumentError(path_.empty() ? what_ : path_ + ": " + what_);
}

}  // namespace

absl::Status encode_json(const TypeInfo& type, JsonStyle style, const void* value, std::string& out) {
  JsonEncoder encoder(style, out);
  return encoder.write(type, value, 1) ? absl::OkStatus() : encoder.error();
}

}  // namespace slipstream::codecs
