#include "slipstream/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace slipstream {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using Pairs = std::vector<std::pair<std::string, std::string>>;
using Flags = std::vector<Arguments::Setting>;

/// A config file in the current folder for as long as it lives, so that messages have a short name.
class ConfigFile {
 public:
  explicit ConfigFile(std::string_view text) { std::ofstream(path_) << text; }
  ~ConfigFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ =
      std::string("config_") + testing::UnitTest::GetInstance()->current_test_info()->name() + ".toml";
};

absl::StatusOr<Config> load_file(std::string_view text, Flags flags = {},
                                 std::vector<std::string> environment = {}) {
  const ConfigFile file(text);
  Arguments arguments;
  arguments.config_file = file.path();
  arguments.settings = std::move(flags);
  return Config::load(arguments, {.environment = std::move(environment)});
}

absl::StatusOr<Config> load(Flags flags, std::vector<std::string> environment = {}, Pairs code = {}) {
  Arguments arguments;
  arguments.settings = std::move(flags);
  return Config::load(arguments, {.code = std::move(code), .environment = std::move(environment)});
}

/// The message, with the file's name shortened to "f".
std::string mistakes(const absl::StatusOr<Config>& config) {
  std::string text(config.status().message());
  const std::string name =
      std::string("config_") + testing::UnitTest::GetInstance()->current_test_info()->name() + ".toml";
  for (std::size_t at = 0; (at = text.find(name)) != std::string::npos;) text.replace(at, name.size(), "f");
  return text;
}

TEST(Config, HasDefaults) {
  const RuntimeConfig config = Config().runtime();
  EXPECT_GE(config.parallelism, 1);
  EXPECT_EQ(config.shards, 128);
  EXPECT_EQ(config.memory_budget, 268'435'456u);
  EXPECT_EQ(config.batch_max_records, 4096u);
  EXPECT_EQ(config.linger, 5ms);
  EXPECT_EQ(config.drain_timeout, 10s);
  EXPECT_EQ(config.commit_interval, 1s);
  EXPECT_EQ(config.guarantee, Guarantee::automatic);
  EXPECT_EQ(config.max_future, std::nullopt);
  EXPECT_EQ(config.kafka.connect_timeout, 30s);
  EXPECT_EQ(config.log_level, LogLevel::info);
}

