#include <string_view>

#include "connectors/codecs/scalars.h"
#include "slipstream/schema_registry.h"

namespace slipstream::detail {

void append_frame(std::int32_t id, std::string& out) {
  const auto bits = static_cast<std::uint32_t>(id);
  out.push_back('\0');
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(bits >> shift & 0xff));
}

absl::StatusOr<std::int32_t> take_frame(std::string_view& bytes) {
  constexpr std::size_t kSize = 5;
  if (bytes.size() < kSize || bytes[0] != '\0') {
    return absl::InvalidArgumentError(
        "expected a zero byte and the number of a schema in four bytes, found " +
        (bytes.empty() ? "nothing" : codecs::in_quotes(bytes.substr(0, kSize))) +
        "; was it written without a schema registry?");
  }
  std::uint32_t bits = 0;
  for (std::size_t i = 1; i < kSize; ++i) bits = bits << 8 | static_cast<unsigned char>(bytes[i]);
  bytes.remove_prefix(kSize);
  return static_cast<std::int32_t>(bits);
}

}  // namespace slipstream::detail
