#pragma once
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "connectors/codecs/scalars.h"

namespace slipstream::codecs {

absl::Status encode_json(const TypeInfo& type, const void* value, std::string& out);

}  // namespace slipstream::codecs
