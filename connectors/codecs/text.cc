#include "connectors/codecs/scalars.h"
#include "slipstream/codec.h"
#include "slipstream/error_policy.h"

namespace slipstream {
namespace {

absl::Status check_utf8(std::string_view text) {
  const std::size_t bad = codecs::find_invalid_utf8(text);
  if (bad == text.npos) return absl::OkStatus();
  return absl::InvalidArgumentError("not UTF-8 at byte " + std::to_string(bad) + " of " +
                                    codecs::in_quotes(text));
}

}  // namespace

Codec<std::string> text() {
  return {"text",
          [] {
            return [](std::string_view bytes, std::string& out) {
              out.assign(bytes);
              return check_utf8(bytes);
            };
          },
          [] {
            return [](const std::string& value, std::string& out) {
              out.append(value);
              return check_utf8(value);
            };
          }};
}

Codec<std::string> bytes() {
  return {"bytes",
          [] {
            return [](std::string_view bytes, std::string& out) {
              out.assign(bytes);
              return absl::OkStatus();
            };
          },
          [] {
            return [](const std::string& value, std::string& out) {
              out.append(value);
              return absl::OkStatus();
            };
          }};
}

Codec<DeadLetter> dead_letter_value() {
  return {"dead letter value",
          [] {
            return [](std::string_view bytes, DeadLetter& out) {
              out.value.assign(bytes);
              return absl::OkStatus();
            };
          },
          [] {
            return [](const DeadLetter& letter, std::string& out) {
              out.append(letter.value);
              return absl::OkStatus();
            };
          }};
}

}  // namespace slipstream
