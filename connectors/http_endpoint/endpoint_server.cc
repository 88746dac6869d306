#include "connectors/http_endpoint/endpoint_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

#include "connectors/http_endpoint/event_text.h"
#include "connectors/http_endpoint/guard.h"
#include "slipstream/detail/io_thread.h"
#include "slipstream/detail/units.h"

namespace slipstream::http::endpoint {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kMaxHeaderBytes = std::size_t{16} << 10;
/// Of one connection, in libmicrohttpd: a request's head, and the piece of an answer that is being sent.
constexpr std::size_t kConnectionBytes = std::size_t{32} << 10;
constexpr std::size_t kPieceBytes = std::size_t{8} << 10;
/// What the system may hold for a client that doesn't read.
constexpr int kSocketBytes = 64 << 10;
/// Connections beside those of clients: requests that are coming in, errors, the page.
constexpr unsigned kMoreConnections = 32;

/// No script, style, frame or connection but the page's own.
constexpr char kContentPolicy[] =
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct ResponseDeleter {
  void operator()(MHD_Response* response) const { MHD_destroy_response(response); }
};
using Response = std::unique_ptr<MHD_Response, ResponseDeleter>;

Response text_response(std::string_view text, const char* type) {
  // libmicrohttpd copies it.
  Response response(
      MHD_create_response_from_buffer(text.size(), const_cast<char*>(text.data()), MHD_RESPMEM_MUST_COPY));
  if (response) MHD_add_response_header(response.get(), "Content-Type", type);
  return response;
}

void add_common_headers(MHD_Response* response) {
  constexpr std::pair<const char*, const char*> kHeaders[] = {
      {"Cache-Control", "no-store"},
      {"Connection", "close"},
      {"Referrer-Policy", "no-referrer"},  // the address has the token in it
      {"X-Content-Type-Options", "nosniff"}};
  for (const auto& [name, value] : kHeaders) MHD_add_response_header(response, name, value);
}

bool is_named(std::string_view header, std::string_view name) {
  return std::equal(header.begin(), header.end(), name.begin(), name.end(), [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

struct Head {
  Request request;
  std::size_t bytes = 0;
};

MHD_Result take_header(void* to, MHD_ValueKind, const char* name, std::size_t name_size, const char* value,
                       std::size_t size) {
  Head& head = *static_cast<Head*>(to);
  const std::string_view header(name, name_size);
  const std::string_view text = value == nullptr ? std::string_view() : std::string_view(value, size);
  head.bytes += name_size + size + 4;
  if (is_named(header, "host")) head.request.hosts.emplace_back(text);
  if (is_named(header, "origin")) head.request.origins.emplace_back(text);
  if (is_named(header, "last-event-id")) head.request.last_event_id = text;
  if (is_named(header, "authorization")) head.request.tokens.emplace_back(bearer_token(text));
  return MHD_YES;
}

MHD_Result take_argument(void* to, MHD_ValueKind, const char* name, std::size_t name_size, const char* value,
                         std::size_t size) {
  Head& head = *static_cast<Head*>(to);
  head.bytes += name_size + size + 2;
  if (std::string_view(name, name_size) == "token" && value != nullptr)
    head.request.tokens.emplace_back(value, size);
  return MHD_YES;
}

Head read_head(MHD_Connection* connection, const char* url, const char* method) {
  Head head;
  head.request.method = method;
  head.request.path = url;
  head.bytes = std::strlen(url) + std::strlen(method);
  MHD_get_connection_values_n(connection, MHD_HEADER_KIND, &take_header, &head);
  MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, &take_argument, &head);
  return head;
}

std::string text_of(const sockaddr* address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address->sa_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text, sizeof text);
  } else if (address->sa_family == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text, sizeof text);
  }
  return text;
}

unsigned connections(std::size_t clients) {
  constexpr std::size_t kMost = 1'000'000;
  return static_cast<unsigned>(std::min(clients, kMost)) + kMoreConnections;
}

}  // namespace

EndpointServer::Fd::~Fd() {
  if (fd >= 0) ::close(fd);
}

EndpointServer::EndpointServer(const EndpointOptions& options, std::string token, std::string authority,
                               EventLog& log, LogHook hook)
    : options_(options),
      token_(std::move(token)),
      authority_(std::move(authority)),
      log_(log),
      hook_(std::move(hook)) {}

