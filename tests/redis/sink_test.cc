#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <future>

#include "conformance/sink_conformance.h"
#include "redis/fake_server.h"
#include "redis/redis_server.h"
#include "slipstream/json.h"
#include "slipstream/slipstream.h"

namespace slipstream::redis {
namespace {

using conformance::deliver;
using conformance::SinkHost;
using conformance::write_all;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::StartsWith;

OutRecord record(std::string_view key, std::optional<std::string_view> value) {
  OutRecord r;
  r.key = key;
  r.value = value;
  return r;
}

TEST(RedisStreamSink, KeepsTheSinkContract) {
  RedisServer server;
  int round = 0;
  conformance::check_sink({.make =
                               [&] {
                                 ++round;
                                 return raw_stream_sink("s" + std::to_string(round),
                                                        {.server = server.at(), .field = "v"});
                               },
                           .written =
                               [&] {
                                 // Read back with the source, which has tests of its own.
                                 App app;
                                 std::vector<std::string> values;
                                 app.source(stream_source("s" + std::to_string(round),
                                                          {.server = server.at(), .until_end = true}))
                                     .sink([&](const Entry& e) { values.push_back(*e.field("v")); });
                                 EXPECT_EQ(app.run(), absl::OkStatus());
                                 return values;
                               }});
}

TEST(RedisSink, SetsKeysAndDeletesThoseOfTombstones) {
  RedisServer server;
  server.ask({"SET", "gone", "old"});
  SinkHost host;
  const auto sink = raw_sink({.server = server.at()});
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  const OutRecord records[] = {record("a", "1"), record("gone", std::nullopt), record("b", ""),
                               record("a", "2")};
  ASSERT_EQ(write_all(*sink, host, records), absl::OkStatus());
  ASSERT_EQ(deliver(*sink, host, 4), absl::OkStatus());
  EXPECT_EQ(server.ask({"MGET", "a", "b", "gone"}), "[2  nil]");
  EXPECT_EQ(server.ask({"PTTL", "a"}), "-1") << "it stays";
  EXPECT_EQ(sink->close(), absl::OkStatus());
}

TEST(RedisSink, LetsKeysExpire) {
  RedisServer server;
  SinkHost host;
  const auto sink = raw_sink({.server = server.at(), .expire = 1h});
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  const OutRecord records[] = {record("a", "1")};
  ASSERT_EQ(write_all(*sink, host, records), absl::OkStatus());
  ASSERT_EQ(deliver(*sink, host, 1), absl::OkStatus());
  const int left = std::stoi(server.ask({"PTTL", "a"}));
  EXPECT_GT(left, 0);
  EXPECT_LE(left, 3'600'000);
}

TEST(RedisSink, SendsAgainWhatWasNotAnswered) {
  RedisServer server;
  SinkHost host;
  const auto sink = raw_sink({.server = server.at()});
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  server.pause();
  std::vector<std::string> keys;
  for (int i = 0; i < 100; ++i) keys.push_back("k" + std::to_string(i));
  std::vector<OutRecord> records;
  for (const std::string& key : keys) records.push_back(record(key, key));
  ASSERT_EQ(write_all(*sink, host, records), absl::OkStatus());
  EXPECT_EQ(*sink->delivered(), 0u);
  server.stop();
  server.start();
  ASSERT_EQ(deliver(*sink, host, 100), absl::OkStatus());
  EXPECT_EQ(server.ask({"DBSIZE"}), "100");
  EXPECT_EQ(server.ask({"GET", "k42"}), "k42");
}

TEST(RedisSink, IsFullWhileTheServerDoesNotAnswer) {
  RedisServer server;
  SinkHost host;
  const auto sink = raw_sink({.server = server.at()});
  ASSERT_EQ(sink->open(host.env(16 << 10)), absl::OkStatus());
  server.pause();
  const std::string value(1000, 'x');
  const std::vector<OutRecord> records(100, record("k", value));
  const auto taken = sink->write(records);
  ASSERT_TRUE(taken.ok());
  EXPECT_GE(*taken, 10u);
  EXPECT_LE(*taken, 16u) << "16 KiB are no more";
  EXPECT_EQ(*sink->write(records), 0u);
  const std::uint64_t seen = host.wakes();
  server.go_on();
  ASSERT_TRUE(host.wait_for_wake(seen));
  ASSERT_EQ(write_all(*sink, host, std::span(records).subspan(*taken)), absl::OkStatus());
  ASSERT_EQ(deliver(*sink, host, 100), absl::OkStatus());
}

TEST(RedisSink, EndsWithTheServersErrorAndTheKey) {
  RedisServer server;
  server.ask({"SET", "s", "x"});
  SinkHost host;
  const auto sink = raw_stream_sink("s", {.server = server.at()});
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  const OutRecord records[] = {record("", "1")};
  ASSERT_EQ(write_all(*sink, host, records), absl::OkStatus());
  const absl::Status expected = absl::FailedPreconditionError(
      "redis stream s: XADD s: the server says 'WRONGTYPE Operation against a key holding the wrong kind of "
      "value'; choose "
      "another key");
  EXPECT_EQ(deliver(*sink, host, 1), expected);
  EXPECT_THAT(host.failures(), ElementsAre(expected));
  EXPECT_EQ(sink->write(records).status(), expected);
  EXPECT_EQ(sink->close(), absl::OkStatus());
}

TEST(RedisSink, GivesUpAfterAnOutage) {
  RedisServer server;
  SinkHost host;
  Server at = server.at();
  at.outage_timeout = 50ms;
  const auto sink = raw_sink({.server = at});
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  server.stop();
  const OutRecord records[] = {record("a", "1")};
  const absl::Status written = write_all(*sink, host, records);
  const absl::Status status = written.ok() ? deliver(*sink, host, 1) : written;
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(
      std::string(status.message()),
      StartsWith("redis " + server.socket() + ": no server answers at " + server.socket() + " for 50ms: "));
}

/// A port that nobody listens on.
int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  const bool ok = ::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0 &&
                  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size) == 0;
  ::close(fd);
  if (!ok) std::abort();
  return ntohs(at.sin_port);
}

