
#include "connectors/http_endpoint/endpoint_server.h"
#include "connectors/http_endpoint/event_log.h"
#include "connectors/http_endpoint/guard.h"
#include "connectors/http_endpoint/listener.h"
#include "slipstream/detail/units.h"

namespace slipstream::http {

using namespace endpoint;

namespace {

constexpr std::size_t kTokenBytes = 16;
constexpr std::size_t kEpochBytes = 4;

absl::Status mistake(const std::string& sentence) {
  return absl::InvalidArgumentError("http endpoint: " + sentence);
}

absl::Status check_numbers(const EndpointOptions& options) {
  const std::pair<const char*, Duration> positive[] = {{"request_timeout", options.request_timeout},
                                                       {"write_timeout", options.write_timeout},
                                                       {"keep_alive", options.keep_alive}};
  for (const auto& [name, value] : positive) {
    if (value > Duration::zero()) continue;
    return mistake(std::string("the option '") + name + "' must be positive, got " +
                   std::to_string(value.count()) + " us");
  }
  if (options.retry < std::chrono::milliseconds(1))
    return mistake("the option 'retry' must be at least 1 ms");
  if (options.linger < Duration::zero()) return mistake("the option 'linger' can't be negative");
  const std::pair<const char*, std::size_t> sizes[] = {
      {"recent_bytes", options.recent_bytes},
      {"max_clients", options.max_clients},
      {"max_clients_per_address", options.max_clients_per_address}};
  for (const auto& [name, value] : sizes) {
    if (value == 0) return mistake(std::string("the option '") + name + "' must be positive");
  }
  return absl::OkStatus();
}

absl::Status check_access(const EndpointOptions& options) {
  if (is_ip_address(options.address) && !is_loopback(options.address) && !options.allow_remote) {
    return mistake("'" + options.address +
                   "' is not a loopback address, so others than this machine could connect, without TLS; set "
                   "the option 'allow_remote' if that is meant");
  }
  if (!options.token.empty() && !is_good_token(options.token)) {
    return mistake("the option 'token' needs at least 16 characters, of letters, digits and -._~");
  }
  if (!options.token.empty() && !options.require_token) {
    return mistake("there is a 'token', but 'require_token' is false; leave one of them out");
  }
  for (const std::string& host : options.hosts) {
    if (host_name(host).size() != host.size() || host.empty()) {
      return mistake("the option 'hosts' has '" + detail::one_line(host) +
                     "'; it takes names such as board.example.org, without port");
    }
  }
  for (const std::string& origin : options.origins) {
    if (!is_origin(origin)) {
      return mistake("the option 'origins' has '" + detail::one_line(origin) +
                     "'; it takes a scheme and a host such as https://board.example.org");
    }
  }
  return absl::OkStatus();
}

absl::Status check_name(const std::string& name) {
  if (name.empty()) return mistake("a sink's events need a name");
  if (name.find_first_of(std::string_view("\r\n\0", 3)) != name.npos) {
    return mistake("the name '" + detail::one_line(name) + "' has a line break or a NUL in it");
  }
  for (const char* taken : {"open", "error", "snapshot", "gap"}) {
    if (name == taken) return mistake("the name '" + name + "' has a meaning of its own; choose another");
  }
  return absl::OkStatus();
}

}  // namespace

/// The server lives from the opening of the first sink to the closing of the last.
class Endpoint::Impl {
 public:
  explicit Impl(EndpointOptions options) : options_(std::move(options)) {}

  absl::Status open(const SinkEnv& env, std::shared_ptr<EventLog>& log);
  void wake();
  /// A sink of a good run will write no more.
  void finish();
  void close(bool is_finished);

  std::string url(std::string_view path) const;
  EndpointStats stats() const;

 private:
  absl::Status serve(const SinkEnv& env) SLIPSTREAM_REQUIRES(mutex_);
  std::string url_locked(std::string_view path, std::string_view token) const SLIPSTREAM_REQUIRES(mutex_);

