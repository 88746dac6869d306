#include "slipstream/schema_registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "slipstream/avro.h"
#include "tests/http/fake_registry.h"

namespace slipstream {
namespace {

using http::FakeRegistry;
using http::Peer;
using http::Port;
using http::Server;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

std::string answer(std::string_view status, std::string_view json) {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(json.size()) +
         "\r\nConnection: close\r\n\r\n" + std::string(json);
}
Server::Script always(std::string_view status, std::string_view json) {
  return [text = answer(status, json)](std::size_t, Peer& peer) { peer.send(text); };
}
std::shared_ptr<SchemaRegistry> registry_at(const std::string& url, SchemaRegistryOptions options = {}) {
  options.url = url;
  auto registry = schema_registry(std::move(options));
  EXPECT_TRUE(registry.ok()) << registry.status();
  return registry.ok() ? *registry : nullptr;
}
std::string refusal_of(SchemaRegistryOptions options) {
  const auto registry = schema_registry(std::move(options));
  EXPECT_EQ(registry.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(registry.status().message());
}

constexpr std::string_view kInt = R"({"schema": "\"int\""})";

TEST(SchemaRegistry, GivesSchemasByNumberAndKeepsThem) {
  FakeRegistry fake;
  const std::int32_t avro = fake.add("a-value", {"\"int\"", {}});
  const std::int32_t protobuf = fake.add("b-value", {"message A {}", "PROTOBUF"});
  const auto registry = registry_at(fake.url() + "/");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ((*registry->schema(avro))->text, "\"int\"");
    EXPECT_EQ((*registry->schema(avro))->type, "AVRO");
    EXPECT_EQ((*registry->schema(protobuf))->type, "PROTOBUF");
  }
  EXPECT_EQ(fake.requests().size(), 2u);
  EXPECT_THAT(fake.requests()[0], testing::StartsWith("GET /schemas/ids/1 HTTP/1.1"));
}

TEST(SchemaRegistry, TellsWhatASchemaRefersTo) {
  Server server(always("200 OK", R"({"schema": "x", "references": [{"name": "m.proto", "subject": "m"}]})"));
  EXPECT_THAT((*registry_at(server.url(""))->schema(1))->references, testing::ElementsAre("m.proto"));
}

TEST(SchemaRegistry, AddsSchemasAndLooksThemUp) {
  FakeRegistry fake;
  const auto registry = registry_at(fake.url());
  const RegisteredSchema schema{"PROTOBUF", "message \"A\" {}", {}};
  const auto missing = registry->id_of("orders-value", schema, false);
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.status().message(), "schema registry " + fake.url() +
                                            "/: subject 'orders-value': HTTP 404: Schema not found (40403)");
  EXPECT_EQ(*registry->id_of("orders-value", schema, true), 1);
  EXPECT_EQ(*registry->id_of("orders-value", schema, true), 1);
  EXPECT_EQ(*registry_at(fake.url())->id_of("orders-value", schema, false), 1);
  EXPECT_EQ((*registry->schema(1))->type, "PROTOBUF");
  EXPECT_EQ((*registry->schema(1))->text, schema.text);
  EXPECT_EQ(fake.requests().size(), 4u);
  EXPECT_EQ(*registry->id_of("a/b ü", {"AVRO", "\"int\"", {}}, true), 2);
  EXPECT_THAT(fake.requests()[4], testing::StartsWith("POST /subjects/a%2Fb%20%C3%BC/versions HTTP/1.1"));
  EXPECT_THAT(fake.requests()[4], Not(HasSubstr("schemaType"))) << "registries of old know Avro only";
}