absl::StatusOr<std::unique_ptr<EndpointServer>> EndpointServer::start(const EndpointOptions& options,
                                                                      std::string token, Listener listener,
                                                                      EventLog& log, LogHook hook) {
  std::unique_ptr<EndpointServer> server(
      new EndpointServer(options, std::move(token), listener.authority(), log, std::move(hook)));
  if (absl::Status s = server->start(std::move(listener)); !s.ok()) return s;
  return server;
}

absl::Status EndpointServer::start(Listener listener) {
  events_.fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (events_.fd < 0) return absl::ErrnoToStatus(errno, "http endpoint: no eventfd");
  daemon_.reset(MHD_start_daemon(
      MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, nullptr, nullptr, &on_request, this,
      MHD_OPTION_EXTERNAL_LOGGER, &on_log, this,  //
      MHD_OPTION_LISTEN_SOCKET, listener.fd(),    //
      MHD_OPTION_CONNECTION_LIMIT, connections(options_.max_clients), MHD_OPTION_PER_IP_CONNECTION_LIMIT,
      connections(options_.max_clients_per_address), MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionBytes,  //
      MHD_OPTION_CONNECTION_TIMEOUT, 0u,                   // look_after_peers() sees to that
      MHD_OPTION_NOTIFY_CONNECTION, &on_connection, this,  //
      MHD_OPTION_END));
  if (!daemon_) return absl::ResourceExhaustedError("http endpoint: libmicrohttpd can't start");
  listener.release();
  thread_ = detail::start_io_thread([this] { run(); });
  return absl::OkStatus();
}

EndpointServer::~EndpointServer() {
  if (!thread_.joinable()) return;
  state_ = State::closing;
  wake();
  thread_.join();
}

void EndpointServer::wake() {
  if (!is_woken_.exchange(true)) ::eventfd_write(events_.fd, 1);
}

void EndpointServer::drain(Duration linger) {
  const auto deadline = Clock::now() + linger;
  state_ = State::draining;
  wake();
  detail::MutexLock lock(mutex_);
  while (!is_drained_ && lock.wait_until(drained_, deadline)) {
  }
}

void EndpointServer::add_stats(EndpointStats& stats) const {
  stats.clients = client_count_;
  stats.accepted = accepted_;
  stats.resumed = resumed_;
  stats.refused = refused_;
  stats.disconnected = disconnected_;
}

// The thread.

void EndpointServer::run() {
  while (state_ != State::closing) {
    wait();
    eventfd_t count;
    ::eventfd_read(events_.fd, &count);
    is_woken_ = false;  // before the log is asked: what is written from here on wakes again
    look_after_clients();
    work();
    look_after_peers();
    if (state_ == State::draining && clients_.empty()) {
      const detail::MutexLock lock(mutex_);
      is_drained_ = true;
      drained_.notify_all();
    }
  }
  close_all();
}

/// Having closed connections, libmicrohttpd listens again when it is run once more.
void EndpointServer::work() {
  std::size_t before;
  do {
    before = peers_.size();
    MHD_run(daemon_.get());
  } while (peers_.size() < before);
}

/// Until something happens on a connection or somebody calls. A suspended connection isn't looked at by
/// libmicrohttpd, so whether its other side has gone is seen here.
void EndpointServer::wait() {
  const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon_.get(), MHD_DAEMON_INFO_EPOLL_FD);
  std::vector<pollfd> fds = {{info->epoll_fd, POLLIN, 0}, {events_.fd, POLLIN, 0}};
  std::vector<Client*> idle;
  for (Client& client : clients_) {
    if (!client.is_idle) continue;
    fds.push_back({client.peer->fd, POLLRDHUP, 0});
    idle.push_back(&client);
  }
  int timeout = -1;
  if (!peers_.empty())
    timeout = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(tick()).count());
  MHD_UNSIGNED_LONG_LONG asked = 0;
  if (MHD_get_timeout(daemon_.get(), &asked) == MHD_YES &&
      (timeout < 0 || asked < static_cast<unsigned>(timeout)))
    timeout = static_cast<int>(std::min<MHD_UNSIGNED_LONG_LONG>(asked, 1000));
  if (::poll(fds.data(), fds.size(), timeout) <= 0) return;
  for (std::size_t i = 0; i < idle.size(); ++i) {
    if (fds[i + 2].revents != 0) idle[i]->is_over = true;
  }
}

/// How often it is looked at what takes too long.
EndpointServer::Clock::duration EndpointServer::tick() const {
  const Duration least =
      std::min({options_.keep_alive, options_.write_timeout, options_.request_timeout}) / 4;
  return std::clamp<Duration>(least, 5ms, 1s);
}

