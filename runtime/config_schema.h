#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "slipstream/config.h"

/// The one table of what can be configured; checking, printing, --help and docs/config.md come from it.
namespace slipstream::detail {

/// One key, read into and shown from a Target (RuntimeConfig or NodeConfig).
template <class Target>
struct ConfigKey {
  std::string name;  ///< of a node's: without "node.<name>."
  std::string expects;
  std::string doc;
  std::function<bool(const ConfigValue&, Target&)> read;  ///< false: not what it expects; target unchanged
  std::function<ConfigValue(const Target&)> show;
};

std::span<const ConfigKey<RuntimeConfig>> runtime_keys();
std::span<const ConfigKey<NodeConfig>> node_keys();
const ConfigKey<RuntimeConfig>* find_runtime_key(std::string_view name);
const ConfigKey<NodeConfig>* find_node_key(std::string_view name);

template <ConfigType T>
std::optional<T> read_as(const ConfigValue& value);
/// "an integer", "a duration such as 500ms, 10s or 2h", …
template <ConfigType T>
std::string_view type_name();

/// For messages: what was found, in one short line.
std::string quoted(const ConfigValue& value);
/// As TOML would have it.
std::string toml_literal(const ConfigValue& value);

/// Whether a value of this key must not be shown.
bool is_secret(std::string_view key);
/// Whether a value of this key must not be given on a command line, which other users can read.
bool is_credential(std::string_view key);

inline constexpr std::string_view kKafkaSettings = "kafka.settings.";
inline constexpr std::string_view kNode = "node.";
inline constexpr std::string_view kApp = "app.";

struct NodeKeyName {
  std::string node;
  std::string key;
};
/// "node.a.b.parallelism" is key parallelism of node a.b. Empty when `name` has not that form.
std::optional<NodeKeyName> split_node_key(std::string_view name);

}  // namespace slipstream::detail
