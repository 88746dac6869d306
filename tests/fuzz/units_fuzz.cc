#include <cstdint>
#include <string_view>

#include "slipstream/detail/units.h"

namespace units = slipstream::detail;

/// What parses is written so that it parses to the same again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto duration = units::parse_duration(text)) {
    if (units::parse_duration(units::format_duration(*duration)) != duration) __builtin_trap();
  }
  if (const auto bytes = units::parse_bytes(text)) {
    if (units::parse_bytes(units::format_bytes(*bytes)) != bytes) __builtin_trap();
  }
  for (const char c : units::one_line(text)) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) __builtin_trap();
  }
  return 0;
}
