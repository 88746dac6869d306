#include <algorithm>
#include <deque>
#include <thread>

#include "connectors/redis/connection.h"
#include "slipstream/detail/io_thread.h"
#include "slipstream/detail/mutex.h"
#include "slipstream/detail/units.h"

namespace slipstream::redis {
namespace {

constexpr std::size_t kMinWindowBytes = std::size_t{16} << 10;
constexpr std::size_t kMaxWindowBytes = std::size_t{4} << 20;
/// What a command costs beside its bytes.
constexpr std::size_t kCommandBytes = 128;
constexpr std::chrono::seconds kReplyTimeout{30};

/// A command, owned.
using Command = std::vector<std::string>;

std::size_t size_of(const Command& command) {
  std::size_t bytes = kCommandBytes;
  for (const std::string& part : command) bytes += part.size();
  return bytes;
}

/// Makes the command for a record.
using Form = std::function<absl::StatusOr<Command>(const OutRecord&)>;

/// One thread sends what was taken and counts the replies.
class CommandSink final : public RawSink {
 public:
  CommandSink(std::string name, Server server, absl::Status options, Form form)
      : name_(std::move(name)),
        server_(std::move(server)),
        options_(std::move(options)),
        form_(std::move(form)) {}
  ~CommandSink() override { (void)close(); }

  std::string name() const override { return name_; }
  absl::Status open(const SinkEnv& env) override;
  absl::StatusOr<std::size_t> write(std::span<const OutRecord> records) override;
  absl::StatusOr<std::uint64_t> delivered() override;
  absl::Status close() override;

 private:
  absl::StatusOr<bool> take(const OutRecord& record);
  // Of the thread.
  void run();
  absl::Status exchange();
  void send();
  absl::StatusOr<bool> take_replies();
  absl::Status check(const redisReply& reply, const Command& command) const;
  void answered(std::size_t count);
  void fail(absl::Status status);

  const std::string name_;
  const Server server_;
  const absl::Status options_;  // whether they make sense
  const Form form_;
  SinkEnv env_;                             // constant while open
  std::size_t window_bytes_ = 0;            // constant while open
  std::unique_ptr<Connection> connection_;  // constant while open; the thread's, but for wake() and stop()
  std::thread thread_;
  std::size_t sent_ = 0;  // of the thread: of commands_, how many of the first are sent
  Clock::time_point reply_due_ = Clock::time_point::max();  // of the thread

