#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "conformance/source_conformance.h"
#include "connectors/redis/entry_id.h"
#include "redis/fake_server.h"
#include "redis/redis_server.h"
#include "slipstream/json.h"
#include "slipstream/slipstream.h"

namespace slipstream::redis {
namespace {

using conformance::Collector;
using conformance::SourceHost;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr ReadLimits kAll{1000, 1 << 20};
constexpr std::int64_t kMillisecond = 1 << 20;  // of an id, in offsets

TEST(EntryId, IsReadAndWritten) {
  EXPECT_EQ(EntryId::parse("1700000000000-3"), (EntryId{1'700'000'000'000, 3}));
  EXPECT_EQ(EntryId::parse("17"), (EntryId{17, 0}));
  for (const char* wrong : {"", "-", "1-", "-1", "1-2-3", "x", "1-x", "99999999999999999999-0"}) {
    EXPECT_EQ(EntryId::parse(wrong), std::nullopt) << wrong;
  }
  EXPECT_EQ((EntryId{17, 4}).text(), "17-4");
}

TEST(EntryId, MakesAnOffsetThatRisesWithIt) {
  EXPECT_EQ((EntryId{0, 1}).offset(), 1);
  EXPECT_EQ((EntryId{1, 0}).offset(), kMillisecond);
  EXPECT_EQ((EntryId{2, 3}).offset(), 2 * kMillisecond + 3);
  EXPECT_EQ(EntryId::of_offset(2 * kMillisecond + 3), (EntryId{2, 3}));
  EXPECT_EQ((EntryId{0, 1 << 20}).offset(), std::nullopt);
  EXPECT_EQ((EntryId{std::uint64_t{1} << 43, 0}).offset(), std::nullopt);
  EXPECT_EQ((EntryId{(std::uint64_t{1} << 43) - 1, (1 << 20) - 1}).offset(), INT64_MAX);
}

/// All values until the source has finished or failed.
struct Read {
  std::vector<std::string> values;
  absl::Status status;
};
Read read_all(RawSource& source) {
  SourceHost host;
  if (absl::Status s = source.open(host.env()); !s.ok()) return {{}, s};
  Collector out;
  Read read;
  read.status = conformance::drain(source, host, 0, kAll, out);
  for (const auto& record : out.records) read.values.push_back(record.value.value_or("-"));
  EXPECT_EQ(source.close(), absl::OkStatus());
  return read;
}

TEST(RedisStreamSource, KeepsTheSourceContract) {
  RedisServer server;
  server.ask({"XADD", "s", "5-1", "v", "one"});
  server.ask({"XADD", "s", "5-2", "v", ""});
  server.ask({"XADD", "s", "6-0", "other", "x"});
  server.ask({"XADD", "s", "9-0", "other", "x", "v", "four", "v", "five"});
  conformance::check_source(
      {.make = [&] { return raw_stream_source("s", "v", {.server = server.at(), .until_end = true}); },
       .expected = {{{.key = "5-1", .value = "one", .offset = 5 * kMillisecond + 1},
                     {.key = "5-2", .value = "", .offset = 5 * kMillisecond + 2},
                     {.key = "6-0", .offset = 6 * kMillisecond},
                     {.key = "9-0", .value = "four", .offset = 9 * kMillisecond}}}});
}

TEST(RedisStreamSource, KeepsTheContractOfAGrowingSource) {
  RedisServer server;
  conformance::check_growing_source(
      {.make =
           [&](bool bounded) {
             return raw_stream_source("s", "v", {.server = server.at(), .until_end = bounded});
           },
       .append =
           [&](const std::vector<std::string>& values) {
             // All at once: a source that is caught up has seen none of them, or all.
             std::vector<std::string_view> command = {
                 "EVAL", "for _, v in ipairs(ARGV) do redis.call('XADD', KEYS[1], '*', 'v', v) end", "1",
                 "s"};
             command.insert(command.end(), values.begin(), values.end());
             server.ask(command);
           }});
}

TEST(RedisStreamSource, BeginsWhereItIsTold) {
  RedisServer server;
  for (const char* id : {"1-0", "2-0", "3-0"}) server.ask({"XADD", "s", id, "v", id});
  const auto values = [&](Start start) {
    return read_all(*raw_stream_source("s", "v",
                                       {.server = server.at(), .start = std::move(start), .until_end = true}))
        .values;
  };
  EXPECT_THAT(values(Start::beginning()), ElementsAre("1-0", "2-0", "3-0"));
  EXPECT_THAT(values(Start::after("1-0")), ElementsAre("2-0", "3-0"));
  EXPECT_THAT(values(Start::after("2")), ElementsAre("3-0")) << "2 is 2-0";
  EXPECT_THAT(values(Start::end()), ElementsAre());
  EXPECT_THAT(values(Start::after("7-0")), ElementsAre());
}

TEST(RedisStreamSource, AStreamThatIsNotThereIsEmpty) {
  RedisServer server;
  const Read read = read_all(*raw_stream_source("s", "v", {.server = server.at(), .until_end = true}));
  EXPECT_EQ(read.status, absl::OkStatus());
  EXPECT_THAT(read.values, ElementsAre());
}

TEST(RedisStreamSource, FromTheEndGetsWhatComesAfterTheStart) {
  RedisServer server;
  server.ask({"XADD", "s", "1-0", "v", "before"});
  SourceHost host;
  const auto source = raw_stream_source("s", "v", {.server = server.at(), .start = Start::end()});
  ASSERT_EQ(source->open(host.env()), absl::OkStatus());
  server.ask({"XADD", "s", "2-0", "v", "after"});
  Collector out;
  ASSERT_EQ(conformance::drain(*source, host, 0, kAll, out, [&] { return !out.records.empty(); }),
            absl::OkStatus());
  EXPECT_THAT(conformance::detail::values_of(out), ElementsAre("after"));
}

TEST(RedisStreamSource, GoesOnBehindTheLastEntryAfterALostConnection) {
  RedisServer server;
  server.ask({"XADD", "s", "1-0", "v", "a"});
  SourceHost host;
  const auto source = raw_stream_source("s", "v", {.server = server.at()});
  ASSERT_EQ(source->open(host.env()), absl::OkStatus());
  Collector out;
  ASSERT_EQ(conformance::drain(*source, host, 0, kAll, out, [&] { return out.records.size() == 1; }),
            absl::OkStatus());
  server.stop();  // and its memory is gone
  server.start();
  server.ask({"XADD", "s", "1-0", "v", "a"});
  server.ask({"XADD", "s", "2-0", "v", "b"});
  ASSERT_EQ(conformance::drain(*source, host, 0, kAll, out, [&] { return out.records.size() == 2; }),
            absl::OkStatus());
  EXPECT_THAT(conformance::detail::values_of(out), ElementsAre("a", "b"));
}

TEST(RedisStreamSource, GivesUpAfterAnOutage) {
  RedisServer server;
  SourceHost host;
  Server at = server.at();
  at.outage_timeout = 50ms;
  const auto source = raw_stream_source("s", "v", {.server = at});
  ASSERT_EQ(source->open(host.env()), absl::OkStatus());
  server.stop();
  Collector out;
  const absl::Status status = conformance::drain(*source, host, 0, kAll, out);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()),
              StartsWith("redis stream s: no server answers at " + server.socket() + " for 50ms: "));
}

