#include "slipstream/avro.h"

#include <unordered_map>

#include "connectors/codecs/avro_decoder.h"
#include "connectors/codecs/avro_encoder.h"
#include "connectors/codecs/avro_plan.h"
#include "connectors/codecs/avro_schema.h"
#include "connectors/codecs/registered_writer.h"

namespace slipstream::codecs::avro {
namespace {

using detail::ErasedCodec;
using DocumentPtr = std::shared_ptr<const Document>;
using PlanPtr = std::shared_ptr<const Plan>;
using WritePlanPtr = std::shared_ptr<const WritePlan>;

absl::Status in_front(std::string_view text, const absl::Status& status) {
  return absl::Status(status.code(), std::string(text) + std::string(status.message()));
}

/// Reads records behind the number of their schema. Of one thread.
class RegistryDecoder {
 public:
  RegistryDecoder(const TypeInfo& type, DocumentPtr reader, std::shared_ptr<SchemaRegistry> registry)
      : type_(type), reader_(std::move(reader)), registry_(std::move(registry)) {}

  absl::Status decode(std::string_view bytes, void* out) {
    const auto id = detail::take_frame(bytes);
    if (!id.ok()) return id.status();
    const auto plan = plan_of(*id);
    if (!plan.ok()) return plan.status();
    return decoder_.decode(**plan, bytes, out);
  }

 private:
  /// Plans are kept, and so are schemas that can't be read as the type; the registry keeps its own errors.
  absl::StatusOr<PlanPtr> plan_of(std::int32_t id) {
    if (const auto known = plans_.find(id); known != plans_.end()) return known->second;
    const auto schema = registry_->schema(id);
    if (!schema.ok()) return schema.status();
    auto plan = make(**schema);
    if (!plan.ok()) plan = in_front("schema " + std::to_string(id) + ": ", plan.status());
    return plans_.emplace(id, std::move(plan)).first->second;
  }
  absl::StatusOr<PlanPtr> make(const RegisteredSchema& schema) {
    if (schema.type != "AVRO")
      return absl::InvalidArgumentError("expected an Avro schema, found one of type " + schema.type);
    if (!schema.references.empty())
      return absl::InvalidArgumentError("it refers to the schema " + schema.references.front() +
                                        "; write the schema with everything it needs");
    auto writer = Document::parse(schema.text);
    if (!writer.ok()) return writer.status();
    return Plan::make(*std::move(writer), reader_, type_);
  }

  const TypeInfo& type_;
  const DocumentPtr reader_;
  const std::shared_ptr<SchemaRegistry> registry_;
  std::unordered_map<std::int32_t, absl::StatusOr<PlanPtr>> plans_;
  Decoder decoder_;
};

/// Writes the number of the schema, then the record. Of one thread.
class RegistryEncoder {
 public:
  RegistryEncoder(absl::StatusOr<WritePlanPtr> plan, std::shared_ptr<const RegisteredSchema> schema,
                  RegisteredWriter writer)
      : plan_(std::move(plan)), schema_(std::move(schema)), writer_(std::move(writer)) {}

  absl::Status encode(const void* value, std::string& out) {
    if (!plan_.ok()) return plan_.status();
    if (absl::Status s = writer_.append_frame(*schema_, out); !s.ok()) return s;
    return (*plan_)->encode(value, out);
  }

 private:
  const absl::StatusOr<WritePlanPtr> plan_;
  const std::shared_ptr<const RegisteredSchema> schema_;
  RegisteredWriter writer_;
};

absl::StatusOr<WritePlanPtr> write_plan(DocumentPtr schema, const TypeInfo& type) {
  auto plan = WritePlan::make(std::move(schema), type);
  if (plan.ok()) return plan;
  return in_front("can't be written with this schema: ", plan.status());
}

}  // namespace
}  // namespace slipstream::codecs::avro

namespace slipstream::detail {

namespace avro = codecs::avro;

std::string avro_schema(const TypeInfo& type) { return avro::schema_of(type); }

absl::StatusOr<ErasedCodec> avro_codec(const TypeInfo& type, std::string_view schema,
                                       std::string_view writer_schema) {
  const auto reader = avro::Document::parse(schema);
  if (!reader.ok()) return reader.status();
  const auto writer = writer_schema.empty() ? reader : avro::Document::parse(writer_schema);
  if (!writer.ok()) return avro::in_front("writer_schema: ", writer.status());
  if (auto own = avro::Plan::make(*reader, *reader, type); !own.ok()) return own.status();
  const auto plan = avro::Plan::make(*writer, *reader, type);
  if (!plan.ok()) return avro::in_front("writer_schema: ", plan.status());
  const auto write = avro::write_plan(*reader, type);
  return ErasedCodec{"avro",
                     [plan = *plan] {
                       return ErasedCodec::Decode(
                           [plan, decoder = avro::Decoder()](std::string_view bytes, void* out) mutable {
                             return decoder.decode(*plan, bytes, out);
                           });
                     },
                     [write] {
                       return ErasedCodec::Encode([write](const void* value, std::string& out) {
                         return write.ok() ? (*write)->encode(value, out) : write.status();
                       });
                     }};
}

absl::StatusOr<ErasedCodec> avro_codec(const TypeInfo& type, std::string_view schema,
                                       std::shared_ptr<SchemaRegistry> registry, SubjectOptions options) {
  const auto reader = avro::Document::parse(schema);
  if (!reader.ok()) return reader.status();
  if (auto own = avro::Plan::make(*reader, *reader, type); !own.ok()) return own.status();
  const auto own_schema =
      std::make_shared<const RegisteredSchema>(RegisteredSchema{"AVRO", std::string(schema), {}});
  return ErasedCodec{
      "avro",
      [&type, reader = *reader, registry] {
        return ErasedCodec::Decode(
            [decoder = std::make_shared<avro::RegistryDecoder>(type, reader, registry)](
                std::string_view bytes, void* out) { return decoder->decode(bytes, out); });
      },
      [plan = avro::write_plan(*reader, type), own_schema, registry, options = std::move(options)] {
        return ErasedCodec::Encode(
            [encoder = std::make_shared<avro::RegistryEncoder>(plan, own_schema,
                                                               codecs::RegisteredWriter(registry, options))](
                const void* value, std::string& out) { return encoder->encode(value, out); });
      }};
}

ErasedCodec or_refusing(absl::StatusOr<ErasedCodec> codec) {
  if (codec.ok()) return *std::move(codec);
  const absl::Status why = codec.status();
  return {"avro", [why] { return ErasedCodec::Decode([why](std::string_view, void*) { return why; }); },
          [why] { return ErasedCodec::Encode([why](const void*, std::string&) { return why; }); }};
}

}  // namespace slipstream::detail
