#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The messages that a .proto file defines, without understanding the rest of it.
namespace slipstream::codecs {

struct ProtoMessage {
  std::string name;                ///< with the package and the messages around it
  std::vector<std::int32_t> path;  ///< its place among the messages of the file, then of the one around it, …
};

/// In the order of the file. Of text that isn't a .proto file whatever looks like a message.
std::vector<ProtoMessage> messages_of(std::string_view proto);

}  // namespace slipstream::codecs
