#include "connectors/codecs/avro_encoder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "connectors/codecs/scalars.h"
#include "slipstream/detail/nearest.h"

namespace slipstream::codecs::avro {
namespace {

using detail::ElementVisitor;
using detail::FieldInfo;

constexpr int kMaxDepth = 64;
constexpr int kMaxTypeDepth = 256;

/// Whether values of the type, elements aside, are written as this schema.
bool fits(const TypeInfo& source, const Schema& schema) {
  switch (source.kind) {
    case Kind::boolean:
      return schema.type == Type::boolean;
    case Kind::signed_integer:
    case Kind::unsigned_integer:
      return schema.type == Type::int_ || schema.type == Type::long_;
    case Kind::time:
      return schema.unit != TimeUnit::none;
    case Kind::floating:
      return schema.type == Type::float_ || schema.type == Type::double_;
    case Kind::string:
      return schema.type == Type::string || schema.type == Type::bytes || schema.type == Type::fixed;
    case Kind::enumeration:
      return schema.type == Type::enumeration;
    case Kind::structure:
      return schema.type == Type::record;
    case Kind::list:
      return schema.type == Type::array;
    case Kind::map:
      return schema.type == Type::map;
    case Kind::optional:
      return false;
  }
  return false;
}

std::string kind_of(const TypeInfo& source) {
  switch (source.kind) {
    case Kind::boolean:
      return "a bool";
    case Kind::floating:
      return "a floating-point number";
    case Kind::time:
      return "a time";
    case Kind::enumeration:
      return "an enum";
    case Kind::structure:
      return "a struct";
    case Kind::list:
      return "a list";
    case Kind::map:
      return "a map";
    case Kind::string:
      return "a string";
    case Kind::optional:
      return "an optional";
    default:
      return "an integer";
  }
}

}  // namespace

class Binder {
 public:
  explicit Binder(WritePlan& plan) : plan_(plan) {}

  absl::Status bind(const TypeInfo& source) {
    plan_.root_ = node(plan_.schema_->root(), source, 1);
    if (plan_.root_ != nullptr) return absl::OkStatus();
    if (path_.starts_with('.')) path_.erase(0, 1);
    return absl::InvalidArgumentError(path_.empty() ? what_ : path_ + ": " + what_);
  }

 private:
  /// Null after fail().
  const WriteNode* node(const Schema& schema, const TypeInfo& source, int depth);
  bool fill(WriteNode& node, int depth);
  bool fill_union(WriteNode& node, int depth);
  bool fill_symbols(WriteNode& node);
  bool fill_record(WriteNode& node, int depth);

  bool fail(std::string what) {
    path_.clear();
    what_ = std::move(what);
    return false;
  }
  bool in(std::string_view part) {
    path_.insert(0, part);
    return false;
  }

  WritePlan& plan_;
  std::map<std::pair<const Schema*, const TypeInfo*>, const WriteNode*> known_;
  std::string path_;
  std::string what_;
};

const WriteNode* Binder::node(const Schema& schema, const TypeInfo& source, int depth) {
  if (depth > kMaxTypeDepth) return fail("nested deeper than 256"), nullptr;
  // What failed is here too: it is asked for again only by another branch of a union, which fails as well.
  if (const auto known = known_.find({&schema, &source}); known != known_.end()) return known->second;
  WriteNode& node = plan_.nodes_.emplace_back();
  node.schema = &schema;
  node.source = &source;
  const WriteNode*& known = known_[{&schema, &source}];
  known = &node;
  if (!fill(node, depth)) known = nullptr;
  return known;
}

bool Binder::fill(WriteNode& node, int depth) {
  const Schema& schema = *node.schema;
  if (schema.type == Type::union_) return fill_union(node, depth);
  if (!fits(*node.source, schema))
    return fail(kind_of(*node.source) + " can't be written as " + describe(schema) +
                (node.source->kind == Kind::time ? " without a timestamp's or date's logicalType" : ""));
  switch (schema.type) {
    case Type::enumeration:
      return fill_symbols(node);
    case Type::record:
      return fill_record(node, depth);
    case Type::array:
    case Type::map:
      node.parts.push_back({this->node(schema.elements(), *node.source->elements->element, depth + 1)});
      return node.parts[0].node != nullptr || in("[]");
    default:
      return true;
  }
}

/// The value goes to the first branch that fits, an empty optional to null.
bool Binder::fill_union(WriteNode& node, int depth) {
  const auto& branches = node.schema->branches;
  const auto is_null = [](const Schema* b) { return b->type == Type::null; };
  const bool is_optional = node.source->kind == Kind::optional;
  const auto null = std::find_if(branches.begin(), branches.end(), is_null);
  if (is_optional && null == branches.end())
    return fail("an optional can't be written as " + describe(*node.schema) + ", without null");
  node.null_branch = static_cast<std::size_t>(null - branches.begin());
  const TypeInfo& value = is_optional ? *node.source->elements->element : *node.source;
  for (std::size_t i = 0; i < branches.size(); ++i) {
    if (!fits(value, *branches[i])) continue;
    node.value = this->node(*branches[i], value, depth + 1);
    node.value_branch = i;
    if (node.value != nullptr) return true;
  }
  return fail(kind_of(value) + " can't be written as " + describe(*node.schema));
}

bool Binder::fill_symbols(WriteNode& node) {
  const auto& symbols = node.schema->symbols;
  for (std::size_t i = 0; i < node.source->count; ++i) {
    const auto found = std::find(symbols.begin(), symbols.end(), node.source->enumerators[i].name);
    node.symbols.push_back(found == symbols.end() ? -1 : found - symbols.begin());
  }
  return true;
}

bool Binder::fill_record(WriteNode& node, int depth) {
  std::uint64_t written = 0;
  for (const SchemaField& field : node.schema->fields) {
    std::size_t i = 0;
    while (i < node.source->count && node.source->fields[i].name != field.name) ++i;
    if (i < node.source->count) {
      const FieldInfo& from = node.source->fields[i];
      node.parts.push_back({this->node(*field.schema, *from.type, depth + 1), &from});
      if (node.parts.back().node == nullptr) return in("." + field.name);
      written |= std::uint64_t{1} << i;
    } else if (field.default_bytes) {
      node.parts.push_back({nullptr, nullptr, &*field.default_bytes});
    } else {
      return fail(describe(*node.schema) + " has this field, without a default; the struct hasn't") ||
             in("." + field.name);
    }
  }
  for (std::size_t i = 0; i < node.source->count; ++i) {
    if (written >> i & 1) continue;
    std::vector<std::string> names;
    for (const SchemaField& field : node.schema->fields) names.push_back(field.name);
    const std::string_view name = node.source->fields[i].name;
    return fail("the struct has this field, " + describe(*node.schema) + " hasn't" +
                detail::did_you_mean(name, names)) ||
           in("." + std::string(name));
  }
  return true;
}

namespace {

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  bool write(const WriteNode& node, const void* value, int depth);
  absl::Status error() {
    if (path_.starts_with('.')) path_.erase(0, 1);
    return absl::InvalidArgumentError(path_.empty() ? what_ : path_ + ": " + what_);
  }

