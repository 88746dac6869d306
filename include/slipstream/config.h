#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/log.h"
#include "slipstream/time.h"

/// What a program can be told without changing its code: built-in defaults, then what the program says, then
/// a TOML file, then the environment (SLIPSTREAM_RUNTIME_PARALLELISM for runtime.parallelism), then flags;
/// the later wins. Every key is described in docs/config.md.
namespace slipstream {

/// What is promised about records when the process dies.
enum class Guarantee {
  automatic,      ///< at_least_once where the graph allows it, none for graphs with keyed state
  none,           ///< offsets are committed as records are read: a crash may lose what was in flight
  at_least_once,  ///< offsets are committed once their effects are delivered
};
std::string_view to_string(Guarantee guarantee);

/// What happens with a record that can't be processed.
enum class OnError { fail, skip, dead_letter };
std::string_view to_string(OnError on_error);

/// Whether a run looks for the best batch and linger by itself.
enum class TuningMode {
  off,
  max_throughput,  ///< as many records per second as there can be
  target_p99,      ///< the same, among what keeps the p99 of a record's way through the program to a target
};
std::string_view to_string(TuningMode mode);

namespace detail {
/// At least 1.
int hardware_threads();
}  // namespace detail

/// Overrides for one named node; what is empty is as the program says.
struct NodeConfig {
  std::optional<int> parallelism;
  std::optional<std::size_t> batch_max_records;
  std::optional<OnError> on_error;
  std::optional<int> retries;
  std::optional<Duration> retry_backoff;
};

struct KafkaConfig {
  std::string brokers;                          ///< "host:port,host:port"
  std::map<std::string, std::string> settings;  ///< librdkafka's own, passed on
  Duration connect_timeout = std::chrono::seconds(30);
};

/// The App's database: where it is and what it may use.
struct StateConfig {
  std::string dir;                                    ///< empty: there is none
  std::size_t memory_budget = std::size_t{64} << 20;  ///< bytes
};

/// Both ends included.
template <class T>
struct Range {
  T least;
  T most;
  friend bool operator==(const Range&, const Range&) = default;
};

/// docs/tuning.md says how it works.
struct TuningConfig {
  TuningMode mode = TuningMode::off;
  std::optional<Duration> target_p99;  ///< what target_p99 needs
  Range<std::size_t> batch = {16, 65536};
  Range<Duration> linger = {Duration(0), std::chrono::milliseconds(100)};
  Duration interval = std::chrono::milliseconds(100);
};

/// Everything the library itself can be told. docs/config.md says what each value means.
struct RuntimeConfig {
  int parallelism = detail::hardware_threads();
  int threads = detail::hardware_threads();
  int shards = 128;
  std::size_t memory_budget = std::size_t{256} << 20;
  std::size_t batch_max_records = 4096;
  std::size_t batch_max_bytes = std::size_t{1} << 20;
  Duration linger = std::chrono::milliseconds(5);
  Duration drain_timeout = std::chrono::seconds(10);
  Duration commit_interval = std::chrono::seconds(1);
  Guarantee guarantee = Guarantee::automatic;
  std::optional<Duration> max_future;  ///< empty: event times may lie anywhere in the future
  LogLevel log_level = LogLevel::info;
  KafkaConfig kafka;
  StateConfig state;
  std::map<std::string, NodeConfig, std::less<>> nodes;
  TuningConfig tuning;
};

/// A command line, taken apart. What the library doesn't know is left to the program.
struct Arguments {
  struct Setting {
    std::string key;
    std::string value;
    std::string flag = "--set";  ///< that gave it
    friend bool operator==(const Setting&, const Setting&) = default;
  };
  std::string program;               ///< argv[0] without its folder
  std::string config_file;           ///< --config FILE
  std::vector<Setting> settings;     ///< --set, --parallelism, --log-level, as given
  bool help = false;                 ///< --help, -h
  bool print_config = false;         ///< --print-config
  std::optional<std::string> graph;  ///< --graph: "" (DOT to stdout), or --graph=FILE.svg
  bool profile = false;              ///< --profile
  std::vector<std::string> rest;     ///< everything else, in order
};

/// `--` ends the library's flags. InvalidArgument when a flag lacks its value.
absl::StatusOr<Arguments> parse_arguments(int argc, const char* const* argv);
/// InvalidArgument naming the first of `arguments.rest` and the flag it may have meant; for programs without
/// arguments of their own.
absl::Status check_nothing_left(const Arguments& arguments);
/// What --help prints: `about` (a sentence, may be empty), the flags every program has, and those in `own`
/// (name with its value, what it does).
std::string help_text(const Arguments& arguments, std::string_view about,
                      std::span<const std::pair<std::string, std::string>> own = {});

/// Types a setting may be read as. std::size_t reads bytes ("64MiB") as well as counts; Duration needs a unit
/// ("10s"); a list is a TOML array, or text with commas where it comes from a flag or the environment.
template <class T>
concept ConfigType =
    std::same_as<T, bool> || std::same_as<T, int> || std::same_as<T, std::int64_t> ||
    std::same_as<T, std::size_t> || std::same_as<T, double> || std::same_as<T, std::string> ||
    std::same_as<T, Duration> || std::same_as<T, std::vector<std::string>>;

namespace detail {

/// A value as it was written.
struct ConfigValue {
  enum class Kind { untyped, text, integer, real, boolean, list, table };
  Kind kind = Kind::untyped;  ///< untyped: from a flag or the environment, where everything is text
  std::string text;
  std::vector<std::string> items;  ///< of a list
};

struct ConfigSetting {
  ConfigValue value;
  std::string origin;  ///< "flights.toml:3", "SLIPSTREAM_…", "--set", "code", "default"
};

}  // namespace detail

/// Where settings come from, beside the command line.
struct ConfigSources {
  std::vector<std::pair<std::string, std::string>> code = {};  ///< what the program says: key, value
  std::optional<std::vector<std::string>> environment = {};    ///< "NAME=value"; empty: the process's own
};

/// Checked settings, each with its origin. A value: copy it freely; reading from several threads is fine.
class Config {
 public:
  /// Nothing but defaults.
  Config() = default;