void EndpointServer::look_after_clients() {
  const State state = state_;
  std::uint64_t least_seen = log_.newest();
  for (Client& client : clients_) {
    look_after_client(client, state);
    least_seen = std::min(least_seen, client.cursor.seen);
  }
  log_.forget_deleted(least_seen);
}

void EndpointServer::look_after_client(Client& client, State state) {
  const auto now = Clock::now();
  if (client.is_over || (client.is_idle && state == State::draining)) {
    if (client.is_idle) resume(client);
  } else if (options_.slow_client == SlowClient::disconnect && log_.has_lost(client.cursor)) {
    cut_off(client, "it reads too slowly");
  } else if (!client.is_idle) {
    if (now - client.last > options_.write_timeout) {
      cut_off(client, "it has taken nothing for " + detail::format_duration(options_.write_timeout));
    }
  } else if (log_.has_more(client.cursor)) {
    resume(client);
  } else if (now - client.last >= options_.keep_alive) {
    static const Text kComment = std::make_shared<const std::string>(":\n\n");
    client.text = kComment;
    client.given = 0;
    resume(client);
  }
}

void EndpointServer::resume(Client& client) {
  client.is_idle = false;
  client.last = Clock::now();
  MHD_resume_connection(client.connection);
}

void EndpointServer::cut_off(Client& client, const std::string& why) {
  ++disconnected_;
  hook_(LogLevel::info, "http endpoint", "client " + client.peer->address + " is disconnected: " + why);
  client.is_over = true;
  log_.give_up(client.cursor);
  ::shutdown(client.peer->fd, SHUT_RDWR);
  if (client.is_idle) resume(client);
}

void EndpointServer::look_after_peers() {
  const auto now = Clock::now();
  for (Peer& peer : peers_) {
    if (!peer.is_client && now - peer.since > options_.request_timeout) ::shutdown(peer.fd, SHUT_RDWR);
  }
}

void EndpointServer::close_all() {
  for (Client& client : clients_) {
    client.is_over = true;
    if (client.is_idle) resume(client);
  }
  MHD_run(daemon_.get());  // ends the answers properly where the socket has room
  daemon_.reset();
}

MHD_Result EndpointServer::on_request(void* self, MHD_Connection* connection, const char* url,
                                      const char* method, const char*, const char*, std::size_t*, void**) {
  try {
    // Answered as soon as its head is there; then a body is never read.
    const Head head = read_head(connection, url, method);
    return static_cast<EndpointServer*>(self)->answer(connection, head.request, head.bytes);
  } catch (const std::exception&) {
    return MHD_NO;  // no memory: the connection is closed
  }
}

MHD_Result EndpointServer::answer(MHD_Connection* connection, const Request& request,
                                  std::size_t header_bytes) {
  if (header_bytes > kMaxHeaderBytes) return refuse(connection, 431, "the request's head is too large");
  const Verdict verdict = judge(request, options_, token_);
  if (verdict.status != 200) return refuse(connection, verdict.status, verdict.sentence);
  return verdict.resource == Resource::page ? send_page(connection)
                                            : send_events(connection, request, verdict);
}

MHD_Result EndpointServer::refuse(MHD_Connection* connection, unsigned status, const std::string& sentence) {
  ++refused_;
  const Response response = text_response(sentence + "\n", "text/plain; charset=utf-8");
  if (!response) return MHD_NO;
  add_common_headers(response.get());
  if (status == 401) MHD_add_response_header(response.get(), "WWW-Authenticate", "Bearer");
  if (status == 405) MHD_add_response_header(response.get(), "Allow", "GET, HEAD");
  if (status == 503) MHD_add_response_header(response.get(), "Retry-After", "5");
  return MHD_queue_response(connection, status, response.get());
}

MHD_Result EndpointServer::send_page(MHD_Connection* connection) {
  const Response response = text_response(options_.page, "text/html; charset=utf-8");
  if (!response) return MHD_NO;
  add_common_headers(response.get());
  MHD_add_response_header(response.get(), "Content-Security-Policy", kContentPolicy);
  MHD_add_response_header(response.get(), "Cross-Origin-Resource-Policy", "same-origin");
  return MHD_queue_response(connection, 200, response.get());
}

