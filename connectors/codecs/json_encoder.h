#pragma once
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "connectors/codecs/scalars.h"
#include "slipstream/json.h"

namespace slipstream::codecs {

absl::Status encode_json(const TypeInfo& type, JsonStyle style, const void* value, std::string& out);

}  // namespace slipstream::codecs
