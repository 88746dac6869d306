#pragma once
#include <cstdlib>
#include <fstream>
#include <string>

namespace slipstream::test {

/// HOST:PORT of the real broker that ctest starts before the first test whose suite's name has RealBroker in it;
/// empty when there is none, which such a test must treat as a failure.
inline std::string real_broker() {
  const char* file = std::getenv("SLIPSTREAM_BROKER_FILE");
  std::string address;
  if (file != nullptr) std::getline(std::ifstream(file), address);
  return address;
}

}  // namespace slipstream::test
