#include <netdb.h>

#include <future>

#include "slipstream/detail/exit_code.h"
#include "tests/integration/kafka_testing.h"
#include "tests/integration/own_broker.h"

namespace slipstream::test {
namespace {

using testing::ElementsAre;

/// No test waits for this: who tries again where that doesn't help doesn't come back in time.
constexpr auto kForever = std::chrono::hours(1);

/// A broker that wants TLS and a password. Its certificate is for 127.0.0.1 only.
class KafkaOverTlsOnARealBrokerOfItsOwn : public testing::Test {
 protected:
  ~KafkaOverTlsOnARealBrokerOfItsOwn() override { std::filesystem::remove_all(certificates_); }

  void SetUp() override {
    // Else clients would look for it until the test times out.
    addrinfo* found = nullptr;
    ASSERT_EQ(getaddrinfo("localhost", nullptr, nullptr, &found), 0) << "`localhost` has no address here";
    freeaddrinfo(found);
    ASSERT_NE(broker_.address(), "");
    auto admin = kafka::Admin::connect({.brokers = broker_.address()});
    ASSERT_EQ(admin.status(), absl::OkStatus());
    ASSERT_EQ(admin->create_topics({{.name = "in"}, {.name = "out"}}), absl::OkStatus());
  }

  std::string at(const std::string& host, int offset) const {
    return host + ":" + std::to_string(broker_.port() + offset);
  }
  std::string plaintext() const { return broker_.address(); }
  std::string tls() const { return at("127.0.0.1", 2); }
  /// The same, but it tells clients to go on at `localhost`.
  std::string misadvertised() const { return at("127.0.0.1", 3); }
  std::string file(const std::string& name) const { return certificates_ + "/" + name; }

  kafka::Settings right() const {
    return {{"security.protocol", "sasl_ssl"},
            {"ssl.ca.location", file("ca.pem")},
            {"sasl.mechanism", "PLAIN"},
            {"sasl.username", "alice"},
            {"sasl.password", "wonderland"}};
  }
  kafka::Settings but(const std::string& name, const std::string& value) const {
    kafka::Settings settings = right();
    settings[name] = value;
    return settings;
  }

 private:
  std::string properties(int port) const {
    const auto url = [&](const std::string& scheme, const std::string& host, int offset) {
      return scheme + "://" + host + ":" + std::to_string(port + offset);
    };
    const std::string plain = url("PLAINTEXT", "127.0.0.1", 0) + "," + url("TLS", "127.0.0.1", 2) + ",";
    std::string text =
        "listeners=" + plain + url("MISADVERTISED", "127.0.0.1", 3) + "," +
        url("CONTROLLER", "127.0.0.1", 1) + "\nadvertised.listeners=" + plain +
        url("MISADVERTISED", "localhost", 3) +
        "\nlistener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,TLS:SASL_SSL,"
        "MISADVERTISED:SASL_SSL\nssl.keystore.type=PEM\nssl.keystore.location=" +
        file("broker.pem") + "\nsasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256\n";
    const std::string modules = "org.apache.kafka.common.security.";
    for (const std::string listener : {"tls", "misadvertised"}) {
      const std::string prefix = "listener.name." + listener;
      text += prefix + ".plain.sasl.jaas.config=" + modules +
              "plain.PlainLoginModule required user_alice=\"wonderland\";\n" + prefix +
              ".scram-sha-256.sasl.jaas.config=" + modules + "scram.ScramLoginModule required;\n";
    }
    return text;
  }

