#pragma once
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "slipstream/codec.h"

namespace slipstream::conformance {

template <class T>
std::string encoded(const Codec<T>& codec, const T& value) {
  std::string out;
  const absl::Status status = codec.make_encoder()(value, out);
  EXPECT_TRUE(status.ok()) << codec.name << ": " << status;
  return out;
}

/// What every codec owes: give it values that differ from each other and from T{}, and with all that T can
/// hold.
///  - decode(encode(x)) == x, whatever was in the output before, record after record with one decoder;
///  - encoding appends, and is the same every time;
///  - bytes cut short anywhere give an error or a value, the decoder works on after it, and so does a second
///  one;
///  - decoding doesn't read beyond its bytes (each cut lies in memory of its own: run this under ASan).
template <class T>
void check_codec(const Codec<T>& codec, const std::vector<T>& values) {
  const auto encode = codec.make_encoder();
  const auto decode = codec.make_decoder();
  T out{};
  for (const T& value : values) {
    std::string bytes = "before";
    ASSERT_TRUE(encode(value, bytes).ok());
    ASSERT_TRUE(bytes.starts_with("before"));
    bytes.erase(0, 6);
    EXPECT_EQ(bytes, encoded(codec, value));
    SCOPED_TRACE(codec.name + " of " + bytes);

    const absl::Status status = decode(bytes, out);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(out, value);

    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      T other{};
      const absl::Status cut_status = decode(std::string_view(cut.data(), cut.size()), other);
      if (!cut_status.ok()) {
        EXPECT_EQ(cut_status.code(), absl::StatusCode::kInvalidArgument);
        EXPECT_FALSE(cut_status.message().empty());
      }
    }
    ASSERT_TRUE(decode(bytes, out).ok());
    EXPECT_EQ(out, value);
    T fresh{};
    ASSERT_TRUE(codec.make_decoder()(bytes, fresh).ok());
    EXPECT_EQ(fresh, value);
  }
}

}  // namespace slipstream::conformance
