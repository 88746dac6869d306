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
/// For one attempt to connect and log in.
constexpr std::chrono::seconds kAttempt{5};

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

Clock::time_point after(Duration wait) {
  constexpr Duration kYears = std::chrono::hours(24 * 365 * 100);
  return Clock::now() + std::min(wait, kYears);
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

absl::Status check_server(const Server& server) {
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
  const Clock::time_point give_up = after(limit);
  auto pause = kFirstWait;
  for (int attempt = 0;; ++attempt) {
    const absl::Status status = try_to_connect();
    if (status.ok()) {
      if (was_connected_ || attempt > 0)
        log_(LogLevel::info, "redis", what_ + ": connected to " + server_.address);
      was_connected_ = true;
      return status;
    }
    context_.reset();
    if (!absl::IsUnavailable(status)) return status;
    if (Clock::now() >= give_up) {
      return absl::UnavailableError(what_ + ": no server answers at " + server_.address + " for " +
                                    detail::format_duration(limit) + ": " + std::string(status.message()) +
                                    "; is it running, and is the address right?");
    }
    if (attempt == 0) {
      log_(LogLevel::warning, "redis",
           what_ + ": no server answers at " + server_.address + ": " + std::string(status.message()) +
               "; trying again");
    }
    const Clock::time_point due = std::min(give_up, Clock::now() + pause);
    while (Clock::now() < due) {
      if (absl::Status s = wait(due); !s.ok()) return s;
    }
    pause = std::min(pause * 2, kLongestWait);
  }
}

absl::Status Connection::try_to_connect() {
  has_unsent_ = false;
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
  const auto tell = [&](std::initializer_list<std::string_view> command) {
    return ask({command.begin(), command.size()}, until).status();
  };
  absl::Status status;
  if (!server_.user.empty()) {
    status = tell({"AUTH", server_.user, server_.password});
  } else if (!server_.password.empty()) {
    status = tell({"AUTH", server_.password});
  }
  if (status.ok() && server_.database != 0) status = tell({"SELECT", std::to_string(server_.database)});
  return status.ok() ? tell({"PING"}) : status;
}

void Connection::lost(const absl::Status& why) {
  context_.reset();
  if (absl::IsUnavailable(why)) {
    log_(LogLevel::warning, "redis",
         what_ + ": the connection is lost: " + std::string(why.message()) + "; connecting again");
  }
}

absl::Status Connection::broken() const { return absl::UnavailableError(context_->errstr); }

void Connection::append(std::span<const std::string_view> command) {
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
  if (fds[0].revents != 0) {
    std::uint64_t count;
    (void)!::read(event_, &count, sizeof count);
  }
  if (stopping_) return absl::CancelledError(what_ + ": closed");
  if ((fds[1].revents & POLLOUT) != 0 && has_unsent_) {
    int done = 0;
    if (redisBufferWrite(context_.get(), &done) != REDIS_OK) return broken();
    has_unsent_ = done == 0;
  }
  if ((fds[1].revents & (POLLIN | POLLERR | POLLHUP)) != 0 && redisBufferRead(context_.get()) != REDIS_OK)
    return broken();
  return absl::OkStatus();
}

absl::StatusOr<Reply> Connection::ask(std::span<const std::string_view> command, Clock::time_point until) {
  append(command);
  for (;;) {
    absl::StatusOr<Reply> reply = next_reply();
    if (!reply.ok()) return reply.status();
    if (*reply) {
      if ((*reply)->type == REDIS_REPLY_ERROR) return error_of(**reply, what_);
      return reply;
    }
    if (Clock::now() >= until) return absl::UnavailableError("no reply in time");
    if (absl::Status s = wait(until); !s.ok()) return s;
  }
}

}  // namespace slipstream::redis
