#include <algorithm>

#include "connectors/file/input_file.h"
#include "connectors/file/record_cutter.h"
#include "slipstream/file.h"

namespace slipstream::file {
namespace {

/// One file. Used by one thread at a time.
class Partition {
 public:
  Partition(std::string path, const RawOptions& options, const ReadOptions& read)
      : path_(std::move(path)),
        cut_(options.cut),
        max_(read.max_record_bytes),
        cutter_(options.cut, options.csv, read.max_record_bytes) {}

  absl::Status open() {
    absl::StatusOr<std::unique_ptr<InputFile>> file = InputFile::open(path_);
    if (!file.ok()) return file.status();
    file_ = std::move(*file);
    return absl::OkStatus();
  }

  const std::string& path() const { return path_; }
  std::string position(std::int64_t line) const { return path_ + " line " + std::to_string(line); }

  absl::StatusOr<std::string> read_header() {
    RecordCutter::Record record;
    for (;;) {
      const RecordCutter::Next next = cutter_.next(record);
      if (next == RecordCutter::Next::record) return std::string(record.bytes);
      if (next != RecordCutter::Next::starved) return error(next);
      if (cutter_.ended()) {
        return absl::InvalidArgumentError(path_ + " is empty: its first line should name the columns");
      }
      if (absl::Status s = fill(); !s.ok()) return s;
    }
  }

  absl::StatusOr<ReadState> read(const ReadLimits& limits, RawCollector& out) {
    if (!file_) return ReadState::finished;
    for (;;) {
      const RecordCutter::Next stopped_by = cutter_.collect(limits, batch_);
      if (!batch_.empty()) out.add(batch_);
      if (stopped_by == RecordCutter::Next::record) return ReadState::more;
      if (stopped_by != RecordCutter::Next::starved) return error(stopped_by);
      if (cutter_.ended()) {
        file_.reset();
        return ReadState::finished;
      }
      if (!batch_.empty()) return ReadState::more;
      if (absl::Status s = fill(); !s.ok()) return s;
    }
  }

 private:
  absl::Status fill() {
    absl::StatusOr<std::size_t> n = file_->read(cutter_.room());
    if (!n.ok()) return n.status();
    *n > 0 ? cutter_.filled(*n) : cutter_.end();
    return absl::OkStatus();
  }

  absl::Status error(RecordCutter::Next what) const {
    return cut_error(what, position(cutter_.line()), max_, cut_);
  }

  const std::string path_;
  const Cut cut_;
  const std::size_t max_;
  RecordCutter cutter_;
  std::unique_ptr<InputFile> file_;
  std::vector<RawRecord> batch_;
};

std::string shortened(const std::string& line) {
  constexpr std::size_t kShown = 200;
  return line.size() <= kShown ? line : line.substr(0, kShown) + "…";
}

class Files final : public RawSource {
 public:
  Files(Paths paths, RawOptions options, ReadOptions read)
      : paths_(paths.list()), options_(std::move(options)), read_(read) {}

  std::string name() const override {
    if (paths_.size() == 1) return "file " + paths_[0];
    if (paths_.empty()) return "an empty list of files";
    return "files " + paths_[0] + " and " + std::to_string(paths_.size() - 1) + " more";
  }
  std::string position(int partition, std::int64_t offset) const override {
    return paths_[static_cast<std::size_t>(partition)] + " line " + std::to_string(offset);
  }
  int partition_count() const override { return static_cast<int>(paths_.size()); }

  absl::Status open(const SourceEnv&) override {
    if (paths_.empty()) return absl::InvalidArgumentError("a source of files was given no path");
    partitions_.clear();
    for (const std::string& path : paths_) {
      partitions_.push_back(std::make_unique<Partition>(path, options_, read_));
      if (absl::Status s = open_partition(*partitions_.back()); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, RawCollector& out) override {
    return partitions_[static_cast<std::size_t>(partition)]->read(limits, out);
  }

  absl::Status close() override {
    partitions_.clear();
    return absl::OkStatus();
  }

 private:
  absl::Status open_partition(Partition& partition) {
    if (absl::Status s = partition.open(); !s.ok() || !options_.header) return s;
    absl::StatusOr<std::string> header = partition.read_header();
    if (!header.ok()) return header.status();
    if (partitions_.size() > 1)
      return *header == header_ ? absl::OkStatus() : other_header(partition.path(), *header);
    header_ = *std::move(header);
    const absl::Status refused = options_.header(header_);
    if (refused.ok()) return refused;
    return absl::Status(refused.code(), partition.path() + ": " + std::string(refused.message()));
  }

  absl::Status other_header(const std::string& path, const std::string& found) const {
    return absl::InvalidArgumentError(path + " has the header line '" + shortened(found) + "', but " +
                                      paths_[0] + " has '" + shortened(header_) +
                                      "'; files read by one source have the same columns in the same order");
  }

  const std::vector<std::string> paths_;
  const RawOptions options_;
  const ReadOptions read_;
  std::string header_;
  std::vector<std::unique_ptr<Partition>> partitions_;
};

}  // namespace

std::shared_ptr<RawSource> raw(Paths paths, RawOptions options, ReadOptions read) {
  return std::make_shared<Files>(std::move(paths), std::move(options), read);
}

Source<std::string> lines(Paths paths, ReadOptions read) {
  return decoded<std::string>(raw(std::move(paths), {}, read), text());
}

}  // namespace slipstream::file