 private:
  struct Elements;

  bool write_union(const WriteNode& node, const void* value, int depth);
  bool write_integer(const WriteNode& node, const void* value);
  bool write_time(const WriteNode& node, const void* value);
  bool write_long(const Schema& schema, Wide value);
  bool write_floating(const WriteNode& node, const void* value);
  bool write_text(const Schema& schema, std::string_view text);
  bool write_string(std::string_view text);
  void append_text(std::string_view text) {
    append_long(static_cast<std::int64_t>(text.size()), out_);
    out_.append(text);
  }
  bool write_symbol(const WriteNode& node, const void* value);
  bool write_record(const WriteNode& node, const void* value, int depth);
  bool write_elements(const WriteNode& node, const void* value, int depth);

  bool fail(std::string what) {
    what_ = std::move(what);
    return false;
  }
  bool in(std::string_view part) {
    path_.insert(0, part);
    return false;
  }

  std::string& out_;
  std::string path_;
  std::string what_;
};

bool Writer::write(const WriteNode& node, const void* value, int depth) {
  if (node.schema->type == Type::union_) return write_union(node, value, depth);
  switch (node.source->kind) {
    case Kind::boolean:
      out_.push_back(*static_cast<const bool*>(value) ? 1 : 0);
      return true;
    case Kind::signed_integer:
    case Kind::unsigned_integer:
      return write_integer(node, value);
    case Kind::time:
      return write_time(node, value);
    case Kind::floating:
      return write_floating(node, value);
    case Kind::string:
      return write_text(*node.schema, *static_cast<const std::string*>(value));
    case Kind::enumeration:
      return write_symbol(node, value);
    case Kind::structure:
      return write_record(node, value, depth);
    case Kind::list:
    case Kind::map:
      return write_elements(node, value, depth);
    case Kind::optional:
      break;
  }
  return false;
}

struct OnlyElement final : ElementVisitor {
  bool visit(const void*, const void* e) override {
    element = e;
    return true;
  }
  const void* element = nullptr;
};

bool Writer::write_union(const WriteNode& node, const void* value, int depth) {
  if (node.source->kind == Kind::optional) {
    OnlyElement visitor;
    node.source->elements->each(value, visitor);
    value = visitor.element;
  }
  append_long(static_cast<std::int64_t>(value == nullptr ? node.null_branch : node.value_branch), out_);
  return value == nullptr || write(*node.value, value, depth);
}

bool Writer::write_integer(const WriteNode& node, const void* value) {
  const TypeInfo& source = *node.source;
  return write_long(*node.schema,
                    source.is_signed ? Wide{load_signed(source, value)} : Wide{load_unsigned(source, value)});
}

/// Rounded down to the schema's unit.
bool Writer::write_time(const WriteNode& node, const void* value) {
  const Wide nanoseconds = load_time(*node.source, value);
  const Wide unit = nanoseconds_in(node.schema->unit);
  return write_long(*node.schema, nanoseconds / unit - (nanoseconds % unit < 0 ? 1 : 0));
}

bool Writer::write_long(const Schema& schema, Wide value) {
  const bool is_int = schema.type == Type::int_;
  const Wide max =
      is_int ? std::numeric_limits<std::int32_t>::max() : std::numeric_limits<std::int64_t>::max();
  if (value > max || value < -max - 1) {
    const bool is_long = value <= std::numeric_limits<std::int64_t>::max() &&
                         value >= std::numeric_limits<std::int64_t>::min();
    return fail(
        (is_long ? std::to_string(static_cast<std::int64_t>(value)) : "a number of more than 64 bits") +
        " can't be written as " + describe(schema));
  }
  append_long(static_cast<std::int64_t>(value), out_);
  return true;
}

bool Writer::write_floating(const WriteNode& node, const void* value) {
  const double number = load_double(*node.source, value);
  if (node.schema->type == Type::double_) {
    append_raw(number, out_);
    return true;
  }
  if (std::isfinite(number) && std::abs(number) > static_cast<double>(std::numeric_limits<float>::max()))
    return fail(std::to_string(number) + " can't be written as float");
  append_raw(static_cast<float>(number), out_);
  return true;
}

bool Writer::write_text(const Schema& schema, std::string_view text) {
  if (schema.type == Type::string) return write_string(text);
  if (schema.type == Type::bytes) return append_text(text), true;
  if (text.size() != schema.size)
    return fail(std::to_string(text.size()) + " bytes can't be written as " + describe(schema) + " of " +
                std::to_string(schema.size));
  out_.append(text);
  return true;
}

bool Writer::write_string(std::string_view text) {
  const std::size_t bad = find_invalid_utf8(text);
  if (bad != text.npos) return fail("not UTF-8 at byte " + std::to_string(bad) + " of " + in_quotes(text));
  append_text(text);
  return true;
}

bool Writer::write_symbol(const WriteNode& node, const void* value) {
  const std::uint64_t bits = load_unsigned(*node.source, value);
  for (std::size_t i = 0; i < node.source->count; ++i) {
    if (node.source->enumerators[i].bits != bits) continue;
    if (node.symbols[i] < 0)
      return fail("the symbol " + std::string(node.source->enumerators[i].name) + " isn't in " +
                  describe(*node.schema));
    append_long(node.symbols[i], out_);
    return true;
  }
  return fail(unwritable(*node.source, value));
}

bool Writer::write_record(const WriteNode& node, const void* value, int depth) {
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  for (const WritePart& part : node.parts) {
    if (part.default_bytes != nullptr) {
      out_.append(*part.default_bytes);
      continue;
    }
    if (!write(*part.node, static_cast<const char*>(value) + part.field->offset, depth + 1))
      return in("." + std::string(part.field->name));
  }
  return true;
}

struct Counter final : ElementVisitor {
  bool visit(const void*, const void*) override { return ++count; }
  std::int64_t count = 0;
};

struct Writer::Elements final : ElementVisitor {
  Elements(Writer& writer, const WriteNode& node, int depth) : writer(writer), node(node), depth(depth) {}
  bool visit(const void* key, const void* element) override {
    const std::string part = key == nullptr ? "" : key_part(*node.source->elements->key, key);
    if (key != nullptr && !write_key(key)) return writer.in(part);
    ++index;
    return writer.write(*node.parts[0].node, element, depth) ||
           writer.in(key != nullptr ? part : "[" + std::to_string(index - 1) + "]");
  }
  bool write_key(const void* key) {
    const TypeInfo& type = *node.source->elements->key;
    if (type.kind == Kind::string) return writer.write_string(*static_cast<const std::string*>(key));
    std::string text;
    return append_scalar(type, key, text) ? writer.write_string(text) : writer.fail(unwritable(type, key));
  }
  Writer& writer;
  const WriteNode& node;
  const int depth;
  std::size_t index = 0;
};

bool Writer::write_elements(const WriteNode& node, const void* value, int depth) {
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  Counter counter;
  node.source->elements->each(value, counter);
  if (counter.count > 0) append_long(counter.count, out_);
  Elements visitor(*this, node, depth + 1);
  if (!node.source->elements->each(value, visitor)) return false;
  append_long(0, out_);
  return true;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const WritePlan>> WritePlan::make(std::shared_ptr<const Document> schema,
                                                                 const TypeInfo& source) {
  auto plan = std::make_shared<WritePlan>();
  plan->schema_ = std::move(schema);
  if (absl::Status s = Binder(*plan).bind(source); !s.ok()) return s;
  return std::shared_ptr<const WritePlan>(std::move(plan));
}

absl::Status WritePlan::encode(const void* value, std::string& out) const {
  Writer writer(out);
  return writer.write(*root_, value, 1) ? absl::OkStatus() : writer.error();
}

}  // namespace slipstream::codecs::avro
