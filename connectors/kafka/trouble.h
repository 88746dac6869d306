#pragma once
#include <librdkafka/rdkafka.h>

#include <string>

namespace slipstream::kafka {

/// How a client presents itself; for messages, so without secrets.
struct Access {
  std::string user;           ///< sasl.username
  std::string mechanism;      ///< sasl.mechanism
  std::string ca;             ///< ssl.ca.location
  bool checks_broker = true;  ///< enable.ssl.certificate.verification
};
Access access_of(const rd_kafka_conf_t* conf);

/// Why a broker can't be used.
struct Trouble {
  std::string text = "no answer";
  std::string way_out = "is it running, and is the address right?";
  /// The broker is there, but it or we won't: trying again with the same settings doesn't help.
  bool refused = false;
};
/// "TEXT; WAY OUT".
std::string sentence(const Trouble& trouble);

/// Of an error that librdkafka reports, whose reason reads "PROTOCOL://HOST:PORT/ID: TEXT (after 5ms in …)".
Trouble trouble_of(rd_kafka_resp_err_t error, const std::string& reason, const Access& access);

/// Of a certificate that OpenSSL doesn't accept, with its number for that (X509_V_ERR_…). librdkafka says the
/// same of all of them.
Trouble certificate_trouble(const std::string& broker, int x509_error, const Access& access);

}  // namespace slipstream::kafka