  detail::Mutex mutex_;
  std::deque<Command> commands_ SLIPSTREAM_GUARDED_BY(mutex_);  // taken and not answered
  std::size_t held_bytes_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
  std::uint64_t delivered_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
  bool writer_waits_ SLIPSTREAM_GUARDED_BY(mutex_) = false;  // for room
  absl::Status failed_ SLIPSTREAM_GUARDED_BY(mutex_);
};

absl::Status CommandSink::open(const SinkEnv& env) {
  if (!options_.ok()) return options_;
  if (absl::Status s = check_server(server_); !s.ok()) return s;
  env_ = env;
  window_bytes_ = std::clamp(env.memory_budget, kMinWindowBytes, kMaxWindowBytes);
  connection_ = std::make_unique<Connection>(name_, server_, env.log);
  if (absl::Status s = connection_->connect(); !s.ok()) return s;
  thread_ = detail::start_io_thread([this] { run(); });
  return absl::OkStatus();
}

absl::Status CommandSink::close() {
  if (connection_) connection_->stop();
  if (thread_.joinable()) thread_.join();
  return absl::OkStatus();
}

absl::StatusOr<std::size_t> CommandSink::write(std::span<const OutRecord> records) {
  std::size_t n = 0;
  absl::StatusOr<bool> has_room = true;
  for (; n < records.size(); ++n) {
    has_room = take(records[n]);
    if (!has_room.ok() || !*has_room) break;
  }
  if (n > 0) connection_->wake();
  // What is before a record that can't be written is taken; that one is offered again.
  if (n == 0 && !has_room.ok()) return has_room.status();
  return n;
}

absl::StatusOr<bool> CommandSink::take(const OutRecord& record) {
  absl::StatusOr<Command> command = form_(record);
  if (!command.ok()) return command.status();
  const std::size_t bytes = size_of(*command);
  const detail::MutexLock lock(mutex_);
  if (!failed_.ok()) return failed_;
  if (!commands_.empty() && held_bytes_ + bytes > window_bytes_) {
    writer_waits_ = true;
    return false;
  }
  held_bytes_ += bytes;
  commands_.push_back(*std::move(command));
  return true;
}

absl::StatusOr<std::uint64_t> CommandSink::delivered() {
  const detail::MutexLock lock(mutex_);
  if (!failed_.ok()) return failed_;
  return delivered_;
}

// The thread.

void CommandSink::run() {
  for (;;) {
    absl::Status status = connection_->is_connected() ? exchange() : connection_->connect();
    if (status.ok()) continue;
    if (absl::IsCancelled(status)) return;
    if (!connection_->is_connected()) return fail(std::move(status));  // connect() has given up
    connection_->lost(status);
    if (!absl::IsUnavailable(status)) return fail(std::move(status));
    sent_ = 0;  // what wasn't answered is sent again
    reply_due_ = Clock::time_point::max();
  }
}

/// Sends what is new and takes what is answered, once.
absl::Status CommandSink::exchange() {
  send();
  const absl::StatusOr<bool> any = take_replies();
  if (!any.ok()) return any.status();
  if (sent_ == 0) {
    reply_due_ = Clock::time_point::max();
  } else if (*any || reply_due_ == Clock::time_point::max()) {
    reply_due_ = Clock::now() + kReplyTimeout;
  } else {
    // While a slow server takes what is sent, it is there.
    reply_due_ = std::max(reply_due_, connection_->moved_at() + kReplyTimeout);
  }
  if (*any) return absl::OkStatus();
  if (Clock::now() >= reply_due_) return absl::UnavailableError("no reply within 30 s");
  return connection_->wait(reply_due_);
}

void CommandSink::send() {
  const detail::MutexLock lock(mutex_);
  for (; sent_ < commands_.size(); ++sent_) {
    const std::vector<std::string_view> parts(commands_[sent_].begin(), commands_[sent_].end());
    connection_->append(parts);
  }
}

absl::StatusOr<bool> CommandSink::take_replies() {
  std::size_t count = 0;
  absl::Status status;
  while (status.ok() && count < sent_) {
    absl::StatusOr<Reply> reply = connection_->next_reply();
    if (!reply.ok()) {
      status = reply.status();
      break;
    }
    if (!*reply) break;
    const detail::MutexLock lock(mutex_);
    status = check(**reply, commands_[count]);
    if (status.ok()) ++count;
  }
  answered(count);
  if (!status.ok()) return status;
  return count > 0;
}

absl::Status CommandSink::check(const redisReply& reply, const Command& command) const {
  if (reply.type != REDIS_REPLY_ERROR) return absl::OkStatus();
  return error_of(reply, name_ + ": " + command[0] + " " + detail::one_line(command[1]));
}

void CommandSink::answered(std::size_t count) {
  if (count == 0) return;
  connection_->answered();
  sent_ -= count;
  {
    const detail::MutexLock lock(mutex_);
    for (std::size_t i = 0; i < count; ++i) {
      held_bytes_ -= size_of(commands_.front());
      commands_.pop_front();
    }
    delivered_ += count;
    writer_waits_ = false;
  }
  env_.wake();
}

void CommandSink::fail(absl::Status status) {
  {
    const detail::MutexLock lock(mutex_);
    failed_ = status;
  }
  env_.fail(std::move(status));
  env_.wake();
}

absl::Status check_expire(Duration expire) {
  if (expire == Duration::zero() || expire >= std::chrono::milliseconds(1)) return absl::OkStatus();
  return absl::InvalidArgumentError("redis: the option 'expire' must be at least 1 ms, or zero for never");
}

}  // namespace

std::shared_ptr<RawSink> raw_sink(SinkOptions options) {
  const auto expire = std::chrono::duration_cast<std::chrono::milliseconds>(options.expire).count();
  const std::string name = is_url(options.server.address) ? "redis" : "redis " + options.server.address;
  const Form form = [name, expire](const OutRecord& record) -> absl::StatusOr<Command> {
    if (!record.key)
      return absl::InvalidArgumentError(name +
                                        ": the record has no key; give the sink a function that makes one");
    if (!record.value) return Command{"DEL", std::string(*record.key)};
    Command command{"SET", std::string(*record.key), std::string(*record.value)};
    if (expire > 0) command.insert(command.end(), {"PX", std::to_string(expire)});
    return command;
  };
  return std::make_shared<CommandSink>(name, options.server, check_expire(options.expire), form);
}

std::shared_ptr<RawSink> raw_stream_sink(std::string stream, StreamSinkOptions options) {
  const std::string name = "redis stream " + stream;
  absl::Status status;
  if (options.max_length < 0) {
    status = absl::InvalidArgumentError("redis: the option 'max_length' can't be negative, got " +
                                        std::to_string(options.max_length));
  }
  const Form form = [name, stream, options](const OutRecord& record) -> absl::StatusOr<Command> {
    if (!record.value) {
      return absl::InvalidArgumentError(name +
                                        ": a tombstone (a record without a value) has no place in a stream; "
                                        "filter it out before this sink");
    }
    Command command{"XADD", stream};
    if (options.max_length > 0)
      command.insert(command.end(), {"MAXLEN", "~", std::to_string(options.max_length)});
    command.insert(command.end(), {"*", options.field, std::string(*record.value)});
    if (record.headers != nullptr) {
      for (const Header& header : *record.headers) command.insert(command.end(), {header.name, header.value});
    }
    return command;
  };
  return std::make_shared<CommandSink>(name, options.server, status, form);
}

}  // namespace slipstream::redis