  /// InvalidArgument when a key is unknown (with the nearest valid one), a value is ill-typed or out of
  /// range, or the file isn't TOML; NotFound when the file doesn't exist. The message has one line per
  /// mistake, each starting with where it is ("flights.toml:3: ").
  static absl::StatusOr<Config> load(const Arguments& arguments, const ConfigSources& sources = {});

  const RuntimeConfig& runtime() const { return runtime_; }

  /// Any key; those under `app.` are the program's own. NotFound when it isn't set and has no default,
  /// InvalidArgument when it isn't a T.
  template <ConfigType T>
  absl::StatusOr<T> get(std::string_view key) const;
  /// `fallback` when the key isn't set; an ill-typed value is still an error.
  template <ConfigType T>
  absl::StatusOr<T> get(std::string_view key, T fallback) const {
    if (!is_set(key)) return fallback;
    return get<T>(key);
  }
  /// Whether anything but a built-in default gives the key a value.
  bool is_set(std::string_view key) const { return settings_.find(key) != settings_.end(); }
  /// "flights.toml:3", "SLIPSTREAM_RUNTIME_PARALLELISM", "--set", "code" or "default".
  std::string origin(std::string_view key) const;

  /// InvalidArgument when settings exist for a node that isn't among `nodes`.
  absl::Status check_nodes(std::span<const std::string> nodes) const;

  /// Every setting as TOML with its origin in a comment; values whose key looks like a secret's are hidden.
  std::string print() const;

 private:
  friend class ConfigLoader;
  absl::StatusOr<detail::ConfigValue> value_of(std::string_view key) const;

  RuntimeConfig runtime_;
  std::map<std::string, detail::ConfigSetting, std::less<>> settings_;
};

/// docs/config.md, made from the same table that checks the settings.
std::string config_reference();

}  // namespace slipstream
