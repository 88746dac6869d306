#include <fcntl.h>
#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <future>

#include "conformance/source_conformance.h"
#include "http/server.h"
#include "slipstream/http.h"
#include "slipstream/json.h"
#include "slipstream/slipstream.h"

namespace slipstream::http {
namespace {

using conformance::Collector;
using conformance::SourceHost;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr ReadLimits kAll{1000, 1 << 20};

/// Answers each request with the next text and closes; the last one again and again.
Server::Script answers(std::vector<std::string> texts) {
  return [texts](std::size_t number, Peer& peer) { peer.send(texts[std::min(number, texts.size() - 1)]); };
}
std::string answer(int status, const std::string& head = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\n" + head + "Content-Length: 0\r\n\r\n";
}
std::string stream(const std::string& events) { return std::string(kStream) + events; }

/// Reads the source until it has finished or failed.
struct Read {
  std::vector<std::string> values;
  absl::Status status;
};
Read read_all(const std::string& url, EventOptions options) {
  SourceHost host;
  const auto source = raw_events(url, std::move(options));
  if (absl::Status s = source->open(host.env()); !s.ok()) return {{}, s};
  Collector out;
  Read read;
  read.status = conformance::drain(*source, host, 0, kAll, out);
  for (const auto& record : out.records) read.values.push_back(record.value.value_or("-"));
  EXPECT_EQ(source->close(), absl::OkStatus());
  return read;
}
EventOptions quick() { return {.retry = 0ms, .max_retry = 20ms}; }

TEST(HttpEvents, KeepTheSourceContract) {
  const Server server(
      answers({stream("data: one\n\ndata: two\n\ndata\n\nid: 4\ndata: three\ndata: lines\n\n")}));
  conformance::check_source({.make = [&] { return raw_events(server.url(), {.reconnect = false}); },
                             .expected = {{{.value = "one", .offset = 0},
                                           {.value = "two", .offset = 1},
                                           {.value = "", .offset = 2},
                                           {.value = "three\nlines", .offset = 3}}}});
}

TEST(HttpEvents, AskForAStreamWithTheProgramsHeaders) {
  const Server server(answers({answer(204)}));
  const std::string url = "http://ann:secret@" + server.address() + "/a/b?c=d";
  ASSERT_EQ(read_all(url, {.headers = {{"X-Key", "k"}, {"X-Empty", ""}}, .last_event_id = "17"}).status,
            absl::OkStatus());
  const std::string request = server.requests().at(0);
  EXPECT_THAT(request, ::testing::StartsWith("GET /a/b?c=d HTTP/1.1\r\n"));
  for (const char* line :
       {"\r\nAccept: text/event-stream\r\n", "\r\nCache-Control: no-store\r\n", "\r\nX-Key: k\r\n",
        "\r\nX-Empty:\r\n", "\r\nLast-Event-ID: 17\r\n", "\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\n"}) {
    EXPECT_THAT(request, HasSubstr(line));
  }
}

TEST(HttpEvents, GoOnBehindTheLastEventWhenTheServerEndsTheAnswer) {
  const Server server(answers({stream("id: 1\ndata: a\n\nid: 2\ndata: b\n\nid: 3\ndata: incomplete\n"),
                               stream("data: c\n\n"), stream("id\ndata: d\n\n"), answer(204)}));
  const Read read = read_all(server.url(), quick());
  EXPECT_EQ(read.status, absl::OkStatus());
  EXPECT_THAT(read.values, ElementsAre("a", "b", "c", "d"));
  const auto requests = server.requests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_THAT(requests[0], Not(HasSubstr("Last-Event-ID")));
  EXPECT_THAT(requests[1], HasSubstr("\r\nLast-Event-ID: 2\r\n"));
  EXPECT_THAT(requests[2], HasSubstr("\r\nLast-Event-ID: 2\r\n"));
  EXPECT_THAT(requests[3], Not(HasSubstr("Last-Event-ID"))) << "the server took the id back";
}

TEST(HttpEvents, ConnectAgainAfterABrokenConnectionAndAfterErrorsThatMayPass) {
  const Server server([](std::size_t number, Peer& peer) {
    const std::vector<std::string> texts = {
        answer(503),
        stream("data: a\n\n"),
        answer(408),
        answer(429),
        answer(500),
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100\r\n\r\ndata: b\n\n",
        "",
        answer(204)};
    peer.send(texts[number]);
    if (number == 1) peer.reset();
  });
  const Read read = read_all(server.url(), quick());
  EXPECT_EQ(read.status, absl::OkStatus());
  EXPECT_THAT(read.values.back(), "b");  // the reset may have overtaken "a"
  EXPECT_EQ(server.requests().size(), 8u);
}

TEST(HttpEvents, EndAtOnceWithAnswersThatTryingAgainWouldNotChange) {
  struct {
    std::string text;
    absl::StatusCode code;
    std::string message;
  } const cases[] = {
      {answer(400), absl::StatusCode::kFailedPrecondition,
       "the server answers 400, which no further attempt would change"},
      {answer(401), absl::StatusCode::kPermissionDenied,
       "the server answers 401; check the credentials in the option 'headers' or the URL"},
      {answer(403), absl::StatusCode::kPermissionDenied,
       "the server answers 403; check the credentials in the option 'headers' or the URL"},
      {answer(404), absl::StatusCode::kNotFound, "the server answers 404; is the address right?"},
      {answer(200, "Content-Type: text/html\r\n"), absl::StatusCode::kFailedPrecondition,
       "the server answers 200 with 'text/html', not text/event-stream; is the address right?"},
      {answer(200), absl::StatusCode::kFailedPrecondition,
       "the server answers 200 with '', not text/event-stream; is the address right?"},
      {answer(301, "Location: https://u:p@example.org/other?token=t\r\n"),
       absl::StatusCode::kFailedPrecondition,
       "the server answers 301: it has moved to https://example.org/other?…; write that address"},
      {answer(307, "Location: /other?token=t\r\n"), absl::StatusCode::kFailedPrecondition,
       "the server answers 307: it has moved to /other; write that address"},
  };
  for (const auto& c : cases) {
    const Server server(answers({c.text}));
    const Read read = read_all(server.url(), quick());
    EXPECT_EQ(read.status, absl::Status(c.code, "http events " + server.url() + ": " + c.message));
    EXPECT_EQ(server.requests().size(), 1u);
  }
}

TEST(HttpEvents, TakeTheContentTypeInAnyCaseAndWithParameters) {
  const Server server(
      answers({"HTTP/1.1 200 OK\r\ncontent-type: Text/Event-Stream ; charset=utf-8\r\n\r\ndata: a\n\n"}));
  EXPECT_THAT(read_all(server.url(), {.reconnect = false}).values, ElementsAre("a"));
}

TEST(HttpEvents, GiveUpWithUrlAndCauseWhenNobodyAnswers) {
  const Port port;
  EventOptions options = quick();
  options.start_timeout = 30ms;
  const absl::Status status =
      read_all("http://ann:secret@" + port.address() + "/x?token=secret", options).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              ::testing::StartsWith("http events http://" + port.address() + "/x?…" +
                                    ": no stream of events for 30ms: Failed to connect to 127.0.0.1 port "));
  EXPECT_THAT(std::string(status.message()),
              ::testing::EndsWith("; is the server running, and is the address right?"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secret")));
}

TEST(HttpEvents, GiveUpAfterAnOutageOfARunningServer) {
  const Server server(answers({stream("data: a\n\n"), answer(503)}));
  EventOptions options = quick();
  options.outage_timeout = 50ms;
  options.start_timeout = 1h;
  const Read read = read_all(server.url(), options);
  EXPECT_EQ(read.status,
            absl::UnavailableError("http events " + server.url() +
                                   ": no stream of events for 50ms: the server answers 503; is the server "
                                   "running, and is the address right?"));
  EXPECT_THAT(read.values, ElementsAre("a"));
  EXPECT_GE(server.requests().size(), 3u) << "it was tried again";
}

TEST(HttpEvents, GiveUpOnAnAttemptThatGetsNoAnswer) {
  const Server server([](std::size_t number, Peer& peer) {
    number == 0 ? peer.wait_until_closed() : (void)peer.send(answer(204));
  });
  EventOptions options = quick();
  options.response_timeout = 30ms;
  EXPECT_EQ(read_all(server.url(), options).status, absl::OkStatus());
  EXPECT_GE(server.requests().size(), 2u);
}

TEST(HttpEvents, GiveUpOnAConnectionOnWhichNothingComes) {
  const Server server([](std::size_t number, Peer& peer) {
    if (number > 0) return (void)peer.send(answer(204));
    peer.send(stream("data: a\n\n"));
    peer.wait_until_closed();
  });
  EventOptions options = quick();
  options.idle_timeout = 30ms;
  EXPECT_THAT(read_all(server.url(), options).values, ElementsAre("a"));
}

TEST(HttpEvents, WithoutReconnectALostConnectionIsAnError) {
  const Server server(answers(
      {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 100\r\n\r\ndata: a\n\n"}));
  const Read read = read_all(server.url(), {.reconnect = false});
  EXPECT_EQ(read.status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(read.status.message()),
              ::testing::StartsWith("http events " + server.url() + ": the connection is lost: "));
  EXPECT_THAT(read.values, ElementsAre("a"));
}

TEST(HttpEvents, EndWithAnEventThatIsTooLong) {
  const Server server(answers({stream("data: a\n\ndata: 0123456789\n\n")}));
  EventOptions options = quick();
  options.max_event_bytes = 10;
  const Read read = read_all(server.url(), options);
  EXPECT_EQ(read.status,
            absl::ResourceExhaustedError("http events " + server.url() +
                                         ": a line is longer than 10B; if such events are right, raise "
                                         "max_event_bytes"));
  EXPECT_THAT(read.values, ElementsAre("a"));
}

TEST(HttpEvents, AreCaughtUpWhileTheServerIsQuiet) {
  std::promise<void> more;
  const Server server([&](std::size_t, Peer& peer) {
    peer.send(stream("data: a\n\ndata: half of"));
    more.get_future().wait();
    peer.send(" b\n\n");
    peer.wait_until_closed();
  });
  SourceHost host;
  const auto source = raw_events(server.url());
  ASSERT_EQ(source->open(host.env()), absl::OkStatus());
  Collector out;
  ASSERT_EQ(conformance::detail::catch_up(*source, host, out), absl::OkStatus());
  while (out.records.empty()) {
    const std::uint64_t seen = host.wakes();
    ASSERT_EQ(conformance::detail::catch_up(*source, host, out), absl::OkStatus());
    if (out.records.empty()) {
      ASSERT_TRUE(host.wait_for_wake(seen));
    }
  }
  const std::uint64_t seen = host.wakes();
  more.set_value();
  ASSERT_TRUE(host.wait_for_wake(seen));
  while (out.records.size() < 2)
    ASSERT_EQ(conformance::detail::catch_up(*source, host, out), absl::OkStatus());
  EXPECT_THAT(conformance::detail::values_of(out), ElementsAre("a", "half of b"));
}

TEST(HttpEvents, ReadNothingFromTheServerWhileNobodyReadsThem) {
  // Far more than the source's buffer and those of the sockets; sent as fast as it is taken.
  constexpr int kEvents = 2000;
  const std::string event = "data: " + std::string(20'000, 'x') + "\n\n";
  std::atomic<int> sent{0};
  const Server server([&](std::size_t, Peer& peer) {
    peer.send(kStream);
    for (int i = 0; i < kEvents && peer.send(event); ++i) ++sent;
  });
  SourceHost host;
  SourceEnv env = host.env();
  env.memory_budget = 64 << 10;
  const auto source = raw_events(server.url(), {.reconnect = false});
  ASSERT_EQ(source->open(env), absl::OkStatus());
  Collector out;
  ASSERT_EQ(conformance::drain(*source, host, 0, {1, 1}, out, [&] { return !out.records.empty(); }),
            absl::OkStatus());
  // What is under way now goes on until everything between is full. That can't be waited for, but never more
  // than the sockets' buffers hold is ahead of what was read, and that is far less than everything.
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(conformance::drain(*source, host, 0, {1, 1}, out, [] { return true; }), absl::OkStatus());
    EXPECT_LT(sent, kEvents);
  }
  ASSERT_EQ(conformance::drain(*source, host, 0, kAll, out), absl::OkStatus());
  EXPECT_EQ(out.records.size(), static_cast<std::size_t>(kEvents));
  EXPECT_EQ(source->close(), absl::OkStatus());
}

/// Closes in another thread, for a close that hangs must not hang the tests.
void expect_closes(const std::shared_ptr<RawSource>& source) {
  auto closed = std::async(std::launch::async, [source] { return source->close(); });
  if (closed.wait_for(20s) != std::future_status::ready) std::abort();
  EXPECT_EQ(closed.get(), absl::OkStatus());
}

TEST(HttpEvents, CloseWhileAnAnswerIsAwaited) {
  const Server server([](std::size_t, Peer& peer) { peer.wait_until_closed(); });
  SourceHost host;
  const auto source = raw_events(server.url(), {.response_timeout = 1h});
  ASSERT_EQ(source->open(host.env()), absl::OkStatus());
  ASSERT_TRUE(server.wait_for_requests(1));
  expect_closes(source);
}

TEST(HttpEvents, CloseWhileConnecting) {
  // Nobody accepts here, so that a connection beyond the queue isn't made.
  const Port port;
  ASSERT_EQ(::listen(port.fd(), 0), 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ASSERT_EQ(::getsockname(port.fd(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::vector<int> queue;
  for (int i = 0; i < 4; ++i) {
    queue.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    (void)::connect(queue.back(), reinterpret_cast<sockaddr*>(&address), size);
  }
  SourceHost host;
  const auto source = raw_events("http://" + port.address(), {.response_timeout = 1h});
  ASSERT_EQ(source->open(host.env()), absl::OkStatus());
  Collector out;
  EXPECT_EQ(*source->read(0, kAll, out), ReadState::waiting);
  expect_closes(source);
  for (const int waiting : queue) ::close(waiting);
}

TEST(HttpEvents, CloseWhileWaitingToConnectAgain) {
  const Server server(answers({stream("retry: 3600000\ndata: a\n\n")}));
  SourceHost host;
  const auto source = raw_events(server.url());
  ASSERT_EQ(source->open(host.env()), absl::OkStatus());
  Collector out;
  ASSERT_EQ(conformance::drain(*source, host, 0, kAll, out, [&] { return !out.records.empty(); }),
            absl::OkStatus());
  expect_closes(source);
}

TEST(HttpEvents, CloseWhileThereIsNoRoom) {
  const std::string event = "data: " + std::string(20'000, 'x') + "\n\n";
  const Server server([&](std::size_t, Peer& peer) {
    peer.send(kStream);
    while (peer.send(event)) {
    }
  });
  SourceHost host;
  const auto source = raw_events(server.url());
  ASSERT_EQ(source->open(host.env()), absl::OkStatus());
  Collector out;
  ASSERT_EQ(conformance::drain(*source, host, 0, {1, 1}, out, [&] { return !out.records.empty(); }),
            absl::OkStatus());
  expect_closes(source);
}

TEST(HttpEvents, RefuseWhatMakesNoSense) {
  const auto open = [](const std::string& url, EventOptions options = {}) {
    SourceHost host;
    return std::string(raw_events(url, std::move(options))->open(host.env()).message());
  };
  const std::string url = "http://127.0.0.1/";
  EXPECT_THAT(open("ftp://ann:secret@127.0.0.1/"),
              "http events: the URL begins with ftp://; write http:// or https://");
  EXPECT_THAT(open("http://ann:secret@"), ::testing::StartsWith("http events: the URL can't be read: "));
  EXPECT_THAT(open(url, {.headers = {{"a b", "c"}}}), "http events: 'a b' is no header's name");
  EXPECT_THAT(open(url, {.headers = {{"Token", "secret\r\nX: y"}}}),
              "http events: the value of header 'Token' has a line break or a NUL in it");
  EXPECT_THAT(open(url, {.headers = {{"Last-Event-Id", "1"}}}),
              "http events: write the header Last-Event-ID into the option 'last_event_id'");
  EXPECT_THAT(open(url, {.last_event_id = "a\nb"}),
              "http events: the option 'last_event_id' has a line break or a NUL in it");
  EXPECT_THAT(open(url, {.retry = -1us}), "http events: the option 'retry' can't be negative, got -1 us");
  EXPECT_THAT(open(url, {.response_timeout = 0us}),
              "http events: the option 'response_timeout' must be positive, got 0 us");
  EXPECT_THAT(open(url, {.max_event_bytes = 0}),
              "http events: the option 'max_event_bytes' must be positive");
}

TEST(HttpEvents, SayWhenTheFileOfAuthoritiesIsNone) {
  const Server server(answers({""}));
  EventOptions options = quick();
  options.ca_file = "no such file";
  const absl::Status status = read_all("https://" + server.address(), options).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr(": the option 'ca_file' names no file of certificates in PEM: "));
}

TEST(HttpEvents, ComeWithIdTypeAndRetry) {
  const Server server(answers({stream("id: 1\nevent: add\nretry: 70\ndata: a\n\ndata: b\n\n")}));
  App app;
  std::vector<std::string> seen;
  app.source(events(server.url(), {.reconnect = false})).sink([&](const Event& e, const RecordInfo& info) {
    seen.push_back(e.id + " " + e.event + " " + e.data + " " +
                   (e.retry ? std::to_string(e.retry->count()) : "-") + " " + std::to_string(info.id.offset) +
                   " " + info.headers->at(0).value);
  });
  ASSERT_EQ(app.run(), absl::OkStatus());
  EXPECT_THAT(seen, ElementsAre("1 add a 70 0 1", "1 message b - 1 1"));
}

struct Change {
  std::string title;
};
SLIPSTREAM_FIELDS(Change, title)

TEST(HttpEvents, AreDecodedByACodec) {
  const Server server(
      answers({stream("data: {\"title\":\"a\"}\n\ndata: {}\n\ndata: {\"title\":\ndata: \"b\"}\n\n")}));
  App app;
  std::vector<std::string> seen;
  app.source(events(server.url(), json<Change>(), {.reconnect = false}))
      .on_error(ErrorPolicy::skip())
      .sink([&](const Change& c) { seen.push_back(c.title); });
  ASSERT_EQ(app.run(), absl::OkStatus());
  EXPECT_THAT(seen, ElementsAre("a", "b"));
}

}  // namespace
}  // namespace slipstream::http
