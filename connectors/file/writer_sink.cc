#include "connectors/file/writer_sink.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace slipstream::file {
namespace {

constexpr std::size_t kMaxBufferBytes = std::size_t{1} << 20;
constexpr std::size_t kMinBufferBytes = std::size_t{4} << 10;
/// A packer that holds more than this is told to hand it over, so delivered() moves on without a flush.
constexpr std::size_t kMaxHeldBytes = std::size_t{1} << 20;

}  // namespace

WriterSink::WriterSink(std::unique_ptr<Output> output, std::string header_line)
    : output_(std::move(output)), header_line_(std::move(header_line)) {}

WriterSink::~WriterSink() { (void)close(); }

absl::Status WriterSink::open(const SinkEnv& env) {
  if (absl::Status s = output_->open(); !s.ok()) return s;
  env_ = env;
  buffer_bytes_ = std::clamp(env.memory_budget, kMinBufferBytes, kMaxBufferBytes);
  {
    const detail::MutexLock lock(mutex_);
    if (!header_line_.empty()) pending_ = header_line_ + "\n";
  }
  thread_ = detail::start_io_thread([this] { run(); });
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> WriterSink::write(std::span<const OutRecord> records) {
  absl::StatusOr<std::size_t> taken = take(records);
  work_.notify_one();
  return taken;
}

absl::StatusOr<std::size_t> WriterSink::take(std::span<const OutRecord> records) {
  const detail::MutexLock lock(mutex_);
  if (!failed_.ok()) return failed_;
  std::size_t n = 0;
  for (; n < records.size() && pending_.size() + in_write_ < buffer_bytes_; ++n) {
    if (!records[n].value) {
      return absl::InvalidArgumentError(name() +
                                        ": a tombstone (a record without a value) has no place among lines; "
                                        "filter it out before this sink");
    }
    pending_.append(*records[n].value).push_back('\n');
    ++taken_;
  }
  return n;
}

absl::StatusOr<std::uint64_t> WriterSink::delivered() {
  const detail::MutexLock lock(mutex_);
  if (!failed_.ok()) return failed_;
  return delivered_;
}

absl::Status WriterSink::flush() {
  {
    const detail::MutexLock lock(mutex_);
    if (!failed_.ok()) return failed_;
    flush_ = true;
  }
  work_.notify_one();
  return absl::OkStatus();
}

absl::Status WriterSink::finish() {
  stop(Phase::draining);
  const detail::MutexLock lock(mutex_);
  if (!failed_.ok()) return failed_;
  failed_ = output_->finish();
  if (failed_.ok()) delivered_ = taken_;
  return failed_;
}

absl::Status WriterSink::close() {
  output_->interrupt();
  stop(Phase::stopping);
  const std::string told = output_->close();
  if (!told.empty() && env_.log) env_.log(LogLevel::warning, name(), told);
  return absl::OkStatus();
}

void WriterSink::stop(Phase phase) {
  if (!thread_.joinable()) return;
  {
    const detail::MutexLock lock(mutex_);
    phase_ = phase;
  }
  work_.notify_one();
  thread_.join();
}

void WriterSink::run() {
  while (const std::optional<Work> work = next_work()) {
    const absl::Status status = write_out(*work);
    done(*work, status);
    env_.wake();
    if (!status.ok()) return;
  }
}

std::optional<WriterSink::Work> WriterSink::next_work() {
  detail::MutexLock lock(mutex_);
  while (phase_ == Phase::running && !has_work()) lock.wait(work_);
  if (phase_ == Phase::stopping || !has_work()) return std::nullopt;
  writing_.clear();
  writing_.swap(pending_);
  in_write_ = writing_.size();
  return Work{.sync = std::exchange(flush_, false), .upto = taken_};
}

absl::Status WriterSink::write_out(const Work& work) {
  absl::Status status = output_->write(writing_);
  if (status.ok() && (work.sync || output_->held() >= kMaxHeldBytes)) status = output_->sync();
  return status;
}

void WriterSink::done(const Work& work, const absl::Status& status) {
  const detail::MutexLock lock(mutex_);
  in_write_ = 0;
  failed_ = status;
  if (status.ok() && output_->held() == 0) delivered_ = work.upto;
}

std::shared_ptr<RawSink> raw_sink(std::string path, WriteOptions options, std::string header_line) {
  return std::make_shared<WriterSink>(file_output(std::move(path), options), std::move(header_line));
}

Sink<std::string> lines_sink(std::string path, WriteOptions options) {
  return encoded<std::string>(raw_sink(std::move(path), options), bytes());
}

}  // namespace slipstream::file

namespace slipstream {

std::shared_ptr<RawSink> raw_stdout() {
  return std::make_shared<file::WriterSink>(file::stdout_output(STDOUT_FILENO), std::string());
}

Sink<std::string> stdout_lines() { return encoded<std::string>(raw_stdout(), bytes()); }

}  // namespace slipstream
