#pragma once
#include <optional>

#include "slipstream/config.h"
#include "slipstream/kafka.h"

namespace slipstream::kafka {

/// A source's or sink's options with what the App's settings say: brokers and time-out where the program
/// leaves them open, client settings over the program's, since tuning must not need a change of code.
template <class Options>
Options configured(Options options, const RuntimeConfig* config) {
  const KafkaConfig defaults = config ? config->kafka : KafkaConfig{};
  if (options.brokers.empty())
    options.brokers = defaults.brokers.empty() ? "127.0.0.1:9092" : defaults.brokers;
  if (!options.connect_timeout) {
    options.connect_timeout = std::chrono::duration_cast<std::chrono::milliseconds>(defaults.connect_timeout);
  }
  for (const auto& [name, value] : defaults.settings) options.settings[name] = value;
  return options;
}

}  // namespace slipstream::kafka
