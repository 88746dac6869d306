#include "connectors/codecs/avro_schema.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "connectors/codecs/scalars.h"
#include "simdjson.h"
#include "slipstream/detail/nearest.h"

namespace slipstream::codecs::avro {
namespace {

using simdjson::dom::element;

constexpr int kMaxDepth = 64;
constexpr std::size_t kLeastCapacity = 64;
constexpr std::size_t kMaxText = std::size_t{1} << 20;
/// Values in all defaults together: those of records may hold each other's again and again.
constexpr std::size_t kMaxDefaultValues = 10'000;

constexpr std::array<std::string_view, 14> kTypeNames = {"null",   "boolean", "int",    "long",   "float",
                                                         "double", "bytes",   "string", "record", "enum",
                                                         "array",  "map",     "union",  "fixed"};
constexpr std::size_t kPrimitives = 8;

bool is_name(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && is_letter(text[0]) && std::all_of(text.begin(), text.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
  });
}
bool is_full_name(std::string_view text) {
  for (std::size_t dot; (dot = text.find('.')) != text.npos; text.remove_prefix(dot + 1)) {
    if (!is_name(text.substr(0, dot))) return false;
  }
  return is_name(text);
}
bool is_named(Type type) { return type == Type::record || type == Type::enumeration || type == Type::fixed; }

}  // namespace

std::int64_t nanoseconds_in(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::days:
      return 86'400'000'000'000;
    case TimeUnit::milliseconds:
      return 1'000'000;
    case TimeUnit::microseconds:
      return 1'000;
    default:
      return 1;
  }
}

std::string describe(const Schema& schema) {
  std::string text(kTypeNames[static_cast<std::size_t>(schema.type)]);
  if (is_named(schema.type)) return text + " " + shortened(schema.name);
  if (schema.type != Type::union_) return text;
  for (std::size_t i = 0; i < schema.branches.size() && i < 8; ++i) {
    const Schema& branch = *schema.branches[i];
    text.append(i == 0 ? " of " : ", ");
    text.append(branch.type == Type::union_ ? "union" : describe(branch));
  }
  return schema.branches.size() > 8 ? text + ", …" : text;
}

