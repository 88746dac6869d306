#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "connectors/http/event_parser.h"
#include "connectors/http/transfer.h"
#include "connectors/http/url.h"
#include "slipstream/detail/arrivals.h"
#include "slipstream/detail/io_thread.h"
#include "slipstream/detail/units.h"

namespace slipstream::http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kMinRetry = std::chrono::milliseconds(10);

std::size_t size_of(const Event& event) {
  return sizeof(Event) + event.id.size() + event.event.size() + event.data.size();
}

/// A header that would end the line it stands on, or that belongs to the source.
absl::Status check_header(const Header& header) {
  constexpr std::string_view kToken =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (header.name.empty() || header.name.find_first_not_of(kToken) != header.name.npos) {
    return absl::InvalidArgumentError("http events: '" + detail::one_line(header.name) +
                                      "' is no header's name");
  }
  if (header.value.find_first_of(std::string_view("\r\n\0", 3)) != header.value.npos) {
    return absl::InvalidArgumentError("http events: the value of header '" + header.name +
                                      "' has a line break or a NUL in it");
  }
  std::string name = header.name;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (name == "last-event-id") {
    return absl::InvalidArgumentError(
        "http events: write the header Last-Event-ID into the option 'last_event_id'");
  }
  return absl::OkStatus();
}

absl::Status check_options(const EventOptions& options) {
  for (const Header& header : options.headers) {
    if (absl::Status s = check_header(header); !s.ok()) return s;
  }
  if (options.last_event_id.find_first_of(std::string_view("\r\n\0", 3)) != options.last_event_id.npos) {
    return absl::InvalidArgumentError(
        "http events: the option 'last_event_id' has a line break or a NUL in it");
  }
  const std::pair<const char*, Duration> positive[] = {
      {"max_retry", options.max_retry},
      {"response_timeout", options.response_timeout},
      {"start_timeout", options.start_timeout},
      {"outage_timeout", options.outage_timeout},
      {"idle_timeout", options.idle_timeout.value_or(Duration(1))}};
  for (const auto& [name, value] : positive) {
    if (value > Duration::zero()) continue;
    return absl::InvalidArgumentError(std::string("http events: the option '") + name +
                                      "' must be positive, got " + std::to_string(value.count()) + " us");
  }
  if (options.retry < Duration::zero()) {
    return absl::InvalidArgumentError("http events: the option 'retry' can't be negative, got " +
                                      std::to_string(options.retry.count()) + " us");
  }
  if (options.max_event_bytes > 0) return absl::OkStatus();
  return absl::InvalidArgumentError("http events: the option 'max_event_bytes' must be positive");
}

/// When no attempt shall be made any more; "never" for durations that reach beyond the clock.
Clock::time_point after(Clock::time_point begin, Duration wait) {
  constexpr Duration kYears = std::chrono::hours(24 * 365 * 100);
  return begin + std::min(wait, kYears);
}

/// How one request ended.
struct Outcome {
  enum class Kind {
    closed,   ///< the source closes
    ended,    ///< by the server, after some events or none
    lost,     ///< after the answer had begun
    failed,   ///< before
    stop,     ///< the server says that there is nothing more
    refused,  ///< trying again would not help
  };
  Kind kind;
  absl::Status status = absl::OkStatus();  ///< of refused
  std::string cause = {};                  ///< of lost and failed
};

/// One thread reads the server into a bounded buffer.
class EventSource final : public RawSource, Transfer::Receiver {
 public:
  EventSource(std::string url, EventOptions options)
      : url_(std::move(url)),
        options_(std::move(options)),
        shown_(shown_url("http events", url_)),
        name_(shown_.ok() ? "http events " + *shown_ : "http events"),
        parser_(options_.max_event_bytes, options_.last_event_id) {}
  ~EventSource() override { (void)close(); }

