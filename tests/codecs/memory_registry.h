#pragma once
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/schema_registry.h"

namespace slipstream::test {

/// A registry in memory; numbers count from 1. Of one thread.
class MemoryRegistry final : public SchemaRegistry {
 public:
  absl::StatusOr<std::shared_ptr<const RegisteredSchema>> schema(std::int32_t id) override {
    ++asked;
    if (id < 1 || static_cast<std::size_t>(id) > schemas.size()) return absl::NotFoundError("no such schema");
    return std::make_shared<const RegisteredSchema>(schemas[static_cast<std::size_t>(id) - 1]);
  }
  absl::StatusOr<std::int32_t> id_of(const std::string& subject, const RegisteredSchema& schema,
                                     bool may_register) override {
    ++asked;
    const auto known = ids.find({subject, schema.text});
    if (known != ids.end()) return known->second;
    if (!may_register) return absl::NotFoundError("not under " + subject);
    return ids[{subject, schema.text}] = add(schema);
  }
  std::int32_t add(RegisteredSchema schema) {
    schemas.push_back(std::move(schema));
    return static_cast<std::int32_t>(schemas.size());
  }

  std::vector<RegisteredSchema> schemas;
  std::map<std::pair<std::string, std::string>, std::int32_t> ids;
  int asked = 0;
};

}  // namespace slipstream::test
