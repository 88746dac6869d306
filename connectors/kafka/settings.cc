#include "connectors/kafka/settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "slipstream/detail/nearest.h"

namespace slipstream::kafka {
namespace {

constexpr std::string_view kInsecure = "insecure_";

struct Refusal {
  std::string_view name;
  std::string_view reason;
};

constexpr std::string_view kRunsCode = "it makes the client load or run code";
constexpr std::string_view kOwnsOffsets = "the runtime commits offsets itself, after a record's effects";
constexpr std::string_view kAlone = "a source is alone in its group and reads all partitions";
constexpr std::string_view kBrokers = "write the addresses into the option 'brokers'";

constexpr Refusal kRefusedAlways[] = {
    {"plugin.library.paths", kRunsCode},
    {"sasl.kerberos.kinit.cmd", kRunsCode},
    {"ssl.engine.location", kRunsCode},
    {"ssl.engine.id", kRunsCode},
    {"ssl.providers", kRunsCode},
    {"bootstrap.servers", kBrokers},
    {"metadata.broker.list", kBrokers},
    {"log.queue", "the log goes to the application's log hook"},
    {"test.mock.num.brokers", "it replaces the broker by an empty one; use an EmbeddedBroker"},
};

constexpr Refusal kRefusedForConsumers[] = {
    {"group.id", "write it into the option 'group'"},
    {"enable.auto.commit", kOwnsOffsets},
    {"auto.commit.enable", kOwnsOffsets},
    {"auto.commit.interval.ms", kOwnsOffsets},
    {"enable.auto.offset.store", kOwnsOffsets},
    {"offset.store.method", kOwnsOffsets},
    {"offset.store.path", kOwnsOffsets},
    {"auto.offset.reset", "a lost offset is an error, never skipped; write the option 'start'"},
    {"enable.partition.eof", "the source needs it to know when it has read everything"},
    {"group.instance.id", kAlone},
    {"group.protocol", kAlone},
    {"group.protocol.type", kAlone},
    {"group.remote.assignor", kAlone},
    {"partition.assignment.strategy", kAlone},
};

constexpr Refusal kRefusedForProducers[] = {
    {"transactional.id", "the sink doesn't write in transactions"},
    {"delivery.report.only.error", "the sink checks every delivery"},
};

/// What becomes insecure by which value; the same value is accepted under the prefixed name.
struct Insecure {
  std::string_view name;
  std::string_view value;
  std::string_view consequence;
};

constexpr Insecure kInsecureValues[] = {
    {"enable.ssl.certificate.verification", "false", "anyone can pose as the broker"},
    {"ssl.endpoint.identification.algorithm", "none", "any holder of a certificate can pose as the broker"},
    {"security.protocol", "sasl_plaintext", "the password goes over the network in the clear"},
};

std::string quoted(std::string_view name) { return "kafka setting '" + std::string(name) + "'"; }

template <class Table>
const Refusal* find_refusal(const Table& table, std::string_view name) {
  const auto* found =
      std::find_if(std::begin(table), std::end(table), [&](const Refusal& r) { return r.name == name; });
  return found == std::end(table) ? nullptr : found;
}

const Refusal* refusal(Role role, std::string_view name) {
  if (const Refusal* always = find_refusal(kRefusedAlways, name)) return always;
  return role == Role::consumer ? find_refusal(kRefusedForConsumers, name)
                                : find_refusal(kRefusedForProducers, name);
}

/// All property names of the linked librdkafka, from the tables it prints; some are in two of them.
std::vector<std::string> property_names() {
  char* text = nullptr;
  std::size_t size = 0;
  FILE* out = open_memstream(&text, &size);
  if (out == nullptr) return {};
  rd_kafka_conf_properties_show(out);
  std::fclose(out);
  const std::unique_ptr<char, decltype(&std::free)> owner(text, &std::free);

  std::vector<std::string> names;
  std::string_view rest(text, size);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::string_view name = line.substr(0, line.find(' '));
    const bool is_row = line.find(" | ") != line.npos && name.find_first_of("._") != name.npos;
    if (is_row && std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
  }
  return names;
}

bool is_loopback(std::string_view broker) {
  if (const auto scheme = broker.find("://"); scheme != broker.npos) broker.remove_prefix(scheme + 3);
  if (broker.starts_with('[')) return broker.starts_with("[::1]");
  const std::string_view host = broker.substr(0, broker.rfind(':'));
  const bool is_address = host.find_first_not_of("0123456789.") == host.npos;
  return host == "localhost" || (is_address && host.starts_with("127."));
}

bool all_loopback(std::string_view brokers) {
  while (!brokers.empty()) {
    const std::string_view broker = brokers.substr(0, brokers.find(','));
    if (!is_loopback(broker)) return false;
    brokers.remove_prefix(std::min(brokers.size(), broker.size() + 1));
  }
  return true;
}

/// librdkafka's reasons end with a line break or not, and name the value or not.
std::string with_value(std::string why, const std::string& value) {
  while (why.ends_with('\n')) why.pop_back();
  return why.find(value) != why.npos ? why : why + ", found '" + value + "'";
}

/// What stands behind the host, nothing if there is none. Of an IPv6 address without brackets nobody can say.
std::optional<std::string_view> port_of(std::string_view broker) {
  if (const auto scheme = broker.find("://"); scheme != broker.npos) broker.remove_prefix(scheme + 3);
  if (const auto bracket = broker.find(']'); bracket != broker.npos) broker.remove_prefix(bracket + 1);
  const auto colon = broker.find(':');
  if (colon == broker.npos || broker.find(':', colon + 1) != broker.npos) return std::nullopt;
  return broker.substr(colon + 1);
}

/// librdkafka takes any number, modulo 65536.
absl::Status check_ports(const std::string& brokers) {
  for (std::string_view rest = brokers; !rest.empty();) {
    std::string_view broker = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), broker.size() + 1));
    while (broker.ends_with(' ')) broker.remove_suffix(1);
    while (broker.starts_with(' ')) broker.remove_prefix(1);
    const auto port = port_of(broker);
    if (!port) continue;
    int number = 0;
    const auto parsed = std::from_chars(port->data(), port->data() + port->size(), number);
    if (parsed.ptr == port->data() + port->size() && number > 0 && number <= 65535) continue;
    return absl::InvalidArgumentError("kafka: the port of broker '" + std::string(broker) +
                                      "' is no number from 1 to 65535");
  }
  return absl::OkStatus();
}

