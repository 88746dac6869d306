#include "connectors/redis/connection.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "slipstream/detail/units.h"

namespace slipstream::redis {
namespace {

constexpr std::chrono::milliseconds kFirstWait{50};
constexpr std::chrono::milliseconds kLongestWait{2000};
/// For one attempt to connect, and for logging in.
constexpr std::chrono::seconds kAttempt{5};
/// A connection that stood so long without being asked anything works, as far as one can tell.
constexpr std::chrono::seconds kSettled{1};

struct HostPort {
  std::string host;
  int port = 0;
};

std::optional<HostPort> host_port(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == address.npos || colon == 0) return std::nullopt;
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string_view digits = address.substr(colon + 1);
  HostPort found{std::string(host), 0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), found.port);
  const bool is_port =
      error == std::errc() && end == digits.data() + digits.size() && found.port > 0 && found.port < 65536;
  return is_port ? std::optional(found) : std::nullopt;
}

/// The error word that begins what a server says.
bool is_any_of(std::string_view said, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return said.starts_with(word); });
}

Clock::time_point after(Clock::time_point time, Duration wait) {
  constexpr Duration kYears = std::chrono::hours(24 * 365 * 100);
  return time + std::min(wait, kYears);
}

int milliseconds_until(Clock::time_point until) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::minutes(10);
  const auto left = std::min<Clock::duration>(std::max(until, Clock::now()) - Clock::now(), kLongest);
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

}  // namespace