TEST(Config, ReadsAFile) {
  const auto config = load_file(R"(
[runtime]
parallelism = 3
threads = 2
shards = 64
memory_budget = "64MiB"
batch_max_records = 100
batch_max_bytes = 65536
linger = "20ms"
drain_timeout = "1m"
commit_interval = "100ms"
guarantee = "at_least_once"
max_future = "24h"
[kafka]
brokers = ["a:9092", "b:9092"]
connect_timeout = "3s"
[kafka.settings]
security.protocol = "ssl"
"fetch.wait.max.ms" = 50
enable.idempotence = true
[log]
level = "debug"
[node.revenue]
parallelism = 1
[node."a.b c"]
batch_max_records = 10
on_error = "dead_letter"
retries = 3
retry_backoff = "50ms"
)");
  ASSERT_TRUE(config.ok()) << config.status();
  const RuntimeConfig& runtime = config->runtime();
  EXPECT_EQ(runtime.parallelism, 3);
  EXPECT_EQ(runtime.threads, 2);
  EXPECT_EQ(runtime.shards, 64);
  EXPECT_EQ(runtime.memory_budget, 67'108'864u);
  EXPECT_EQ(runtime.batch_max_records, 100u);
  EXPECT_EQ(runtime.batch_max_bytes, 65'536u);
  EXPECT_EQ(runtime.linger, 20ms);
  EXPECT_EQ(runtime.drain_timeout, 1min);
  EXPECT_EQ(runtime.commit_interval, 100ms);
  EXPECT_EQ(runtime.guarantee, Guarantee::at_least_once);
  EXPECT_EQ(runtime.max_future, 24h);
  EXPECT_EQ(runtime.log_level, LogLevel::debug);
  EXPECT_EQ(runtime.kafka.brokers, "a:9092,b:9092");
  EXPECT_EQ(runtime.kafka.connect_timeout, 3s);
  EXPECT_THAT(runtime.kafka.settings,
              ElementsAre(std::pair("enable.idempotence", "true"), std::pair("fetch.wait.max.ms", "50"),
                          std::pair("security.protocol", "ssl")));
  EXPECT_EQ(runtime.nodes.at("revenue").parallelism, 1);
  EXPECT_EQ(runtime.nodes.at("revenue").on_error, std::nullopt);
  EXPECT_EQ(runtime.nodes.at("a.b c").batch_max_records, 10u);
  EXPECT_EQ(runtime.nodes.at("a.b c").on_error, OnError::dead_letter);
  EXPECT_EQ(runtime.nodes.at("a.b c").retries, 3);
  EXPECT_EQ(runtime.nodes.at("a.b c").retry_backoff, 50ms);
}

TEST(Config, LaterSourcesWin) {
  const ConfigFile file("runtime.parallelism = 2\nruntime.shards = 2\nruntime.threads = 2");
  Arguments arguments;
  arguments.config_file = file.path();
  arguments.settings = {{"runtime.parallelism", "4"}};
  const auto config =
      Config::load(arguments, {.code = Pairs{{"runtime.parallelism", "1"},
                                             {"runtime.shards", "1"},
                                             {"runtime.threads", "1"},
                                             {"runtime.linger", "1ms"}},
                               .environment = std::vector<std::string>{"SLIPSTREAM_RUNTIME_PARALLELISM=3",
                                                                       "SLIPSTREAM_RUNTIME_SHARDS=3"}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->runtime().parallelism, 4);
  EXPECT_EQ(config->runtime().shards, 3);
  EXPECT_EQ(config->runtime().threads, 2);
  EXPECT_EQ(config->runtime().linger, 1ms);
  EXPECT_EQ(config->origin("runtime.parallelism"), "--set");
  EXPECT_EQ(config->origin("runtime.shards"), "SLIPSTREAM_RUNTIME_SHARDS");
  EXPECT_EQ(config->origin("runtime.threads"), file.path() + ":3");
  EXPECT_EQ(config->origin("runtime.linger"), "code");
  EXPECT_EQ(config->origin("runtime.drain_timeout"), "default");
}

TEST(Config, TheEnvironmentMayNameTheFile) {
  const ConfigFile file("runtime.parallelism = 7");
  const auto config = load({}, {"SLIPSTREAM_CONFIG=" + file.path()});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->runtime().parallelism, 7);
}

TEST(Config, ReadsKafkaAndOwnKeysFromTheEnvironment) {
  const auto config = load({}, {"SLIPSTREAM_KAFKA_SETTINGS_SASL_PASSWORD=pw", "SLIPSTREAM_APP_MAX_SIZE=3",
                                "SLIPSTREAM_KAFKA_CONNECT_TIMEOUT=2s", "SLIPSTREAM_KAFKA_BROKERS=a:1,b:2"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->runtime().kafka.settings.at("sasl.password"), "pw");
  EXPECT_EQ(config->runtime().kafka.connect_timeout, 2s);
  EXPECT_EQ(config->runtime().kafka.brokers, "a:1,b:2");
  EXPECT_EQ(*config->get<int>("app.max_size"), 3);
}

TEST(Config, RefusesUnknownKeysWithPlaceAndNearestName) {
  EXPECT_EQ(mistakes(load_file("[runtime]\nshards = 4\nparalelism = 3")),
            "f:3: unknown key 'runtime.paralelism'; did you mean 'runtime.parallelism'?");
  EXPECT_EQ(mistakes(load_file("[node.sum]\nparalelism = 3")),
            "f:2: unknown key 'node.sum.paralelism'; did you mean 'node.sum.parallelism'?");
  EXPECT_EQ(mistakes(load_file("[runtme]\nparallelism = 3")),
            "f:2: unknown key 'runtme.parallelism'; did you mean 'runtime.parallelism'?");
  EXPECT_EQ(mistakes(load_file("threshold = 3")),
            "f:1: unknown key 'threshold'; a program's own keys belong under app.");
  EXPECT_EQ(mistakes(load_file("kafka.zookeeper = 3")),
            "f:1: unknown key 'kafka.zookeeper'; docs/config.md lists all keys");
  EXPECT_EQ(mistakes(load({{"runtime.liger", "5ms"}})),
            "--set runtime.liger: unknown key 'runtime.liger'; did you mean 'runtime.linger'?");
  EXPECT_EQ(mistakes(load({}, {"SLIPSTREAM_RUNTIME_LIGER=5ms"})),
            "SLIPSTREAM_RUNTIME_LIGER: unknown setting; did you mean 'SLIPSTREAM_RUNTIME_LINGER'?");
  EXPECT_EQ(load({{"runtime.liger", "5ms"}}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(Config, LeavesOtherVariablesAlone) {
  EXPECT_TRUE(
      load({}, {"SLIPSTREAM_BROKER_FILE=x", "SLIPSTREAM_HOME=y", "PATH=z", "SLIPSTREAM_RUNTIME_LINGER"})
          .ok());
}

TEST(Config, RefusesIllTypedValuesWithPlaceAndWhatItExpects) {
  EXPECT_EQ(mistakes(load_file("[runtime]\nparallelism = \"many\"")),
            "f:2: runtime.parallelism expects an integer from 1 to 1024, found 'many'");
  EXPECT_EQ(mistakes(load_file("runtime.parallelism = 0")),
            "f:1: runtime.parallelism expects an integer from 1 to 1024, found 0");
  EXPECT_EQ(mistakes(load_file("runtime.parallelism = \"8\"")),
            "f:1: runtime.parallelism expects an integer from 1 to 1024, found '8'");
  EXPECT_EQ(mistakes(load_file("runtime.memory_budget = \"64mb\"")),
            "f:1: runtime.memory_budget expects a size such as 64kB or 256MiB, at least 1MiB, found '64mb'");
  EXPECT_EQ(mistakes(load_file("runtime.linger = 5")),
            "f:1: runtime.linger expects a duration such as 500ms, 10s or 2h, found 5");
  EXPECT_EQ(mistakes(load_file("runtime.max_future = \"never\"")),
            "f:1: runtime.max_future expects a duration such as 500ms, 10s or 2h, or none, found 'never'");
  EXPECT_EQ(mistakes(load_file("runtime.guarantee = \"exactly_once\"")),
            "f:1: runtime.guarantee expects auto, none or at_least_once, found 'exactly_once'");
  EXPECT_EQ(mistakes(load_file("runtime.guarantee = true")),
            "f:1: runtime.guarantee expects auto, none or at_least_once, found true");
  EXPECT_EQ(mistakes(load_file("node.sum.on_error = \"panic\"")),
            "f:1: node.sum.on_error expects fail, skip or dead_letter, found 'panic'");
  EXPECT_EQ(
      mistakes(load_file("kafka.brokers = 9092")),
      "f:1: kafka.brokers expects addresses as host:port, several with commas or as a list, found 9092");
  EXPECT_EQ(mistakes(load_file("[runtime.shards]\nx = 1")),
            "f:1: runtime.shards expects an integer from 1 to 65536, found a table");
  EXPECT_EQ(mistakes(load_file("kafka.settings.debug = [\"a\"]")),
            "f:1: kafka.settings.debug expects one value, found a list");
  EXPECT_EQ(mistakes(load_file("app.x = [[1]]")),
            "f:1: app.x expects one value or a list of them, found a table");
  EXPECT_EQ(mistakes(load({{"runtime.parallelism", "2x"}})),
            "--set runtime.parallelism: runtime.parallelism expects an integer from 1 to 1024, found '2x'");
  EXPECT_EQ(mistakes(load({}, {"SLIPSTREAM_LOG_LEVEL=loud"})),
            "SLIPSTREAM_LOG_LEVEL: log.level expects debug, info, warning or error, found 'loud'");
  EXPECT_EQ(mistakes(load({}, {"SLIPSTREAM_NODE_SUM_PARALLELISM=2"})),
            "SLIPSTREAM_NODE_SUM_PARALLELISM: settings of nodes can't be in the environment; use the config "
            "file or --set");
}

TEST(Config, ReadsBoundsOfTuning) {
  const auto config = load_file(
      "[tuning]\nmode = \"target_p99\"\ntarget_p99 = \"5ms\"\nbatch = [64, 4096]\n"
      "linger = [\"1ms\", \"20ms\"]",
      {{"tuning.interval", "50ms"}});
  ASSERT_TRUE(config.ok()) << config.status();
  const TuningConfig& tuning = config->runtime().tuning;
  EXPECT_EQ(tuning.mode, TuningMode::target_p99);
  EXPECT_EQ(tuning.target_p99, 5ms);
  EXPECT_EQ(tuning.batch, (Range<std::size_t>{64, 4096}));
  EXPECT_EQ(tuning.linger, (Range<Duration>{1ms, 20ms}));
  EXPECT_EQ(tuning.interval, 50ms);
  const auto again = load_file(config->print());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->runtime().tuning.mode, TuningMode::target_p99);
  EXPECT_EQ(again->runtime().tuning.target_p99, 5ms);
  EXPECT_EQ(again->runtime().tuning.batch, (Range<std::size_t>{64, 4096}));
  EXPECT_EQ(again->runtime().tuning.linger, (Range<Duration>{1ms, 20ms}));
  const auto flags = load({{"tuning.batch", "8,16"}, {"tuning.linger", "0ms,1s"}});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->runtime().tuning.batch, (Range<std::size_t>{8, 16}));
  EXPECT_EQ(flags->runtime().tuning.linger, (Range<Duration>{0ms, 1s}));
}

TEST(Config, RefusesBoundsThatAreNone) {
  const std::string two =
      "f:1: tuning.batch expects a list of two, the smaller first, each an integer from 1 to 1048576, found ";
  EXPECT_EQ(mistakes(load_file("tuning.batch = [64]")), two + "a list");
  EXPECT_EQ(mistakes(load_file("tuning.batch = [64, 32]")), two + "a list");
  EXPECT_EQ(mistakes(load_file("tuning.batch = [0, 32]")), two + "a list");
  EXPECT_EQ(mistakes(load_file("tuning.batch = 64")), two + "64");
  EXPECT_EQ(
      mistakes(load_file("tuning.linger = [\"1ms\", \"fast\"]")),
      "f:1: tuning.linger expects a list of two, the smaller first, each a duration such as 500ms, 10s or "
      "2h, found a list");
  EXPECT_EQ(mistakes(load_file("tuning.mode = \"on\"")),
            "f:1: tuning.mode expects off, max_throughput or target_p99, found 'on'");
  EXPECT_EQ(mistakes(load({}, {"SLIPSTREAM_TUNING_MODUS=off"})),
            "SLIPSTREAM_TUNING_MODUS: unknown setting; did you mean 'SLIPSTREAM_TUNING_MODE'?");
}

TEST(Config, ReportsEveryMistakeAtOnce) {
  EXPECT_EQ(mistakes(load_file("runtime.shards = 0\nlogs.level = \"info\"", {{"runtime.linger", "fast"}})),
            "f:2: unknown key 'logs.level'; did you mean 'log.level'?\n"
            "f:1: runtime.shards expects an integer from 1 to 65536, found 0\n"
            "--set runtime.linger: runtime.linger expects a duration such as 500ms, 10s or 2h, found 'fast'");
}

TEST(Config, RefusesFilesItCantRead) {
  Arguments arguments;
  arguments.config_file = "missing.toml";
  const auto missing = Config::load(arguments, {.environment = std::vector<std::string>()});
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(missing.status().message(),
            "can't read the config file 'missing.toml': No such file or directory");
  arguments.config_file = ".";
  EXPECT_EQ(Config::load(arguments).status().message(), "can't read the config file '.': Is a directory");
  EXPECT_THAT(mistakes(load_file("[runtime]\nshards = = 3")), HasSubstr("f:2: not TOML: "));
}

TEST(Config, GivesAProgramItsOwnKeys) {
  const auto config = load_file(R"(
[app]
threshold = 0.5
cities = ["EWR", "JFK"]
name = "x"
wait = "10s"
buffer = "4kB"
on = true
inner.n = 3
since = 2013-01-01
)",
                                {{"app.list", "a,b"}, {"app.flag_n", "12"}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(*config->get<double>("app.threshold"), 0.5);
  EXPECT_EQ(*config->get<double>("app.inner.n"), 3);
  EXPECT_THAT(*config->get<std::vector<std::string>>("app.cities"), ElementsAre("EWR", "JFK"));
  EXPECT_THAT(*config->get<std::vector<std::string>>("app.list"), ElementsAre("a", "b"));
  EXPECT_EQ(*config->get<std::string>("app.name"), "x");
  EXPECT_EQ(*config->get<std::string>("app.since"), "2013-01-01");
  EXPECT_EQ(*config->get<Duration>("app.wait"), 10s);
  EXPECT_EQ(*config->get<std::size_t>("app.buffer"), 4000u);
  EXPECT_EQ(*config->get<bool>("app.on"), true);
  EXPECT_EQ(*config->get<std::int64_t>("app.inner.n"), 3);
  EXPECT_EQ(*config->get<int>("app.flag_n"), 12);
  EXPECT_EQ(*config->get<int>("app.missing", 5), 5);
  EXPECT_EQ(*config->get<int>("runtime.shards"), 128);
  EXPECT_EQ(*config->get<Duration>("runtime.linger"), 5ms);
}

TEST(Config, SaysWhatIsWrongWithAProgramsOwnKeys) {
  const auto config = load_file("app.threshold = \"high\"", {{"app.n", "many"}});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(std::string(config->get<double>("app.threshold", 1).status().message()),
              testing::EndsWith(".toml:1: app.threshold expects a number, found 'high'"));
  EXPECT_EQ(config->get<int>("app.n").status().message(), "--set: app.n expects an integer, found 'many'");
  EXPECT_EQ(config->get<bool>("app.n").status().message(),
            "--set: app.n expects true or false, found 'many'");
  EXPECT_EQ(config->get<double>("app.treshold").status().message(),
            "'app.treshold' isn't set; did you mean 'app.threshold'?");
  EXPECT_EQ(config->get<double>("app.colour").status().message(),
            "'app.colour' isn't set; set it in the config file or with --set app.colour=…");
  EXPECT_EQ(config->get<double>("app.colour").status().code(), absl::StatusCode::kNotFound);
}

TEST(Config, ChecksTheNamesOfNodes) {
  const auto config = load_file("node.revenu.parallelism = 2");
  ASSERT_TRUE(config.ok());
  const std::vector<std::string> nodes = {"revenue", "orders"};
  EXPECT_THAT(
      std::string(config->check_nodes(nodes).message()),
      testing::EndsWith(
          ".toml:1: node.revenu.parallelism: no node has the name 'revenu'; did you mean 'revenue'?"));
  EXPECT_TRUE(config->check_nodes(std::vector<std::string>{"revenu"}).ok());
}

TEST(Config, PrintsTomlWithOrigins) {
  const auto config =
      load_file("[runtime]\nparallelism = 3\nthreads = 2\n[node.\"a b\"]\nparallelism = 1\n",
                {{"runtime.linger", "20ms"}, {"kafka.settings.fetch.wait.max.ms", "50"}, {"app.x", "a\"b"}},
                {"SLIPSTREAM_LOG_LEVEL=error"});
  ASSERT_TRUE(config.ok()) << config.status();
  const std::string text = config->print();
  EXPECT_THAT(text, HasSubstr("runtime.parallelism = 3 "));
  EXPECT_THAT(text, testing::ContainsRegex("runtime.parallelism = 3 +# config_[A-Za-z]+.toml:2\n"));
  EXPECT_THAT(text, testing::ContainsRegex("runtime.linger = \"20ms\" +# --set\n"));
  EXPECT_THAT(text, testing::ContainsRegex("runtime.memory_budget = \"256MiB\" +# default\n"));
  EXPECT_THAT(text, testing::ContainsRegex("log.level = \"error\" +# SLIPSTREAM_LOG_LEVEL\n"));
  EXPECT_THAT(text, testing::ContainsRegex("kafka.settings.\"fetch.wait.max.ms\" = \"50\" +# --set\n"));
  EXPECT_THAT(text, testing::ContainsRegex("node.\"a b\".parallelism = 1 +# config_"));
  EXPECT_THAT(text, HasSubstr(R"(app.x = "a\"b")"));

  const auto again = load_file(text);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->runtime().linger, 20ms);
  EXPECT_EQ(again->runtime().nodes.at("a b").parallelism, 1);
  EXPECT_EQ(*again->get<std::string>("app.x"), "a\"b");
}

TEST(Config, HidesSecrets) {
  const std::string password = "S3CR3T";
  const auto config = load_file(
      "kafka.settings.sasl.password = \"S3CR3T\"\nkafka.settings.ssl.ca.location = \"/ca.pem\"\n"
      "kafka.settings.sasl.mechanism = \"PLAIN\"\napp.api_token = \"S3CR3T\"");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_THAT(config->print(),
              AllOf(Not(HasSubstr(password)), HasSubstr("kafka.settings.\"sasl.password\" = \"(hidden)\""),
                    HasSubstr("/ca.pem"), HasSubstr("\"PLAIN\"")));
  EXPECT_THAT(std::string(config->get<int>("app.api_token").status().message()),
              testing::EndsWith("app.api_token expects an integer, found something else"));
}

TEST(Config, RefusesCredentialsOnTheCommandLine) {
  const auto config = load({{"kafka.settings.sasl.password", "S3CR3T"}});
  EXPECT_EQ(mistakes(config),
            "--set kafka.settings.sasl.password: other users can read the command line; put it into the "
            "config file "
            "or into SLIPSTREAM_KAFKA_SETTINGS_SASL_PASSWORD");
  EXPECT_TRUE(
      load({{"kafka.settings.sasl.username", "me"}, {"kafka.settings.ssl.key.location", "k.key"}}).ok());
}

TEST(ConfigReference, ListsEveryKindOfKey) {
  const std::string page = config_reference();
  EXPECT_THAT(page, HasSubstr("| `runtime.shards` | `128` | an integer from 1 to 65536 | "));
  EXPECT_THAT(page, HasSubstr("| `runtime.parallelism` | hardware threads | "));
  EXPECT_THAT(page, HasSubstr("| `runtime.max_future` | `none` | "));
  EXPECT_THAT(page,
              HasSubstr("| `node.<name>.on_error` | as the program says | fail, skip or dead_letter | "));
  EXPECT_THAT(page, HasSubstr("| `kafka.settings.*` | "));
}

TEST(ConfigReference, IsWhatTheDocsSay) {
  std::ifstream page(SLIPSTREAM_SOURCE_DIR "/docs/config.md");
  const std::string text((std::istreambuf_iterator<char>(page)), {});
  if (text != config_reference()) std::ofstream("config.md") << config_reference();
  EXPECT_EQ(text, config_reference())
      << "copy " << std::filesystem::absolute("config.md") << " to docs/config.md";
}

}  // namespace
}  // namespace slipstream
