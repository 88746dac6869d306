#include "connectors/rocksdb/file_writer.h"

#include <rocksdb/sst_file_writer.h>

#include <utility>

#include "connectors/rocksdb/errors.h"
#include "connectors/rocksdb/record.h"
#include "slipstream/ordered_key.h"

namespace slipstream::rocks {
namespace {

class FileWriter final : public detail::StoreFileWriter {
 public:
  using Expiry = std::function<std::optional<EventTime>(std::optional<Duration>)>;
  FileWriter(const std::string& title, const rocksdb::Options& options, std::string path, Expiry expiry)
      : title_(title + ", file " + path),
        path_(std::move(path)),
        expiry_(std::move(expiry)),
        writer_(rocksdb::EnvOptions(), options) {}

  absl::Status open() { return prefixed(title_, to_status(writer_.Open(path_), path_)); }

  absl::Status put(std::string_view key, std::string_view value, std::optional<Duration> ttl) override {
    const std::string what = title_ + ", key " + detail::ordered_key_text(key);
    if (!last_.empty() && key <= last_)
      return error_of(absl::StatusCode::kInvalidArgument, what,
                      "it isn't after the key before, " + detail::ordered_key_text(last_));
    value_.assign(RecordHead(false, expiry_(ttl)).bytes());
    value_.append(value);
    last_.assign(key);
    return prefixed(what, to_status(writer_.Put(key, value_), path_));
  }
  absl::Status finish() override {
    if (last_.empty()) return error_of(absl::StatusCode::kInvalidArgument, title_, "nothing was put into it");
    return prefixed(title_, to_status(writer_.Finish(), path_));
  }

 private:
  const std::string title_;
  const std::string path_;
  const Expiry expiry_;
  rocksdb::SstFileWriter writer_;
  std::string last_;
  std::string value_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<detail::StoreFileWriter>> make_file_writer(
    const std::string& title, const rocksdb::Options& options, const std::string& path,
    std::function<std::optional<EventTime>(std::optional<Duration>)> expiry) {
  auto writer = std::make_unique<FileWriter>(title, options, path, std::move(expiry));
  if (absl::Status s = writer->open(); !s.ok()) return s;
  return writer;
}

}  // namespace slipstream::rocks