  const std::string certificates_ = [] {
    std::string pattern = testing::TempDir() + "certificates-XXXXXX";
    const std::string folder = mkdtemp(pattern.data());
    EXPECT_EQ(
        std::system((SLIPSTREAM_SOURCE_DIR "/tests/integration/broker/certificates.sh " + folder).c_str()),
        0);
    return folder;
  }();
  const OwnBroker broker_{[this](int port) { return properties(port); },
                          "SCRAM-SHA-256=[name=bob,password=builder]"};
};

/// What comes of reading, with a program's exit code.
struct Ended {
  std::string message;
  int code;
};
Ended read(const std::string& brokers, const kafka::Settings& settings,
           std::chrono::milliseconds connect_timeout = kForever, const LogHook& log = {}) {
  App app;
  if (log) app.log_to(log);
  app
      .source(kafka::source(
          "in", text(),
          {.brokers = brokers, .until_end = true, .connect_timeout = connect_timeout, .settings = settings}))
      .sink([](const std::string&) {});
  const absl::Status status = app.run();
  return {std::string(status.message()), detail::exit_code(status)};
}

/// The same for writing.
Ended write(const std::string& brokers, const kafka::Settings& settings, const LogHook& log = {}) {
  App app;
  if (log) app.log_to(log);
  app.source(from<std::string>({"v"}))
      .sink(
          kafka::sink("in", text(), {.brokers = brokers, .connect_timeout = kForever, .settings = settings}));
  const absl::Status status = app.run();
  return {std::string(status.message()), detail::exit_code(status)};
}

TEST_F(KafkaOverTlsOnARealBrokerOfItsOwn, ProgramsReadAndWriteWithTheRightSettings) {
  kafka::Settings scram = but("sasl.mechanism", "SCRAM-SHA-256");
  scram["sasl.username"] = "bob";
  scram["sasl.password"] = "builder";
  {
    App app;
    app.source(from<std::string>({"a", "b", "c"}))
        .sink(kafka::sink("in", text(), {.brokers = tls(), .settings = right()}));
    ASSERT_EQ(app.run(), absl::OkStatus());
  }
  App app;
  app.source(
         kafka::source("in", text(), {.brokers = tls(), .group = "g", .until_end = true, .settings = scram}))
      .sink(kafka::sink("out", text(), {.brokers = tls(), .settings = scram}));
  ASSERT_EQ(app.run(), absl::OkStatus());
  EXPECT_THAT(values_of(read_topic(plaintext(), "out", 0)), ElementsAre("a", "b", "c"));

  kafka::Settings unchecked = but("ssl.ca.location", file("other-ca.pem"));
  unchecked["insecure_enable.ssl.certificate.verification"] = "false";
  EXPECT_EQ(read(at("localhost", 2), unchecked).message, "");
  EXPECT_EQ(read(at("localhost", 2), but("insecure_ssl.endpoint.identification.algorithm", "none")).message,
            "");
}

TEST_F(KafkaOverTlsOnARealBrokerOfItsOwn, EachRefusalSaysItsCauseAndWayOutAtOnce) {
  const std::string localhost = at("localhost", 2);
  const std::string host =
      " has a certificate for another host name; write a name that is in its certificate into the address, "
      "and into advertised.listeners of the broker";
  const std::string authority = tls() +
                                " has a certificate from an authority that isn't trusted here; set "
                                "ssl.ca.location to the file with that "
                                "authority's certificate";
  const struct {
    std::string brokers;
    kafka::Settings settings;
    std::string message;
  } cases[] = {
      {tls(), but("ssl.ca.location", file("other-ca.pem")),
       authority + " (it is '" + file("other-ca.pem") + "')"},
      {tls(), but("ssl.ca.location", ""), authority},
      {localhost, right(), localhost + host},
      {tls(), but("sasl.password", "looking-glass"),
       tls() + " refuses user 'alice': Authentication failed: Invalid username or password; check "
               "sasl.username, sasl.password and sasl.mechanism"},
      {tls(), but("sasl.mechanism", "SCRAM-SHA-256"),
       tls() +
           " refuses user 'alice': Authentication failed during authentication due to invalid credentials "
           "with SASL mechanism SCRAM-SHA-256; check sasl.username, sasl.password and sasl.mechanism"},
      {tls(), but("sasl.mechanism", "SCRAM-SHA-512"),
       tls() +
           " doesn't offer sasl.mechanism 'SCRAM-SHA-512', only PLAIN,SCRAM-SHA-256; set sasl.mechanism to "
           "one of these"},
      {misadvertised(), right(), "kafka topic 'in': asking for its offsets: " + at("localhost", 3) + host},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.message);
    const Ended ended = read(c.brokers, c.settings);
    EXPECT_EQ(ended.message, "kafka topic in: " + c.message);
    EXPECT_EQ(ended.code, 5);
  }
  const Ended ended = write(tls(), but("sasl.password", "looking-glass"));
  EXPECT_EQ(ended.message, "kafka topic in: " + cases[3].message);
  EXPECT_EQ(ended.code, 5);
}

/// A sink's start needs no leader.
TEST_F(KafkaOverTlsOnARealBrokerOfItsOwn, ALeaderThatIsRefusedIsWarnedOfAndEndsTheRun) {
  Log log;
  const Ended ended = write(misadvertised(), but("message.timeout.ms", "6000"), log.hook());
  const std::string cause = at("localhost", 3) +
                            " has a certificate for another host name; write a name that is in its "
                            "certificate into the address, and "
                            "into advertised.listeners of the broker";
  EXPECT_EQ(
      ended.message,
      "kafka topic in: kafka topic 'in': delivery of the record with no key failed: Message timed out: " +
          cause);
  EXPECT_EQ(ended.code, 5);
  EXPECT_TRUE(log.wait_for("warning kafka: kafka topic in: " + cause));
}

TEST_F(KafkaOverTlsOnARealBrokerOfItsOwn, TheOtherPortsProtocolIsGuessedAtWhileTryingOn) {
  const struct {
    std::string brokers;
    kafka::Settings settings;
    std::string cause, way_out;
  } cases[] = {
      {tls(),
       {},
       tls() + " closes the connection at the first request",
       "if it expects TLS, set security.protocol to ssl or sasl_ssl"},
      {plaintext(), right(), plaintext() + " closes the connection during the TLS handshake",
       "is that the port for TLS?"},
  };
  for (const auto& c : cases) {
    Log log;
    auto reading = std::async(
        std::launch::async, [&] { return read(c.brokers, c.settings, std::chrono::seconds(3), log.hook()); });
    const std::string start = "kafka topic in: no broker answers at " + c.brokers + ": " + c.cause + "; ";
    EXPECT_TRUE(log.wait_for("warning kafka: " + start + "trying for 3 s; " + c.way_out));
    const Ended ended = reading.get();
    EXPECT_EQ(ended.message, start + "gave up after 3 s; " + c.way_out);
    EXPECT_EQ(ended.code, 5);
  }
}

}  // namespace
}  // namespace slipstream::test
