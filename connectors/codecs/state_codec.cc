#include "slipstream/detail/state_codec.h"

#include "slipstream/detail/key_bytes.h"

namespace slipstream::detail {

void store_varint(std::uint64_t value, std::string& out) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

bool load_varint(std::string_view& in, std::uint64_t& value) {
  value = 0;
  for (std::size_t i = 0; i < in.size() && i < 10; ++i) {
    const std::uint64_t byte = static_cast<unsigned char>(in[i]);
    if (i == 9 && byte > 1) return false;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      in.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

void append_terminated(std::string_view text, std::string& out) {
  for (std::size_t zero; (zero = text.find('\0')) != text.npos; text.remove_prefix(zero + 1)) {
    out.append(text.substr(0, zero + 1)).push_back('\xff');
  }
  out.append(text).append(2, '\0');
}

}  // namespace slipstream::detail
