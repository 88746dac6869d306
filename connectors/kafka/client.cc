#include "connectors/kafka/client.h"

#include <algorithm>
#include <future>

#include "connectors/kafka/errors.h"

namespace slipstream::kafka {
namespace {

constexpr Milliseconds kSayWithin{1500};
constexpr Milliseconds kPing{500};
constexpr Milliseconds kPingEvery{1000};
constexpr Milliseconds kPollFor{1000};
constexpr Milliseconds kDestroyWithin{10'000};
/// Without a broker it hangs more often than not, and nothing is lost by it.
constexpr Milliseconds kDestroyCutOffWithin{2'000};

Milliseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<Milliseconds>(Clock::now() - start);
}

LogLevel level_of(int syslog) {
  if (syslog <= 2) return LogLevel::error;
  if (syslog <= 4) return LogLevel::warning;
  return syslog <= 6 ? LogLevel::info : LogLevel::debug;
}

/// "… failed: Connection refused (after 0ms in state CONNECT, 3 identical error(s) suppressed)" without the
/// end.
std::string without_history(std::string reason) {
  const auto history = reason.rfind(" (after ");
  if (history != reason.npos) reason.resize(history);
  return reason;
}

bool says_certificate(const std::string& reason) {
  return reason.find("certificate verify failed") != reason.npos;
}

}  // namespace

std::string seconds(Milliseconds time) {
  const auto tenths = time.count() / 100;
  const std::string whole = std::to_string(tenths / 10);
  return (tenths % 10 == 0 ? whole : whole + "." + std::to_string(tenths % 10)) + " s";
}

Client::Client(Role role, Secrets secrets, Access access, Options options)
    : role_(role), secrets_(std::move(secrets)), access_(std::move(access)), options_(std::move(options)) {}

absl::StatusOr<std::unique_ptr<Client>> Client::start(Role role, ClientConf conf, Options options) {
  std::unique_ptr<Client> client(
      new Client(role, conf.secrets, access_of(conf.conf.get()), std::move(options)));
  for (const std::string& warning : conf.warnings) client->log(LogLevel::warning, warning);
  if (absl::Status status = client->create(std::move(conf)); !status.ok()) return status;
  return client;
}

absl::Status Client::create(ClientConf conf) {
  rd_kafka_conf_set_opaque(conf.conf.get(), link_.get());
  rd_kafka_conf_set_error_cb(conf.conf.get(), &Client::on_error);
  rd_kafka_conf_set_log_cb(conf.conf.get(), &Client::on_log);
  if (access_.checks_broker) rd_kafka_conf_set_ssl_cert_verify_cb(conf.conf.get(), &Client::on_certificate);
  if (role_ == Role::producer) rd_kafka_conf_set_dr_msg_cb(conf.conf.get(), &Client::on_delivery);
  if (options_.on_rebalance) rd_kafka_conf_set_rebalance_cb(conf.conf.get(), &Client::on_rebalance);
  if (options_.on_commit) rd_kafka_conf_set_offset_commit_cb(conf.conf.get(), &Client::on_commit);
  char why[512] = {};
  rk_ = rd_kafka_new(role_ == Role::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER, conf.conf.get(), why,
                     sizeof why);
  if (rk_ == nullptr) return cannot_start(secrets_.redacted(why));
  conf.conf.release();  // NOLINT: the client owns it now
  main_queue_.reset(rd_kafka_queue_get_main(rk_));
  thread_ = std::thread([this] { poll_loop(); });
  return absl::OkStatus();
}

/// "ssl.ca.location failed: error:05880002:x509 certificate routines::system lib" doesn't say of which file.
absl::Status Client::cannot_start(const std::string& why) const {
  const bool about_ca = why.starts_with("ssl.ca.location ");
  return absl::InvalidArgumentError(options_.what + ": " +
                                    (about_ca ? "kafka setting 'ssl.ca.location': '" + access_.ca +
                                                    "' is no file with certificates in PEM: "
                                              : "") +
                                    why);
}

Client::~Client() { close(); }

void Client::stop_polling() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  wake();
  thread_.join();
}

void Client::close() {
  if (rk_ == nullptr) return;
  stop_polling();
  main_queue_.reset();
  // Known bugs of librdkafka 2.0.2 let this hang; then a leaked client is better than a process that can't
  // end.
  std::promise<void> done;
  std::future<void> destroyed = done.get_future();
  // Leaving a group without its broker has been seen to hang, and to crash (librdkafka #3740, #5347).
  const bool leaves = options_.on_rebalance && ping(kPing);
  const int flags = options_.on_rebalance && !leaves ? RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE : 0;
  std::thread destroyer([rk = rk_, link = link_, flags, done = std::move(done)]() mutable {
    rd_kafka_destroy_flags(rk, flags);
    done.set_value();
  });
  rk_ = nullptr;
  const bool cut_off = cut_off_ || (options_.on_rebalance && !leaves);
  const Milliseconds patience = cut_off ? kDestroyCutOffWithin : kDestroyWithin;
  if (destroyed.wait_for(patience) == std::future_status::ready) {
    destroyer.join();
    return;
  }
  log(cut_off ? LogLevel::debug : LogLevel::error, options_.what +
                                                       ": the client library did not stop within " +
                                                       seconds(patience) + " and is left behind");
  const detail::MutexLock lock(link_->mutex);
  link_->left_behind = true;
  destroyer.detach();
}

void Client::on_error(rd_kafka_t* rk, int code, const char* reason, void* link) {
  Client* client = static_cast<Link*>(link)->client;
  auto error = static_cast<rd_kafka_resp_err_t>(code);
  if (error != RD_KAFKA_RESP_ERR__FATAL) return client->note_error(error, reason);
  char why[512] = {};
  error = rd_kafka_fatal_error(rk, why, sizeof why);
  client->fail(absl::AbortedError(client->options_.what + ": the client can't go on: " + describe(error) +
                                  ": " + client->secrets_.redacted(why)));
}

/// Accepts what OpenSSL accepts, and nothing else: this is only to know what is wrong. From the broker's
/// thread.
int Client::on_certificate(rd_kafka_t*, const char* broker, std::int32_t, int* x509_error, int, const char*,
                           std::size_t, char*, std::size_t, void* opaque) {
  if (*x509_error == 0) return 1;
  auto* link = static_cast<Link*>(opaque);
  const detail::MutexLock lock(link->mutex);
  if (link->left_behind) return 0;
  link->client->note_trouble(certificate_trouble(broker, *x509_error, link->client->access_));
  return 0;
}

void Client::on_log(const rd_kafka_t* rk, int level, const char* facility, const char* message) {
  auto* link = static_cast<Link*>(rd_kafka_opaque(rk));
  const detail::MutexLock lock(link->mutex);
  if (link->left_behind) return;
  // Connection trouble also comes to on_error, which says it once and with its end.
  const std::string_view about(facility);
  const bool told_elsewhere = about == "FAIL" || about == "ERROR" || about == "SSLCERTVRFY";
  link->client->log(told_elsewhere ? LogLevel::debug : level_of(level),
                    link->client->options_.what + ": " + message);
}

void Client::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* link) {
  const auto& handler = static_cast<Link*>(link)->client->options_.on_delivery;
  if (handler) handler(*message);
}

