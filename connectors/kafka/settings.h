#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "connectors/kafka/handles.h"
#include "slipstream/kafka.h"

namespace slipstream::kafka {

enum class Role { consumer, producer };

/// Values that must not be printed.
class Secrets {
 public:
  static bool is_secret(std::string_view name);
  void add(std::string value);
  /// The text with every secret value replaced by "***".
  std::string redacted(std::string text) const;

 private:
  std::vector<std::string> values_;  // longest first, so that one that contains another goes whole
};

struct ClientConf {
  Conf conf;
  Secrets secrets;
  std::vector<std::string> warnings;  ///< to log at every start
};

/// `defaults` may be overridden by `settings` (checked, see kafka::Settings), `owned` may not.
absl::StatusOr<ClientConf> client_conf(Role role, const std::string& brokers, const Settings& settings,
                                       const Settings& defaults, const Settings& owned);

/// The value in force, by the property's name or alias; "" when it has none.
std::string setting(const rd_kafka_conf_t* conf, const std::string& name);

}  // namespace slipstream::kafka