TEST(SchemaRegistry, OneThreadAsksForAll) {
  std::atomic<int> waiting = 0;
  Server server([&](std::size_t, Peer& peer) {
    while (waiting < 4) std::this_thread::yield();
    peer.send(answer("200 OK", kInt));
  });
  const auto registry = registry_at(server.url(""));
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      ++waiting;
      right += registry->schema(7).ok() ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 4);
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST(SchemaRegistry, KeepsErrorsForAWhile) {
  Server server(always("404 Not Found", R"({"error_code": 40403, "message": "Schema 7 not found"})"));
  const auto registry = registry_at(server.url(""), {.error_ttl = 1h});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(registry->schema(7).status().message(),
              "schema registry " + server.url("/") + ": schema 7: HTTP 404: Schema 7 not found (40403)");
  }
  EXPECT_EQ(server.requests().size(), 1u);
  const auto forgetful = registry_at(server.url(""), {.error_ttl = 0s});
  (void)forgetful->schema(7);
  (void)forgetful->schema(7);
  EXPECT_EQ(server.requests().size(), 3u);
}

TEST(SchemaRegistry, TriesAgainWhatMayPass) {
  Server server([](std::size_t number, Peer& peer) {
    if (number == 0) peer.send(answer("503 Unavailable", ""));
    if (number == 1) peer.send(answer("429 Too Many Requests", ""));
    if (number == 2) peer.reset();
    if (number == 3) peer.send(answer("200 OK", kInt));
  });
  EXPECT_TRUE(registry_at(server.url(""), {.retry_backoff = 1ms})->schema(1).ok());
  EXPECT_EQ(server.requests().size(), 4u);
}

