#pragma once
#include <concepts>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "slipstream/codec.h"
#include "slipstream/schema_registry.h"

/// Protobuf, of the message classes that protoc generates. Nothing here needs Protobuf's own headers: the
/// program includes its generated ones and links libprotobuf.
namespace slipstream {

namespace detail {

/// What a generated class offers (MessageLite).
template <class M>
concept ProtobufMessage = requires(M m, const M& c, const void* bytes, int size, std::string* out) {
  { m.ParsePartialFromArray(bytes, size) } -> std::convertible_to<bool>;
  { c.AppendPartialToString(out) } -> std::convertible_to<bool>;
  { c.IsInitialized() } -> std::convertible_to<bool>;
  { c.InitializationErrorString() } -> std::convertible_to<std::string>;
  { c.GetTypeName() } -> std::convertible_to<std::string>;
};
/// One that knows its .proto file: not of `option optimize_for = LITE_RUNTIME`.
template <class M>
concept DescribedProtobufMessage = ProtobufMessage<M> && requires {
  { M::descriptor()->full_name() } -> std::convertible_to<std::string>;
  { M::descriptor()->file()->DebugString() } -> std::convertible_to<std::string>;
};

template <ProtobufMessage M>
absl::Status parse_protobuf(std::string_view bytes, M& out) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()))
    return absl::InvalidArgumentError(out.GetTypeName() + ": a message of more than 2 GiB");
  // The functions that check required fields would write to stderr.
  if (!out.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError("expected a message " + out.GetTypeName() + ", found " +
                                      std::to_string(bytes.size()) + " bytes that aren't one");
  }
  if (out.IsInitialized()) return absl::OkStatus();
  return absl::InvalidArgumentError(out.GetTypeName() +
                                    ": required fields are missing: " + out.InitializationErrorString());
}

template <ProtobufMessage M>
absl::Status append_protobuf(const M& value, std::string& out) {
  if (!value.IsInitialized()) {
    return absl::InvalidArgumentError(value.GetTypeName() +
                                      ": required fields are missing: " + value.InitializationErrorString());
  }
  if (value.AppendPartialToString(&out)) return absl::OkStatus();
  return absl::InvalidArgumentError(value.GetTypeName() + ": a message of more than 2 GiB");
}

struct ProtobufType {
  std::string name;  ///< with its package
  std::string file;  ///< the .proto file that defines it
  std::vector<std::string> imports;
};
template <DescribedProtobufMessage M>
ProtobufType protobuf_type() {
  const auto* file = M::descriptor()->file();
  ProtobufType type{M::descriptor()->full_name(), file->DebugString(), {}};
  for (int i = 0; i < file->dependency_count(); ++i) type.imports.push_back(file->dependency(i)->name());
  return type;
}

/// What stands in front of a message: the number of its schema and which message of the schema's file it is.
/// Of one thread.
class ProtobufFrame {
 public:
  ProtobufFrame(std::shared_ptr<const ProtobufType> type, std::shared_ptr<SchemaRegistry> registry,
                SubjectOptions options);
  ProtobufFrame(ProtobufFrame&&) noexcept;
  ~ProtobufFrame();

  /// Takes it off the front of `bytes`, and checks that the message is of the type.
  absl::Status take(std::string_view& bytes);
  absl::Status append(std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace detail

/// Messages in Protobuf's binary encoding. Fields that M doesn't know are kept, and written again with it.
/// Decoding errors are InvalidArgument with the message's type and what was found; Protobuf doesn't say
/// where.
template <class M>
Codec<M> protobuf() {
  static_assert(detail::ProtobufMessage<M>,
                "protobuf() needs a message class that protoc generated; include its .pb.h");
  return {"protobuf", [] { return typename Codec<M>::Decode(&detail::parse_protobuf<M>); },
          [] { return typename Codec<M>::Encode(&detail::append_protobuf<M>); }};
}

/// Messages that carry the number of their schema in a registry (schema_registry.h), then which message of
/// its file they are. A record that is another message than M is an error; the schema may be an older or
/// newer one of the same message. M's file is put into the registry under the subject that the options say
/// when the first record is written. A file that imports others (but google/protobuf/…) has to be put there
/// by you: give its number as `schema_id`.
template <class M>
Codec<M> protobuf(std::shared_ptr<SchemaRegistry> registry, SubjectOptions options = {}) {
  static_assert(
      detail::DescribedProtobufMessage<M>,
      "with a registry protobuf() needs a message class that protoc generated without LITE_RUNTIME");
  const auto type = std::make_shared<const detail::ProtobufType>(detail::protobuf_type<M>());
  const auto make_frame = [type, registry = std::move(registry), options = std::move(options)] {
    return std::make_shared<detail::ProtobufFrame>(type, registry, options);
  };
  return {"protobuf",
          [make_frame] {
            return typename Codec<M>::Decode([frame = make_frame()](std::string_view bytes, M& out) {
              if (absl::Status s = frame->take(bytes); !s.ok()) return s;
              return detail::parse_protobuf(bytes, out);
            });
          },
          [make_frame] {
            return typename Codec<M>::Encode([frame = make_frame()](const M& value, std::string& out) {
              if (absl::Status s = frame->append(out); !s.ok()) return s;
              return detail::append_protobuf(value, out);
            });
          }};
}

}  // namespace slipstream