  std::string name() const override { return name_; }
  std::string position(int, std::int64_t offset) const override {
    return name_ + " event " + std::to_string(offset);
  }
  int partition_count() const override { return 1; }
  absl::Status open(const SourceEnv& env) override;
  absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, RawCollector& out) override;
  absl::Status close() override;

 private:
  using Arrivals = detail::Arrivals<Event>;
  using Input = Arrivals::Input;

  // Of the thread.
  void run();
  Outcome attempt();
  Outcome outcome_of(const Transfer::End& end, const Transfer& transfer) const;
  Outcome answer_outcome(const Transfer& transfer) const;
  std::optional<std::string> overdue(Clock::time_point begin) const;
  absl::Status refusal(absl::StatusCode code, const std::string& sentence) const;
  bool on_head(long status, std::string_view content_type) override;
  Take on_bytes(std::string_view bytes) override;
  bool wait(Clock::time_point until);
  void poll(Clock::time_point until);
  Duration next_wait();
  std::optional<absl::Status> after_outage(const Outcome& outcome);
  void log(LogLevel level, const std::string& text) const { env_.log(level, "http", name_ + ": " + text); }

  void hand_over(const std::vector<Event>& events, RawCollector& out);

  const std::string url_;
  const EventOptions options_;
  const absl::StatusOr<std::string> shown_;  // the URL, or what is wrong with it
  const std::string name_;
  SourceEnv env_;  // constant while open
  Multi multi_;    // constant while open; the thread's, but for its wake-up
  std::thread thread_;

  // Of the thread.
  EventParser parser_;
  bool is_streaming_ = false;  // the answer is a stream of events
  bool is_paused_ = false;     // until there is room
  bool has_arrived_ = false;   // something, in this step
  bool had_event_ = false;     // in this attempt
  long status_ = 0;
  std::string content_type_;
  absl::Status parse_error_;
  Clock::time_point last_arrival_;
  int fruitless_ = 0;  // attempts in a row without an event
  bool was_connected_ = false;
  std::optional<Clock::time_point> down_since_;

  Arrivals arrivals_;
  std::atomic<bool> stopping_{false};
  std::int64_t next_offset_ = 0;  // of the reading lane
};

absl::Status EventSource::open(const SourceEnv& env) {
  if (absl::Status s = check_options(options_); !s.ok()) return s;
  if (!shown_.ok()) return shown_.status();
  if (absl::Status s = start_curl(); !s.ok()) return s;
  env_ = env;
  multi_.reset(curl_multi_init());
  if (!multi_) return absl::ResourceExhaustedError(name_ + ": libcurl has no memory");
  stopping_ = false;
  arrivals_.open(env, [this] { curl_multi_wakeup(multi_.get()); });
  thread_ = detail::start_io_thread([this] { run(); });
  return absl::OkStatus();
}

absl::Status EventSource::close() {
  if (!thread_.joinable()) return absl::OkStatus();
  stopping_ = true;
  curl_multi_wakeup(multi_.get());
  thread_.join();
  multi_.reset();
  return absl::OkStatus();
}

// The thread: one request after the other.

void EventSource::run() {
  down_since_ = Clock::now();
  for (;;) {
    const Outcome outcome = attempt();
    switch (outcome.kind) {
      case Outcome::Kind::closed:
        return;
      case Outcome::Kind::stop:
        return arrivals_.end(absl::OkStatus());
      case Outcome::Kind::refused:
        return arrivals_.end(outcome.status);
      case Outcome::Kind::ended:
        if (!options_.reconnect) return arrivals_.end(absl::OkStatus());
        break;
      case Outcome::Kind::lost:
        if (!options_.reconnect)
          return arrivals_.end(absl::UnavailableError(name_ + ": the connection is lost: " + outcome.cause));
        log(LogLevel::warning, "the connection is lost: " + outcome.cause + "; connecting again");
        break;
      case Outcome::Kind::failed:
        if (const auto given_up = after_outage(outcome)) return arrivals_.end(*given_up);
        break;
    }
    arrivals_.set_input(Input::fetching);  // what comes meanwhile is unread
    Clock::time_point due = after(Clock::now(), next_wait());
    if (down_since_)
      due = std::min(due,
                     after(*down_since_, was_connected_ ? options_.outage_timeout : options_.start_timeout));
    if (!wait(due)) return;
  }
}

/// Not empty: it has lasted too long.
std::optional<absl::Status> EventSource::after_outage(const Outcome& outcome) {
  const Clock::time_point now = Clock::now();
  const bool is_first = !down_since_ || fruitless_ == 0;
  if (!down_since_) down_since_ = now;
  const Duration limit = was_connected_ ? options_.outage_timeout : options_.start_timeout;
  if (now >= after(*down_since_, limit)) {
    return absl::UnavailableError(name_ + ": no stream of events for " + detail::format_duration(limit) +
                                  ": " + outcome.cause +
                                  "; is the server running, and is the address right?");
  }
  if (is_first) log(LogLevel::warning, outcome.cause + "; trying again");
  return std::nullopt;
}

