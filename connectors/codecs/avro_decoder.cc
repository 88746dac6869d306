#include "connectors/codecs/avro_decoder.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "connectors/codecs/scalars.h"

namespace slipstream::codecs::avro {
namespace {

constexpr int kMaxDepth = 64;
/// Elements that may take no bytes at all, such as null and empty records, in one record.
constexpr std::uint64_t kFreeElements = 10'000;

void* at(void* object, std::size_t offset) {
  return object == nullptr ? nullptr : static_cast<char*>(object) + offset;
}

}  // namespace

absl::Status Decoder::decode(const Plan& plan, std::string_view bytes, void* out) {
  rest_ = bytes;
  elements_left_ = bytes.size() + kFreeElements;
  if (read(plan.root(), out, 1)) {
    if (rest_.empty()) return absl::OkStatus();
    fail("expected the end of the record, found " + std::to_string(rest_.size()) + " more of its " +
         std::to_string(bytes.size()) + " bytes; was it written with another schema?");
  }
  std::string path = std::exchange(path_, {});
  if (path.starts_with('.')) path.erase(0, 1);
  return absl::InvalidArgumentError(path.empty() ? what_ : path + ": " + what_);
}

/// `out` is null where the value is dropped.
bool Decoder::read(const Node& node, void* out, int depth) {
  if (!node.error.empty()) return fail(node.error);
  if (node.writer->type == Type::union_) return read_union(node, out, depth);
  if (out != nullptr && node.target->kind == Kind::optional) {
    const auto& access = *node.target->elements;
    if (node.writer->type == Type::null) return access.clear(out), true;
    return read(*node.value, access.add(out, nullptr), depth);
  }
  switch (node.writer->type) {
    case Type::null:
      return true;
    case Type::boolean:
      return read_boolean(out);
    case Type::int_:
    case Type::long_:
      return read_integer(node, out);
    case Type::float_:
    case Type::double_:
      return read_floating(node, out);
    case Type::bytes:
    case Type::string:
    case Type::fixed:
      return read_text(node, out);
    case Type::enumeration:
      return read_symbol(node, out);
    case Type::array:
    case Type::map:
      return read_blocks(node, out, depth);
    case Type::record:
      return read_record(node, out, depth);
    case Type::union_:
      break;
  }
  return false;
}

bool Decoder::read_boolean(void* out) {
  std::string_view byte;
  if (!take_bytes(1, byte)) return false;
  if (byte[0] != 0 && byte[0] != 1)
    return fail("expected the byte 0 or 1 of a boolean, found " + in_quotes(byte));
  if (out != nullptr) *static_cast<bool*>(out) = byte[0] == 1;
  return true;
}

bool Decoder::read_integer(const Node& node, void* out) {
  std::int64_t value;
  if (!take_long(value)) return false;
  if (node.writer->type == Type::int_ && value != static_cast<std::int32_t>(value))
    return fail("expected an int, found " + std::to_string(value));
  return out == nullptr || store_integer(node, value, out);
}

bool Decoder::store_integer(const Node& node, std::int64_t value, void* out) {
  const TypeInfo& type = *node.target;
  if (type.kind == Kind::floating) return store_floating(type, static_cast<double>(value), out);
  bool fits;
  if (type.kind == Kind::time) {
    fits = put_time(Wide{value} * nanoseconds_in(node.unit), type, out);
  } else if (type.is_signed) {
    fits = put_signed(value, type.size, out);
  } else {
    fits = value >= 0 && put_unsigned(static_cast<std::uint64_t>(value), type.size, out);
  }
  const std::string wanted = type.kind == Kind::time ? "a time that its type holds" : expected(type);
  return fits || fail("expected " + wanted + ", found " + std::to_string(value));
}

bool Decoder::read_floating(const Node& node, void* out) {
  double value;
  float narrow;
  if (node.writer->type == Type::double_) {
    if (!take_raw(value)) return false;
  } else {
    if (!take_raw(narrow)) return false;
    value = narrow;
  }
  return out == nullptr || store_floating(*node.target, value, out);
}

bool Decoder::store_floating(const TypeInfo& type, double value, void* out) {
  if (type.size == sizeof(double)) {
    *static_cast<double*>(out) = value;
    return true;
  }
  if (std::isfinite(value) && std::abs(value) > static_cast<double>(std::numeric_limits<float>::max()))
    return fail("expected " + expected(type) + ", found " + std::to_string(value));
  *static_cast<float*>(out) = static_cast<float>(value);
  return true;
}

bool Decoder::read_text(const Node& node, void* out) {
  std::string_view text;
  if (node.writer->type == Type::fixed ? !take_bytes(node.writer->size, text) : !take_text(text))
    return false;
  if (out == nullptr) return true;
  if (node.writer->type == Type::string) {
    const std::size_t bad = find_invalid_utf8(text);
    if (bad != text.npos) return fail("not UTF-8 at byte " + std::to_string(bad) + " of " + in_quotes(text));
  }
  static_cast<std::string*>(out)->assign(text);
  return true;
}

bool Decoder::read_symbol(const Node& node, void* out) {
  std::int64_t index;
  if (!take_long(index)) return false;
  const auto& names = node.writer->symbols;
  if (index < 0 || static_cast<std::uint64_t>(index) >= names.size())
    return fail("expected one of " + std::to_string(names.size()) + " symbols, found number " +
                std::to_string(index));
  if (out == nullptr) return true;
  const Symbol& symbol = node.symbols[static_cast<std::size_t>(index)];
  const std::string& name = names[static_cast<std::size_t>(index)];
  if (!symbol.is_known)
    return fail("expected " + expected(*node.target) + ", found " + in_quotes(name) +
                did_you_mean_enumerator(name, *node.target));
  std::memcpy(out, &symbol.bits, node.target->size);
  return true;
}

bool Decoder::read_union(const Node& node, void* out, int depth) {
  std::int64_t index;
  if (!take_long(index)) return false;
  if (index < 0 || static_cast<std::uint64_t>(index) >= node.parts.size())
    return fail("expected one of the " + std::to_string(node.parts.size()) +
                " branches of a union, found number " + std::to_string(index));
  return read(*node.parts[static_cast<std::size_t>(index)].node, out, depth);
}

bool Decoder::read_record(const Node& node, void* out, int depth) {
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  for (std::size_t i = 0; i < node.parts.size(); ++i) {
    const Part& part = node.parts[i];
    void* const field = part.field == nullptr ? nullptr : at(out, part.field->offset);
    if (!read(*part.node, field, depth + 1)) return in("." + node.writer->fields[i].name);
  }
  return read_missing(node, out, depth);
}

bool Decoder::read_missing(const Node& node, void* out, int depth) {
  for (const Missing& missing : node.missing) {
    void* const field = at(out, missing.field->offset);
    if (missing.node == nullptr) {
      missing.field->type->elements->clear(field);
      continue;
    }
    const std::string_view rest = std::exchange(rest_, *missing.default_bytes);
    elements_left_ += missing.default_bytes->size();
    const bool is_read = read(*missing.node, field, depth + 1);
    rest_ = rest;
    if (!is_read) return in("the default of ." + std::string(missing.field->name));
  }
  return true;
}

/// Arrays and maps: blocks of elements, each with its count in front; 0 ends them. With a negative count
/// comes the block's size in bytes, so that it can be skipped.
bool Decoder::read_blocks(const Node& node, void* out, int depth) {
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  if (out != nullptr) node.target->elements->clear(out);
  for (std::size_t index = 0;;) {
    std::int64_t count, size = -1;
    if (!take_long(count)) return false;
    if (count == 0) return true;
    if (count < 0) {
      if (!take_long(size)) return false;
      std::string_view block;
      if (size < 0) return fail("a block of " + std::to_string(size) + " bytes");
      if (out == nullptr) {
        if (!take_bytes(static_cast<std::size_t>(size), block)) return false;
        continue;
      }
    }
    const std::uint64_t n =
        count < 0 ? 0 - static_cast<std::uint64_t>(count) : static_cast<std::uint64_t>(count);
    if (n > elements_left_)
      return fail("says that " + std::to_string(n) + " elements follow, in " + std::to_string(rest_.size()) +
                  " bytes");
    elements_left_ -= n;
    for (std::uint64_t i = 0; i < n; ++i) {
      if (!read_element(node, out, index++, depth)) return false;
    }
  }
}

bool Decoder::read_element(const Node& node, void* out, std::size_t index, int depth) {
  const Node& elements = *node.parts.front().node;
  if (node.writer->type == Type::array) {
    void* const element = out == nullptr ? nullptr : node.target->elements->add(out, nullptr);
    return read(elements, element, depth + 1) || in("[" + std::to_string(index) + "]");
  }
  std::string_view text;
  if (!take_text(text)) return in("[a key]");
  if (out == nullptr) return read(elements, nullptr, depth + 1) || in("[" + in_quotes(text) + "]");
  const auto& access = *node.target->elements;
  std::uint64_t scalar = 0;
  std::string key(text);
  const bool is_text = access.key->kind == Kind::string;
  if (!read_key(*access.key, text, &scalar)) return in("[" + in_quotes(text) + "]");
  void* const element = access.add(out, is_text ? static_cast<const void*>(&key) : &scalar);
  if (element == nullptr) return fail("comes twice") || in("[" + in_quotes(text) + "]");
  return read(elements, element, depth + 1) || in("[" + in_quotes(text) + "]");
}

bool Decoder::read_key(const TypeInfo& type, std::string_view text, void* out) {
  if (type.kind == Kind::string) {
    const std::size_t bad = find_invalid_utf8(text);
    return bad == text.npos || fail("not UTF-8 at byte " + std::to_string(bad) + " of the key");
  }
  return parse_scalar(text, type, out) || fail("expected " + expected(type) + " as key");
}

template <class T>
bool Decoder::take_raw(T& value) {
  std::string_view bytes;
  if (!take_bytes(sizeof(T), bytes)) return false;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return true;
}

bool Decoder::take_long(std::int64_t& value) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>(rest_[i]);
    if (i == 9 && byte > 1) break;
    bits |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte >= 0x80) continue;
    rest_.remove_prefix(i + 1);
    value = static_cast<std::int64_t>((bits >> 1) ^ (0 - (bits & 1)));
    return true;
  }
  return rest_.size() < 10 ? fail("the record ends too early") : fail("expected a number of at most 64 bits");
}

bool Decoder::take_text(std::string_view& text) {
  std::int64_t size;
  if (!take_long(size)) return false;
  if (size < 0) return fail("expected a length, found " + std::to_string(size));
  return take_bytes(static_cast<std::size_t>(size), text);
}

bool Decoder::take_bytes(std::size_t size, std::string_view& bytes) {
  if (size > rest_.size())
    return fail("the record ends too early: " + std::to_string(size) + " bytes expected, " +
                std::to_string(rest_.size()) + " left");
  bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool Decoder::fail(std::string what) {
  what_ = std::move(what);
  return false;
}

bool Decoder::in(std::string_view part) {
  path_.insert(0, part);
  return false;
}

}  // namespace slipstream::codecs::avro
