#include <map>
#include <set>
#include <utility>

#include "connectors/codecs/avro_schema.h"
#include "connectors/codecs/scalars.h"

namespace slipstream::codecs::avro {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// `shop::Order` is Order in the namespace shop; what Avro's names can't have becomes _.
std::string avro_name(std::string_view written) {
  std::string text(written);
  for (const std::string_view nameless : {"{anonymous}::", "(anonymous namespace)::"}) {
    for (std::size_t at; (at = text.find(nameless)) != text.npos;) text.erase(at, nameless.size());
  }
  std::string name;
  int brackets = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    brackets += c == '<' ? 1 : c == '>' ? -1 : 0;
    if (brackets == 0 && text.compare(i, 2, "::") == 0) {
      name.push_back('.');
      ++i;
    } else {
      name.push_back(is_name_character(c) ? c : '_');
    }
  }
  return name;
}

class SchemaWriter {
 public:
  std::string write(const TypeInfo& type) {
    switch (type.kind) {
      case Kind::boolean:
        return "\"boolean\"";
      case Kind::signed_integer:
        return type.size <= 4 ? "\"int\"" : "\"long\"";
      case Kind::unsigned_integer:
        return type.size < 4 ? "\"int\"" : "\"long\"";
      case Kind::floating:
        return type.size == sizeof(float) ? "\"float\"" : "\"double\"";
      case Kind::string:
        return "\"string\"";
      case Kind::time:
        return write_time(type);
      case Kind::optional:
        return "[\"null\"," + write(*type.elements->element) + "]";
      case Kind::list:
        return "{\"type\":\"array\",\"items\":" + write(*type.elements->element) + "}";
      case Kind::map:
        return "{\"type\":\"map\",\"values\":" + write(*type.elements->element) + "}";
      case Kind::enumeration:
      case Kind::structure:
        return write_named(type);
    }
    return "";
  }

 private:
  static std::string write_time(const TypeInfo& type) {
    const Wide tick = Wide{type.period_num} * 1'000'000'000 / type.period_den;
    if (tick % nanoseconds_in(TimeUnit::days) == 0) return "{\"type\":\"int\",\"logicalType\":\"date\"}";
    const std::string_view unit = tick % 1'000'000 == 0 ? "millis" : tick % 1'000 == 0 ? "micros" : "nanos";
    return "{\"type\":\"long\",\"logicalType\":\"timestamp-" + std::string(unit) + "\"}";
  }

  std::string write_named(const TypeInfo& type) {
    if (const auto known = names_.find(&type); known != names_.end()) return "\"" + known->second + "\"";
    std::string name = avro_name(type.name);
    while (!taken_.insert(name).second) name += "_";
    names_.emplace(&type, name);
    const bool is_enum = type.kind == Kind::enumeration;
    std::string text = std::string("{\"type\":\"") + (is_enum ? "enum" : "record") + "\",\"name\":\"" + name +
                       (is_enum ? "\",\"symbols\":[" : "\",\"fields\":[");
    for (std::size_t i = 0; i < type.count; ++i) {
      if (i > 0) text += ",";
      text += is_enum ? "\"" + std::string(type.enumerators[i].name) + "\"" : write_field(type.fields[i]);
    }
    return text + "]}";
  }
  std::string write_field(const detail::FieldInfo& field) {
    return "{\"name\":\"" + std::string(field.name) + "\",\"type\":" + write(*field.type) +
           (field.type->kind == Kind::optional ? ",\"default\":null}" : "}");
  }

  std::map<const TypeInfo*, std::string> names_;
  std::set<std::string> taken_;
};

}  // namespace

std::string schema_of(const TypeInfo& type) { return SchemaWriter().write(type); }

}  // namespace slipstream::codecs::avro