void Client::on_rebalance(rd_kafka_t* rk, rd_kafka_resp_err_t event, rd_kafka_topic_partition_list_t* list,
                          void* opaque) {
  const bool assigned = event == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  // A member that is to have everything and reads nothing.
  const PartitionList nothing(rd_kafka_topic_partition_list_new(0));
  rd_kafka_assign(rk, assigned ? nothing.get() : nullptr);
  auto* link = static_cast<Link*>(opaque);
  const detail::MutexLock lock(link->mutex);
  if (!link->left_behind) link->client->options_.on_rebalance(assigned, *list);
}

void Client::on_commit(rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* list,
                       void* opaque) {
  auto* link = static_cast<Link*>(opaque);
  const detail::MutexLock lock(link->mutex);
  if (!link->left_behind) link->client->options_.on_commit(error, list);
}

void Client::note_error(rd_kafka_resp_err_t error, std::string reason) {
  reason = secrets_.redacted(without_history(std::move(reason)));
  if (!is_unreachable(error) && !is_authentication(error)) {
    return log(LogLevel::warning, options_.what + ": " + reason);
  }
  log(LogLevel::debug, options_.what + ": " + reason);
  // It says less than what took them down, and of certificates on_certificate() said more.
  const bool says_less =
      error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || (access_.checks_broker && says_certificate(reason));
  if (!says_less) note_trouble(trouble_of(error, reason, access_));
  suspected_ = true;
}