void append_long(std::int64_t value, std::string& out) {
  auto rest = (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
  for (; rest >= 0x80; rest >>= 7) out.push_back(static_cast<char>(rest | 0x80));
  out.push_back(static_cast<char>(rest));
}

template <class T>
void append_raw(T value, std::string& out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}
template void append_raw(float, std::string&);
template void append_raw(double, std::string&);

// ---------------------------------------------------------------- parsing

class SchemaParser {
 public:
  explicit SchemaParser(Document& document) : document_(document) {}

  absl::Status parse(std::string_view json) {
    if (json.size() > kMaxText) {
      return absl::InvalidArgumentError("Avro schema: " + std::to_string(json.size()) +
                                        " bytes; 1 MiB is the most");
    }
    // Without simdjson's parser class: its layout depends on how a file is compiled, and programs may use it
    // too.
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
    const simdjson::padded_string text(json);
    simdjson::dom::document parsed;
    element root;
    auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(
        std::max(json.size(), kLeastCapacity), simdjson::DEFAULT_MAX_DEPTH, parser);
    if (!error) error = parsed.allocate(std::max(json.size(), kLeastCapacity));
    if (!error)
      error = parser->parse(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), parsed);
    if (!error) error = parsed.root().get(root);
    if (error) {
      return absl::InvalidArgumentError(std::string("Avro schema: not JSON: ") +
                                        simdjson::error_message(error) + ", near " + in_quotes(json));
    }
    document_.root_ = schema(root, "", 1);
    if (document_.root_ != nullptr && encode_defaults()) return absl::OkStatus();
    if (path_.starts_with('.')) path_.erase(0, 1);
    return absl::InvalidArgumentError("Avro schema: " + (path_.empty() ? what_ : path_ + ": " + what_));
  }

 private:
  struct Default {
    Schema* record;
    std::size_t field;
    element value;
  };

  // Null, or false, after fail().
  const Schema* schema(element json, const std::string& space, int depth);
  const Schema* named(std::string_view name, const std::string& space);
  const Schema* union_of(simdjson::dom::array branches, const std::string& space, int depth);
  const Schema* object(simdjson::dom::object json, const std::string& space, int depth);
  const Schema* definition(Type type, simdjson::dom::object json, const std::string& space, int depth);
  bool record(simdjson::dom::object json, const std::string& space, Schema& to, int depth);
  bool field(element json, const std::string& space, Schema& to, int depth);
  bool symbols(simdjson::dom::object json, Schema& to);
  bool aliases(simdjson::dom::object json, std::vector<std::string>& to);
  void logical_type(simdjson::dom::object json, Schema& to);

  bool encode_defaults();
  bool encode(const Schema& schema, element value, int depth, std::string& out);
  bool encode_elements(const Schema& schema, element value, int depth, std::string& out);
  bool encode_record(const Schema& schema, element value, int depth, std::string& out);
  bool encode_text(const Schema& schema, std::string_view text, std::string& out);

  Schema& add(Type type) {
    Schema& schema = document_.schemas_.emplace_back();
    schema.type = type;
    return schema;
  }
  std::nullptr_t fail(std::string what) {
    what_ = std::move(what);
    return nullptr;
  }
  std::nullptr_t in(const std::string& part) {
    path_.insert(0, part);
    return nullptr;
  }

  Document& document_;
  std::map<std::string, Schema*, std::less<>> names_;
  std::vector<Default> defaults_;
  std::size_t default_values_ = 0;
  std::string path_;
  std::string what_;
};

const Schema* SchemaParser::schema(element json, const std::string& space, int depth) {
  if (depth > kMaxDepth) return fail("nested deeper than 64");
  std::string_view name;
  if (json.get(name) == simdjson::SUCCESS) return named(name, space);
  simdjson::dom::array branches;
  if (json.get(branches) == simdjson::SUCCESS) return union_of(branches, space, depth);
  simdjson::dom::object members;
  if (json.get(members) == simdjson::SUCCESS) return object(members, space, depth);
  return fail("expected a type's name, an object or an array, found " + shortened(simdjson::minify(json)));
}

const Schema* SchemaParser::named(std::string_view name, const std::string& space) {
  const auto primitive = std::find(kTypeNames.begin(), kTypeNames.begin() + kPrimitives, name);
  if (primitive != kTypeNames.begin() + kPrimitives)
    return &add(static_cast<Type>(primitive - kTypeNames.begin()));
  const std::string inner = space.empty() ? std::string(name) : space + "." + std::string(name);
  auto found = names_.find(name.find('.') == name.npos ? std::string_view(inner) : name);
  if (found == names_.end()) found = names_.find(name);
  if (found != names_.end()) return found->second;
  std::vector<std::string> known(kTypeNames.begin(), kTypeNames.begin() + kPrimitives);
  for (const auto& [each, schema] : names_) known.push_back(each);
  return fail("unknown type " + in_quotes(name) + detail::did_you_mean(name, known));
}

const Schema* SchemaParser::union_of(simdjson::dom::array branches, const std::string& space, int depth) {
  Schema& to = add(Type::union_);
  std::set<std::string> kinds;
  std::size_t i = 0;
  for (const element branch : branches) {
    const Schema* schema = this->schema(branch, space, depth + 1);
    const std::string part = "[" + std::to_string(i++) + "]";
    if (schema == nullptr) return in(part);
    if (schema->type == Type::union_) return fail("a union directly in a union"), in(part);
    if (!kinds.insert(describe(*schema) + schema->name).second)
      return fail(describe(*schema) + " comes twice in a union"), in(part);
    to.branches.push_back(schema);
  }
  if (to.branches.empty()) return fail("a union of nothing");
  return &to;
}

