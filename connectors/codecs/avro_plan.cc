#include "connectors/codecs/avro_plan.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "connectors/codecs/scalars.h"
#include "slipstream/detail/nearest.h"

namespace slipstream::codecs::avro {
namespace {

using detail::FieldInfo;

constexpr int kMaxDepth = 256;  // of schemas and types; records have a limit of their own

bool is_text(Type type) { return type == Type::bytes || type == Type::string || type == Type::fixed; }
bool is_number(Type type) { return type >= Type::int_ && type <= Type::double_; }

/// Whether the specification lets `reader` read what was written as `writer`, elements and fields aside.
bool is_readable_as(const Schema& writer, const Schema& reader) {
  if (writer.type == reader.type) return writer.type != Type::fixed || writer.size == reader.size;
  if (is_number(writer.type) && is_number(reader.type)) return writer.type < reader.type;
  return (writer.type == Type::bytes && reader.type == Type::string) ||
         (writer.type == Type::string && reader.type == Type::bytes);
}

/// Whether a value of the type can be what `reader` says.
bool holds(const TypeInfo& target, const Schema& reader) {
  switch (target.kind) {
    case Kind::boolean:
      return reader.type == Type::boolean;
    case Kind::signed_integer:
    case Kind::unsigned_integer:
    case Kind::time:
      return reader.type == Type::int_ || reader.type == Type::long_;
    case Kind::floating:
      return is_number(reader.type);
    case Kind::string:
      return is_text(reader.type);
    case Kind::enumeration:
      return reader.type == Type::enumeration;
    case Kind::structure:
      return reader.type == Type::record;
    case Kind::list:
      return reader.type == Type::array;
    case Kind::map:
      return reader.type == Type::map;
    case Kind::optional:
      return true;
  }
  return false;
}

std::string wanted(const TypeInfo& target) {
  switch (target.kind) {
    case Kind::boolean:
      return "boolean";
    case Kind::string:
      return "string, bytes or fixed";
    case Kind::enumeration:
      return "an enum";
    case Kind::time:
      return "a timestamp or date";
    case Kind::structure:
      return "a record";
    case Kind::list:
      return "an array";
    case Kind::map:
      return "a map";
    case Kind::optional:
      return wanted(*target.elements->element);
    case Kind::floating:
      return "a number";
    default:
      return "int or long";
  }
}

}  // namespace

class Resolver {
 public:
  explicit Resolver(Plan& plan) : plan_(plan) {}

  absl::Status resolve(const TypeInfo& target) {
    plan_.root_ = node(plan_.writer_->root(), &plan_.reader_->root(), &target, 1);
    return plan_.root_ != nullptr ? absl::OkStatus() : absl::InvalidArgumentError(take_error());
  }

 private:
  using Key = std::tuple<const Schema*, const Schema*, const TypeInfo*>;
  struct Known {
    const Node* node = nullptr;  // null: it failed, with `error`
    std::string error;
  };

  /// Null after fail(). Without a target the value is read and dropped.
  const Node* node(const Schema& writer, const Schema* reader, const TypeInfo* target, int depth);
  const Node* of_branch(const Schema& writer, const Schema& reader, const TypeInfo& target, int depth);
  const Node* dropped(const Schema& writer, int depth) { return node(writer, nullptr, nullptr, depth); }
  bool fill(Node& node, const Schema& reader, int depth);
  bool fill_dropped(Node& node, int depth);
  bool fill_union(Node& node, const Schema& reader, int depth);
  bool fill_time(Node& node, const Schema& reader);
  bool fill_elements(Node& node, const Schema& reader, int depth);
  bool fill_symbols(Node& node, const Schema& reader);
  bool fill_record(Node& node, const Schema& reader, int depth);
  bool fill_missing(Node& node, const Schema& reader, const FieldInfo& field, int depth);

  bool fail(std::string what) {
    path_.clear();
    what_ = std::move(what);
    return false;
  }
  bool in(std::string_view part) {
    path_.insert(0, part);
    return false;
  }
  std::string take_error() {
    std::string path = std::exchange(path_, {});
    if (path.starts_with('.')) path.erase(0, 1);
    return path.empty() ? what_ : path + ": " + what_;
  }

