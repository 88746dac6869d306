#include "connectors/kafka/trouble.h"

#include <gtest/gtest.h>

namespace slipstream::kafka {
namespace {

const Access kAlice = {.user = "alice", .mechanism = "SCRAM-SHA-512", .ca = "/etc/ca.pem"};

TEST(KafkaTrouble, SaysWhatAnErrorMeansAndWhetherTryingAgainHelps) {
  const struct {
    rd_kafka_resp_err_t error;
    std::string reason, sentence;
    bool refused;
  } cases[] = {
      {RD_KAFKA_RESP_ERR__TRANSPORT, "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused",
       "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused; is it running, and is the "
       "address right?",
       false},
      {RD_KAFKA_RESP_ERR__TRANSPORT,
       "b:1/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect "
       "security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10 (see "
       "api.version.request)",
       "b:1 closes the connection at the first request; if it expects TLS, set security.protocol to ssl or "
       "sasl_ssl",
       false},
      {RD_KAFKA_RESP_ERR__TRANSPORT,
       "ssl://b:1/7: Disconnected: verify that security.protocol is correctly configured, broker might "
       "require SASL authentication",
       "b:1 closes the connection at the first request; if it expects a user, set security.protocol to "
       "sasl_ssl, and sasl.mechanism, sasl.username and sasl.password",
       false},
      {RD_KAFKA_RESP_ERR__TRANSPORT,
       "ssl://b:1/7: SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?",
       "b:1 closes the connection during the TLS handshake; is that the port for TLS?", false},
      {RD_KAFKA_RESP_ERR__SSL,
       "ssl://b:1/7: SSL handshake failed: error:0A000126:SSL routines::unexpected eof while reading",
       "b:1 closes the connection during the TLS handshake; is that the port for TLS?", false},
      {RD_KAFKA_RESP_ERR__SSL,
       "ssl://b:1/7: SSL handshake failed: error:0A00010B:SSL routines::wrong version number",
       "b:1 doesn't speak TLS; write the port for TLS into the address", true},
      {RD_KAFKA_RESP_ERR__TRANSPORT,
       "ssl://b:1/7: Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required",
       "b:1 wants a certificate from us; set ssl.certificate.location and ssl.key.location", true},
      {RD_KAFKA_RESP_ERR__SSL, "ssl://b:1/7: SSL handshake failed: something new",
       "ssl://b:1/7: SSL handshake failed: something new; check security.protocol and the sasl.* and ssl.* "
       "settings",
       true},
      {RD_KAFKA_RESP_ERR__AUTHENTICATION,
       "sasl_ssl://b:1/bootstrap: SASL authentication error: Authentication failed: Invalid username or "
       "password",
       "b:1 refuses user 'alice': Authentication failed: Invalid username or password; check sasl.username, "
       "sasl.password and sasl.mechanism",
       true},
      {RD_KAFKA_RESP_ERR__AUTHENTICATION,
       "sasl_ssl://b:1/bootstrap: SASL SCRAM-SHA-512 mechanism handshake failed: Broker: Unsupported SASL "
       "mechanism: broker's supported mechanisms: PLAIN,SCRAM-SHA-256",
       "b:1 doesn't offer sasl.mechanism 'SCRAM-SHA-512', only PLAIN,SCRAM-SHA-256; set sasl.mechanism to "
       "one "
       "of these",
       true},
      {RD_KAFKA_RESP_ERR__AUTHENTICATION, "no address: and no slash",
       "no address: and no slash; check security.protocol and the sasl.* and ssl.* settings", true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.reason);
    const Trouble trouble = trouble_of(c.error, c.reason, kAlice);
    EXPECT_EQ(sentence(trouble), c.sentence);
    EXPECT_EQ(trouble.refused, c.refused);
  }
}

TEST(KafkaTrouble, TellsCertificatesApartThatLibrdkafkaSaysTheSameOf) {
  const std::string authority =
      "b:1 has a certificate from an authority that isn't trusted here; set ssl.ca.location to the file with "
      "that authority's certificate (it is '/etc/ca.pem')";
  const std::string host =
      "b:1 has a certificate for another host name; write a name that is in its certificate into the "
      "address, "
      "and into advertised.listeners of the broker";
  const struct {
    int error;
    std::string sentence;
  } cases[] = {
      {18, authority},
      {19, authority},
      {20, authority},
      {7,
       "b:1 has a certificate that the trusted authority of that name did not sign; set ssl.ca.location to "
       "the "
       "file with that authority's certificate (it is '/etc/ca.pem')"},
      {9, "b:1 has a certificate that isn't valid yet; check the clocks here and there"},
      {10, "b:1 has a certificate that has expired; renew it on the broker"},
      {62, host},
      {64, host},
      {23, "b:1 has a certificate that OpenSSL doesn't accept, error 23; man openssl-verify says why"},
  };
  for (const auto& c : cases) {
    const Trouble trouble = certificate_trouble("b:1", c.error, kAlice);
    EXPECT_EQ(sentence(trouble), c.sentence);
    EXPECT_TRUE(trouble.refused);
  }
  EXPECT_EQ(certificate_trouble("b:1", 20, {}).way_out,
            "set ssl.ca.location to the file with that authority's certificate");
}

}  // namespace
}  // namespace slipstream::kafka
