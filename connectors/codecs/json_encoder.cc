#include "connectors/codecs/json_encoder.h"

#include <utility>

namespace slipstream::codecs {
namespace {

using detail::ElementVisitor;
using detail::FieldInfo;

constexpr int kMaxDepth = 64;

class JsonEncoder {
 public:
  explicit JsonEncoder(std::string& out) : out_(out) {}

  bool write(const TypeInfo& type, const void* value, int depth);
  absl::Status error();

 private:
  struct Elements;

  bool write_string(std::string_view text);
  bool write_quoted_scalar(const TypeInfo& type, const void* value);
  bool write_struct(const TypeInfo& type, const void* value, int depth);
  bool write_elements(const TypeInfo& type, const void* value, int depth);
  void write_escaped(std::string_view text);

  bool fail(std::string what);
  bool in(std::string_view part);

  std::string& out_;
  std::string path_;
  std::string what_;
};

struct JsonEncoder::Elements final : ElementVisitor {
  bool visit(std::string_view key, const void* element) override {
    if (index++ > 0) encoder.out_.push_back(',');
    if (is_map) {
      if (!encoder.write_string(key)) return encoder.in("[" + in_quotes(key) + "]");
      encoder.out_.push_back(':');
    }
    if (encoder.write(type, element, depth)) return true;
    return encoder.in(is_map ? "[" + in_quotes(key) + "]" : "[" + std::to_string(index - 1) + "]");
  }
  Elements(JsonEncoder& encoder, const TypeInfo& type, bool is_map, int depth)
      : encoder(encoder), type(type), is_map(is_map), depth(depth) {}
  JsonEncoder& encoder;
  const TypeInfo& type;
  bool is_map;
  int depth;
  std::size_t index = 0;
};

/// Writes the value of an optional; is_empty stays true when there is none.
template <class Write>
struct OptionalValue final : ElementVisitor {
  explicit OptionalValue(Write write) : write(write) {}
  bool visit(std::string_view, const void* element) override {
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
    case Kind::enumeration:
    case Kind::time:
      return write_quoted_scalar(type, value);
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
      return append_scalar(type, value, out_) || fail(unwritable(type, value));
  }
}

bool JsonEncoder::write_struct(const TypeInfo& type, const void* value, int depth) {
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  auto write_field = [&, is_first = true](const FieldInfo& field, const TypeInfo& field_type,
                                          const void* member) mutable {
    out_.append(is_first ? "\"" : ",\"").append(field.name).append("\":");
    is_first = false;
    return write(field_type, member, depth + 1) || in("." + std::string(field.name));
  };
  out_.push_back('{');
  for (std::size_t i = 0; i < type.count; ++i) {
    const FieldInfo& field = type.fields[i];
    const void* const member = static_cast<const char*>(value) + field.offset;
    if (field.type->kind != Kind::optional) {
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
  Elements visitor(*this, *type.elements->element, is_map, depth + 1);
  out_.push_back(is_map ? '{' : '[');
  if (!type.elements->each(value, visitor)) return false;
  out_.push_back(is_map ? '}' : ']');
  return true;
}

bool JsonEncoder::write_quoted_scalar(const TypeInfo& type, const void* value) {
  out_.push_back('"');
  if (!append_scalar(type, value, out_)) return fail(unwritable(type, value));
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

absl::Status encode_json(const TypeInfo& type, const void* value, std::string& out) {
  JsonEncoder encoder(out);
  return encoder.write(type, value, 1) ? absl::OkStatus() : encoder.error();
}

}  // namespace slipstream::codecs