  Plan& plan_;
  std::map<Key, Known> known_;
  std::string path_;
  std::string what_;
};

const Node* Resolver::node(const Schema& writer, const Schema* reader, const TypeInfo* target, int depth) {
  if (depth > kMaxDepth) return fail("nested deeper than 256"), nullptr;
  if (target != nullptr && writer.type != Type::union_ && reader->type == Type::union_)
    return of_branch(writer, *reader, *target, depth);
  Known& known = known_[{&writer, reader, target}];
  if (known.node != nullptr) return known.node;
  if (!known.error.empty()) return fail(known.error), nullptr;
  Node& node = plan_.nodes_.emplace_back();
  node.writer = &writer;
  node.target = target;
  known.node = &node;
  if (target == nullptr ? fill_dropped(node, depth) : fill(node, *reader, depth)) return &node;
  // Others may refer to it already: it stays, and refuses to be read.
  node.error = known.error = path_.empty() ? what_ : path_ + ": " + what_;
  known.node = nullptr;
  return nullptr;
}

/// The first branch that is of the same type and name; else the first that fits.
const Node* Resolver::of_branch(const Schema& writer, const Schema& reader, const TypeInfo& target,
                                int depth) {
  const auto is_same = [&](const Schema* b) { return b->type == writer.type && b->name == writer.name; };
  std::vector<const Schema*> branches = reader.branches;
  std::stable_partition(branches.begin(), branches.end(), is_same);
  std::string first_error;
  for (const Schema* branch : branches) {
    if (!is_readable_as(writer, *branch)) continue;
    if (const Node* found = node(writer, branch, &target, depth + 1)) return found;
    if (first_error.empty()) first_error = take_error();
  }
  if (first_error.empty()) first_error = describe(writer) + " can't be read as " + describe(reader);
  return fail(first_error), nullptr;
}

bool Resolver::fill(Node& node, const Schema& reader, int depth) {
  const Schema& writer = *node.writer;
  const TypeInfo& target = *node.target;
  if (writer.type == Type::union_) return fill_union(node, reader, depth);
  if (!is_readable_as(writer, reader))
    return fail(describe(writer) + " can't be read as " + describe(reader));
  if (target.kind == Kind::optional) {
    if (writer.type != Type::null)
      node.value = this->node(writer, &reader, target.elements->element, depth + 1);
    return writer.type == Type::null || node.value != nullptr;
  }
  if (writer.type == Type::null) return fail("null can't be read: it is no std::optional");
  if (!holds(target, reader)) return fail("expected " + wanted(target) + ", found " + describe(reader));
  switch (target.kind) {
    case Kind::time:
      return fill_time(node, reader);
    case Kind::enumeration:
      return fill_symbols(node, reader);
    case Kind::list:
    case Kind::map:
      return fill_elements(node, reader, depth);
    case Kind::structure:
      return fill_record(node, reader, depth);
    default:
      return true;
  }
}

bool Resolver::fill_dropped(Node& node, int depth) {
  for (const SchemaField& field : node.writer->fields)
    node.parts.push_back({dropped(*field.schema, depth + 1)});
  for (const Schema* branch : node.writer->branches) node.parts.push_back({dropped(*branch, depth + 1)});
  return std::all_of(node.parts.begin(), node.parts.end(), [](const Part& p) { return p.node != nullptr; });
}

/// Branches that can't be read are errors where they come; null alone would be little to read.
bool Resolver::fill_union(Node& node, const Schema& reader, int depth) {
  std::string error;
  bool is_any_read = false;
  for (const Schema* branch : node.writer->branches) {
    const Node* read = this->node(*branch, &reader, node.target, depth + 1);
    is_any_read |= read != nullptr && (branch->type != Type::null || node.writer->branches.size() == 1);
    if (read == nullptr) {
      Node& refused = plan_.nodes_.emplace_back();
      refused.writer = branch;
      refused.error = take_error();
      if (branch->type != Type::null || error.empty()) error = refused.error;
      read = &refused;
    }
    node.parts.push_back({read});
  }
  return is_any_read || fail(error);
}

bool Resolver::fill_time(Node& node, const Schema& reader) {
  node.unit = node.writer->unit != TimeUnit::none ? node.writer->unit : reader.unit;
  return node.unit != TimeUnit::none ||
         fail("expected a timestamp or date, found " + describe(reader) +
              " without such a logicalType; give the unit in a schema of yours, such as "
              R"({"type": "long", "logicalType": "timestamp-millis"})");
}

bool Resolver::fill_elements(Node& node, const Schema& reader, int depth) {
  const Node* const elements =
      this->node(node.writer->elements(), &reader.elements(), node.target->elements->element, depth + 1);
  node.parts.push_back({elements});
  return elements != nullptr || in("[]");
}

bool Resolver::fill_symbols(Node& node, const Schema& reader) {
  for (const std::string& symbol : node.writer->symbols) {
    Symbol& to = node.symbols.emplace_back();
    to.is_known = parse_enumerator(symbol, *node.target, &to.bits) ||
                  (reader.default_symbol && parse_enumerator(*reader.default_symbol, *node.target, &to.bits));
  }
  return true;
}

bool Resolver::fill_record(Node& node, const Schema& reader, int depth) {
  const Schema& writer = *node.writer;
  const TypeInfo& target = *node.target;
  const auto has = [](const std::vector<SchemaField>& fields, std::string_view name) {
    return std::any_of(fields.begin(), fields.end(), [&](const SchemaField& f) { return f.name == name; });
  };
  /// The reader's field for one of the writer's: the one of that name, else one with it as alias.
  const auto reader_field = [&](const std::string& name) -> const SchemaField* {
    for (const SchemaField& field : reader.fields) {
      if (field.name == name) return &field;
    }
    for (const SchemaField& field : reader.fields) {
      const auto& aliases = field.aliases;
      if (std::find(aliases.begin(), aliases.end(), name) != aliases.end() && !has(writer.fields, field.name))
        return &field;
    }
    return nullptr;
  };
  std::uint64_t seen = 0;
  for (const SchemaField& written : writer.fields) {
    const SchemaField* const read = reader_field(written.name);
    std::size_t i = 0;
    while (i < target.count && (read == nullptr || target.fields[i].name != read->name)) ++i;
    const bool is_wanted = i < target.count && !(seen >> i & 1);
    const FieldInfo* const field = is_wanted ? &target.fields[i] : nullptr;
    const Node* const part = is_wanted ? this->node(*written.schema, read->schema, field->type, depth + 1)
                                       : dropped(*written.schema, depth + 1);
    if (part == nullptr) return in("." + written.name);
    if (is_wanted) seen |= std::uint64_t{1} << i;
    node.parts.push_back({part, field});
  }
  for (std::size_t i = 0; i < target.count; ++i) {
    if (seen >> i & 1) continue;
    if (!fill_missing(node, reader, target.fields[i], depth))
      return in("." + std::string(target.fields[i].name));
  }
  return true;
}

bool Resolver::fill_missing(Node& node, const Schema& reader, const FieldInfo& field, int depth) {
  Missing missing{&field};
  for (const SchemaField& each : reader.fields) {
    if (each.name != field.name || !each.default_bytes) continue;
    missing.node = this->node(*each.schema, each.schema, field.type, depth + 1);
    if (missing.node == nullptr) return false;
    missing.default_bytes = &*each.default_bytes;
  }
  if (missing.node == nullptr && field.type->kind != Kind::optional) {
    std::vector<std::string> names;
    for (const SchemaField& each : node.writer->fields) names.push_back(each.name);
    return fail("missing in " + describe(*node.writer) + ", without a default and no std::optional" +
                detail::did_you_mean(field.name, names));
  }
  node.missing.push_back(missing);
  return true;
}

absl::StatusOr<std::shared_ptr<const Plan>> Plan::make(std::shared_ptr<const Document> writer,
                                                       std::shared_ptr<const Document> reader,
                                                       const TypeInfo& target) {
  auto plan = std::make_shared<Plan>();
  plan->writer_ = std::move(writer);
  plan->reader_ = std::move(reader);
  if (absl::Status s = Resolver(*plan).resolve(target); !s.ok()) return s;
  return std::shared_ptr<const Plan>(std::move(plan));
}

}  // namespace slipstream::codecs::avro