TEST(RedisSink, GivesUpOnAServerThatOnlyRefuses) {
  // A cluster where no server has a key: PING is answered, SET never.
  RedisServer server(
      {"--cluster-enabled", "yes", "--cluster-port", std::to_string(free_port()), "--bind", "127.0.0.1"});
  SinkHost host;
  Server at = server.at();
  at.outage_timeout = 400ms;
  const auto sink = raw_sink({.server = at});
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  const OutRecord records[] = {record("a", "1")};
  ASSERT_EQ(write_all(*sink, host, records), absl::OkStatus());
  EXPECT_EQ(deliver(*sink, host, 1),
            absl::UnavailableError("redis " + server.socket() + ": the server at " + server.socket() +
                                   " answers no command for 400ms: SET a: the server says 'CLUSTERDOWN Hash "
                                   "slot not served'"));
  EXPECT_EQ(sink->close(), absl::OkStatus());
  const std::string calls = server.ask({"INFO", "commandstats"});
  const std::string_view refused = "rejected_calls=";
  const std::size_t set = calls.find("cmdstat_set:");
  ASSERT_NE(set, calls.npos) << calls;
  const int attempts = std::stoi(calls.substr(calls.find(refused, set) + refused.size()));
  EXPECT_GE(attempts, 2);
  EXPECT_LE(attempts, 6) << "50, 100, 200 ms and the rest are between them";
}

TEST(RedisSink, AnOutageEndsWithAReply) {
  // Each connection is good for one record, and together they take longer than an outage may.
  std::atomic<bool> used{false};
  FakeServer server([&](const std::string& command) -> std::optional<std::string> {
    if (command == "PING") {
      used = false;
      return "+PONG\r\n";
    }
    if (used.exchange(true)) return std::nullopt;
    return "+OK\r\n";
  });
  SinkHost host;
  const auto sink = raw_sink({.server = {.address = server.socket(), .outage_timeout = 2s}});
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  const std::vector<OutRecord> records(45, record("a", "1"));
  ASSERT_EQ(write_all(*sink, host, records), absl::OkStatus());
  const auto begun = Clock::now();
  ASSERT_EQ(deliver(*sink, host, 45), absl::OkStatus());
  EXPECT_GE(Clock::now() - begun, 2s) << "or this tests nothing";
  // More, where the sink couldn't send before it had read the reply: then it doesn't read it any more.
  EXPECT_GE(server.connections(), 45);
  EXPECT_EQ(sink->close(), absl::OkStatus());
}

