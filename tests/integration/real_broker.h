#pragma once
#include <fstream>
#include <string>

namespace slipstream::test {

/// HOST:PORT of the real broker that ctest starts before the first test whose suite's name has RealBroker in
/// it; empty when there is none, which such a test must treat as a failure.
inline std::string real_broker() {
  std::ifstream file(SLIPSTREAM_BUILD_DIR "/broker/address");
  std::string address;
  std::getline(file, address);
  return address;
}

/// The command line tool of this build.
inline constexpr const char* kTool = SLIPSTREAM_BUILD_DIR "/slipstream";

}  // namespace slipstream::test