MHD_Result EndpointServer::send_events(MHD_Connection* connection, const Request& request,
                                       const Verdict& verdict) {
  Peer& peer = *static_cast<Peer*>(
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context);
  if (state_ != State::serving) return refuse(connection, 503, "the program is ending");
  const bool is_head = request.method == "HEAD";
  if (!is_head && is_full(peer)) return refuse(connection, 503, "there are too many clients");
  Response response;
  if (is_head) {
    response = text_response("", "text/event-stream");
  } else {
    Client& client =
        clients_.emplace_back(Client{this, &peer, connection, {}, {}, 0, false, false, Clock::now(), {}});
    client.self = std::prev(clients_.end());
    client_count_ = clients_.size();
    response.reset(
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kPieceBytes, &on_read, &client, &on_end));
    if (!response) {
      on_end(&client);
      return MHD_NO;
    }
    peer.is_client = true;
    ++accepted_;
    const auto retry = std::chrono::ceil<std::chrono::milliseconds>(options_.retry);
    std::string hello = "retry: " + std::to_string(retry.count()) + "\n\n";
    if (log_.begin(request.last_event_id, client.cursor, hello)) ++resumed_;
    client.text = std::make_shared<const std::string>(std::move(hello));
    MHD_add_response_header(response.get(), "Content-Type", "text/event-stream");
  }
  add_common_headers(response.get());
  MHD_add_response_header(response.get(), "X-Accel-Buffering",
                          "no");  // nginx would collect what it passes on
  if (verdict.shared_with.empty()) {
    MHD_add_response_header(response.get(), "Cross-Origin-Resource-Policy", "same-origin");
  } else {
    MHD_add_response_header(response.get(), "Access-Control-Allow-Origin", verdict.shared_with.c_str());
    MHD_add_response_header(response.get(), "Vary", "Origin");
  }
  return MHD_queue_response(connection, 200, response.get());
}

bool EndpointServer::is_full(const Peer& peer) const {
  const auto same =
      static_cast<std::size_t>(std::count_if(clients_.begin(), clients_.end(), [&](const Client& client) {
        return client.peer->address == peer.address;
      }));
  return clients_.size() >= options_.max_clients || same >= options_.max_clients_per_address;
}

void EndpointServer::on_connection(void* self, MHD_Connection* connection, void** context,
                                   MHD_ConnectionNotificationCode code) {
  std::list<Peer>& peers = static_cast<EndpointServer*>(self)->peers_;
  if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
    if (*context != nullptr) peers.erase(static_cast<Peer*>(*context)->self);
    *context = nullptr;
    return;
  }
  const int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  const sockaddr* address =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
  ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBytes, sizeof kSocketBytes);
  Peer& peer = peers.emplace_back(Peer{fd, text_of(address), Clock::now(), false, {}});
  peer.self = std::prev(peers.end());
  *context = &peer;
}

ssize_t EndpointServer::on_read(void* client, std::uint64_t, char* out, std::size_t size) {
  Client& to = *static_cast<Client*>(client);
  return to.server->read(to, out, size);
}

ssize_t EndpointServer::read(Client& client, char* out, std::size_t size) {
  if (client.is_over) return MHD_CONTENT_READER_END_OF_STREAM;
  client.last = Clock::now();
  std::size_t n = 0;
  while (n < size && refill(client)) {
    const std::size_t part = std::min(size - n, client.text->size() - client.given);
    std::memcpy(out + n, client.text->data() + client.given, part);
    client.given += part;
    n += part;
  }
  if (n > 0) return static_cast<ssize_t>(n);
  if (state_ != State::serving) return MHD_CONTENT_READER_END_OF_STREAM;
  client.is_idle = true;
  MHD_suspend_connection(client.connection);
  return 0;
}

/// False: there is nothing for it now.
bool EndpointServer::refill(Client& client) {
  if (client.text != nullptr && client.given < client.text->size()) return true;
  client.given = 0;
  if (options_.slow_client == SlowClient::disconnect && log_.has_lost(client.cursor)) {
    client.text = nullptr;  // look_after_client() cuts it off
  } else {
    client.text = log_.next(client.cursor);
  }
  return client.text != nullptr;
}

void EndpointServer::on_end(void* client) {
  Client& ended = *static_cast<Client*>(client);
  EndpointServer& server = *ended.server;
  server.clients_.erase(ended.self);
  server.client_count_ = server.clients_.size();
}

void EndpointServer::on_log(void* self, const char* format, va_list arguments) {
  char text[512];
  std::vsnprintf(text, sizeof text, format, arguments);
  static_cast<EndpointServer*>(self)->hook_(LogLevel::debug, "http endpoint",
                                            detail::one_line(text, sizeof text));
}

}  // namespace slipstream::http::endpoint