absl::Status error_of(const redisReply& reply, const std::string& what) {
  const std::string_view said = text_of(reply);
  const std::string sentence = what + ": the server says '" + detail::one_line(said, 200) + "'";
  if (is_any_of(said, {"NOAUTH", "WRONGPASS", "ERR AUTH", "ERR invalid password"})) {
    return absl::UnauthenticatedError(sentence + "; check the options 'user' and 'password'");
  }
  if (is_any_of(said, {"NOPERM"}))
    return absl::PermissionDeniedError(sentence + "; the user needs that permission");
  if (is_any_of(said,
                {"LOADING", "BUSY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "ERR max number of clients"})) {
    return absl::UnavailableError(sentence);
  }
  if (is_any_of(said, {"MOVED", "ASK"})) {
    return absl::FailedPreconditionError(sentence +
                                         "; it is part of a cluster, which this connector can't use");
  }
  if (is_any_of(said, {"WRONGTYPE"})) return absl::FailedPreconditionError(sentence + "; choose another key");
  if (is_any_of(said, {"OOM"})) return absl::ResourceExhaustedError(sentence);
  return absl::FailedPreconditionError(sentence);
}

namespace {

/// Of a reply to AUTH. A server that doesn't know AUTH repeats its arguments, so only what is known to be
/// without them is passed on; the last two are said to a connection, before anything is read from it.
absl::Status auth_error_of(const redisReply& reply, const std::string& what) {
  if (is_any_of(text_of(reply), {"WRONGPASS", "NOAUTH", "NOPERM", "LOADING", "BUSY", "MASTERDOWN", "ERR AUTH",
                                 "ERR invalid password", "ERR max number of clients", "DENIED"})) {
    return error_of(reply, what);
  }
  return absl::UnauthenticatedError(what +
                                    ": the server refuses AUTH; check the options 'user' and 'password'");
}

}  // namespace

bool is_url(std::string_view address) {
  return !address.starts_with('/') &&
         (address.find('@') != address.npos || address.find("://") != address.npos);
}

absl::Status check_server(const Server& server) {
  if (is_url(server.address)) {
    return absl::InvalidArgumentError(
        "redis: the address is a URL; write host:port, and user and password into their options");
  }
  if (!server.address.starts_with('/') && !host_port(server.address)) {
    return absl::InvalidArgumentError("redis: the address '" + detail::one_line(server.address) +
                                      "' is neither host:port nor the path of a Unix socket");
  }
  if (server.database < 0) {
    return absl::InvalidArgumentError("redis: the database can't be negative, got " +
                                      std::to_string(server.database));
  }
  if (!server.user.empty() && server.password.empty()) {
    return absl::InvalidArgumentError("redis: the option 'user' needs a 'password'");
  }
  if (server.connect_timeout > Duration::zero() && server.outage_timeout > Duration::zero())
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      "redis: the options 'connect_timeout' and 'outage_timeout' must be positive");
}

Connection::Connection(std::string what, Server server, LogHook log)
    : what_(std::move(what)),
      server_(std::move(server)),
      log_(std::move(log)),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

Connection::~Connection() {
  if (event_ >= 0) ::close(event_);
}

void Connection::wake() {
  const std::uint64_t one = 1;
  (void)!::write(event_, &one, sizeof one);
}

void Connection::stop() {
  stopping_ = true;
  wake();
}

absl::Status Connection::connect() {
  if (event_ < 0) return absl::ErrnoToStatus(EMFILE, what_ + ": can't make an event descriptor");
  const Duration limit = was_connected_ ? server_.outage_timeout : server_.connect_timeout;
  if (!outage_) outage_ = Outage{.since = Clock::now()};
  const Clock::time_point give_up = after(outage_->since, limit);
  for (;;) {
    // With an attempt behind every pause, also behind the one that `give_up` ends.
    if (!outage_->trouble.empty() && Clock::now() >= give_up) return gave_up(limit);
    if (absl::Status s = pause(std::min(give_up, Clock::now() + pause_)); !s.ok()) return s;
    const absl::Status status = try_to_connect();
    if (status.ok()) break;
    context_.reset();
    if (!absl::IsUnavailable(status)) return status;
    failed(status, false);
    if (!outage_->told_no_answer) {
      outage_->told_no_answer = true;
      log_(LogLevel::warning, "redis",
           what_ + ": no server answers at " + server_.address + ": " + outage_->trouble + "; trying again");
    }
  }
  if (!outage_->trouble.empty() && !outage_->told_connected) {
    outage_->told_connected = true;
    log_(LogLevel::info, "redis", what_ + ": connected to " + server_.address);
  }
  // A later outage has a limit of its own. But that PING is answered ends none: a server may answer it and
  // refuse everything else.
  if (!was_connected_) answered();
  was_connected_ = true;
  idle_since_ = Clock::now();
  return absl::OkStatus();
}

absl::Status Connection::pause(Clock::time_point until) {
  while (Clock::now() < until) {
    if (absl::Status s = wait(until); !s.ok()) return s;
  }
  return absl::OkStatus();
}

void Connection::failed(const absl::Status& why, bool refuses) {
  outage_->trouble = said(why);
  outage_->refuses = refuses;
  pause_ = std::clamp(pause_ * 2, kFirstWait, kLongestWait);
}

absl::Status Connection::gave_up(Duration limit) const {
  const std::string time = detail::format_duration(limit);
  if (outage_->refuses) {
    return absl::UnavailableError(what_ + ": the server at " + server_.address + " answers no command for " +
                                  time + ": " + outage_->trouble);
  }
  return absl::UnavailableError(what_ + ": no server answers at " + server_.address + " for " + time + ": " +
                                outage_->trouble + "; is it running, and is the address right?");
}

/// Without the name, which begins the sentence that it becomes part of.
std::string Connection::said(const absl::Status& why) const {
  std::string_view message(why.message().data(), why.message().size());
  if (message.starts_with(what_ + ": ")) message.remove_prefix(what_.size() + 2);
  return std::string(message);
}

absl::Status Connection::try_to_connect() {
  has_unsent_ = false;
  idle_since_.reset();
  if (server_.address.starts_with('/')) {
    context_.reset(redisConnectUnixNonBlock(server_.address.c_str()));
  } else {
    const HostPort to = *host_port(server_.address);
    context_.reset(redisConnectNonBlock(to.host.c_str(), to.port));
  }
  if (!context_) return absl::ResourceExhaustedError(what_ + ": hiredis has no memory");
  if (context_->err != 0) return broken();
  const Clock::time_point until = Clock::now() + kAttempt;
  if (absl::Status s = await_connection(until); !s.ok()) return s;
  if (!server_.address.starts_with('/')) redisEnableKeepAlive(context_.get());
  return log_in();
}

absl::Status Connection::await_connection(Clock::time_point until) {
  has_unsent_ = true;  // so that wait() waits for what says that it is made
  for (;;) {
    pollfd made{context_->fd, POLLOUT, 0};
    if (::poll(&made, 1, 0) > 0) break;
    if (Clock::now() >= until) return absl::UnavailableError("no connection within 5 s");
    pollfd fds[2] = {{event_, POLLIN, 0}, {context_->fd, POLLOUT, 0}};
    ::poll(fds, 2, milliseconds_until(until));
    if (fds[0].revents != 0) take_wake();  // or poll() would return at once from now on
    if (stopping_) return absl::CancelledError(what_ + ": closed");
  }
  has_unsent_ = false;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(context_->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? absl::OkStatus() : absl::UnavailableError(std::strerror(error));
}

absl::Status Connection::log_in() {
  const Clock::time_point until = Clock::now() + kAttempt;
  const auto tell = [&](std::initializer_list<std::string_view> command, const auto& error) {
    const absl::StatusOr<Reply> reply =
        reply_to({command.begin(), command.size()}, std::chrono::ceil<Duration>(until - Clock::now()));
    if (!reply.ok()) return reply.status();
    return (*reply)->type == REDIS_REPLY_ERROR ? error(**reply, what_) : absl::OkStatus();
  };
  absl::Status status;
  if (!server_.user.empty()) {
    status = tell({"AUTH", server_.user, server_.password}, auth_error_of);
  } else if (!server_.password.empty()) {
    status = tell({"AUTH", server_.password}, auth_error_of);
  }
  if (status.ok() && server_.database != 0) {
    status = tell({"SELECT", std::to_string(server_.database)}, error_of);
  }
  return status.ok() ? tell({"PING"}, error_of) : status;
}

void Connection::lost(const absl::Status& why) {
  context_.reset();
  if (idle_since_) outage_.reset();  // what wasn't asked anything refused nothing
  idle_since_.reset();
  if (!absl::IsUnavailable(why)) return;
  if (!outage_) {
    outage_ = Outage{.since = Clock::now()};
    log_(LogLevel::warning, "redis", what_ + ": the connection is lost: " + said(why) + "; connecting again");
  }
  failed(why, true);
}

void Connection::answered() {
  outage_.reset();
  pause_ = {};
}

absl::Status Connection::broken() const { return absl::UnavailableError(context_->errstr); }

void Connection::append(std::span<const std::string_view> command) {
  if (idle_since_ && Clock::now() - *idle_since_ >= kSettled) answered();
  idle_since_.reset();
  std::vector<const char*> parts;
  std::vector<std::size_t> sizes;
  for (const std::string_view part : command) {
    parts.push_back(part.data());
    sizes.push_back(part.size());
  }
  redisAppendCommandArgv(context_.get(), static_cast<int>(parts.size()), parts.data(), sizes.data());
  has_unsent_ = true;
}

absl::StatusOr<Reply> Connection::next_reply() {
  void* reply = nullptr;
  if (redisGetReplyFromReader(context_.get(), &reply) != REDIS_OK) return broken();
  return Reply(static_cast<redisReply*>(reply));
}

absl::Status Connection::wait(Clock::time_point until) {
  const int fd = context_ ? context_->fd : -1;  // poll() looks away from -1
  pollfd fds[2] = {{event_, POLLIN, 0}, {fd, static_cast<short>(has_unsent_ ? POLLIN | POLLOUT : POLLIN), 0}};
  ::poll(fds, 2, milliseconds_until(until));
  if (fds[0].revents != 0) take_wake();
  if (stopping_) return absl::CancelledError(what_ + ": closed");
  if ((fds[1].revents & POLLOUT) != 0 && has_unsent_) {
    int done = 0;
    if (redisBufferWrite(context_.get(), &done) != REDIS_OK) return broken();
    has_unsent_ = done == 0;
    moved_at_ = Clock::now();
  }
  if ((fds[1].revents & (POLLIN | POLLERR | POLLHUP)) != 0) {
    if (redisBufferRead(context_.get()) != REDIS_OK) return broken();
    moved_at_ = Clock::now();
  }
  return absl::OkStatus();
}

void Connection::take_wake() {
  std::uint64_t count;
  (void)!::read(event_, &count, sizeof count);
}

absl::StatusOr<Reply> Connection::ask(std::span<const std::string_view> command, Duration patience) {
  absl::StatusOr<Reply> reply = reply_to(command, patience);
  if (!reply.ok()) return reply;
  if ((*reply)->type == REDIS_REPLY_ERROR) return error_of(**reply, what_);
  answered();
  return reply;
}

absl::StatusOr<Reply> Connection::reply_to(std::span<const std::string_view> command, Duration patience) {
  append(command);
  const Clock::time_point begun = Clock::now();
  for (;;) {
    absl::StatusOr<Reply> reply = next_reply();
    if (!reply.ok() || *reply) return reply;
    // A long reply may take long, as long as it goes on coming.
    const Clock::time_point until = after(std::max(begun, moved_at_), patience);
    if (Clock::now() >= until) return absl::UnavailableError("no reply in time");
    if (absl::Status s = wait(until); !s.ok()) return s;
  }
}

}  // namespace slipstream::redis
