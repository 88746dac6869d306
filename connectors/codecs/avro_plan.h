#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "connectors/codecs/avro_schema.h"

/// How records written with one schema become values of a type, worked out once (the specification's schema
/// resolution), so that reading a record looks nothing up.
namespace slipstream::codecs::avro {

using detail::TypeInfo;

struct Node;

/// A field of a record in the order of the bytes.
struct Part {
  const Node* node;
  const detail::FieldInfo* field = nullptr;  ///< null: read and dropped
};
/// A field that the records don't have.
struct Missing {
  const detail::FieldInfo* field;
  const Node* node = nullptr;  ///< reads the default; null: the optional stays empty
  const std::string* default_bytes = nullptr;
};
/// An enum's symbol as the type has it.
struct Symbol {
  std::uint64_t bits = 0;
  bool is_known = false;
};

/// How a value of the schema `writer` is read. Nodes may refer to themselves.
struct Node {
  const Schema* writer = nullptr;
  const TypeInfo* target = nullptr;  ///< null: read and dropped
  const Node* value = nullptr;       ///< of an optional: what reads its value, unless `writer` is null
  TimeUnit unit = TimeUnit::none;
  std::vector<Part> parts;  ///< of a record its fields, of a union its branches, else the elements
  std::vector<Missing> missing;
  std::vector<Symbol> symbols;
  std::string error;  ///< why such a value can't be read; for branches of unions that may never come
};

class Plan {
 public:
  /// Reads into `target` what was written as `writer`, as if it had been written as `reader`: fields are
  /// found by name or by an alias in `reader`, missing ones get its default, numbers widen. Names of records
  /// don't matter: who reads them into a struct knows what they are. InvalidArgument names the field and says
  /// what can't be read as what.
  static absl::StatusOr<std::shared_ptr<const Plan>> make(std::shared_ptr<const Document> writer,
                                                          std::shared_ptr<const Document> reader,
                                                          const TypeInfo& target);
  const Node& root() const { return *root_; }

 private:
  friend class Resolver;
  std::shared_ptr<const Document> writer_, reader_;
  std::deque<Node> nodes_;
  const Node* root_ = nullptr;
};

}  // namespace slipstream::codecs::avro
