#include "connectors/kafka/trouble.h"

#include <string_view>

#include "connectors/kafka/errors.h"
#include "connectors/kafka/settings.h"

namespace slipstream::kafka {
namespace {

constexpr const char* kCredentials = "check sasl.username, sasl.password and sasl.mechanism";
constexpr const char* kSecurity = "check security.protocol and the sasl.* and ssl.* settings";

/// What librdkafka guesses from, and what we make of it.
struct Known {
  std::string_view part;
  std::string_view text;
  std::string_view way_out;
  bool refused;
};

/// A broker that is just ending also closes connections, so these are worth another try, but for the last
/// two.
constexpr Known kKnown[] = {
    {"connecting to a SSL listener?", "closes the connection at the first request",
     "if it expects TLS, set security.protocol to ssl or sasl_ssl", false},
    {"might require SASL authentication", "closes the connection at the first request",
     "if it expects a user, set security.protocol to sasl_ssl, and sasl.mechanism, sasl.username and "
     "sasl.password",
     false},
    {"SSL handshake failed: Disconnected", "closes the connection during the TLS handshake",
     "is that the port for TLS?", false},
    {"unexpected eof while reading", "closes the connection during the TLS handshake",
     "is that the port for TLS?", false},
    {"wrong version number", "doesn't speak TLS", "write the port for TLS into the address", true},
    {"certificate required", "wants a certificate from us",
     "set ssl.certificate.location and ssl.key.location", true},
};

/// "sasl_ssl://HOST:PORT/bootstrap: TEXT" in its two halves; the first is empty when there is none.
struct Reason {
  std::string broker;
  std::string text;
};

Reason split(const std::string& reason) {
  const auto end = reason.find(": ");
  const auto slash = reason.rfind('/', end);
  if (end == reason.npos || slash == reason.npos) return {"", reason};
  const auto scheme = reason.find("://");
  const auto begin = scheme < slash ? scheme + 3 : 0;
  if (begin > slash) return {"", reason};
  return {reason.substr(begin, slash - begin), reason.substr(end + 2)};
}

std::string in_parentheses(const std::string& name, const std::string& value) {
  return value.empty() ? "" : " (" + name + " is '" + value + "')";
}

Trouble authentication_trouble(const Reason& reason, const Access& access) {
  // "SASL X mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms:
  // Y,Z"
  constexpr std::string_view kSupported = "supported mechanisms: ";
  if (const auto at = reason.text.rfind(kSupported); at != reason.text.npos) {
    return {reason.broker + " doesn't offer sasl.mechanism '" + access.mechanism + "', only " +
                reason.text.substr(at + kSupported.size()),
            "set sasl.mechanism to one of these", true};
  }
  // "SASL authentication error: Authentication failed: Invalid username or password"
  const auto colon = reason.text.find(": ");
  return {reason.broker + " refuses user '" + access.user +
              "': " + (colon == reason.text.npos ? reason.text : reason.text.substr(colon + 2)),
          kCredentials, true};
}

}  // namespace

Access access_of(const rd_kafka_conf_t* conf) {
  return {.user = setting(conf, "sasl.username"),
          .mechanism = setting(conf, "sasl.mechanism"),
          .ca = setting(conf, "ssl.ca.location"),
          .checks_broker = setting(conf, "enable.ssl.certificate.verification") == "true"};
}

std::string sentence(const Trouble& trouble) { return trouble.text + "; " + trouble.way_out; }

Trouble trouble_of(rd_kafka_resp_err_t error, const std::string& reason, const Access& access) {
  const Reason parts = split(reason);
  for (const Known& known : kKnown) {
    if (parts.broker.empty() || parts.text.find(known.part) == parts.text.npos) continue;
    return {parts.broker + " " + std::string(known.text), std::string(known.way_out), known.refused};
  }
  if (!is_authentication(error)) return {.text = reason};
  const bool by_us_or_broker = !parts.broker.empty() && error != RD_KAFKA_RESP_ERR__SSL;
  return by_us_or_broker ? authentication_trouble(parts, access) : Trouble{reason, kSecurity, true};
}

Trouble certificate_trouble(const std::string& broker, int x509_error, const Access& access) {
  const std::string has = broker + " has a certificate ";
  switch (x509_error) {
    case 2:   // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
    case 18:  // X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    case 19:  // X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
    case 20:  // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    case 21:  // X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
      return {has + "from an authority that isn't trusted here",
              "set ssl.ca.location to the file with that authority's certificate" +
                  in_parentheses("it", access.ca),
              true};
    case 7:  // X509_V_ERR_CERT_SIGNATURE_FAILURE
      return {has + "that the trusted authority of that name did not sign",
              "set ssl.ca.location to the file with that authority's certificate" +
                  in_parentheses("it", access.ca),
              true};
    case 9:  // X509_V_ERR_CERT_NOT_YET_VALID
      return {has + "that isn't valid yet", "check the clocks here and there", true};
    case 10:  // X509_V_ERR_CERT_HAS_EXPIRED
      return {has + "that has expired", "renew it on the broker", true};
    case 62:  // X509_V_ERR_HOSTNAME_MISMATCH
    case 64:  // X509_V_ERR_IP_ADDRESS_MISMATCH
      return {
          has + "for another host name",
          "write a name that is in its certificate into the address, and into advertised.listeners of the "
          "broker",
          true};
    default:
      return {has + "that OpenSSL doesn't accept, error " + std::to_string(x509_error),
              "man openssl-verify says why", true};
  }
}

}  // namespace slipstream::kafka