class Builder {
 public:
  Builder(Role role, const std::string& brokers) : role_(role), brokers_(brokers) {
    built_.conf.reset(rd_kafka_conf_new());
  }

  absl::Status add_all(const Settings& settings) {
    for (const auto& [name, value] : settings) {
      if (absl::Status status = add(name, value); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  /// One of the user's settings.
  absl::Status add_checked(const std::string& name, const std::string& value) {
    if (name.starts_with(kInsecure)) return add_insecure(name.substr(kInsecure.size()), value);
    if (const Refusal* refused = refusal(role_, name)) {
      return absl::InvalidArgumentError(quoted(name) + " is refused: " + std::string(refused->reason));
    }
    if (name == "debug" && (value.find("all") != value.npos || value.find("conf") != value.npos)) {
      return absl::InvalidArgumentError(
          quoted(name) + " is refused for '" + value +
          "': it prints the configuration with its secrets; name the contexts you "
          "need, e.g. 'broker,topic,msg'");
    }
    return add(name, value);
  }

  /// Looks at the values in force, so an alias or another spelling of a value doesn't get around it.
  absl::Status check_insecure_values() {
    for (const Insecure& insecure : kInsecureValues) {
      const std::string name(insecure.name);
      if (setting(built_.conf.get(), name) != insecure.value) continue;
      if (insecure.name == "security.protocol" && all_loopback(brokers_)) continue;
      if (std::find(allowed_.begin(), allowed_.end(), name) != allowed_.end()) {
        built_.warnings.push_back(quoted(std::string(kInsecure) + name) + ": " +
                                  std::string(insecure.consequence));
        continue;
      }
      return absl::InvalidArgumentError(quoted(name) + " is refused for '" + std::string(insecure.value) +
                                        "': " + std::string(insecure.consequence) +
                                        "; if you want that, write '" + std::string(kInsecure) + name + "'");
    }
    return absl::OkStatus();
  }

  /// librdkafka's default is Kerberos, of whose settings its message then speaks.
  absl::Status check_mechanism() {
    const rd_kafka_conf_t* conf = built_.conf.get();
    const std::string protocol = setting(conf, "security.protocol");
    const bool kerberos = protocol.starts_with("sasl_") && setting(conf, "sasl.mechanism") == "GSSAPI";
    if (!kerberos || !setting(conf, "sasl.kerberos.keytab").empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "kafka setting 'security.protocol' is '" + protocol +
        "', which needs 'sasl.mechanism': write PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or, with "
        "'sasl.kerberos.keytab', GSSAPI");
  }

  ClientConf take() { return std::move(built_); }

 private:
  absl::Status add_insecure(const std::string& name, const std::string& value) {
    const bool known = std::any_of(std::begin(kInsecureValues), std::end(kInsecureValues),
                                   [&](const Insecure& insecure) { return insecure.name == name; });
    if (!known) {
      return absl::InvalidArgumentError(quoted(std::string(kInsecure) + name) + " is not known: '" + name +
                                        "' needs no prefix");
    }
    allowed_.push_back(name);
    return add(name, value);
  }

  absl::Status add(const std::string& name, const std::string& value) {
    if (Secrets::is_secret(name)) built_.secrets.add(value);
    char why[512] = {};
    switch (rd_kafka_conf_set(built_.conf.get(), name.c_str(), value.c_str(), why, sizeof why)) {
      case RD_KAFKA_CONF_OK:
        return absl::OkStatus();
      case RD_KAFKA_CONF_UNKNOWN:
        return absl::InvalidArgumentError(quoted(name) + " is not known" +
                                          detail::did_you_mean(name, property_names(), 3));
      default:
        if (Secrets::is_secret(name))
          return absl::InvalidArgumentError(quoted(name) + " has a value that is not valid");
        return absl::InvalidArgumentError(quoted(name) + ": " +
                                          built_.secrets.redacted(with_value(why, value)));
    }
  }

  Role role_;
  const std::string& brokers_;
  ClientConf built_;
  std::vector<std::string> allowed_;
};

}  // namespace

bool Secrets::is_secret(std::string_view name) {
  constexpr std::array kPatterns = {"password",          "secret", "token", "pem", "credential", "jaas",
                                    "oauthbearer.config"};
  return std::any_of(kPatterns.begin(), kPatterns.end(),
                     [&](std::string_view pattern) { return name.find(pattern) != name.npos; });
}

void Secrets::add(std::string value) {
  if (value.empty()) return;
  values_.push_back(std::move(value));
  std::sort(values_.begin(), values_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

std::string Secrets::redacted(std::string text) const {
  for (const std::string& value : values_) {
    for (auto at = text.find(value); at != text.npos; at = text.find(value, at + 3))
      text.replace(at, value.size(), "***");
  }
  return text;
}

std::string setting(const rd_kafka_conf_t* conf, const std::string& name) {
  std::size_t size = 0;
  if (rd_kafka_conf_get(conf, name.c_str(), nullptr, &size) != RD_KAFKA_CONF_OK || size == 0) return "";
  std::string value(size, '\0');
  rd_kafka_conf_get(conf, name.c_str(), value.data(), &size);
  value.resize(value.find('\0') == value.npos ? value.size() : value.find('\0'));
  return value;
}

absl::StatusOr<ClientConf> client_conf(Role role, const std::string& brokers, const Settings& settings,
                                       const Settings& defaults, const Settings& owned) {
  if (brokers.empty())
    return absl::InvalidArgumentError("kafka: no broker address; write HOST:PORT into 'brokers'");
  if (absl::Status status = check_ports(brokers); !status.ok()) return status;
  Builder builder(role, brokers);
  if (absl::Status status = builder.add_all({{"bootstrap.servers", brokers}}); !status.ok()) return status;
  if (absl::Status status = builder.add_all(defaults); !status.ok()) return status;
  for (const auto& [name, value] : settings) {
    if (absl::Status status = builder.add_checked(name, value); !status.ok()) return status;
  }
  if (absl::Status status = builder.add_all(owned); !status.ok()) return status;
  if (absl::Status status = builder.check_insecure_values(); !status.ok()) return status;
  if (absl::Status status = builder.check_mechanism(); !status.ok()) return status;
  return builder.take();
}

}  // namespace slipstream::kafka
