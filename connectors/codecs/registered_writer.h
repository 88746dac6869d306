#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "slipstream/schema_registry.h"

namespace slipstream::codecs {

/// Writes the number of a schema in front of records; asks the registry for it at the first one. Of one
/// thread.
class RegisteredWriter {
 public:
  RegisteredWriter(std::shared_ptr<SchemaRegistry> registry, SubjectOptions options);
  absl::Status append_frame(const RegisteredSchema& schema, std::string& out);

 private:
  std::shared_ptr<SchemaRegistry> registry_;
  SubjectOptions options_;
  std::optional<std::int32_t> id_;
};

}  // namespace slipstream::codecs
