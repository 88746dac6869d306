#pragma once
#include <microhttpd.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "connectors/http_endpoint/event_log.h"
#include "connectors/http_endpoint/listener.h"
#include "connectors/http_endpoint/request.h"

namespace slipstream::http::endpoint {

/// Answers requests and hands the log's events to clients, in one thread of its own. The thread alone touches
/// libmicrohttpd, which waits for nothing.
class EndpointServer {
 public:
  /// The log is borrowed.
  static absl::StatusOr<std::unique_ptr<EndpointServer>> start(const EndpointOptions& options,
                                                               std::string token, Listener listener,
                                                               EventLog& log, LogHook hook);
  /// Closes all connections.
  ~EndpointServer();
  EndpointServer(const EndpointServer&) = delete;

  const std::string& authority() const { return authority_; }
  const std::string& token() const { return token_; }

  /// There are new events. Cheap; from any thread.
  void wake();
  /// Nothing new will come: waits until the clients have taken what is there, at most `linger`.
  void drain(Duration linger);
  void add_stats(EndpointStats& stats) const;

 private:
  using Clock = std::chrono::steady_clock;

  /// A connection.
  struct Peer {
    int fd;
    std::string address;
    Clock::time_point since;
    bool is_client = false;
    std::list<Peer>::iterator self;
  };
  /// A connection that gets events.
  struct Client {
    EndpointServer* server;
    Peer* peer;
    MHD_Connection* connection;
    Cursor cursor;
    Text text;               ///< what it is given now
    std::size_t given = 0;   ///< of text
    bool is_idle = false;    ///< suspended: there is nothing for it
    bool is_over = false;    ///< it gets no more
    Clock::time_point last;  ///< when it took something, or there was nothing to take
    std::list<Client>::iterator self;
  };
  enum class State { serving, draining, closing };

  EndpointServer(const EndpointOptions& options, std::string token, std::string authority, EventLog& log,
                 LogHook hook);
  absl::Status start(Listener listener);

  // Of the thread.
  void run();
  void wait();
  void work();
  void look_after_clients();
  void look_after_client(Client& client, State state);
  void look_after_peers();
  void resume(Client& client);
  void cut_off(Client& client, const std::string& why);
  void close_all();
  Clock::duration tick() const;

  MHD_Result answer(MHD_Connection* connection, const Request& request, std::size_t header_bytes);
  MHD_Result refuse(MHD_Connection* connection, unsigned status, const std::string& sentence);
  MHD_Result send_page(MHD_Connection* connection);
  MHD_Result send_events(MHD_Connection* connection, const Request& request, const Verdict& verdict);
  bool is_full(const Peer& peer) const;
  ssize_t read(Client& client, char* out, std::size_t size);
  bool refill(Client& client);

  static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url, const char* method,
                               const char* version, const char* upload, std::size_t* upload_size,
                               void** request);
  static void on_connection(void* self, MHD_Connection* connection, void** context,
                            MHD_ConnectionNotificationCode code);
  static ssize_t on_read(void* client, std::uint64_t position, char* out, std::size_t size);
  static void on_end(void* client);
  [[gnu::format(printf, 2, 0)]] static void on_log(void* self, const char* format, va_list arguments);

  struct DaemonDeleter {
    void operator()(MHD_Daemon* daemon) const { MHD_stop_daemon(daemon); }
  };
  struct Fd {
    int fd = -1;
    ~Fd();
  };

  const EndpointOptions options_;
  const std::string token_;
  const std::string authority_;
  EventLog& log_;
  const LogHook hook_;
  Fd events_;  // an eventfd that ends the thread's wait

  // Of the thread.
  std::list<Peer> peers_;
  std::list<Client> clients_;
  std::unique_ptr<MHD_Daemon, DaemonDeleter> daemon_;  // made before the thread starts

  std::atomic<bool> is_woken_{false};
  std::atomic<std::size_t> client_count_{0};
  std::atomic<std::uint64_t> accepted_{0};
  std::atomic<std::uint64_t> resumed_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> disconnected_{0};

  std::atomic<State> state_{State::serving};
  detail::Mutex mutex_;
  std::condition_variable drained_;
  bool is_drained_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace slipstream::http::endpoint
