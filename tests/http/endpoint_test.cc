#include <gmock/gmock.h>

#include <future>
#include <map>
#include <set>
#include <thread>

#include "conformance/sink_conformance.h"
#include "http/client.h"
#include "slipstream/http.h"
#include "slipstream/http_endpoint.h"
#include "slipstream/json.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"

namespace slipstream::http {
namespace {

using conformance::SinkHost;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

/// False: it wasn't so within 20 s.
bool become(const std::function<bool()>& so) {
  for (const auto end = std::chrono::steady_clock::now() + 20s; std::chrono::steady_clock::now() < end;) {
    if (so()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

/// An endpoint with one sink, written to by hand.
class Served {
 public:
  explicit Served(EndpointOptions options = {})
      : endpoint(std::move(options)), sink(endpoint.raw_events("n")) {
    EXPECT_EQ(sink->open(host.env()), absl::OkStatus());
  }
  ~Served() { EXPECT_EQ(sink->close(), absl::OkStatus()); }

  void write(std::optional<std::string_view> key, std::optional<std::string_view> value) {
    OutRecord record;
    record.key = key;
    record.value = value;
    EXPECT_EQ(*sink->write({&record, 1}), 1u) << "it is never full";
  }
  std::string events() const { return endpoint.url("/events"); }
  /// Until so many clients are connected.
  bool has_clients(std::size_t count) const {
    return become([&] { return endpoint.stats().clients == count; });
  }

  SinkHost host;
  Endpoint endpoint;
  const std::shared_ptr<RawSink> sink;
};

EndpointOptions without_snapshots() { return {.latest_bytes = 0}; }

int status_of(const std::string& url, const std::string& headers, const std::string& method = "GET") {
  Client client(url);
  client.ask(headers, method);
  return client.status();
}

/// A sink that is watched by a client from its opening on.
class WatchedSink final : public RawSink {
 public:
  explicit WatchedSink(std::vector<std::string>& seen)
      : endpoint_(EndpointOptions{.linger = 20s}), sink_(endpoint_.raw_events("n")), seen_(seen) {}
  ~WatchedSink() override { (void)close(); }
  std::string name() const override { return sink_->name(); }
  absl::Status open(const SinkEnv& env) override {
    seen_.clear();
    if (absl::Status s = sink_->open(env); !s.ok()) return s;
    client_ = std::make_unique<Client>(endpoint_.url("/events"));
    client_->ask();
    EXPECT_EQ(client_->status(), 200);
    EXPECT_EQ(client_->event()->event, "snapshot");
    reader_ = std::thread([this] {
      while (auto e = client_->event()) seen_.push_back(e->data);
    });
    return absl::OkStatus();
  }
  absl::StatusOr<std::size_t> write(std::span<const OutRecord> records) override {
    return sink_->write(records);
  }
  absl::StatusOr<std::uint64_t> delivered() override { return sink_->delivered(); }
  absl::Status finish() override { return sink_->finish(); }
  absl::Status close() override {
    const absl::Status status = sink_->close();
    if (reader_.joinable()) reader_.join();
    return status;
  }

 private:
  Endpoint endpoint_;
  std::shared_ptr<RawSink> sink_;
  std::vector<std::string>& seen_;
  std::unique_ptr<Client> client_;
  std::thread reader_;
};

TEST(HttpEndpoint, KeepsTheSinkContract) {
  std::vector<std::string> seen;
  conformance::check_sink(
      {.make = [&] { return std::make_shared<WatchedSink>(seen); }, .written = [&] { return seen; }});
}

TEST(HttpEndpoint, SendsEveryClientAllThatComes) {
  Served served(without_snapshots());
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<Client>(served.events()));
    clients.back()->ask();
    ASSERT_THAT(clients.back()->head(), StartsWith("HTTP/1.1 200 OK"));
  }
  std::vector<std::string> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back(std::to_string(i));
    served.write(std::nullopt, all.back());
  }
  for (const auto& client : clients) EXPECT_EQ(client->data_up_to("999"), all);
  EXPECT_EQ(clients[0]->parser().retry(), 2s);
  const EndpointStats stats = served.endpoint.stats();
  EXPECT_EQ(stats.clients, 5u);
  EXPECT_EQ(stats.accepted, 5u);
  EXPECT_EQ(stats.events, 1000u);
  EXPECT_EQ(stats.sent, 5000u);
  EXPECT_EQ(stats.skipped, 0u);
}

struct Count {
  std::string key;
  int n = 0;
};
SLIPSTREAM_FIELDS(Count, key, n)

TEST(HttpEndpoint, IsASinkOfProgramsAndASourceOfOthers) {
  const Endpoint endpoint({.linger = 20s});
  App app;
  const auto numbers = app.proxy<Count>("numbers");
  const auto key = [](const Count& c, std::string& out) { out = c.key; };
  app.on(numbers)
      .handle([](const Count& c) { return c; })
      .to(endpoint.events<Count>("counts", json<Count>(), key));
  app.on(numbers).handle([](const Count& c) { return c.n; }).to(endpoint.events<int>("message", json<int>()));
  EXPECT_EQ(endpoint.url(), "");
  auto run = app.start();
  ASSERT_EQ(run.status(), absl::OkStatus());
  EXPECT_THAT(endpoint.url(), MatchesRegex("http://127.0.0.1:[0-9]+/.token=[0-9a-f]{32}"));

  std::vector<Event> seen;
  auto reading = std::async(std::launch::async, [&] {
    App reader;
    reader.source(events(endpoint.url("/events"), {.reconnect = false})).sink([&](const Event& e) {
      seen.push_back(e);
    });
    return reader.run();
  });
  ASSERT_TRUE(become([&] { return endpoint.stats().clients == 1; }));
  for (int i = 0; i < 3; ++i) numbers.publish({"a", i});
  numbers.close();
  EXPECT_EQ((*run)->wait(), absl::OkStatus());
  EXPECT_EQ(reading.get(), absl::OkStatus()) << "the answer ends as it should";
  std::map<std::string, std::vector<std::string>> data;
  for (const Event& e : seen) data[e.event].push_back(e.data);
  EXPECT_THAT(data["snapshot"], ElementsAre("{\"complete\":true}"));
  EXPECT_THAT(data["counts"],
              ElementsAre("{\"key\":\"a\",\"n\":0}", "{\"key\":\"a\",\"n\":1}", "{\"key\":\"a\",\"n\":2}"));
  EXPECT_THAT(data["message"], ElementsAre("0", "1", "2"));
  EXPECT_EQ(endpoint.url(), "");
  EXPECT_EQ(endpoint.stats().events, 6u);
}

TEST(HttpEndpoint, GivesNewClientsASnapshot) {
  Served served;
  served.write("a", "1");
  served.write("b", "2");
  served.write("a", "3");
  served.write("gone", "4");
  served.write("gone", std::nullopt);
  Client client(served.events());
  client.ask();
  ASSERT_EQ(client.status(), 200);
  EXPECT_THAT(client.data_up_to("3"), ElementsAre("{\"complete\":true}", "2", "3"));
  served.write("b", std::nullopt);
  const auto deleted = client.event();
  ASSERT_TRUE(deleted);
  EXPECT_EQ(deleted->event, "n deleted");
  EXPECT_EQ(deleted->data, "b");
}

TEST(HttpEndpoint, GoesOnBehindTheLastEventOfAClientThatReturns) {
  Served served;
  std::string id;
  {
    Client client(served.events());
    client.ask();
    ASSERT_EQ(client.status(), 200);
    served.write("a", "1");
    client.data_up_to("1");
    id = client.parser().last_event_id();
    EXPECT_NE(id, "");
  }
  served.write("a", "2");
  served.write("a", "3");
  Client again(served.events());
  again.ask("Last-Event-ID: " + id + "\r\n");
  ASSERT_EQ(again.status(), 200);
  EXPECT_THAT(again.data_up_to("3"), ElementsAre("2", "3"));
  EXPECT_EQ(served.endpoint.stats().resumed, 1u);

  Client stranger(served.events());
  stranger.ask("Last-Event-ID: 0-1\r\n");
  ASSERT_EQ(stranger.status(), 200);
  EXPECT_THAT(stranger.data_up_to("3"), ElementsAre("{\"complete\":true}", "3"));
  EXPECT_EQ(served.endpoint.stats().resumed, 1u);
}

/// Writes batches until `until`, each one read by `fast` before the next. The number of batches.
int write_batches(Served& served, Client& fast, const std::function<bool()>& until) {
  const std::string kilobyte(1000, 'x');
  for (int batch = 0; batch < 2000; ++batch) {
    if (until()) return batch;
    for (int i = 0; i < 20; ++i)
      served.write("k" + std::to_string(i), std::to_string(batch) + kilobyte + std::to_string(i));
    const std::string last = "end of " + std::to_string(batch);
    served.write("end", last);
    const auto got = fast.data_up_to(last);
    EXPECT_EQ(got.size(), 21u) << "the fast client gets everything";
    if (got.size() != 21u) return batch;
  }
  ADD_FAILURE() << "2000 batches were not enough";
  return 2000;
}

struct FastAndSlow {
  explicit FastAndSlow(const Served& served)
      : fast(served.events()), slow(served.events(), {.receive_bytes = 4096}) {
    for (Client* client : {&fast, &slow}) {
      client->ask();
      EXPECT_EQ(client->status(), 200);
      EXPECT_EQ(client->event()->event, "snapshot");
    }
  }
  Client fast;
  Client slow;
};

TEST(HttpEndpoint, SlowClientsHoldUpNobodyAndGetTheLatest) {
  Served served({.recent_bytes = 100'000});
  FastAndSlow clients(served);
  write_batches(served, clients.fast, [n = 0]() mutable { return n++ == 200; });
  EXPECT_EQ(served.endpoint.stats().clients, 2u);
  const auto got = clients.slow.data_up_to("end of 199");
  EXPECT_EQ(got.back(), "end of 199");
  EXPECT_LT(got.size(), 2000u) << "of 4200 events";
  const std::set<std::string> last(got.end() - 21, got.end());
  EXPECT_EQ(last.size(), 21u);
  for (const std::string& data : last)
    EXPECT_THAT(data, ::testing::AnyOf(StartsWith("199x"), "end of 199")) << "of each key the latest";
  EXPECT_EQ(served.endpoint.stats().skipped, 4200u - got.size());
}

TEST(HttpEndpoint, TellsSlowClientsWhatTheyMissed) {
  Served served({.slow_client = SlowClient::skip, .recent_bytes = 100'000});
  FastAndSlow clients(served);
  write_batches(served, clients.fast, [n = 0]() mutable { return n++ == 200; });
  std::size_t got = 0, missed = 0;
  while (auto e = clients.slow.event()) {
    if (e->event == "gap") {
      ASSERT_THAT(e->data, StartsWith("{\"missed\":"));
      missed += std::stoul(e->data.substr(std::string_view("{\"missed\":").size()));
      continue;
    }
    ++got;
    if (e->data == "end of 199") break;
  }
  EXPECT_GT(missed, 0u);
  EXPECT_EQ(got + missed, 4200u);
  EXPECT_EQ(served.endpoint.stats().skipped, missed);
}

TEST(HttpEndpoint, DisconnectsSlowClientsWhereThatIsWanted) {
  Served served({.slow_client = SlowClient::disconnect, .recent_bytes = 100'000});
  FastAndSlow clients(served);
  write_batches(served, clients.fast, [&] { return served.endpoint.stats().disconnected > 0; });
  EXPECT_TRUE(served.has_clients(1));
  EXPECT_EQ(served.endpoint.stats().disconnected, 1u);
  EXPECT_GT(served.endpoint.stats().skipped, 0u);
  while (clients.slow.event()) {
  }
  EXPECT_FALSE(clients.slow.has_ended()) << "it is cut off";
  EXPECT_THAT(served.host.logged(), Contains("client 127.0.0.1 is disconnected: it reads too slowly"));
  // It may come back.
  Client again(served.events());
  again.ask("Last-Event-ID: " + clients.slow.parser().last_event_id() + "\r\n");
  EXPECT_EQ(again.status(), 200);
  EXPECT_EQ(again.event()->event, "snapshot");
}

TEST(HttpEndpoint, DisconnectsClientsThatTakeNothing) {
  Served served({.recent_bytes = 100'000, .write_timeout = 200ms});
  FastAndSlow clients(served);
  write_batches(served, clients.fast, [&] { return served.endpoint.stats().disconnected > 0; });
  EXPECT_TRUE(served.has_clients(1));
  EXPECT_THAT(served.host.logged(),
              Contains("client 127.0.0.1 is disconnected: it has taken nothing for 200ms"));
}

TEST(HttpEndpoint, NoticesClientsThatGo) {
  Served served({.keep_alive = 1h});
  auto client = std::make_unique<Client>(served.events());
  client->ask();
  ASSERT_EQ(client->status(), 200);
  EXPECT_TRUE(served.has_clients(1));
  client.reset();
  EXPECT_TRUE(served.has_clients(0)) << "long before the next comment";
}

TEST(HttpEndpoint, BreaksSilence) {
  Served served({.latest_bytes = 0, .keep_alive = 20ms});
  Client client(served.events());
  client.send("GET " + client.target() + " HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.head(), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_EQ(client.up_to(":\n\n:\n\n"), "retry: 2000\n\n:\n\n:\n\n") << "and no chunks for HTTP/1.0";
}

TEST(HttpEndpoint, LetsInOnlyWhoShowsTheToken) {
  const std::string token = "a-token.of_16~ch";
  Served served({.page = "<p>hello</p>", .token = token});
  const std::string base = served.endpoint.url("/events").substr(0, served.events().find('?'));
  EXPECT_EQ(served.events(), base + "?token=" + token);
  EXPECT_THAT(served.host.logged(),
              Contains(AllOf(StartsWith("serves http://127.0.0.1:"), ::testing::EndsWith("/?token=…"))))
      << "a token that was given isn't logged";
  EXPECT_EQ(status_of(base + "?token=" + token, ""), 200);
  EXPECT_EQ(status_of(base, "Authorization: Bearer " + token + "\r\n"), 200);
  EXPECT_EQ(status_of(base + "?token=a%2Dtoken%2eof_16~ch", ""), 200);
  for (const std::string& wrong :
       {std::string(), std::string("?token="), std::string("?token"), std::string("?token=b-token.of_16~ch"),
        "?token=" + token + "%00", "?token=" + token + token, "?Token=" + token, "?token=" + token + "%20"}) {
    EXPECT_EQ(status_of(base + wrong, ""), 401) << wrong;
  }
  EXPECT_EQ(status_of(base, "Authorization: Basic " + token + "\r\n"), 401);
  Client client(base);
  client.ask();
  EXPECT_THAT(client.head(), HasSubstr("WWW-Authenticate: Bearer"));
  EXPECT_EQ(client.rest(), "the token is missing or wrong; the program logs the address with its token\n");
  EXPECT_EQ(status_of(base.substr(0, base.find("/events")) + "/", ""), 401) << "the page, too";
  EXPECT_GE(served.endpoint.stats().refused, 10u);
}

TEST(HttpEndpoint, ServesWithoutTokenWhereThatIsSaid) {
  Served served({.require_token = false});
  EXPECT_THAT(served.events(), MatchesRegex("http://127.0.0.1:[0-9]+/events"));
  EXPECT_EQ(status_of(served.events(), ""), 200);
}

TEST(HttpEndpoint, RefusesForeignHostsAndOrigins) {
  Served served({.hosts = {"board.example"}, .origins = {"https://friend.example"}});
  const auto ask = [&](const std::string& host, const std::string& headers = "") {
    Client client(served.events());
    client.send("GET " + client.target() + " HTTP/1.1\r\nHost: " + host + "\r\n" + headers + "\r\n");
    return client.head();
  };
  EXPECT_THAT(ask("evil.example"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask("127.0.0.1.evil.example"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask("board.example"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(ask("localhost", "Origin: http://evil.example\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask("localhost", "Origin: null\r\n"), StartsWith("HTTP/1.1 403"));
  EXPECT_THAT(ask("localhost", "Host: localhost\r\n"), StartsWith("HTTP/1.1 400"));
  const std::string own = ask("localhost:1", "Origin: http://localhost:1\r\n");
  EXPECT_THAT(own, AllOf(StartsWith("HTTP/1.1 200"), Not(HasSubstr("Access-Control")),
                         HasSubstr("Cross-Origin-Resource-Policy: same-origin")));
  const std::string friendly = ask("localhost", "Origin: https://friend.example\r\n");
  EXPECT_THAT(friendly, AllOf(StartsWith("HTTP/1.1 200"),
                              HasSubstr("Access-Control-Allow-Origin: https://friend.example"),
                              HasSubstr("Vary: Origin")));
  Client without(served.events());
  without.send("GET " + without.target() + " HTTP/1.1\r\n\r\n");
  EXPECT_EQ(without.status(), 400);
}

TEST(HttpEndpoint, AnswersWithHeadersThatKeepBrowsersInBounds) {
  Served served({.page = "<p>hello</p>"});
  Client page(served.endpoint.url());
  page.ask();
  EXPECT_THAT(page.head(),
              AllOf(HasSubstr("Content-Type: text/html; charset=utf-8"), HasSubstr("Cache-Control: no-store"),
                    HasSubstr("Content-Security-Policy: default-src 'none'; "),
                    HasSubstr("X-Content-Type-Options: nosniff"), HasSubstr("Referrer-Policy: no-referrer"),
                    Not(HasSubstr("Access-Control"))));
  EXPECT_EQ(page.rest(), "<p>hello</p>");
  Client head(served.events());
  head.ask("", "HEAD");
  EXPECT_THAT(head.head(), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Type: text/event-stream")));
  EXPECT_EQ(head.rest(), "");
  EXPECT_EQ(served.endpoint.stats().accepted, 0u);
}

TEST(HttpEndpoint, AnswersOnlyGetAndHead) {
  Served served;
  EXPECT_EQ(status_of(served.events(), "Content-Length: 3\r\n", "POST"), 405);
  EXPECT_EQ(status_of(served.events(), "", "DELETE"), 405);
  EXPECT_EQ(status_of(served.events(), "", "OPTIONS"), 405);
  Client client(served.events());
  client.ask("Content-Length: 1000000000\r\n", "PUT");
  EXPECT_THAT(client.head(), AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET, HEAD")));
  EXPECT_EQ(status_of(served.endpoint.url("/other"), ""), 404);
  EXPECT_EQ(status_of(served.endpoint.url("/"), ""), 404) << "there is no page";
}

TEST(HttpEndpoint, LimitsTheSizeOfRequests) {
  Served served;
  EXPECT_EQ(status_of(served.events(), "X-Small: " + std::string(8'000, 'x') + "\r\n"), 200);
  EXPECT_EQ(status_of(served.events(), "X-Large: " + std::string(17'000, 'x') + "\r\n"), 431);
  EXPECT_EQ(status_of(served.events(), "X-Larger: " + std::string(40'000, 'x') + "\r\n"), 431);
  std::string many;
  for (int i = 0; i < 2000; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  EXPECT_EQ(status_of(served.events(), many), 431);
  EXPECT_EQ(status_of(served.events() + "&x=" + std::string(40'000, 'x'), ""), 414);
  Client garbage(served.events());
  garbage.send("\x16\x03\x01\x02 this is no HTTP\r\n\r\n");
  EXPECT_THAT(garbage.status(), ::testing::AnyOf(0, 400, 505));
  EXPECT_EQ(status_of(served.events(), ""), 200) << "it goes on";
}

TEST(HttpEndpoint, LimitsTheNumberOfClients) {
  Served served({.max_clients = 2});
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(std::make_unique<Client>(served.events()));
    clients.back()->ask();
    ASSERT_EQ(clients.back()->status(), 200);
  }
  Client more(served.events());
  more.ask();
  EXPECT_THAT(more.head(), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Retry-After: 5")));
  EXPECT_EQ(more.rest(), "there are too many clients\n");
  clients.pop_back();
  EXPECT_TRUE(served.has_clients(1));
  EXPECT_EQ(status_of(served.events(), ""), 200);
}

TEST(HttpEndpoint, LimitsTheNumberOfClientsOfAnAddress) {
  Served served({.max_clients_per_address = 1});
  Client first(served.events());
  first.ask();
  ASSERT_EQ(first.status(), 200);
  EXPECT_EQ(status_of(served.events(), ""), 503);
}

TEST(HttpEndpoint, ClosesConnectionsThatDontAsk) {
  Served served({.max_clients = 1, .request_timeout = 100ms});
  // More than it takes: the last of them wait until the first have gone.
  std::vector<std::unique_ptr<Client>> silent;
  for (int i = 0; i < 50; ++i) {
    silent.push_back(std::make_unique<Client>(served.events()));
    ASSERT_TRUE(silent.back()->is_connected());
    silent.back()->send("GET / HT");
  }
  EXPECT_EQ(silent.front()->rest(), "");
  Client client(served.events());
  client.ask();
  EXPECT_EQ(client.status(), 200);
  std::this_thread::sleep_for(300ms);
  served.write("a", "1");
  EXPECT_EQ(client.data_up_to("1").back(), "1") << "the time-out isn't for clients";
}

TEST(HttpEndpoint, EndsWithClientsConnected) {
  std::vector<std::unique_ptr<Client>> clients;
  {
    Served served({.recent_bytes = 4 << 20, .linger = 50ms});
    for (int i = 0; i < 3; ++i) {
      clients.push_back(std::make_unique<Client>(served.events(), Client::Options{.receive_bytes = 4096}));
      clients.back()->ask();
      ASSERT_EQ(clients.back()->status(), 200);
    }
    // The first one reads what comes; the others are busy, so there is more than they take.
    clients[0]->event();
    for (int i = 0; i < 3000; ++i) served.write("k", std::string(1000, 'x'));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(served.sink->finish(), absl::OkStatus());
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  }
  for (const auto& client : clients) {
    while (client->event()) {
    }
  }
}

TEST(HttpEndpoint, AFailedRunEndsAtOnceWithIdleClients) {
  std::unique_ptr<Client> client;
  {
    Served served;
    client = std::make_unique<Client>(served.events());
    client->ask();
    ASSERT_EQ(client->status(), 200);
    EXPECT_EQ(client->event()->event, "snapshot");
  }
  EXPECT_EQ(client->event(), std::nullopt);
  EXPECT_TRUE(client->has_ended());
}

TEST(HttpEndpoint, ManyMayServeInOneProcess) {
  Served one, other;
  EXPECT_NE(one.endpoint.url(), other.endpoint.url());
  const std::string ones = one.events();
  const std::string others = other.events();
  EXPECT_EQ(status_of(ones, ""), 200);
  EXPECT_EQ(status_of(others.substr(0, others.find('?')) + ones.substr(ones.find('?')), ""), 401)
      << "the token of one is none of the other";
}

absl::Status open_status(EndpointOptions options, const std::string& name = "n") {
  SinkHost host;
  const auto sink = Endpoint(std::move(options)).raw_events(name);
  const absl::Status status = sink->open(host.env());
  EXPECT_EQ(sink->close(), absl::OkStatus());
  return status;
}

TEST(HttpEndpoint, SaysWhyItCannotServe) {
  Served served;
  const std::string url = served.endpoint.url();
  const int port = std::stoi(url.substr(url.rfind(':') + 1));
  EXPECT_EQ(open_status({.port = port}),
            absl::FailedPreconditionError("http endpoint: port " + std::to_string(port) +
                                          " of 127.0.0.1 is in use by another program; choose another "
                                          "'port', or 0 for a free one"));
  EXPECT_EQ(
      open_status({.address = "203.0.113.7", .allow_remote = true}),
      absl::FailedPreconditionError("http endpoint: this machine has no address 203.0.113.7; the option "
                                    "'address' must name one of its own"));
  const auto mistake = [](EndpointOptions options, const std::string& name = "n") {
    const absl::Status status = open_status(std::move(options), name);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), StartsWith("http endpoint: "));
    return std::string(status.message()).substr(std::string_view("http endpoint: ").size());
  };
  EXPECT_EQ(mistake({.address = "localhost"}),
            "the option 'address' must be an IP address such as 127.0.0.1 or ::1, got 'localhost'");
  EXPECT_EQ(
      mistake({.address = "0.0.0.0"}),
      "'0.0.0.0' is not a loopback address, so others than this machine could connect, without TLS; set "
      "the option 'allow_remote' if that is meant");
  EXPECT_EQ(mistake({.port = 65536}), "the option 'port' must be from 0 to 65535, got 65536");
  EXPECT_EQ(mistake({.token = "short"}),
            "the option 'token' needs at least 16 characters, of letters, digits and -._~");
  EXPECT_EQ(mistake({.token = "sixteen characters&"}),
            "the option 'token' needs at least 16 characters, of letters, digits and -._~");
  EXPECT_EQ(mistake({.token = "0123456789abcdef", .require_token = false}),
            "there is a 'token', but 'require_token' is false; leave one of them out");
  EXPECT_EQ(mistake({.hosts = {"a:80"}}),
            "the option 'hosts' has 'a:80'; it takes names such as board.example.org, without port");
  EXPECT_EQ(mistake({.origins = {"*"}}),
            "the option 'origins' has '*'; it takes a scheme and a host such as https://board.example.org");
  EXPECT_EQ(mistake({.recent_bytes = 0}), "the option 'recent_bytes' must be positive");
  EXPECT_EQ(mistake({.max_clients = 0}), "the option 'max_clients' must be positive");
  EXPECT_EQ(mistake({.write_timeout = -1us}), "the option 'write_timeout' must be positive, got -1 us");
  EXPECT_EQ(mistake({.retry = 1us}), "the option 'retry' must be at least 1 ms");
  EXPECT_EQ(mistake({.linger = -1s}), "the option 'linger' can't be negative");
  EXPECT_EQ(mistake({}, ""), "a sink's events need a name");
  EXPECT_EQ(mistake({}, "a\nb"), "the name 'a\\nb' has a line break or a NUL in it");
  EXPECT_EQ(mistake({}, "gap"), "the name 'gap' has a meaning of its own; choose another");
}

TEST(HttpEndpoint, ListensElsewhereWhereThatIsSaid) {
  if (open_status({.address = "::1"}).ok()) {  // not every machine has IPv6
    Served v6({.address = "::1"});
    EXPECT_THAT(v6.events(), StartsWith("http://[::1]:"));
  }
  Served everywhere({.address = "0.0.0.0", .require_token = false, .allow_remote = true});
  EXPECT_THAT(everywhere.host.logged(), Contains("whoever reaches this machine can read the events"));
  std::string url = everywhere.events();
  url.replace(url.find("0.0.0.0"), 7, "127.0.0.1");
  EXPECT_EQ(status_of(url, ""), 200);
}

TEST(HttpEndpoint, WantsAKeyOfADeletion) {
  Served served;
  OutRecord records[2];
  records[0].key = "a";
  EXPECT_EQ(*served.sink->write(records), 1u) << "what is before it is taken";
  EXPECT_EQ(served.sink->write(std::span(records).last(1)).status(),
            absl::InvalidArgumentError(
                "http endpoint n: a record that deletes its key (a tombstone) must have one"));
}

}  // namespace
}  // namespace slipstream::http
