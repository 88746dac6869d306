#include "slipstream/json.h"

#include <memory>

#include "connectors/codecs/json_decoder.h"
#include "connectors/codecs/json_encoder.h"

namespace slipstream::detail {

ErasedCodec json_codec(const TypeInfo& type, JsonOptions options) {
  return {"json",
          [&type, options] {
            return ErasedCodec::Decode(
                [decoder = std::make_shared<codecs::JsonDecoder>(type, options.style)](
                    std::string_view bytes, void* out) { return decoder->decode(bytes, out); });
          },
          [&type, options] {
            return ErasedCodec::Encode([&type, options](const void* value, std::string& out) {
              return codecs::encode_json(type, options.style, value, out);
            });
          }};
}

std::string json_text(const TypeInfo& type, const void* value) {
  std::string text;
  return codecs::encode_json(type, JsonStyle::compact, value, text).ok() ? text : std::string();
}

}  // namespace slipstream::detail
