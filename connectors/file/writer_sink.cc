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
  if (!header_line_.empty()) pending_ = header_line_ + "\n";
  thread_ = start_io_thread([this] { run(); });
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> WriterSink::write(std::span<const OutRecord> records) {
  std::size_t written = 0;
  {
    std::lock_guard lock(mutex_);
    if (!failed_.ok()) return failed_;
    for (; written < records.size() && pending_.size() + in_write_ < buffer_bytes_; ++written) {
      if (!records[written].value) {
        return absl::InvalidArgumentError(
            name() +
            ": a tombstone (a record without a value) has no place among lines; "
            "filter it out before this sink");
      }
      pending_.append(*records[written].value).push_back('\n');
      ++taken_;
    }
  }
  work_.notify_one();
  return written;
}

absl::StatusOr<std::uint64_t> WriterSink::delivered() {
  std::lock_guard lock(mutex_);
  if (!failed_.ok()) return failed_;
  return delivered_;
}

absl::Status WriterSink::flush() {
  {
    std::lock_guard lock(mutex_);
    if (!failed_.ok()) return failed_;
    flush_ = true;
  }
  work_.notify_one();
  return absl::OkStatus();
}

absl::Status WriterSink::finish() {
  stop(Phase::draining);
  std::lock_guard lock(mutex_);
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
    std::lock_guard lock(mutex_);
    phase_ = phase;
  }
  work_.notify_one();
  thread_.join();
}

void WriterSink::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return phase_ != Phase::running || has_work(); });
    if (phase_ == Phase::stopping || !has_work()) return;
    writing_.clear();
    writing_.swap(pending_);
    in_write_ = writing_.size();
    const std::uint64_t upto = taken_;
    const bool sync = std::exchange(flush_, false);

    lock.unlock();
    absl::Status status = write_out(sync);
    lock.lock();
    in_write_ = 0;
    failed_ = std::move(status);
    if (failed_.ok() && output_->held() == 0) delivered_ = upto;
    const bool failed = !failed_.ok();

    lock.unlock();
    env_.wake();
    if (failed) return;
    lock.lock();
  }
}

absl::Status WriterSink::write_out(bool sync) {
  absl::Status status = output_->write(writing_);
  if (status.ok() && (sync || output_->held() >= kMaxHeldBytes)) status = output_->sync();
  return status;
}

std::shared_ptr<RawSink> raw_sink(std::string path, WriteOptions options, std::string header_line) {
  return std::make_shared<WriterSink>(file_output(std::move(path), options), std::move(header_line));
}

}  // namespace slipstream::file

namespace slipstream {

std::shared_ptr<RawSink> raw_stdout() {
  return std::make_shared<file::WriterSink>(file::stdout_output(STDOUT_FILENO), std::string());
}

}  // namespace slipstream
