#pragma once
#include <hiredis/hiredis.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
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

/// Whether it is a URL or the end of one, such as user:password@host:port. A password may be part of it, so
/// it is to be in no name and in no message.
bool is_url(std::string_view address);

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
  /// It was lost, and why. The outage goes on, whatever connect() does, until a command is answered.
  void lost(const absl::Status& why);
  /// A command that was appended got the reply it wanted.
  void answered();

  /// Adds a command to what is to be sent.
  void append(std::span<const std::string_view> command);
  /// Takes the next reply; null: none is here yet.
  absl::StatusOr<Reply> next_reply();
  /// Sends, and waits until more can be sent, something comes, somebody calls wake() or `until`: whatever is
  /// first. Unavailable: the connection is lost. Cancelled: stopped.
  absl::Status wait(Clock::time_point until = Clock::time_point::max());
  /// When something was last sent or came.
  Clock::time_point moved_at() const { return moved_at_; }
  /// A command and its reply, which isn't an error. Unavailable when nothing moves for so long as `patience`.
  absl::StatusOr<Reply> ask(std::span<const std::string_view> command, Duration patience);

  /// Ends the wait that is under way, or the next one.
  void wake();
  /// Ends every wait, now and later.
  void stop();

 private:
  /// The time since which no command was answered.
  struct Outage {
    Clock::time_point since;
    std::string trouble = {};     // the last
    bool refuses = false;         // it was while being connected
    bool told_no_answer = false;  // once is enough
    bool told_connected = false;
  };
  absl::Status pause(Clock::time_point until);
  void failed(const absl::Status& why, bool refuses);
  absl::Status gave_up(Duration limit) const;
  std::string said(const absl::Status& why) const;
  absl::Status try_to_connect();
  absl::Status log_in();
  absl::Status await_connection(Clock::time_point until);
  absl::StatusOr<Reply> reply_to(std::span<const std::string_view> command, Duration patience);
  void take_wake();
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
  std::optional<Outage> outage_;
  std::chrono::milliseconds pause_{0};           // before the next attempt to connect
  std::optional<Clock::time_point> idle_since_;  // it is connected and was asked nothing
  Clock::time_point moved_at_{};
  const int event_;
  std::atomic<bool> stopping_{false};
};

}  // namespace slipstream::redis
