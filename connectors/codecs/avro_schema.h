#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "slipstream/detail/type_info.h"

/// Avro schemas (specification 1.11) as a graph: named types may contain themselves.
namespace slipstream::codecs::avro {

enum class Type : std::uint8_t {
  null,
  boolean,
  int_,
  long_,
  float_,
  double_,
  bytes,
  string,
  record,
  enumeration,
  array,
  map,
  union_,
  fixed,
};

/// What an int or long counts if it is a point in time.
enum class TimeUnit : std::uint8_t { none, days, milliseconds, microseconds, nanoseconds };
std::int64_t nanoseconds_in(TimeUnit unit);

struct Schema;

struct SchemaField {
  std::string name;
  std::vector<std::string> aliases;
  const Schema* schema = nullptr;
  std::optional<std::string> default_bytes;  ///< the default, encoded as `schema` has it
};

struct Schema {
  Type type = Type::null;
  TimeUnit unit = TimeUnit::none;
  std::string name;                  ///< of records, enums and fixed, with the namespace
  std::vector<SchemaField> fields;   ///< of a record
  std::vector<std::string> symbols;  ///< of an enum
  std::optional<std::string> default_symbol;
  std::vector<const Schema*> branches;  ///< of a union; of an array or map its elements, as the only one
  std::size_t size = 0;                 ///< of fixed

  const Schema& elements() const { return *branches.front(); }
};

/// Owns all parts of a schema.
class Document {
 public:
  /// InvalidArgument says where in the schema and what is wrong: `fields[2].type: unknown type 'strin'`.
  /// Nested at most 64 deep, of at most 1 MiB.
  static absl::StatusOr<std::shared_ptr<const Document>> parse(std::string_view json);

  const Schema& root() const { return *root_; }

 private:
  friend class SchemaParser;
  std::deque<Schema> schemas_;
  const Schema* root_ = nullptr;
};

/// "int", "record shop.Order", "union of null, string", …
std::string describe(const Schema& schema);

/// The schema, as JSON, whose records hold exactly what `type` does.
std::string schema_of(const detail::TypeInfo& type);

void append_long(std::int64_t value, std::string& out);
template <class T>
void append_raw(T value, std::string& out);  // float and double; little-endian

}  // namespace slipstream::codecs::avro