void Client::note_trouble(Trouble trouble) {
  const detail::MutexLock lock(mutex_);
  if (trouble.refused) refusal_ = trouble;
  cause_ = std::move(trouble);
}

void Client::log(LogLevel level, const std::string& message) const {
  if (options_.log) options_.log(level, "kafka", secrets_.redacted(message));
}

void Client::fail(absl::Status status) {
  if (!failed_.exchange(true) && options_.fail) options_.fail(std::move(status));
}

void Client::post(std::function<void()> task) {
  {
    const detail::MutexLock lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake();
}

void Client::check_soon() {
  check_soon_ = true;
  wake();
}

void Client::wake() { rd_kafka_queue_yield(main_queue_.get()); }

void Client::poll_loop() {
  next_check_ = Clock::now() + options_.first_check;
  while (!stopping_) {
    rd_kafka_poll(rk_, static_cast<int>((down_since_ || suspected_ ? kPing : kPollFor).count()));
    if (options_.after_poll) options_.after_poll();
    run_tasks();
    if (!connected_ || stopping_) continue;
    watch_connection();
    run_check();
  }
}

void Client::run_tasks() {
  std::vector<std::function<void()>> tasks;
  {
    const detail::MutexLock lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
}

void Client::run_check() {
  if (!options_.check || down_since_) return;
  const bool due = check_soon_.exchange(false) || Clock::now() >= next_check_;
  if (due) next_check_ = Clock::now() + options_.check();
}

void Client::watch_connection() {
  if (!suspected_.exchange(false) && !down_since_) return;
  if (Clock::now() < next_ping_) {
    suspected_ = true;
    return;
  }
  next_ping_ = Clock::now() + kPingEvery;
  if (ping(kPing)) {
    tell_refusal();
    if (!down_since_) return;
    log(LogLevel::info,
        options_.what + ": " + options_.brokers + " answers again after " + seconds(since(*down_since_)));
    down_since_.reset();
    cut_off_ = false;
    return;
  }
  const Trouble why = cause();
  if (!down_since_) {
    down_since_ = Clock::now();
    cut_off_ = true;
    log(LogLevel::warning, options_.what + ": lost " + options_.brokers + ": " + why.text + "; trying for " +
                               seconds(options_.outage_timeout) + (why.refused ? "; " + why.way_out : ""));
  }
  if (since(*down_since_) >= options_.outage_timeout) fail(unreachable(why, options_.outage_timeout));
}

/// Some broker answers, but perhaps another one is needed.
void Client::tell_refusal() {
  const auto why = refusal();
  if (!why || sentence(*why) == told_refusal_) return;
  told_refusal_ = sentence(*why);
  log(LogLevel::warning, options_.what + ": " + told_refusal_);
}

bool Client::ping(Milliseconds timeout) {
  const rd_kafka_metadata_t* answer = nullptr;
  const rd_kafka_resp_err_t error =
      rd_kafka_metadata(rk_, 0, nullptr, &answer, static_cast<int>(timeout.count()));
  const Metadata owner(answer);
  return error == RD_KAFKA_RESP_ERR_NO_ERROR;
}

Trouble Client::cause() const {
  const detail::MutexLock lock(mutex_);
  return cause_;
}

std::optional<Trouble> Client::refusal() const {
  const detail::MutexLock lock(mutex_);
  return refusal_;
}

absl::Status Client::unreachable(const Trouble& trouble, Milliseconds tried) const {
  if (trouble.refused) return absl::UnauthenticatedError(options_.what + ": " + sentence(trouble));
  return absl::UnavailableError(options_.what + ": no broker answers at " + options_.brokers + ": " +
                                trouble.text + "; gave up after " + seconds(tried) + "; " + trouble.way_out);
}

absl::Status Client::connect() {
  const Clock::time_point start = Clock::now();
  bool said = false;
  while (!ping(kPing)) {
    if (const auto why = refusal()) return unreachable(*why, since(start));
    const Trouble why = cause();
    if (since(start) >= options_.connect_timeout) return unreachable(why, options_.connect_timeout);
    if (said || (why.text == Trouble{}.text && since(start) < kSayWithin)) continue;
    said = true;
    log(LogLevel::warning, options_.what + ": no broker answers at " + options_.brokers + ": " + why.text +
                               "; trying for " + seconds(options_.connect_timeout) + "; " + why.way_out);
  }
  suspected_ = false;
  connected_ = true;
  return absl::OkStatus();
}

}  // namespace slipstream::kafka