TEST(SchemaRegistry, GivesUpAtTheTimeOut) {
  Server busy(always("500 Internal Server Error", R"({"error_code": 50001, "message": "no\nstore"})"));
  // There is time for one more try, and much of it.
  const auto busy_status =
      registry_at(busy.url(""), {.timeout = 4s, .retry_backoff = 1500ms})->schema(1).status();
  EXPECT_EQ(busy_status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(busy_status.message()), HasSubstr("schema 1: HTTP 500: no\\nstore (50001)"));
  EXPECT_EQ(busy.requests().size(), 2u);

  Server silent([](std::size_t, Peer& peer) { peer.wait_until_closed(); });
  const auto silent_status = registry_at(silent.url(""), {.timeout = 50ms})->schema(1).status();
  EXPECT_EQ(silent_status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(silent_status.message(), "schema registry " + silent.url("/") + ": schema 1: no answer in time");

  const Port nobody;
  const auto no_status =
      registry_at("http://" + nobody.address(), {.timeout = 10s, .retry_backoff = 10s})->schema(1).status();
  EXPECT_EQ(no_status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(no_status.message()),
              HasSubstr("schema registry http://" + nobody.address() + "/: schema 1: "));
}

TEST(SchemaRegistry, ThreadsThatWaitForAnotherGiveUpAsWell) {
  Server silent([](std::size_t, Peer& peer) { peer.wait_until_closed(); });
  const auto registry = registry_at(silent.url(""), {.timeout = 100ms, .error_ttl = 0s});
  const auto started = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { EXPECT_FALSE(registry->schema(1).ok()); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_LT(std::chrono::steady_clock::now() - started, 30s);
}

TEST(SchemaRegistry, SaysWhatItIsAnswered) {
  const auto said = [](std::string_view status, std::string_view body, absl::StatusCode code) {
    Server server(always(status, body));
    const absl::Status answered = registry_at(server.url(""))->id_of("s", {"AVRO", "x", {}}, true).status();
    EXPECT_EQ(answered.code(), code) << answered;
    const std::string front = "schema registry " + server.url("/") + ": subject 's': ";
    EXPECT_THAT(std::string(answered.message()), testing::StartsWith(front));
    return std::string(answered.message()).substr(std::min(front.size(), answered.message().size()));
  };
  EXPECT_EQ(said("401 Unauthorized", "", absl::StatusCode::kUnauthenticated),
            "HTTP 401; check user, password or token");
  EXPECT_EQ(said("403 Forbidden", "{}", absl::StatusCode::kPermissionDenied),
            "HTTP 403; check user, password or token");
  EXPECT_EQ(
      said("409 Conflict", R"({"error_code": 409, "message": "incompatible"})",
           absl::StatusCode::kFailedPrecondition),
      "HTTP 409: incompatible (409); the schema is incompatible with the subject's earlier ones: give new "
      "fields a default");
  EXPECT_EQ(said("422 Unprocessable", R"({"error_code": 42201, "message": "Invalid schema"})",
                 absl::StatusCode::kInvalidArgument),
            "HTTP 422: Invalid schema (42201)");
  EXPECT_EQ(said("302 Found", "", absl::StatusCode::kInvalidArgument),
            "HTTP 302; write the address it leads to");
  EXPECT_EQ(said("200 OK", "<html>", absl::StatusCode::kInternal),
            "its answer can't be read: not JSON at byte 0, near \"<html>\"");
  EXPECT_EQ(said("200 OK", std::string(std::size_t{5} << 20, ' '), absl::StatusCode::kResourceExhausted),
            "the answer is longer than 4MiB");
}

TEST(SchemaRegistry, SendsCredentialsAndNeverShowsThem) {
  Server server(always("401 Unauthorized", R"({"error_code": 401, "message": "no"})"));
  const auto basic = registry_at(server.url(""), {.user = "ann", .password = "s3cret"});
  EXPECT_THAT(std::string(basic->schema(1).status().message()), Not(HasSubstr("s3cret")));
  EXPECT_THAT(server.requests()[0], HasSubstr("Authorization: Basic YW5uOnMzY3JldA==\r\n"));
  const auto bearer = registry_at(server.url(""), {.token = "t0ken"});
  EXPECT_THAT(std::string(bearer->schema(1).status().message()), Not(HasSubstr("t0ken")));
  EXPECT_THAT(server.requests()[1], HasSubstr("Authorization: Bearer t0ken\r\n"));
  const auto in_url = registry_at("http://ann:s3cret@" + server.address());
  const std::string message(in_url->schema(1).status().message());
  EXPECT_THAT(message,
              HasSubstr("schema registry http://" + server.address() + "/: schema 1: HTTP 401: no (401)"));
  EXPECT_THAT(server.requests()[2], HasSubstr("Authorization: Basic YW5uOnMzY3JldA==\r\n"));
}

TEST(SchemaRegistry, RefusesOptionsThatCannotWork) {
  const std::string url = "http://127.0.0.1";
  EXPECT_EQ(refusal_of({.url = url, .timeout = 0s}),
            "schema registry: the option 'timeout' must be positive");
  EXPECT_EQ(refusal_of({.url = url, .retry_backoff = 0s}),
            "schema registry: the option 'retry_backoff' must be positive");
  EXPECT_EQ(refusal_of({.url = url, .error_ttl = -1s}),
            "schema registry: the option 'error_ttl' is negative");
  EXPECT_EQ(refusal_of({.url = url, .user = "a", .token = "b"}),
            "schema registry: give either 'token' or 'user' and 'password'");
  EXPECT_EQ(refusal_of({.url = url, .password = "b"}), "schema registry: a 'password' without a 'user'");
  EXPECT_EQ(refusal_of({.url = url, .user = "a:b"}), "schema registry: a colon in the option 'user'");
  EXPECT_EQ(refusal_of({.url = url, .token = "a\r\nHost: b"}),
            "schema registry: user, password or token has a line break or a NUL in it");
  EXPECT_EQ(refusal_of({.url = url + "/?key=s3cret"}),
            "schema registry: the URL has a \"?\" or \"#\"; write it without");
  EXPECT_EQ(refusal_of({.url = "ftp://a"}),
            "schema registry: the URL begins with ftp://; write http:// or https://");
  EXPECT_THAT(refusal_of({.url = ""}), HasSubstr("schema registry: the URL can't be read: "));
}

TEST(SchemaRegistry, ServesCodecs) {
  FakeRegistry fake;
  const Codec<std::vector<std::string>> codec =
      avro<std::vector<std::string>>(registry_at(fake.url()), {.topic = "words"});
  const std::vector<std::string> words = {"a", "ü"};
  std::string bytes;
  ASSERT_TRUE(codec.make_encoder()(words, bytes).ok());
  std::vector<std::string> read;
  const absl::Status status = codec.make_decoder()(bytes, read);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(read, words);
}

}  // namespace
}  // namespace slipstream