const Schema* SchemaParser::object(simdjson::dom::object json, const std::string& space, int depth) {
  element type;
  if (json["type"].get(type) != simdjson::SUCCESS) return fail("an object without \"type\"");
  std::string_view name;
  if (type.get(name) != simdjson::SUCCESS) {
    const Schema* schema = this->schema(type, space, depth + 1);
    return schema != nullptr ? schema : in(".type");
  }
  const auto known = std::find(kTypeNames.begin(), kTypeNames.end(), name);
  if (known == kTypeNames.end() || name == "union") {
    const Schema* schema = named(name, space);
    return schema != nullptr ? schema : in(".type");
  }
  return definition(static_cast<Type>(known - kTypeNames.begin()), json, space, depth);
}

const Schema* SchemaParser::definition(Type type, simdjson::dom::object json, const std::string& outer,
                                       int depth) {
  Schema& to = add(type);
  std::string space = outer;
  if (is_named(type)) {
    std::string_view name, own_space;
    if (json["name"].get(name) != simdjson::SUCCESS) return fail("a " + describe(to) + "without \"name\"");
    if (!is_full_name(name)) return fail(in_quotes(name) + " is no name");
    if (json["namespace"].get(own_space) == simdjson::SUCCESS) space = own_space;
    if (!space.empty() && !is_full_name(space)) return fail(in_quotes(space) + " is no namespace");
    if (const std::size_t dot = name.rfind('.'); dot != name.npos) {
      space = name.substr(0, dot);
      name.remove_prefix(dot + 1);
    }
    to.name = space.empty() ? std::string(name) : space + "." + std::string(name);
    if (!names_.emplace(to.name, &to).second) return fail(in_quotes(to.name) + " is defined twice");
  }
  switch (type) {
    case Type::record:
      return record(json, space, to, depth) ? &to : nullptr;
    case Type::enumeration:
      return symbols(json, to) ? &to : nullptr;
    case Type::fixed: {
      std::uint64_t size;
      if (json["size"].get(size) != simdjson::SUCCESS || size > (std::uint64_t{1} << 30))
        return fail("expected \"size\" from 0 to 1073741824");
      to.size = size;
      return &to;
    }
    case Type::array:
    case Type::map: {
      const char* const key = type == Type::array ? "items" : "values";
      element elements;
      if (json[key].get(elements) != simdjson::SUCCESS)
        return fail("a " + describe(to) + " without \"" + key + "\"");
      const Schema* schema = this->schema(elements, space, depth + 1);
      if (schema == nullptr) return in(std::string(".") + key);
      to.branches.push_back(schema);
      return &to;
    }
    default:
      logical_type(json, to);
      return &to;
  }
}

/// Those it doesn't know are ignored, as the specification says.
void SchemaParser::logical_type(simdjson::dom::object json, Schema& to) {
  std::string_view name;
  if (json["logicalType"].get(name) != simdjson::SUCCESS) return;
  if (to.type == Type::int_ && name == "date") to.unit = TimeUnit::days;
  if (to.type != Type::long_) return;
  if (name == "timestamp-millis") to.unit = TimeUnit::milliseconds;
  if (name == "timestamp-micros") to.unit = TimeUnit::microseconds;
  if (name == "timestamp-nanos") to.unit = TimeUnit::nanoseconds;
}

bool SchemaParser::record(simdjson::dom::object json, const std::string& space, Schema& to, int depth) {
  simdjson::dom::array fields;
  if (json["fields"].get(fields) != simdjson::SUCCESS) return fail("a record without \"fields\""), false;
  std::size_t i = 0;
  for (const element field : fields) {
    if (!this->field(field, space, to, depth + 1)) return in(".fields[" + std::to_string(i) + "]"), false;
    ++i;
  }
  return true;
}

