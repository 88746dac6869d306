#include "slipstream/config.h"

#include <unistd.h>

#include <toml++/toml.h>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "runtime/config_schema.h"
#include "slipstream/detail/nearest.h"
#include "slipstream/detail/units.h"

namespace slipstream {

using detail::ConfigSetting;
using detail::ConfigValue;
using Kind = ConfigValue::Kind;

namespace {

constexpr std::string_view kEnvironmentPrefix = "SLIPSTREAM_";
constexpr std::string_view kSections[] = {"runtime", "kafka", "state", "tuning", "log", "node", "app"};

std::string upper_with_underscores(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c == '.') c = '_';
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

std::string lower(std::string_view text, char underscore) {
  std::string out(text);
  for (char& c : out) {
    if (c == '_') c = underscore;
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string environment_name(std::string_view key) {
  return std::string(kEnvironmentPrefix) + upper_with_underscores(key);
}

std::vector<std::string> process_environment() {
  std::vector<std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) out.emplace_back(*entry);
  return out;
}

std::string joined(std::span<const std::string> lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

ConfigValue to_value(const toml::node& node) {
  std::ostringstream text;
  node.visit([&](const auto& typed) { text << typed; });
  switch (node.type()) {
    case toml::node_type::string:
      return {Kind::text, node.ref<std::string>(), {}};
    case toml::node_type::integer:
      return {Kind::integer, std::to_string(node.ref<std::int64_t>()), {}};
    case toml::node_type::floating_point:
      return {Kind::real, text.str(), {}};
    case toml::node_type::boolean:
      return {Kind::boolean, node.ref<bool>() ? "true" : "false", {}};
    case toml::node_type::table:
      return {Kind::table, "", {}};
    case toml::node_type::array:
      break;
    default:
      return {Kind::text, text.str(), {}};  // dates and times, in TOML's notation
  }
  ConfigValue list{Kind::list, "", {}};
  for (const toml::node& item : *node.as_array()) {
    const ConfigValue value = to_value(item);
    if (value.kind == Kind::table || value.kind == Kind::list) return {Kind::table, "", {}};
    list.items.push_back(value.text);
  }
  return list;
}

/// Keys as they are known, for the nearest one to a mistyped one.
std::vector<std::string> known_keys(std::string_view like) {
  std::vector<std::string> names;
  for (const auto& key : detail::runtime_keys()) names.push_back(key.name);
  names.emplace_back("kafka.settings");
  if (const auto node = detail::split_node_key(like)) {
    for (const auto& key : detail::node_keys()) names.push_back("node." + node->node + "." + key.name);
  }
  return names;
}

std::string unknown_key(std::string_view key) {
  std::string hint = detail::did_you_mean(key, known_keys(key));
  if (hint.empty()) {
    hint = key.find('.') == std::string_view::npos ? "; a program's own keys belong under app."
                                                   : "; docs/config.md lists all keys";
  }
  return "unknown key '" + detail::one_line(key) + "'" + hint;
}

}  // namespace

/// Takes the sources in rising order of weight and collects every mistake, each with its place.
class ConfigLoader {
 public:
  void add_code(const ConfigSources& sources) {
    for (const auto& [key, text] : sources.code) add("code", key, {Kind::untyped, text, {}}, "code");
  }

  absl::Status add_file(const std::string& path) {
    std::ifstream file(path);
    if (!file || std::filesystem::is_directory(path)) {
      const int reason = file ? EISDIR : errno;
      return absl::NotFoundError("can't read the config file '" + path + "': " + std::strerror(reason));
    }
    try {
      const toml::table table = toml::parse(file, path);
      add_table(path, "", table);
    } catch (const toml::parse_error& e) {
      const auto line = std::to_string(e.source().begin.line);
      mistakes_.push_back(path + ":" + line + ": not TOML: " + std::string(e.description()));
    }
    return absl::OkStatus();
  }

  void add_environment(std::span<const std::string> entries) {
    for (const std::string_view entry : entries) {
      if (!entry.starts_with(kEnvironmentPrefix)) continue;
      const std::size_t equals = std::min(entry.find('='), entry.size());
      if (equals == entry.size()) continue;
      add_variable(std::string(entry.substr(0, equals)), entry.substr(equals + 1));
    }
  }

  void add_flags(const Arguments& arguments) {
    for (const auto& [key, text, flag] : arguments.settings) {
      const std::string place = flag == "--set" ? flag + " " + detail::one_line(key) : flag;
      if (detail::is_credential(key)) {
        mistakes_.push_back(place +
                            ": other users can read the command line; put it into the config file or into " +
                            environment_name(key));
        continue;
      }
      add(place, key, {Kind::untyped, text, {}}, flag);
    }
  }

  absl::StatusOr<Config> take() && {
    if (!mistakes_.empty()) return absl::InvalidArgumentError(joined(mistakes_));
    return std::move(config_);
  }

 private:
  void add_table(const std::string& path, const std::string& prefix, const toml::table& table) {
    for (const auto& [name, node] : table) {
      const std::string key = prefix + std::string(name.str());
      const std::string place = path + ":" + std::to_string(node.source().begin.line);
      if (node.is_table() && detail::find_runtime_key(key) == nullptr) {
        add_table(path, key + ".", *node.as_table());
      } else {
        add(place, key, to_value(node), place);
      }
    }
  }

  void add_variable(const std::string& name, std::string_view text) {
    const std::string_view path = std::string_view(name).substr(kEnvironmentPrefix.size());
    const std::size_t end_of_section = path.find('_');
    if (end_of_section == std::string_view::npos) return;
    const std::string section = lower(path.substr(0, end_of_section), '_');
    const std::string_view rest = path.substr(end_of_section + 1);
    const ConfigValue value{Kind::untyped, std::string(text), {}};
    if (section == "app") return add(name, "app." + lower(rest, '_'), value, name);
    if (section == "node") {
      mistakes_.push_back(name +
                          ": settings of nodes can't be in the environment; use the config file or --set");
      return;
    }
    if (section == "kafka" && rest.starts_with("SETTINGS_")) {
      return add(name, "kafka.settings." + lower(rest.substr(9), '.'), value, name);
    }
    for (const auto& key : detail::runtime_keys()) {
      if (environment_name(key.name) == name) return add(name, key.name, value, name);
    }
    refuse_variable(name, section);
  }

  /// Variables of other sections may mean something to somebody else.
  void refuse_variable(const std::string& name, const std::string& section) {
    if (std::find(std::begin(kSections), std::end(kSections), section) == std::end(kSections)) return;
    std::vector<std::string> known;
    for (const auto& key : detail::runtime_keys()) known.push_back(environment_name(key.name));
    mistakes_.push_back(name + ": unknown setting" + detail::did_you_mean(name, known));
  }

  void add(const std::string& place, const std::string& key, ConfigValue value, const std::string& origin) {
    if (!apply(place, key, value)) return;
    config_.settings_[key] = ConfigSetting{std::move(value), origin};
  }

  bool apply(const std::string& place, const std::string& key, const ConfigValue& value) {
    if (const auto* known = detail::find_runtime_key(key)) {
      return known->read(value, config_.runtime_) || refuse(place, key, known->expects, value);
    }
    if (key.starts_with(detail::kKafkaSettings)) return apply_kafka_setting(place, key, value);
    if (key.starts_with(detail::kApp)) {
      return value.kind != Kind::table || refuse(place, key, "one value or a list of them", value);
    }
    const auto node = detail::split_node_key(key);
    const auto* known = node ? detail::find_node_key(node->key) : nullptr;
    if (known == nullptr) {
      mistakes_.push_back(place + ": " + unknown_key(key));
      return false;
    }
    return known->read(value, config_.runtime_.nodes[node->node]) ||
           refuse(place, key, known->expects, value);
  }

  bool apply_kafka_setting(const std::string& place, const std::string& key, const ConfigValue& value) {
    if (value.kind == Kind::table || value.kind == Kind::list) return refuse(place, key, "one value", value);
    config_.runtime_.kafka.settings[key.substr(detail::kKafkaSettings.size())] = value.text;
    return true;
  }

  bool refuse(const std::string& place, const std::string& key, std::string_view expects,
              const ConfigValue& value) {
    const std::string found = detail::is_secret(key) ? "something else" : detail::quoted(value);
    mistakes_.push_back(place + ": " + key + " expects " + std::string(expects) + ", found " + found);
    return false;
  }

  Config config_;
  std::vector<std::string> mistakes_;
};

absl::StatusOr<Config> Config::load(const Arguments& arguments, const ConfigSources& sources) {
  const std::vector<std::string> environment =
      sources.environment ? *sources.environment : process_environment();
  std::string file = arguments.config_file;
  for (const std::string_view entry : environment) {
    constexpr std::string_view kConfigVariable = "SLIPSTREAM_CONFIG=";
    if (file.empty() && entry.starts_with(kConfigVariable)) file = entry.substr(kConfigVariable.size());
  }
  ConfigLoader loader;
  loader.add_code(sources);
  if (!file.empty()) {
    if (absl::Status status = loader.add_file(file); !status.ok()) return status;
  }
  loader.add_environment(environment);
  loader.add_flags(arguments);
  return std::move(loader).take();
}

absl::StatusOr<ConfigValue> Config::value_of(std::string_view key) const {
  if (const auto found = settings_.find(key); found != settings_.end()) return found->second.value;
  if (const auto* known = detail::find_runtime_key(key)) return known->show(runtime_);
  std::vector<std::string> names;
  for (const auto& [name, setting] : settings_) names.push_back(name);
  const std::string hint = detail::did_you_mean(key, names);
  const std::string name = detail::one_line(key);
  return absl::NotFoundError(
      "'" + name + "' isn't set" +
      (hint.empty() ? "; set it in the config file or with --set " + name + "=…" : hint));
}

template <ConfigType T>
absl::StatusOr<T> Config::get(std::string_view key) const {
  const absl::StatusOr<ConfigValue> value = value_of(key);
  if (!value.ok()) return value.status();
  if (std::optional<T> read = detail::read_as<T>(*value)) return *std::move(read);
  const std::string found = detail::is_secret(key) ? "something else" : detail::quoted(*value);
  return absl::InvalidArgumentError(origin(key) + ": " + std::string(key) + " expects " +
                                    std::string(detail::type_name<T>()) + ", found " + found);
}

template absl::StatusOr<bool> Config::get(std::string_view) const;
template absl::StatusOr<int> Config::get(std::string_view) const;
template absl::StatusOr<std::int64_t> Config::get(std::string_view) const;
template absl::StatusOr<std::size_t> Config::get(std::string_view) const;
template absl::StatusOr<double> Config::get(std::string_view) const;
template absl::StatusOr<std::string> Config::get(std::string_view) const;
template absl::StatusOr<Duration> Config::get(std::string_view) const;
template absl::StatusOr<std::vector<std::string>> Config::get(std::string_view) const;

std::string Config::origin(std::string_view key) const {
  const auto found = settings_.find(key);
  return found == settings_.end() ? "default" : found->second.origin;
}

absl::Status Config::check_nodes(std::span<const std::string> nodes) const {
  std::vector<std::string> mistakes;
  for (const auto& [key, setting] : settings_) {
    const auto node = detail::split_node_key(key);
    if (!node || std::find(nodes.begin(), nodes.end(), node->node) != nodes.end()) continue;
    mistakes.push_back(setting.origin + ": " + key + ": no node has the name '" + node->node + "'" +
                       detail::did_you_mean(node->node, nodes));
  }
  return mistakes.empty() ? absl::OkStatus() : absl::InvalidArgumentError(joined(mistakes));
}

namespace {

bool is_bare(std::string_view name) {
  return !name.empty() && name.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              "0123456789_-") == std::string_view::npos;
}

std::string toml_name(std::string_view name) {
  return is_bare(name) ? std::string(name) : detail::toml_literal({Kind::text, std::string(name), {}});
}

/// Quotes what holds dots of its own: kafka.settings."sasl.password".
std::string toml_key(std::string_view key) {
  if (key.starts_with(detail::kKafkaSettings)) {
    return std::string(detail::kKafkaSettings) + toml_name(key.substr(detail::kKafkaSettings.size()));
  }
  if (const auto node = detail::split_node_key(key)) {
    return std::string(detail::kNode) + toml_name(node->node) + "." + node->key;
  }
  return std::string(key);
}

}  // namespace

std::string Config::print() const {
  std::vector<std::pair<std::string, std::string>> lines;  // setting, origin
  const auto add = [&](std::string_view key, const ConfigValue& value) {
    const std::string literal = detail::is_secret(key) ? "\"(hidden)\"" : detail::toml_literal(value);
    lines.emplace_back(toml_key(key) + " = " + literal, origin(key));
  };
  for (const auto& key : detail::runtime_keys()) add(key.name, key.show(runtime_));
  for (const auto& [key, setting] : settings_) {
    if (detail::find_runtime_key(key) == nullptr) add(key, setting.value);
  }
  std::size_t width = 0;
  for (const auto& [setting, origin] : lines)
    width = std::max(width, std::min<std::size_t>(setting.size(), 60));
  std::string text;
  for (auto& [setting, origin] : lines) {
    setting.resize(std::max(setting.size(), width), ' ');
    text += setting + "  # " + detail::one_line(origin, 200) + "\n";
  }
  return text;
}

}  // namespace slipstream
