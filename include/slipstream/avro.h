#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "slipstream/codec.h"
#include "slipstream/detail/type_info.h"
#include "slipstream/schema_registry.h"

/// Avro (specification 1.11) in its binary encoding, of the types that json.h lists:
///
///   bool                            boolean
///   integers                        int or long; a number that doesn't fit is refused
///   float, double                   float, double; from int and long, too
///   std::string                     string (valid UTF-8); any bytes if the schema says bytes or fixed
///   enums with SLIPSTREAM_ENUM      enum, by name
///   EventTime, other sys_time       timestamp-millis, timestamp-micros, timestamp-nanos or date: whichever
///   the
///                                   schema says; rounded down where the unit is coarser
///   std::chrono durations           a number in the duration's own unit
///   std::optional<T>                a union of null and T
///   std::vector, std::map           array, map
///   structs with SLIPSTREAM_FIELDS  record
///
/// Records are read as the specification's schema resolution says: by the schema they were written with, as
/// the reader's schema wants them. Fields are found by name or by an alias in the reader's schema; those the
/// reader doesn't know are skipped, those the records don't have get the reader's default, or stay empty if
/// they are optionals; int widens to long, float and double. Names of records and enums don't matter.
///
/// Errors are InvalidArgument and say where, what was expected and what was found:
/// `items[2].price: double can't be read as long`. Bytes may come from anyone: no length is believed that
/// the record is too short for, nothing is nested deeper than 64.
namespace slipstream {

struct AvroOptions {
  /// The schema that records were written with, where it isn't the reader's.
  std::string writer_schema = {};
};

namespace detail {
std::string avro_schema(const TypeInfo& type);
absl::StatusOr<ErasedCodec> avro_codec(const TypeInfo& type, std::string_view schema,
                                       std::string_view writer_schema);
absl::StatusOr<ErasedCodec> avro_codec(const TypeInfo& type, std::string_view schema,
                                       std::shared_ptr<SchemaRegistry> registry, SubjectOptions options);
/// The codec, or one that says at each record why there is none: for a type whose names Avro can't have.
ErasedCodec or_refusing(absl::StatusOr<ErasedCodec> codec);
}  // namespace detail

/// The schema of T, as JSON: a record's name is the struct's, with its namespaces. EventTime is
/// timestamp-micros; an empty optional is the default of its field.
template <class T>
std::string avro_schema() {
  return detail::avro_schema(detail::kTypeInfo<T>);
}

/// Records as avro_schema<T>() has them, without a schema: for where writer and reader are of one version.
template <class T>
Codec<T> avro() {
  return detail::typed_codec<T>(
      detail::or_refusing(detail::avro_codec(detail::kTypeInfo<T>, avro_schema<T>(), "")));
}

/// The same with a schema of yours, which may have defaults, aliases and documentation. T may have fewer
/// fields than the schema: the others are skipped when read and written as their defaults; a codec for which
/// one has no default only reads. InvalidArgument where the schema can't be read or doesn't fit T.
template <class T>
absl::StatusOr<Codec<T>> avro_with_schema(std::string_view schema, AvroOptions options = {}) {
  auto codec = detail::avro_codec(detail::kTypeInfo<T>, schema, options.writer_schema);
  if (!codec.ok()) return codec.status();
  return detail::typed_codec<T>(*std::move(codec));
}

/// Records that carry the number of their schema in a registry (schema_registry.h). They are read by that
/// schema, whichever it is, and written with avro_schema<T>(), which is put into the registry under the
/// subject that the options say when the first record is written.
///
///     app.topic<std::string, Order>("orders", avro<Order>(registry, {.topic = "orders"}))
template <class T>
Codec<T> avro(std::shared_ptr<SchemaRegistry> registry, SubjectOptions options = {}) {
  return detail::typed_codec<T>(detail::or_refusing(
      detail::avro_codec(detail::kTypeInfo<T>, avro_schema<T>(), std::move(registry), std::move(options))));
}

/// The same with a schema of yours.
template <class T>
absl::StatusOr<Codec<T>> avro_with_schema(std::string_view schema, std::shared_ptr<SchemaRegistry> registry,
                                          SubjectOptions options = {}) {
  auto codec = detail::avro_codec(detail::kTypeInfo<T>, schema, std::move(registry), std::move(options));
  if (!codec.ok()) return codec.status();
  return detail::typed_codec<T>(*std::move(codec));
}

}  // namespace slipstream
