#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace slipstream {

struct DeadLetter;

/// Turns records into bytes and back. A codec is a value that makes coders; every lane makes its own coder,
/// so a coder is used by one thread at a time and may keep buffers between records.
template <class T>
struct Codec {
  /// Overwrites `out`. On an error `out` is unspecified and the message names the field and what was found.
  using Decode = std::function<absl::Status(std::string_view bytes, T& out)>;
  /// Appends to `out`. On an error `out` may hold a partial encoding.
  using Encode = std::function<absl::Status(const T& value, std::string& out)>;

  std::string name;  ///< "json", "csv", "text", … for messages
  std::function<Decode()> make_decoder;
  std::function<Encode()> make_encoder;
};

/// Text as it is; must be UTF-8 (an error names the byte offset of the first bad byte).
Codec<std::string> text();
/// Any bytes as they are.
Codec<std::string> bytes();
/// For sinks of App::dead_letters(): the letter's value as it is; what else is known of it goes along as
/// headers.
Codec<DeadLetter> dead_letter_value();

}  // namespace slipstream
