#pragma once
#include <hiredis/hiredis.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/redis.h"

namespace slipstream::redis {

using Clock = std::chrono::steady_clock;

struct ReplyDeleter {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, ReplyDeleter>;

inline std::string_view text_of(const redisReply& reply) { return {reply.str, reply.len}; }

/// Of a reply that is an error: "WHAT: what the server says; way out". Unavailable where it may pass by
/// itself.
absl::Status error_of(const redisReply& reply, const std::string& what);

/// InvalidArgument for what can't be.
absl::Status check_server(const Server& server);

/// A connection to a server, made again after it was lost. Of one thread, but for wake() and stop().
class Connection {
 public:
  /// `what` begins every message.
  Connection(std::string what, Server server, LogHook log);
  ~Connection();
  Connection(const Connection&) = delete;

  /// Connects and logs in, trying for as long as the server's options say. Cancelled: stopped meanwhile.
  /// Other errors say why there will be no connection.
  absl::Status connect();
  bool is_connected() const { return context_ != nullptr; }
  /// It was lost, and why.
  void lost(const absl::Status& why);

  /// Adds a command to what is to be sent.
  void append(std::span<const std::string_view> command);
  /// Takes the next reply; null: none is here yet.
  absl::StatusOr<Reply> next_reply();
  /// Sends, and waits until more can be sent, something comes, somebody calls wake() or `until`: whatever is
  /// first. Unavailable: the connection is lost. Cancelled: stopped.
  absl::Status wait(Clock::time_point until = Clock::time_point::max());
  /// A command and its reply, which isn't an error.
  absl::StatusOr<Reply> ask(std::span<const std::string_view> command, Clock::time_point until);

  /// Ends the wait that is under way, or the next one.
  void wake();
  /// Ends every wait, now and later.
  void stop();

 private:
  absl::Status try_to_connect();
  absl::Status log_in();
  absl::Status await_connection(Clock::time_point until);
  absl::Status broken() const;

  struct ContextDeleter {
    void operator()(redisContext* context) const { redisFree(context); }
  };
  const std::string what_;
  const Server server_;
  const LogHook log_;
  std::unique_ptr<redisContext, ContextDeleter> context_;
  bool has_unsent_ = false;
  bool was_connected_ = false;
  const int event_;
  std::atomic<bool> stopping_{false};
};

}  // namespace slipstream::redis
