#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "connectors/codecs/avro_schema.h"

/// How values of a type are written with a schema, worked out once.
namespace slipstream::codecs::avro {

struct WriteNode;

struct WritePart {
  const WriteNode* node = nullptr;
  const detail::FieldInfo* field = nullptr;
  const std::string* default_bytes = nullptr;  ///< of a field that the type doesn't have
};

struct WriteNode {
  const Schema* schema = nullptr;
  const detail::TypeInfo* source = nullptr;
  /// Of a union: the branch for values and what writes them, the branch for empty optionals.
  const WriteNode* value = nullptr;
  std::size_t value_branch = 0;
  std::size_t null_branch = 0;
  std::vector<WritePart> parts;       ///< of a record its fields, of an array or map the elements
  std::vector<std::int64_t> symbols;  ///< by enumerator; negative: not in the schema
};

class WritePlan {
 public:
  /// InvalidArgument names the field that can't be written, or whose value the schema has no place for.
  static absl::StatusOr<std::shared_ptr<const WritePlan>> make(std::shared_ptr<const Document> schema,
                                                               const detail::TypeInfo& source);
  /// Appends the value. InvalidArgument says where and what can't be written.
  absl::Status encode(const void* value, std::string& out) const;

 private:
  friend class Binder;
  std::shared_ptr<const Document> schema_;
  std::deque<WriteNode> nodes_;
  const WriteNode* root_ = nullptr;
};

}  // namespace slipstream::codecs::avro
