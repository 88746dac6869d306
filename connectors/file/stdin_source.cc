#include "connectors/file/stdin_source.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "connectors/file/io_error.h"

namespace slipstream::file {
namespace {

constexpr std::size_t kChunkBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxBufferBytes = std::size_t{1} << 20;

// Standard input belongs to the process: two readers would get what the other one misses.
std::atomic<bool> stdin_is_read{false};

}  // namespace

StdinSource::StdinSource(int fd, Cut cut, ReadOptions options)
    : fd_(fd), cut_(cut), options_(options), cutter_(cut, {}, options.max_record_bytes) {}

StdinSource::~StdinSource() { (void)close(); }

absl::Status StdinSource::open(const SourceEnv& env) {
  if (absl::Status s = take_stdin(); !s.ok()) return s;
  if (absl::Status s = wait_.open(); !s.ok()) return s;
  env_ = env;
  buffer_bytes_ = std::clamp(env.memory_budget, kChunkBytes, kMaxBufferBytes);
  thread_ = detail::start_io_thread([this] { run(); });
  return absl::OkStatus();
}

absl::Status StdinSource::take_stdin() {
  if (fd_ != STDIN_FILENO || has_stdin_) return absl::OkStatus();
  has_stdin_ = !stdin_is_read.exchange(true);
  if (has_stdin_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "another source of this process reads the standard input already; read it once and use that stream "
      "twice");
}

absl::Status StdinSource::close() {
  stop_thread();
  if (std::exchange(has_stdin_, false)) stdin_is_read = false;
  return absl::OkStatus();
}

void StdinSource::stop_thread() {
  if (!thread_.joinable()) return;
  {
    const detail::MutexLock lock(mutex_);
    stopping_ = true;
  }
  room_.notify_one();
  wait_.interrupt();
  thread_.join();
}

void StdinSource::run() {
  const auto chunk = std::make_unique<char[]>(kChunkBytes);
  for (;;) {
    if (!wait_for_input()) return;
    const ssize_t n = ::read(fd_, chunk.get(), kChunkBytes);
    const int error = n < 0 ? errno : 0;
    if (error == EINTR || error == EAGAIN) continue;
    take_input(chunk.get(), n, error);
    if (n <= 0) return;
  }
}

// False when the source closes.
bool StdinSource::wait_for_input() {
  {
    detail::MutexLock lock(mutex_);
    while (!stopping_ && pending_.size() >= buffer_bytes_) lock.wait(room_);
    if (stopping_) return false;
  }
  auto result = wait_.wait(fd_, POLLIN, 0);
  if (result == InterruptibleWait::Result::not_ready) {
    set_input(Input::quiet);
    result = wait_.wait(fd_, POLLIN);
  }
  return result == InterruptibleWait::Result::ready;
}

void StdinSource::take_input(const char* bytes, ssize_t n, int error) {
  {
    const detail::MutexLock lock(mutex_);
    if (n > 0) pending_.append(bytes, static_cast<std::size_t>(n));
    if (error != 0) failed_ = io_error("read", "stdin", error);
  }
  set_input(n > 0 ? Input::fetching : Input::ended);
}

void StdinSource::set_input(Input input) {
  bool wake;
  {
    const detail::MutexLock lock(mutex_);
    input_ = input;
    wake = std::exchange(reader_waits_, false);
  }
  if (wake) env_.wake();
}

absl::StatusOr<ReadState> StdinSource::read(int, const ReadLimits& limits, RawCollector& out) {
  for (;;) {
    const RecordCutter::Next stopped_by = cutter_.collect(limits, batch_);
    if (!batch_.empty()) out.add(batch_);
    if (stopped_by == RecordCutter::Next::record) return ReadState::more;
    if (stopped_by != RecordCutter::Next::starved) {
      return cut_error(stopped_by, position(0, cutter_.line()), options_.max_record_bytes, cut_);
    }
    if (!batch_.empty()) return ReadState::more;
    if (cutter_.ended()) return ReadState::finished;
    if (std::optional<ReadState> nothing = take_pending()) return *nothing;
    if (!read_error_.ok()) return read_error_;
    feed_cutter();
  }
}

// Moves what has arrived to arrived_, nothing when the input has ended. Says what to report while nothing is
// here.
std::optional<ReadState> StdinSource::take_pending() {
  const detail::MutexLock lock(mutex_);
  arrived_.clear();
  arrived_.swap(pending_);
  read_error_ = failed_;
  if (arrived_.empty() && input_ != Input::ended) {
    reader_waits_ = true;
    return input_ == Input::quiet ? ReadState::caught_up : ReadState::waiting;
  }
  room_.notify_one();
  return std::nullopt;
}

void StdinSource::feed_cutter() {
  if (arrived_.empty()) cutter_.end();
  for (std::string_view rest = arrived_; !rest.empty();) {
    const std::span<char> room = cutter_.room();
    const std::size_t n = std::min(room.size(), rest.size());
    std::memcpy(room.data(), rest.data(), n);
    cutter_.filled(n);
    rest.remove_prefix(n);
  }
}

}  // namespace slipstream::file

namespace slipstream {

std::shared_ptr<RawSource> raw_stdin(file::Cut cut, file::ReadOptions read) {
  return std::make_shared<file::StdinSource>(STDIN_FILENO, cut, read);
}

Source<std::string> stdin_lines(file::ReadOptions read) {
  return decoded<std::string>(raw_stdin(file::Cut::lines, read), text());
}

}  // namespace slipstream
