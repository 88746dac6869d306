#include "runtime/config_schema.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <thread>
#include <type_traits>

#include "slipstream/detail/units.h"

namespace slipstream {

std::string_view to_string(Guarantee guarantee) {
  switch (guarantee) {
    case Guarantee::automatic:
      return "auto";
    case Guarantee::none:
      return "none";
    case Guarantee::at_least_once:
      return "at_least_once";
  }
  return "?";
}

std::string_view to_string(OnError on_error) {
  switch (on_error) {
    case OnError::fail:
      return "fail";
    case OnError::skip:
      return "skip";
    case OnError::dead_letter:
      return "dead_letter";
  }
  return "?";
}

std::string_view to_string(TuningMode mode) {
  switch (mode) {
    case TuningMode::off:
      return "off";
    case TuningMode::max_throughput:
      return "max_throughput";
    case TuningMode::target_p99:
      return "target_p99";
  }
  return "?";
}

namespace detail {
namespace {

using Kind = ConfigValue::Kind;

constexpr std::string_view kDuration = "a duration such as 500ms, 10s or 2h";
constexpr std::string_view kBytes = "a size such as 64kB or 256MiB";

bool is_any_of(Kind kind, std::initializer_list<Kind> kinds) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::vector<std::string> split_at_commas(std::string_view text) {
  std::vector<std::string> items;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    items.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return items;
}

}  // namespace

template <ConfigType T>
std::string_view type_name() {
  if constexpr (std::is_same_v<T, bool>) return "true or false";
  if constexpr (std::is_same_v<T, double>) return "a number";
  if constexpr (std::is_same_v<T, std::string>) return "text";
  if constexpr (std::is_same_v<T, Duration>) return kDuration;
  if constexpr (std::is_same_v<T, std::size_t>) return "a count or a size such as 64kB or 256MiB";
  if constexpr (std::is_same_v<T, std::vector<std::string>>) return "a list";
  return "an integer";
}

template <ConfigType T>
std::optional<T> read_as(const ConfigValue& value) {
  const auto written_as = [&](auto... kinds) { return is_any_of(value.kind, {Kind::untyped, kinds...}); };
  if constexpr (std::is_same_v<T, std::vector<std::string>>) {
    if (value.kind == Kind::list) return value.items;
    return written_as() ? std::optional(split_at_commas(value.text)) : std::nullopt;
  } else if constexpr (std::is_same_v<T, std::string>) {
    return written_as(Kind::text) ? std::optional(value.text) : std::nullopt;
  } else if constexpr (std::is_same_v<T, Duration>) {
    return written_as(Kind::text) ? parse_duration(value.text) : std::nullopt;
  } else if constexpr (std::is_same_v<T, std::size_t>) {
    return written_as(Kind::text, Kind::integer) ? parse_bytes(value.text) : std::nullopt;
  } else if constexpr (std::is_same_v<T, bool>) {
    return written_as(Kind::boolean) ? parse_bool(value.text) : std::nullopt;
  } else if constexpr (std::is_same_v<T, double>) {
    return written_as(Kind::integer, Kind::real) ? parse_number<double>(value.text) : std::nullopt;
  } else {
    return written_as(Kind::integer) ? parse_number<T>(value.text) : std::nullopt;
  }
}

#define SLIPSTREAM_CONFIG_TYPE(T)           \
  template std::string_view type_name<T>(); \
  template std::optional<T> read_as<T>(const ConfigValue&);
SLIPSTREAM_CONFIG_TYPE(bool)
SLIPSTREAM_CONFIG_TYPE(int)
SLIPSTREAM_CONFIG_TYPE(std::int64_t)
SLIPSTREAM_CONFIG_TYPE(std::size_t)
SLIPSTREAM_CONFIG_TYPE(double)
SLIPSTREAM_CONFIG_TYPE(std::string)
SLIPSTREAM_CONFIG_TYPE(Duration)
SLIPSTREAM_CONFIG_TYPE(std::vector<std::string>)
#undef SLIPSTREAM_CONFIG_TYPE

namespace {

/// A type of setting says what it expects, and reads and shows its values.
struct Count {
  std::int64_t min;
  std::int64_t max;
  std::string expects() const {
    return "an integer from " + std::to_string(min) + " to " + std::to_string(max);
  }
  std::optional<std::int64_t> read(const ConfigValue& value) const {
    const auto number = read_as<std::int64_t>(value);
    return number && *number >= min && *number <= max ? number : std::nullopt;
  }
  ConfigValue show(std::int64_t value) const { return {Kind::integer, std::to_string(value), {}}; }
};

struct Bytes {
  std::size_t min;
  std::string expects() const { return std::string(kBytes) + ", at least " + format_bytes(min); }
  std::optional<std::size_t> read(const ConfigValue& value) const {
    const auto bytes = read_as<std::size_t>(value);
    return bytes && *bytes >= min ? bytes : std::nullopt;
  }
  ConfigValue show(std::size_t value) const { return {Kind::text, format_bytes(value), {}}; }
};

struct Time {
  Duration min;
  std::string expects() const {
    const std::string text(kDuration);
    return min == Duration::zero() ? text : text + ", at least " + format_duration(min);
  }
  std::optional<Duration> read(const ConfigValue& value) const {
    const auto time = read_as<Duration>(value);
    return time && *time >= min ? time : std::nullopt;
  }
  ConfigValue show(Duration value) const { return {Kind::text, format_duration(value), {}}; }
};

struct TimeOrNone {
  std::string expects() const { return std::string(kDuration) + ", or none"; }
  std::optional<std::optional<Duration>> read(const ConfigValue& value) const {
    if (is_any_of(value.kind, {Kind::untyped, Kind::text}) && value.text == "none") {
      return std::optional<Duration>();
    }
    const auto time = read_as<Duration>(value);
    if (!time) return std::nullopt;
    return time;
  }
  ConfigValue show(std::optional<Duration> value) const {
    return {Kind::text, value ? format_duration(*value) : "none", {}};
  }
};

/// Two values of another type, the smaller first.
template <class Type, class Value>
struct Between {
  Type type;
  std::string expects() const { return "a list of two, the smaller first, each " + type.expects(); }
  std::optional<Range<Value>> read(const ConfigValue& value) const {
    const auto items = read_as<std::vector<std::string>>(value);
    if (!items || items->size() != 2) return std::nullopt;
    const auto least = type.read({Kind::untyped, (*items)[0], {}});
    const auto most = type.read({Kind::untyped, (*items)[1], {}});
    if (!least || !most || *most < *least) return std::nullopt;
    return Range<Value>{static_cast<Value>(*least), static_cast<Value>(*most)};
  }
  ConfigValue show(const Range<Value>& range) const {
    const auto text = [this](Value value) { return type.show(static_cast<decltype(type.min)>(value)).text; };
    return {Kind::list, "", {text(range.least), text(range.most)}};
  }
};

struct Addresses {
  std::string expects() const { return "addresses as host:port, several with commas or as a list"; }
  std::optional<std::string> read(const ConfigValue& value) const {
    const auto items =
        value.kind == Kind::text ? split_at_commas(value.text) : read_as<std::vector<std::string>>(value);
    if (!items) return std::nullopt;
    std::string joined;
    for (const std::string& item : *items) joined += (joined.empty() ? "" : ",") + item;
    return joined;
  }
  ConfigValue show(const std::string& value) const { return {Kind::text, value, {}}; }
};

/// An empty text is no folder, as --print-config shows it.
struct Folder {
  std::string expects() const { return "a folder"; }
  std::optional<std::string> read(const ConfigValue& value) const { return read_as<std::string>(value); }
  ConfigValue show(const std::string& value) const { return {Kind::text, value, {}}; }
};

template <class Enum>
struct Choice {
  std::vector<Enum> values;
  std::string expects() const {
    std::string text;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) text += i + 1 == values.size() ? " or " : ", ";
      text += to_string(values[i]);
    }
    return text;
  }
  std::optional<Enum> read(const ConfigValue& value) const {
    if (!is_any_of(value.kind, {Kind::untyped, Kind::text})) return std::nullopt;
    for (const Enum choice : values) {
      if (to_string(choice) == value.text) return choice;
    }
    return std::nullopt;
  }
  ConfigValue show(Enum value) const { return {Kind::text, std::string(to_string(value)), {}}; }
};

/// `field` picks the member of the target that holds the value: a pointer to it, or a callable.
template <class Target, class Type, class Field>
ConfigKey<Target> key(std::string name, Type type, Field field, std::string doc) {
  ConfigKey<Target> made{std::move(name), type.expects(), std::move(doc), {}, {}};
  made.read = [type, field](const ConfigValue& value, Target& target) {
    const auto read = type.read(value);
    auto& member = std::invoke(field, target);
    if (read) member = static_cast<std::remove_cvref_t<decltype(member)>>(*read);
    return read.has_value();
  };
  if constexpr (std::is_same_v<Target, RuntimeConfig>) {
    made.show = [type, field](const Target& target) { return type.show(std::invoke(field, target)); };
  }
  return made;
}

std::vector<ConfigKey<RuntimeConfig>> make_runtime_keys() {
  using C = RuntimeConfig;
  constexpr auto brokers = [](auto& c) -> auto& { return c.kafka.brokers; };
  constexpr auto connect_timeout = [](auto& c) -> auto& { return c.kafka.connect_timeout; };
  constexpr auto state_dir = [](auto& c) -> auto& { return c.state.dir; };
  constexpr auto state_memory = [](auto& c) -> auto& { return c.state.memory_budget; };
  constexpr auto tuning_mode = [](auto& c) -> auto& { return c.tuning.mode; };
  constexpr auto target_p99 = [](auto& c) -> auto& { return c.tuning.target_p99; };
  constexpr auto tuning_batch = [](auto& c) -> auto& { return c.tuning.batch; };
  constexpr auto tuning_linger = [](auto& c) -> auto& { return c.tuning.linger; };
  constexpr auto tuning_interval = [](auto& c) -> auto& { return c.tuning.interval; };
  constexpr auto kMillisecond = std::chrono::milliseconds(1);
  using enum Guarantee;
  using enum LogLevel;
  return {
      key<C>("runtime.parallelism", Count{1, 1024}, &C::parallelism,
             "Lanes of every keyed stage; results don't depend on it."),
      key<C>("runtime.threads", Count{1, 1024}, &C::threads, "Threads that run the lanes."),
      key<C>(
          "runtime.shards", Count{1, 65536}, &C::shards,
          "Slices of the key space that lanes share among themselves; an upper bound of useful parallelism."),
      key<C>("runtime.memory_budget", Bytes{1 << 20}, &C::memory_budget,
             "Bytes of records in flight; sources wait when it is used up."),
      key<C>("runtime.batch_max_records", Count{1, 1 << 20}, &C::batch_max_records,
             "Largest batch, in records."),
      key<C>("runtime.batch_max_bytes", Bytes{1024}, &C::batch_max_bytes, "Largest batch, in bytes."),
      key<C>("runtime.linger", Time{Duration::zero()}, &C::linger,
             "How long a batch that isn't full may wait for more records while its lane is busy."),
      key<C>("runtime.drain_timeout", Time{Duration::zero()}, &C::drain_timeout,
             "How long a stopping program may take to finish the records it has read."),
      key<C>("runtime.commit_interval", Time{kMillisecond}, &C::commit_interval,
             "Time between two commits of source offsets."),
      key<C>(
          "runtime.guarantee", Choice<Guarantee>{{automatic, none, at_least_once}}, &C::guarantee,
          "What holds after a crash. auto: at_least_once where the graph allows it, none with keyed state."),
      key<C>("runtime.max_future", TimeOrNone{}, &C::max_future,
             "Records with an event time further ahead of the clock than this follow the error policy."),
      key<C>("kafka.brokers", Addresses{}, brokers, "Where sources and sinks find Kafka unless they say so."),
      key<C>("kafka.connect_timeout", Time{kMillisecond}, connect_timeout,
             "How long to try an unreachable broker before giving up."),
      key<C>("state.dir", Folder{}, state_dir,
             "The folder of the program's database, which holds its caches."),
      key<C>("state.memory_budget", Bytes{std::size_t{4} << 20}, state_memory,
             "Bytes of that database in memory: what was read last, and what isn't in files yet."),
      key<C>("tuning.mode",
             Choice<TuningMode>{{TuningMode::off, TuningMode::max_throughput, TuningMode::target_p99}},
             tuning_mode,
             "Whether the program adjusts batch_max_records and linger while it runs, and what for; see "
             "tuning.md."),
      key<C>("tuning.target_p99", TimeOrNone{}, target_p99,
             "For target_p99: how long 99 of 100 records may be under way at most, from when they are read "
             "until the last node behind has taken them."),
      key<C>("tuning.batch", Between<Count, std::size_t>{{1, 1 << 20}}, tuning_batch,
             "The bounds of batch_max_records."),
      key<C>("tuning.linger", Between<Time, Duration>{{Duration::zero()}}, tuning_linger,
             "The bounds of linger."),
      key<C>("tuning.interval", Time{kMillisecond}, tuning_interval, "Time between two measurements."),
      key<C>("log.level", Choice<LogLevel>{{debug, info, warning, error}}, &C::log_level,
             "The least important messages that are logged."),
  };
}

std::vector<ConfigKey<NodeConfig>> make_node_keys() {
  using C = NodeConfig;
  using enum OnError;
  return {
      key<C>("parallelism", Count{1, 1024}, &C::parallelism, "Lanes of this node."),
      key<C>("batch_max_records", Count{1, 1 << 20}, &C::batch_max_records, "Largest batch of this node."),
      key<C>("on_error", Choice<OnError>{{fail, skip, dead_letter}}, &C::on_error,
             "What happens with a record that this node can't process."),
      key<C>("retries", Count{0, 1000}, &C::retries,
             "How often a failing record is tried again before that."),
      key<C>("retry_backoff", Time{Duration::zero()}, &C::retry_backoff,
             "Time before the first retry; it doubles with each."),
  };
}

template <class Target>
const ConfigKey<Target>* find_key(std::span<const ConfigKey<Target>> keys, std::string_view name) {
  const auto found =
      std::find_if(keys.begin(), keys.end(), [&](const auto& key) { return key.name == name; });
  return found == keys.end() ? nullptr : &*found;
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](std::string_view part) { return text.find(part) != std::string_view::npos; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      constexpr std::string_view kDigits = "0123456789abcdef";
      out += "\\u00";
      out += kDigits[static_cast<unsigned char>(c) >> 4];
      out += kDigits[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

int hardware_threads() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

std::span<const ConfigKey<RuntimeConfig>> runtime_keys() {
  static const std::vector<ConfigKey<RuntimeConfig>> keys = make_runtime_keys();
  return keys;
}

std::span<const ConfigKey<NodeConfig>> node_keys() {
  static const std::vector<ConfigKey<NodeConfig>> keys = make_node_keys();
  return keys;
}

const ConfigKey<RuntimeConfig>* find_runtime_key(std::string_view name) {
  return find_key(runtime_keys(), name);
}

const ConfigKey<NodeConfig>* find_node_key(std::string_view name) { return find_key(node_keys(), name); }

std::string quoted(const ConfigValue& value) {
  switch (value.kind) {
    case Kind::list:
      return "a list";
    case Kind::table:
      return "a table";
    case Kind::text:
    case Kind::untyped:
      return "'" + one_line(value.text) + "'";
    default:
      return value.text;
  }
}

std::string toml_literal(const ConfigValue& value) {
  if (value.kind == Kind::text || value.kind == Kind::untyped) return toml_string(value.text);
  if (value.kind != Kind::list) return value.text;
  std::string out;
  for (const std::string& item : value.items) out += (out.empty() ? "" : ", ") + toml_string(item);
  return "[" + out + "]";
}

bool is_secret(std::string_view key) {
  const std::string name = lower(key);
  if (name.ends_with(".location") || name.ends_with("sasl.mechanism") || name.ends_with("sasl.mechanisms")) {
    return false;
  }
  return contains_any(name, {"password", "secret", "token", "key", "pem", "credential", "jaas", "sasl."});
}

bool is_credential(std::string_view key) {
  const std::string name = lower(key);
  if (!name.starts_with(kKafkaSettings)) return false;
  return contains_any(name,
                      {"password", "secret", "token", "pem", "credential", "jaas", "oauthbearer.config"});
}

std::optional<NodeKeyName> split_node_key(std::string_view name) {
  if (!name.starts_with(kNode)) return std::nullopt;
  name.remove_prefix(kNode.size());
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return std::nullopt;
  return NodeKeyName{std::string(name.substr(0, dot)), std::string(name.substr(dot + 1))};
}

}  // namespace detail

namespace {

std::string table_row(std::string_view name, std::string_view fallback, std::string_view expects,
                      std::string_view doc) {
  std::string row = "| `";
  row.append(name).append("` | ").append(fallback).append(" | ").append(expects).append(" | ");
  return row.append(doc).append(" |\n");
}

std::string shown_default(const detail::ConfigKey<RuntimeConfig>& key) {
  if (key.name == "runtime.parallelism" || key.name == "runtime.threads") return "hardware threads";
  const detail::ConfigValue value = key.show(RuntimeConfig());
  if (value.kind == detail::ConfigValue::Kind::list) return "`" + detail::toml_literal(value) + "`";
  return value.text.empty() ? "" : "`" + value.text + "`";
}

}  // namespace

std::string config_reference() {
  std::string page = R"(# Configuration

<!-- Made from the table in runtime/config_schema.cc; tests/config checks that the two agree. -->

Any program built with slipstream takes its settings from, later ones winning:

1. the defaults below,
2. what the program itself sets,
3. a TOML file: `--config FILE`, or the file named by `SLIPSTREAM_CONFIG`,
4. the environment: `SLIPSTREAM_RUNTIME_PARALLELISM` is `runtime.parallelism`,
5. flags: `--set key=value`, `--parallelism N`, `--log-level LEVEL`.

`--print-config` shows every value and where it came from. Unknown keys and values that don't fit are refused,
with file, line and the nearest valid name.

| key | default | expects | what it does |
|---|---|---|---|
)";
  for (const auto& key : detail::runtime_keys())
    page += table_row(key.name, shown_default(key), key.expects, key.doc);
  page += table_row("kafka.settings.*", "", "any setting of librdkafka",
                    "Passed on to every Kafka client, as in `kafka.settings.\"fetch.wait.max.ms\" = 50`.");
  for (const auto& key : detail::node_keys()) {
    page += table_row("node.<name>." + key.name, "as the program says", key.expects, key.doc);
  }
  page += table_row("app.*", "", "anything", "The program's own; it reads them with `Config::get`.");
  page += R"(
Durations are numbers with `us`, `ms`, `s`, `m`, `h` or `d` (`1h30m`); sizes are numbers with `B`, `kB`, `MB`, `GB`,
`KiB`, `MiB` or `GiB`.

```toml
[runtime]
parallelism = 4
memory_budget = "512MiB"

[kafka]
brokers = "kafka-1:9092,kafka-2:9092"

[kafka.settings]
security.protocol = "sasl_ssl"
sasl.mechanism = "SCRAM-SHA-512"

[node.revenue]
on_error = "dead_letter"

[app]
threshold = 0.5
```

In the environment, `SLIPSTREAM_KAFKA_SETTINGS_SASL_PASSWORD` is `kafka.settings.sasl.password` (`_` becomes `.`) and
`SLIPSTREAM_APP_THRESHOLD` is `app.threshold` (`_` stays). Settings of nodes can't be given there. Passwords and
other credentials for Kafka are refused on the command line, which other users can read; `--print-config` hides them.
)";
  return page;
}

}  // namespace slipstream
