#include "slipstream/json.h"

#include <memory>

#include "connectors/codecs/json_decoder.h"
#include "connectors/codecs/json_encoder.h"

namespace slipstream::detail {

ErasedCodec json_codec(const TypeInfo& type) {
  return {"json",
          [&type] {
            return ErasedCodec::Decode(
                [decoder = std::make_shared<codecs::JsonDecoder>(type)](std::string_view bytes, void* out) {
                  return decoder->decode(bytes, out);
                });
          },
          [&type] {
            return ErasedCodec::Encode([&type](const void* value, std::string& out) {
              return codecs::encode_json(type, value, out);
            });
          }};
}

std::string json_text(const TypeInfo& type, const void* value) {
  std::string text;
  return codecs::encode_json(type, value, text).ok() ? text : std::string();
}

}  // namespace slipstream::detail