TEST(RedisStreamSource, GivesUpOnAServerThatClosesOnEachCommand) {
  FakeServer server([](const std::string& command) -> std::optional<std::string> {
    if (command == "PING") return "+PONG\r\n";
    if (command == "XREVRANGE") return "*0\r\n";  // so that it starts
    return std::nullopt;
  });
  SourceHost host;
  const auto source =
      raw_stream_source("s", "v", {.server = {.address = server.socket(), .outage_timeout = 400ms}});
  ASSERT_EQ(source->open(host.env()), absl::OkStatus());
  Collector out;
  const absl::Status status = conformance::drain(*source, host, 0, kAll, out);
  EXPECT_EQ(status, absl::UnavailableError("redis stream s: the server at " + server.socket() +
                                           " answers no command for 400ms: Server closed the connection"));
  EXPECT_GE(server.connections(), 3);
  EXPECT_LE(server.connections(), 6) << "50, 100, 200 ms and the rest are between them";
  EXPECT_EQ(source->close(), absl::OkStatus());
}

TEST(RedisStreamSource, SaysWhyItCannotStart) {
  RedisServer server;
  server.ask({"SET", "text", "x"});
  const auto open = [&](const std::string& stream, StreamOptions options) {
    SourceHost host;
    return raw_stream_source(stream, "v", std::move(options))->open(host.env());
  };
  EXPECT_EQ(open("text", {.server = server.at()}),
            absl::FailedPreconditionError(
                "redis stream text: the server says 'WRONGTYPE Operation against a key holding "
                "the wrong kind of value'; choose another key"));
  EXPECT_EQ(
      open("s", {.server = server.at(), .start = Start::after("x")}),
      absl::InvalidArgumentError("redis stream s: 'x' is no entry's id; write one like 1700000000000-0"));
  EXPECT_EQ(open("s", {.server = {.address = "nowhere"}}),
            absl::InvalidArgumentError(
                "redis: the address 'nowhere' is neither host:port nor the path of a Unix socket"));
  EXPECT_EQ(open("s", {.server = {.address = "redis://:secret@host:6379"}}),
            absl::InvalidArgumentError(
                "redis: the address is a URL; write host:port, and user and password into their options"));
  EXPECT_EQ(open("s", {.server = {.address = server.socket(), .database = -1}}),
            absl::InvalidArgumentError("redis: the database can't be negative, got -1"));
  EXPECT_EQ(open("s", {.server = {.address = "/nowhere", .connect_timeout = 20ms}}),
            absl::UnavailableError(
                "redis stream s: no server answers at /nowhere for 20ms: No such file or directory; is "
                "it running, and is the address right?"));
}

