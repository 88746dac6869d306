#include <cstdint>
#include <fstream>
#include <string_view>

#include "slipstream/config.h"

/// A configuration file is refused with a sentence or accepted; then it can be printed.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr const char* kFile = "config_fuzz.toml";
  std::ofstream(kFile, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  slipstream::Arguments arguments;
  arguments.config_file = kFile;
  const auto config = slipstream::Config::load(arguments, {.environment = std::vector<std::string>{}});
  if (config.ok() ? config->print().empty() : config.status().message().empty()) __builtin_trap();
  return 0;
}