TEST(RedisSink, AUrlIsNoAddressAndInNoMessage) {
  const absl::Status expected = absl::InvalidArgumentError(
      "redis: the address is a URL; write host:port, and user and password into their options");
  for (const char* address :
       {"redis://:secret@host:6379", "u:secret@host:1", "redis://host:1?password=secret"}) {
    SinkHost host;
    const auto sink = raw_sink({.server = {.address = address}});
    EXPECT_EQ(sink->name(), "redis") << address;
    EXPECT_EQ(sink->open(host.env()), expected) << address;
    EXPECT_EQ(raw_stream_sink("s", {.server = {.address = address}})->open(host.env()), expected) << address;
  }
  EXPECT_EQ(raw_sink({.server = {.address = "/run/a@b"}})->name(), "redis /run/a@b") << "it is a path";
}

TEST(RedisSink, RefusesWhatItCannotWrite) {
  RedisServer server;
  SinkHost host;
  const auto keys = raw_sink({.server = server.at()});
  ASSERT_EQ(keys->open(host.env()), absl::OkStatus());
  OutRecord without_key;
  without_key.value = "x";
  EXPECT_EQ(keys->write({&without_key, 1}).status(),
            absl::InvalidArgumentError("redis " + server.socket() +
                                       ": the record has no key; give the sink a function that makes one"));
  const OutRecord mixed[] = {record("a", "1"), without_key};
  EXPECT_EQ(*keys->write(mixed), 1u) << "the one before it is taken";
  const auto stream = raw_stream_sink("s", {.server = server.at()});
  ASSERT_EQ(stream->open(host.env()), absl::OkStatus());
  const OutRecord tombstone = record("a", std::nullopt);
  EXPECT_EQ(stream->write({&tombstone, 1}).status(),
            absl::InvalidArgumentError(
                "redis stream s: a tombstone (a record without a value) has no place in a stream; "
                "filter it out before this sink"));
  EXPECT_EQ(raw_sink({.server = server.at(), .expire = 5us})->open(host.env()).message(),
            "redis: the option 'expire' must be at least 1 ms, or zero for never");
  EXPECT_EQ(raw_stream_sink("s", {.server = server.at(), .max_length = -1})->open(host.env()).message(),
            "redis: the option 'max_length' can't be negative, got -1");
}

TEST(RedisSink, ClosesWhileTheServerDoesNotAnswer) {
  RedisServer server;
  SinkHost host;
  const auto sink = raw_sink({.server = server.at()});
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  server.pause();
  const OutRecord records[] = {record("a", "1")};
  ASSERT_EQ(write_all(*sink, host, records), absl::OkStatus());
  auto closed = std::async(std::launch::async, [sink] { return sink->close(); });
  if (closed.wait_for(20s) != std::future_status::ready) std::abort();
  EXPECT_EQ(closed.get(), absl::OkStatus());
}

TEST(RedisSink, WritesWhatAProgramMakes) {
  RedisServer server;
  App app;
  const auto words = app.source(from<std::string>({"one", "two", "three"}));
  words.sink(sink<std::string>(text(), [](const std::string& w, std::string& key) { key = "word " + w; },
                               {.server = server.at()}));
  words.sink(stream_sink<std::string>("words", text(),
                                      {.server = server.at(), .field = "word", .max_length = 1000}));
  ASSERT_EQ(app.run(), absl::OkStatus());
  EXPECT_EQ(server.ask({"MGET", "word one", "word two", "word three"}), "[one two three]");
  EXPECT_EQ(server.ask({"XLEN", "words"}), "3");
}

}  // namespace
}  // namespace slipstream::redis