bool SchemaParser::field(element json, const std::string& space, Schema& to, int depth) {
  simdjson::dom::object members;
  std::string_view name;
  element type, default_value;
  if (json.get(members) != simdjson::SUCCESS || members["name"].get(name) != simdjson::SUCCESS ||
      members["type"].get(type) != simdjson::SUCCESS) {
    return fail("a field needs \"name\" and \"type\""), false;
  }
  if (!is_name(name)) return fail(in_quotes(name) + " is no name"), false;
  const auto is_taken = [&](const SchemaField& f) { return f.name == name; };
  if (std::any_of(to.fields.begin(), to.fields.end(), is_taken))
    return fail("the field " + in_quotes(name) + " comes twice"), false;
  SchemaField field{std::string(name), {}, schema(type, space, depth), {}};
  if (field.schema == nullptr) return in(".type"), false;
  if (!aliases(members, field.aliases)) return false;
  if (members["default"].get(default_value) == simdjson::SUCCESS)
    defaults_.push_back({&to, to.fields.size(), default_value});
  to.fields.push_back(std::move(field));
  return true;
}

bool SchemaParser::aliases(simdjson::dom::object json, std::vector<std::string>& to) {
  element value;
  simdjson::dom::array names;
  if (json["aliases"].get(value) != simdjson::SUCCESS) return true;
  if (value.get(names) != simdjson::SUCCESS) return fail("\"aliases\" isn't an array"), false;
  for (const element each : names) {
    std::string_view name;
    if (each.get(name) != simdjson::SUCCESS) return fail("an alias isn't a name"), false;
    to.emplace_back(name);
  }
  return true;
}

bool SchemaParser::symbols(simdjson::dom::object json, Schema& to) {
  simdjson::dom::array symbols;
  if (json["symbols"].get(symbols) != simdjson::SUCCESS) return fail("an enum without \"symbols\""), false;
  std::set<std::string_view> seen;
  for (const element each : symbols) {
    std::string_view symbol;
    if (each.get(symbol) != simdjson::SUCCESS || !is_name(symbol))
      return fail(shortened(simdjson::minify(each)) + " is no symbol"), false;
    if (!seen.insert(symbol).second) return fail("the symbol " + in_quotes(symbol) + " comes twice"), false;
    to.symbols.emplace_back(symbol);
  }
  std::string_view symbol;
  if (json["default"].get(symbol) != simdjson::SUCCESS) return true;
  if (!seen.contains(symbol))
    return fail("the default " + in_quotes(symbol) + " is none of the symbols"), false;
  to.default_symbol = symbol;
  return true;
}

// ---------------------------------------------------------------- defaults

bool SchemaParser::encode_defaults() {
  for (const Default& each : defaults_) {
    SchemaField& field = each.record->fields[each.field];
    std::string bytes;
    const Schema& schema = *field.schema;
    if (!encode(schema, each.value, 1, bytes))
      return in("the default of field " + in_quotes(field.name) + " of " + describe(*each.record)), false;
    field.default_bytes = std::move(bytes);
  }
  return true;
}

