#include "slipstream/protobuf.h"

#include <algorithm>
#include <set>
#include <utility>

#include "connectors/codecs/proto_text.h"
#include "connectors/codecs/registered_writer.h"
#include "connectors/codecs/scalars.h"
#include "slipstream/detail/state_codec.h"

namespace slipstream::detail {
namespace {

using Path = std::vector<std::int32_t>;

constexpr std::uint64_t kMaxPath = 64;
constexpr std::uint64_t kMaxIndex = std::uint64_t{1} << 31;

bool take_number(std::string_view& bytes, std::uint64_t& number) {
  if (!load_varint(bytes, number) || (number & 1) != 0) return false;  // zigzag: odd ones are negative
  number >>= 1;
  return true;
}

/// The count, then as many indexes; a lone 0 is the first message.
bool take_path(std::string_view& bytes, Path& path) {
  std::uint64_t count, index;
  if (!take_number(bytes, count) || count > kMaxPath) return false;
  if (count == 0) path.push_back(0);
  for (; count > 0; --count) {
    if (!take_number(bytes, index) || index >= kMaxIndex) return false;
    path.push_back(static_cast<std::int32_t>(index));
  }
  return true;
}

void append_path(const Path& path, std::string& out) {
  if (path == Path{0}) {
    store_varint(0, out);
    return;
  }
  store_varint(path.size() * 2, out);
  for (const std::int32_t index : path) store_varint(static_cast<std::uint64_t>(index) * 2, out);
}

std::string text_of(const Path& path) {
  std::string text;
  for (const std::int32_t index : path) text += (text.empty() ? "" : ".") + std::to_string(index);
  return text;
}

}  // namespace

struct ProtobufFrame::Impl {
  const std::shared_ptr<const ProtobufType> type;
  const std::shared_ptr<SchemaRegistry> registry;
  codecs::RegisteredWriter writer;
  const bool has_id;
  std::set<std::pair<std::int32_t, Path>> right;  // one path of a schema is the type's
  std::string path_bytes;

  /// Whether the message at `path` of that schema's file is of our type.
  absl::Status check(std::int32_t id, const Path& path) {
    if (right.contains({id, path})) return absl::OkStatus();
    const auto schema = registry->schema(id);
    if (!schema.ok()) return schema.status();
    const std::string which = "schema " + std::to_string(id) + ": ";
    if ((*schema)->type != "PROTOBUF")
      return absl::InvalidArgumentError(which + "expected a Protobuf schema, found one of type " +
                                        (*schema)->type);
    const auto messages = codecs::messages_of((*schema)->text);
    const auto found = std::find_if(messages.begin(), messages.end(),
                                    [&](const codecs::ProtoMessage& m) { return m.path == path; });
    if (found == messages.end())
      return absl::InvalidArgumentError(which + "it has no message number " + text_of(path));
    if (found->name != type->name)
      return absl::InvalidArgumentError(which + "expected a message " + type->name + ", found a " +
                                        codecs::shortened(found->name));
    right.insert({id, path});
    return absl::OkStatus();
  }

  /// Checks what can be written, once.
  absl::Status prepare() {
    for (const std::string& import : type->imports) {
      if (has_id || import.starts_with("google/protobuf/")) continue;
      return absl::InvalidArgumentError("the file of " + type->name + " imports " + import +
                                        "; put both into the registry and set the option 'schema_id'");
    }
    for (const codecs::ProtoMessage& message : codecs::messages_of(type->file)) {
      if (message.name == type->name) append_path(message.path, path_bytes);
    }
    if (path_bytes.empty()) return absl::InternalError("no message " + type->name + " in its own file");
    return absl::OkStatus();
  }
};

ProtobufFrame::ProtobufFrame(std::shared_ptr<const ProtobufType> type,
                             std::shared_ptr<SchemaRegistry> registry, SubjectOptions options)
    : impl_(new Impl{std::move(type),
                     registry,
                     codecs::RegisteredWriter(registry, options),
                     options.schema_id.has_value(),
                     {},
                     {}}) {}
ProtobufFrame::ProtobufFrame(ProtobufFrame&&) noexcept = default;
ProtobufFrame::~ProtobufFrame() = default;

absl::Status ProtobufFrame::take(std::string_view& bytes) {
  const auto id = take_frame(bytes);
  if (!id.ok()) return id.status();
  Path path;
  if (!take_path(bytes, path))
    return absl::InvalidArgumentError("expected the indexes of a message behind the schema's number");
  return impl_->check(*id, path);
}

absl::Status ProtobufFrame::append(std::string& out) {
  if (impl_->path_bytes.empty()) {
    if (absl::Status s = impl_->prepare(); !s.ok()) return s;
  }
  const absl::Status s = impl_->writer.append_frame({"PROTOBUF", impl_->type->file, {}}, out);
  if (s.ok()) out.append(impl_->path_bytes);
  return s;
}

}  // namespace slipstream::detail