  const EndpointOptions options_;
  mutable detail::Mutex mutex_;
  int open_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;      // sinks
  int finished_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;  // of those that are open
  std::shared_ptr<EventLog> log_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::shared_ptr<EndpointServer> server_ SLIPSTREAM_GUARDED_BY(mutex_);
  EndpointStats last_ SLIPSTREAM_GUARDED_BY(mutex_);  // of the run before
};

absl::Status Endpoint::Impl::open(const SinkEnv& env, std::shared_ptr<EventLog>& log) {
  const detail::MutexLock lock(mutex_);
  if (open_ == 0) {
    if (absl::Status s = serve(env); !s.ok()) return s;
  }
  ++open_;
  log = log_;
  return absl::OkStatus();
}

absl::Status Endpoint::Impl::serve(const SinkEnv& env) {
  if (absl::Status s = check_numbers(options_); !s.ok()) return s;
  if (absl::Status s = check_access(options_); !s.ok()) return s;
  absl::StatusOr<std::string> epoch = random_text(kEpochBytes);
  if (!epoch.ok()) return epoch.status();
  const bool is_random = options_.token.empty() && options_.require_token;
  absl::StatusOr<std::string> token = is_random ? random_text(kTokenBytes) : options_.token;
  if (!token.ok()) return token.status();
  absl::StatusOr<Listener> listener = Listener::open(options_.address, options_.port);
  if (!listener.ok()) return listener.status();
  auto log = std::make_shared<EventLog>(options_, *epoch);
  auto server = EndpointServer::start(options_, *token, *std::move(listener), *log, env.log);
  if (!server.ok()) return server.status();
  log_ = std::move(log);
  server_ = *std::move(server);
  // A token of the program's own is known to whom it may concern.
  env.log(LogLevel::info, "http endpoint",
          "serves " + url_locked(options_.page.empty() ? "/events" : "/", is_random ? *token : "…"));
  if (!is_loopback(options_.address) && !options_.require_token)
    env.log(LogLevel::warning, "http endpoint", "whoever reaches this machine can read the events");
  return absl::OkStatus();
}

void Endpoint::Impl::wake() {
  std::shared_ptr<EndpointServer> server;
  {
    const detail::MutexLock lock(mutex_);
    server = server_;
  }
  if (server) server->wake();
}

void Endpoint::Impl::finish() {
  std::shared_ptr<EndpointServer> server;
  {
    const detail::MutexLock lock(mutex_);
    if (++finished_ == open_) server = server_;
  }
  if (server) server->drain(options_.linger);
}

void Endpoint::Impl::close(bool is_finished) {
  std::shared_ptr<EndpointServer> server;
  {
    const detail::MutexLock lock(mutex_);
    if (is_finished) --finished_;
    if (--open_ > 0) return;
    server = std::exchange(server_, nullptr);
    server->add_stats(last_);
    log_->add_stats(last_);
    last_.clients = 0;
  }
}

std::string Endpoint::Impl::url(std::string_view path) const {
  const detail::MutexLock lock(mutex_);
  return server_ ? url_locked(path, server_->token()) : "";
}

std::string Endpoint::Impl::url_locked(std::string_view path, std::string_view token) const {
  std::string url = "http://" + server_->authority() + std::string(path);
  if (options_.require_token) url += "?token=" + std::string(token);
  return url;
}

EndpointStats Endpoint::Impl::stats() const {
  const detail::MutexLock lock(mutex_);
  if (!server_) return last_;
  EndpointStats stats;
  server_->add_stats(stats);
  log_->add_stats(stats);
  return stats;
}

namespace {

/// Takes records into the log, at once.
class EventSink final : public RawSink {
 public:
  EventSink(std::shared_ptr<Endpoint::Impl> endpoint, std::string name)
      : endpoint_(std::move(endpoint)), event_(std::move(name)), name_("http endpoint " + event_) {}
  ~EventSink() override { (void)close(); }

  std::string name() const override { return name_; }
  absl::Status open(const SinkEnv& env) override {
    if (absl::Status s = check_name(event_); !s.ok()) return s;
    taken_ = 0;
    return endpoint_->open(env, log_);
  }
  absl::StatusOr<std::size_t> write(std::span<const OutRecord> records) override {
    for (std::size_t i = 0; i < records.size(); ++i) {
      if (records[i].value || records[i].key) {
        log_->append(event_, records[i].key, records[i].value);
        continue;
      }
      if (i == 0) {
        return absl::InvalidArgumentError(name_ +
                                          ": a record that deletes its key (a tombstone) must have one");
      }
      records = records.first(i);
    }
    taken_ += records.size();
    if (!records.empty()) endpoint_->wake();
    return records.size();
  }
  absl::StatusOr<std::uint64_t> delivered() override { return taken_; }
  absl::Status finish() override {
    is_finished_ = true;
    endpoint_->finish();
    return absl::OkStatus();
  }
  absl::Status close() override {
    if (std::exchange(log_, nullptr)) endpoint_->close(std::exchange(is_finished_, false));
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<Endpoint::Impl> endpoint_;
  const std::string event_;
  const std::string name_;
  std::shared_ptr<EventLog> log_;  // while open
  std::uint64_t taken_ = 0;
  bool is_finished_ = false;
};

}  // namespace

Endpoint::Endpoint(EndpointOptions options) : impl_(std::make_shared<Impl>(std::move(options))) {}

std::shared_ptr<RawSink> Endpoint::raw_events(std::string name) const {
  return std::make_shared<EventSink>(impl_, std::move(name));
}

std::string Endpoint::url(std::string_view path) const { return impl_->url(path); }

EndpointStats Endpoint::stats() const { return impl_->stats(); }

}  // namespace slipstream::http