bool SchemaParser::encode(const Schema& schema, element value, int depth, std::string& out) {
  if (depth > kMaxDepth) return fail("nested deeper than 64"), false;
  if (++default_values_ > kMaxDefaultValues) return fail("too large"), false;
  const auto wrong = [&] {
    fail("expected " + describe(schema) + ", found " + shortened(simdjson::minify(value)));
    return false;
  };
  bool flag;
  std::int64_t integer;
  double number;
  std::string_view text;
  switch (schema.type) {
    case Type::null:
      return value.is_null() || wrong();
    case Type::boolean:
      if (value.get(flag) != simdjson::SUCCESS) return wrong();
      out.push_back(flag ? 1 : 0);
      return true;
    case Type::int_:
    case Type::long_:
      if (value.get(integer) != simdjson::SUCCESS) return wrong();
      if (schema.type == Type::int_ && integer != static_cast<std::int32_t>(integer)) return wrong();
      append_long(integer, out);
      return true;
    case Type::float_:
    case Type::double_:
      if (value.get_double().get(number) != simdjson::SUCCESS) return wrong();
      schema.type == Type::float_ ? append_raw(static_cast<float>(number), out) : append_raw(number, out);
      return true;
    case Type::bytes:
    case Type::string:
    case Type::fixed:
      return value.get(text) == simdjson::SUCCESS ? encode_text(schema, text, out) || wrong() : wrong();
    case Type::enumeration: {
      if (value.get(text) != simdjson::SUCCESS) return wrong();
      const auto at = std::find(schema.symbols.begin(), schema.symbols.end(), text);
      if (at == schema.symbols.end()) return wrong();
      append_long(at - schema.symbols.begin(), out);
      return true;
    }
    case Type::union_:  // a default is of the first branch
      append_long(0, out);
      return encode(schema.elements(), value, depth + 1, out);
    case Type::array:
    case Type::map:
      return encode_elements(schema, value, depth, out);
    case Type::record:
      return encode_record(schema, value, depth, out);
  }
  return false;
}

/// Bytes are written as text whose characters are U+0000 to U+00FF.
bool SchemaParser::encode_text(const Schema& schema, std::string_view text, std::string& out) {
  std::string bytes;
  if (schema.type == Type::string) {
    bytes = text;
  } else {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto byte = static_cast<unsigned char>(text[i]);
      if (byte >= 0xc4) return false;
      bytes.push_back(byte < 0x80 ? text[i] : static_cast<char>(byte << 6 | (text[++i] & 0x3f)));
    }
  }
  if (schema.type == Type::fixed && bytes.size() != schema.size) return false;
  if (schema.type != Type::fixed) append_long(static_cast<std::int64_t>(bytes.size()), out);
  out.append(bytes);
  return true;
}

bool SchemaParser::encode_elements(const Schema& schema, element value, int depth, std::string& out) {
  simdjson::dom::array array;
  simdjson::dom::object object;
  if (schema.type == Type::array && value.get(array) == simdjson::SUCCESS) {
    for (const element each : array) {
      append_long(1, out);
      if (!encode(schema.elements(), each, depth + 1, out)) return false;
    }
  } else if (schema.type == Type::map && value.get(object) == simdjson::SUCCESS) {
    for (const auto& [key, each] : object) {
      append_long(1, out);
      append_long(static_cast<std::int64_t>(key.size()), out);
      out.append(key);
      if (!encode(schema.elements(), each, depth + 1, out)) return false;
    }
  } else {
    fail("expected " + describe(schema) + ", found " + shortened(simdjson::minify(value)));
    return false;
  }
  append_long(0, out);
  return true;
}

bool SchemaParser::encode_record(const Schema& schema, element value, int depth, std::string& out) {
  simdjson::dom::object members;
  if (value.get(members) != simdjson::SUCCESS) {
    fail("expected " + describe(schema) + ", found " + shortened(simdjson::minify(value)));
    return false;
  }
  for (std::size_t i = 0; i < schema.fields.size(); ++i) {
    const SchemaField& field = schema.fields[i];
    element member;
    if (members[field.name].get(member) != simdjson::SUCCESS) {
      const auto own = std::find_if(defaults_.begin(), defaults_.end(),
                                    [&](const Default& d) { return d.record == &schema && d.field == i; });
      if (own == defaults_.end()) return fail("no value for its field " + in_quotes(field.name)), false;
      member = own->value;
    }
    if (!encode(*field.schema, member, depth + 1, out)) return false;
  }
  return true;
}

absl::StatusOr<std::shared_ptr<const Document>> Document::parse(std::string_view json) {
  auto document = std::make_shared<Document>();
  if (absl::Status s = SchemaParser(*document).parse(json); !s.ok()) return s;
  return std::shared_ptr<const Document>(std::move(document));
}

}  // namespace slipstream::codecs::avro