/// Doubles from attempt to attempt while no event comes; never less than the server asked for.
Duration EventSource::next_wait() {
  constexpr Duration kLongest = std::chrono::hours(24);
  fruitless_ = had_event_ ? 0 : fruitless_ + 1;
  const Duration asked = std::max(kMinRetry, parser_.retry() ? Duration(*parser_.retry()) : options_.retry);
  const Duration most = std::min(options_.max_retry, kLongest);
  Duration wait = asked;
  for (int i = 1; i < fruitless_ && wait < most; ++i) wait *= 2;
  return std::max(asked, std::min(wait, most));
}

Outcome EventSource::attempt() {
  is_streaming_ = is_paused_ = had_event_ = false;
  status_ = 0;
  parse_error_ = absl::OkStatus();
  parser_.restart();
  Transfer::Request request{url_, options_.headers, options_.ca_file, options_.response_timeout};
  request.headers.insert(request.headers.begin(),
                         {{"Accept", "text/event-stream"}, {"Cache-Control", "no-store"}});
  if (!parser_.last_event_id().empty()) request.headers.push_back({"Last-Event-ID", parser_.last_event_id()});
  Transfer transfer(multi_.get(), request, *this);
  const Clock::time_point begin = last_arrival_ = Clock::now();
  for (;;) {
    has_arrived_ = false;
    const auto over = transfer.step();
    if (stopping_) return {Outcome::Kind::closed};
    if (over) return outcome_of(*over, transfer);
    if (is_paused_ && arrivals_.has_room()) {
      is_paused_ = false;
      last_arrival_ = Clock::now();
      transfer.resume();
      has_arrived_ = true;
    }
    if (!has_arrived_ && is_streaming_ && !is_paused_) arrivals_.set_input(Input::quiet);
    if (auto cause = overdue(begin)) {
      return {is_streaming_ ? Outcome::Kind::lost : Outcome::Kind::failed, absl::OkStatus(), *cause};
    }
    if (has_arrived_) continue;
    const auto idle = options_.idle_timeout;
    if (!is_streaming_) {
      poll(after(begin, options_.response_timeout));
    } else {
      poll(idle && !is_paused_ ? after(last_arrival_, *idle) : Clock::time_point::max());
    }
  }
}

std::optional<std::string> EventSource::overdue(Clock::time_point begin) const {
  const Clock::time_point now = Clock::now();
  if (!is_streaming_) {
    if (now < after(begin, options_.response_timeout)) return std::nullopt;
    return "no answer within " + detail::format_duration(options_.response_timeout);
  }
  if (!options_.idle_timeout || is_paused_ || now < after(last_arrival_, *options_.idle_timeout))
    return std::nullopt;
  return "nothing came for " + detail::format_duration(*options_.idle_timeout);
}

Outcome EventSource::outcome_of(const Transfer::End& end, const Transfer& transfer) const {
  if (!parse_error_.ok()) {
    return {Outcome::Kind::refused, refusal(parse_error_.code(), std::string(parse_error_.message()))};
  }
  if (is_streaming_) {
    if (end.code == CURLE_OK) return {Outcome::Kind::ended};
    return {Outcome::Kind::lost, absl::OkStatus(), end.cause};
  }
  if (status_ != 0) return answer_outcome(transfer);
  if (end.code == CURLE_PEER_FAILED_VERIFICATION && !was_connected_) {
    return {Outcome::Kind::refused,
            refusal(absl::StatusCode::kUnauthenticated,
                    end.cause + "; the option 'ca_file' names authorities to trust, in PEM")};
  }
  if (end.code == CURLE_SSL_CACERT_BADFILE) {
    return {Outcome::Kind::refused,
            refusal(absl::StatusCode::kInvalidArgument,
                    "the option 'ca_file' names no file of certificates in PEM: " + end.cause)};
  }
  return {Outcome::Kind::failed, absl::OkStatus(), end.cause};
}

