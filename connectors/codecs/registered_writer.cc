#include "connectors/codecs/registered_writer.h"

#include <utility>

namespace slipstream::codecs {
namespace {

/// Empty when the options have none.
std::string subject_of(const SubjectOptions& options) {
  if (!options.subject.empty() || options.topic.empty()) return options.subject;
  return options.topic + (options.is_key ? "-key" : "-value");
}

}  // namespace

RegisteredWriter::RegisteredWriter(std::shared_ptr<SchemaRegistry> registry, SubjectOptions options)
    : registry_(std::move(registry)), options_(std::move(options)), id_(options_.schema_id) {}

absl::Status RegisteredWriter::append_frame(const RegisteredSchema& schema, std::string& out) {
  if (!id_) {
    const std::string subject = subject_of(options_);
    if (subject.empty()) {
      return absl::InvalidArgumentError(
          "under which subject is the schema in the registry? Set the option 'topic' or 'subject'");
    }
    const auto id = registry_->id_of(subject, schema, options_.may_register);
    if (!id.ok()) return id.status();
    id_ = *id;
  }
  detail::append_frame(*id_, out);
  return absl::OkStatus();
}

}  // namespace slipstream::codecs