TEST(RedisStreamSource, LogsInAndKeepsThePasswordToItself) {
  RedisServer server({"--requirepass", "open sesame"});
  const auto open = [&](Server at) {
    SourceHost host;
    const auto source = raw_stream_source("s", "v", {.server = std::move(at)});
    absl::Status status = source->open(host.env());
    EXPECT_EQ(source->close(), absl::OkStatus());
    return status;
  };
  EXPECT_EQ(open({.address = server.socket(), .password = "open sesame", .database = 3}), absl::OkStatus());
  EXPECT_EQ(open({.address = server.socket(), .user = "default", .password = "open sesame"}),
            absl::OkStatus());
  const absl::Status none = open({.address = server.socket()});
  EXPECT_EQ(none.code(), absl::StatusCode::kUnauthenticated);
  const absl::Status wrong = open({.address = server.socket(), .user = "ann", .password = "guess"});
  EXPECT_EQ(wrong.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(wrong.message()), HasSubstr("; check the options 'user' and 'password'"));
  EXPECT_THAT(std::string(wrong.message()), Not(HasSubstr("guess")));
}

TEST(RedisStreamSource, KeepsThePasswordFromAServerThatRepeatsIt) {
  RedisServer server({"--rename-command", "AUTH", ""});
  const auto open = [&](Server at) {
    SourceHost host;
    return raw_stream_source("s", "v", {.server = std::move(at)})->open(host.env());
  };
  ASSERT_THAT(server.ask({"AUTH", "secret"}), HasSubstr("secret")) << "or this tests nothing";
  const absl::Status expected = absl::UnauthenticatedError(
      "redis stream s: the server refuses AUTH; check the options 'user' and 'password'");
  EXPECT_EQ(open({.address = server.socket(), .password = "secret"}), expected);
  EXPECT_EQ(open({.address = server.socket(), .user = "ann", .password = "secret"}), expected);
  EXPECT_EQ(open({.address = server.socket()}), absl::OkStatus());
}

TEST(RedisStreamSource, RefusesIdsThatFitNoOffset) {
  RedisServer server;
  server.ask({"XADD", "s", "1-1048576", "v", "x"});
  EXPECT_EQ(read_all(*raw_stream_source("s", "v", {.server = server.at()})).status,
            absl::OutOfRangeError(
                "redis stream s: the entry's id 1-1048576 is none that a clock makes and doesn't fit an "
                "offset"));
}