/// Of an answer that isn't a stream of events.
Outcome EventSource::answer_outcome(const Transfer& transfer) const {
  const std::string answer = "the server answers " + std::to_string(status_);
  if (status_ == 204) return {Outcome::Kind::stop};
  if (status_ == 408 || status_ == 429 || status_ >= 500)
    return {Outcome::Kind::failed, absl::OkStatus(), answer};
  const auto refused = [&](absl::StatusCode code, const std::string& what) {
    return Outcome{Outcome::Kind::refused, refusal(code, answer + what)};
  };
  if (status_ == 200) {
    return refused(
        absl::StatusCode::kFailedPrecondition,
        " with '" + detail::one_line(content_type_) + "', not text/event-stream; is the address right?");
  }
  if (status_ >= 300 && status_ < 400) {
    const std::string location = transfer.location();
    const auto shown = shown_url("http events", location);
    return refused(absl::StatusCode::kFailedPrecondition,
                   ": it has moved to " +
                       detail::one_line(shown.ok() ? *shown : location.substr(0, location.find('?')), 200) +
                       "; write that address");
  }
  if (status_ == 401 || status_ == 403) {
    return refused(absl::StatusCode::kPermissionDenied,
                   "; check the credentials in the option 'headers' or the URL");
  }
  if (status_ == 404 || status_ == 410)
    return refused(absl::StatusCode::kNotFound, "; is the address right?");
  return refused(absl::StatusCode::kFailedPrecondition, ", which no further attempt would change");
}

absl::Status EventSource::refusal(absl::StatusCode code, const std::string& sentence) const {
  return absl::Status(code, name_ + ": " + sentence);
}

bool EventSource::on_head(long status, std::string_view content_type) {
  status_ = status;
  content_type_ = content_type;
  std::string type(content_type.substr(0, content_type.find(';')));
  while (type.ends_with(' ')) type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  is_streaming_ = status == 200 && type == "text/event-stream";
  if (!is_streaming_) return false;
  if (was_connected_ && down_since_) log(LogLevel::info, "connected again");
  was_connected_ = true;
  down_since_.reset();
  last_arrival_ = Clock::now();
  return true;
}

Transfer::Receiver::Take EventSource::on_bytes(std::string_view bytes) {
  if (!is_streaming_) return Take::no_more;
  if (!arrivals_.has_room()) {
    is_paused_ = true;
    return Take::full;
  }
  has_arrived_ = true;
  last_arrival_ = Clock::now();
  std::vector<Event> arrived;
  parse_error_ = parser_.feed(bytes, [&](Event event) { arrived.push_back(std::move(event)); });
  had_event_ = had_event_ || !arrived.empty();
  for (Event& event : arrived) {
    const std::size_t size = size_of(event);
    arrivals_.add(std::move(event), size);
  }
  arrivals_.set_input(Input::fetching);
  return parse_error_.ok() ? Take::taken : Take::no_more;
}

bool EventSource::wait(Clock::time_point until) {
  while (!stopping_) {
    if (Clock::now() >= until) return true;
    poll(until);
  }
  return false;
}

/// Until something happens on the connection, the source is woken or the time has come.
void EventSource::poll(Clock::time_point until) {
  constexpr std::chrono::milliseconds kLongest = std::chrono::minutes(10);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(
      std::min<Clock::duration>(std::max(until, Clock::now()) - Clock::now(), kLongest));
  curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(left.count()), nullptr);
}

// The reading lane.

absl::StatusOr<ReadState> EventSource::read(int, const ReadLimits& limits, RawCollector& out) {
  return arrivals_.read(limits, [&](const std::vector<Event>& events) { hand_over(events, out); });
}

void EventSource::hand_over(const std::vector<Event>& events, RawCollector& out) {
  std::vector<RawRecord> records;
  records.reserve(events.size());
  for (const Event& event : events) {
    Headers headers{{"id", event.id}, {"event", event.event}};
    if (event.retry) headers.push_back({"retry", std::to_string(event.retry->count())});
    RawRecord& record = records.emplace_back();
    record.value = event.data;
    record.offset = next_offset_++;
    record.headers = std::make_shared<const Headers>(std::move(headers));
  }
  out.add(records);
}

/// Makes an event of a record again.
absl::Status decode_event(int, const RawRecord& record, Event& event) {
  const Headers& headers = *record.headers;
  event.id = headers[0].value;
  event.event = headers[1].value;
  event.data = *record.value;
  if (headers.size() > 2) event.retry = std::chrono::milliseconds(std::stoll(headers[2].value));
  return absl::OkStatus();
}

}  // namespace

std::shared_ptr<RawSource> raw_events(std::string url, EventOptions options) {
  return std::make_shared<EventSource>(std::move(url), std::move(options));
}

Source<Event> events(std::string url, EventOptions options) {
  using Decode = decltype(&decode_event);
  return Source<Event>(std::make_shared<detail::DecodedSource<Event, Decode>>(
      raw_events(std::move(url), std::move(options)), [] { return &decode_event; }));
}

}  // namespace slipstream::http