TEST(RedisStreamSource, HoldsALimitedPartOfALongStream) {
  RedisServer server;
  const std::string value(10'000, 'x');
  for (int i = 1; i <= 1000; ++i) server.ask({"XADD", "s", std::to_string(i), "v", value});
  SourceHost host;
  SourceEnv env = host.env();
  env.memory_budget = 64 << 10;
  const auto source = raw_stream_source("s", "v", {.server = server.at(), .until_end = true});
  ASSERT_EQ(source->open(env), absl::OkStatus());
  Collector out;
  ASSERT_EQ(conformance::drain(*source, host, 0, {7, 1 << 20}, out), absl::OkStatus());
  EXPECT_EQ(out.records.size(), 1000u);
  EXPECT_EQ(source->close(), absl::OkStatus());
}

TEST(RedisStreamSource, AsksForAsManyEntriesAsFit) {
  // How often it asks for a stream of so many values of this size.
  const auto asks = [](int count, std::size_t size) {
    RedisServer server;
    const std::string value(size, 'x');
    for (int i = 1; i <= count; ++i) server.ask({"XADD", "s", std::to_string(i), "v", value});
    SourceHost host;
    SourceEnv env = host.env();
    env.memory_budget = 64 << 10;
    const auto source = raw_stream_source("s", "v", {.server = server.at(), .until_end = true});
    EXPECT_EQ(source->open(env), absl::OkStatus());
    Collector out;
    EXPECT_EQ(conformance::drain(*source, host, 0, kAll, out), absl::OkStatus());
    EXPECT_EQ(out.records.size(), static_cast<std::size_t>(count));
    EXPECT_EQ(source->close(), absl::OkStatus());
    const std::string calls = server.ask({"INFO", "commandstats"});
    const std::string_view begin = "cmdstat_xread:calls=";
    const std::size_t at = calls.find(begin);
    return at == calls.npos ? 0 : std::stoi(calls.substr(at + begin.size()));
  };
  EXPECT_EQ(asks(46, 10'000), 1 + 10) << "16, then three at once: half of 64 KiB";
  EXPECT_EQ(asks(20, 100'000), 1 + 4) << "16, then one at once, since none fits";
  const int small = asks(300, 10);
  EXPECT_GE(small, 2);
  EXPECT_LE(small, 4) << "16, then hundreds at once";
}

TEST(RedisStreamSource, ClosesWhileItWaitsForEntries) {
  RedisServer server;
  SourceHost host;
  const auto source = raw_stream_source("s", "v", {.server = server.at()});
  ASSERT_EQ(source->open(host.env()), absl::OkStatus());
  Collector out;
  ASSERT_EQ(conformance::detail::catch_up(*source, host, out), absl::OkStatus());
  auto closed = std::async(std::launch::async, [source] { return source->close(); });
  if (closed.wait_for(20s) != std::future_status::ready) std::abort();
  EXPECT_EQ(closed.get(), absl::OkStatus());
}

TEST(RedisStreamSource, NamesItsEntries) {
  EXPECT_EQ(raw_stream_source("s", "v")->position(0, 5 * kMillisecond + 2), "redis stream s entry 5-2");
}

TEST(RedisStreamSource, HandsOverEntriesWithTheirFields) {
  RedisServer server;
  server.ask({"XADD", "s", "1700000000000-3", "a", "1", "b", "2", "a", "3"});
  App app;
  std::vector<Entry> seen;
  EventTime time;
  app.source(stream_source("s", {.server = server.at(), .until_end = true}))
      .sink([&](const Entry& e, const RecordInfo& i) {
        seen.push_back(e);
        time = i.time;
      });
  ASSERT_EQ(app.run(), absl::OkStatus());
  EXPECT_THAT(seen, ElementsAre(Entry{"1700000000000-3", {{"a", "1"}, {"b", "2"}, {"a", "3"}}}));
  EXPECT_EQ(*seen[0].field("a"), "1");
  EXPECT_EQ(seen[0].field("c"), nullptr);
}

struct Order {
  std::string shop;
  int euros = 0;
};
SLIPSTREAM_FIELDS(Order, shop, euros)

TEST(RedisStreamSource, DecodesOneField) {
  RedisServer server;
  server.ask({"XADD", "orders", "*", "order", R"({"shop":"ams","euros":5})", "by", "ann"});
  server.ask({"XADD", "orders", "*", "note", "no order"});
  App app;
  std::vector<std::string> seen;
  app.source(stream_source("orders", "order", json<Order>(), {.server = server.at(), .until_end = true}))
      .on_error(ErrorPolicy::skip())
      .sink([&](const Order& o, const RecordInfo& i) {
        seen.push_back(o.shop + " " + std::to_string(o.euros) + " " + i.headers->at(1).value);
      });
  ASSERT_EQ(app.run(), absl::OkStatus());
  EXPECT_THAT(seen, ElementsAre("ams 5 ann"));
}

}  // namespace
}  // namespace slipstream::redis
