#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>

#include "cli/process.h"

namespace slipstream::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

TEST(Tool, HelpListsTheCommands) {
  const Ended help = run_tool({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_THAT(help.out,
              AllOf(StartsWith("usage: slipstream COMMAND [flags]\n"), HasSubstr("\n  broker    run "),
                    HasSubstr("\n  produce   "), HasSubstr("\n  consume   "), HasSubstr("\n  new       "),
                    HasSubstr("\n  demo      "), HasSubstr("\n  version   ")));
  EXPECT_EQ(help.err, "");
}

TEST(Tool, WithoutACommandExplainsItselfAndFails) {
  const Ended nothing = run_tool({});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_THAT(nothing.err, StartsWith("usage: slipstream COMMAND [flags]\n"));
}

TEST(Tool, NamesTheNearestCommand) {
  const Ended mistyped = run_tool({"prodce", "orders"});
  EXPECT_EQ(mistyped.code, 2);
  EXPECT_EQ(mistyped.err, "slipstream: unknown command 'prodce'; did you mean 'produce'?\n");
  EXPECT_EQ(run_tool({"destroy"}).err,
            "slipstream: unknown command 'destroy'; slipstream --help lists them\n");
}

TEST(Tool, EveryCommandHasHelp) {
  for (const char* command : {"demo", "broker", "produce", "consume", "cache", "new", "version"}) {
    const Ended help = run_tool({command, "--help"});
    EXPECT_EQ(help.code, 0) << command;
    EXPECT_THAT(help.out, StartsWith("usage: slipstream " + std::string(command)));
    EXPECT_THAT(help.out, HasSubstr("\n  --config FILE               read settings from a TOML file\n"));
  }
}

TEST(Tool, RefusesWhatACommandDoesntKnow) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"produce"}, "slipstream produce: TOPIC is missing; usage: slipstream produce TOPIC\n"},
      {{"produce", "a", "b"},
       "slipstream produce: unexpected argument 'b'; usage: slipstream produce TOPIC\n"},
      {{"consume", "a", "--until-and"},
       "slipstream consume: unknown flag '--until-and'; did you mean '--until-end'?\n"},
      {{"consume", "a", "--colour"}, "slipstream consume: unknown flag '--colour'; --help lists them\n"},
      {{"consume", "a", "--until-end=yes"}, "slipstream consume: --until-end takes no value\n"},
      {{"consume", "a", "--from"}, "slipstream consume: --from needs a value: --from beginning|end|OFFSET\n"},
      {{"consume", "a", "--from=now"},
       "slipstream consume: --from expects beginning, end or an offset, found 'now'\n"},
      {{"consume", "a", "--wait-for-topic=5"},
       "slipstream consume: --wait-for-topic expects a duration such as 500ms, 10s or 2h, found '5'\n"},
      {{"consume", "a", "--graph"},
       "slipstream consume: --graph is for programs that have a graph; this command has none\n"},
      {{"consume", "a", "--profile"},
       "slipstream consume: --profile is for programs that have a graph; this command has none\n"},
      {{"consume", "a", "--set", "kafka.brokrs=x"},
       "slipstream consume: --set kafka.brokrs: unknown key 'kafka.brokrs'; did you mean 'kafka.brokers'?\n"},
      {{"consume", "a", "--config", "missing.toml"},
       "slipstream consume: can't read the config file 'missing.toml': No such file or directory\n"},
      {{"consume", "", "--until-end"},
       "slipstream consume: an argument is empty; usage: slipstream consume TOPIC\n"},
      {{"consume", "a", "--brokers", ""},
       "slipstream consume: --brokers needs a value: --brokers HOST:PORT,…\n"},
      {{"consume", "a", "--brokers=127.0.0.1:99999"},
       "slipstream consume: kafka: the port of broker '127.0.0.1:99999' is no number from 1 to 65535\n"},
      {{"consume", "--print-config", "--until-and"},
       "slipstream consume: unknown flag '--until-and'; did you mean '--until-end'?\n"},
      {{"new", ""}, "slipstream new: an argument is empty; usage: slipstream new DIR\n"},
      {{"broker", "--topic", "a b:1"},
       "slipstream broker: embedded broker: topic 'a b': a topic's name has 1 to 249 letters, digits, '.', "
       "'_' or "
       "'-'\n"},
      {{"broker", "--topic", "a:99999999"},
       "slipstream broker: embedded broker: topic 'a' needs 1 to 10000 partitions, not 99999999\n"},
      {{"broker", "--topic", "orders"},
       "slipstream broker: --topic expects NAME:PARTITIONS such as orders:4, found 'orders'\n"},
      {{"broker", "--topic", "orders:0"},
       "slipstream broker: --topic expects NAME:PARTITIONS such as orders:4, found 'orders:0'\n"},
      {{"broker", "--topic", ":1"},
       "slipstream broker: --topic expects NAME:PARTITIONS such as orders:4, found ':1'\n"},
  };
  for (const auto& [words, message] : cases) {
    const Ended ended = run_tool(words);
    EXPECT_EQ(ended.code, 2) << message;
    EXPECT_EQ(ended.err, message);
    EXPECT_EQ(ended.out, "");
  }
}

TEST(Tool, PrintsItsSettings) {
  const Ended ended = run_tool({"consume", "--print-config", "--set", "kafka.brokers=a:1"}, "",
                               {"SLIPSTREAM_KAFKA_SETTINGS_SASL_PASSWORD=S3CR3T"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, ::testing::ContainsRegex("kafka.brokers = \"a:1\" +# --set\n"));
  EXPECT_THAT(ended.out, ::testing::Not(HasSubstr("S3CR3T")));
  EXPECT_THAT(run_tool({"consume", "--print-config", "--brokers", "b:2"}).out,
              ::testing::ContainsRegex("kafka.brokers = \"b:2\" +# --brokers\n"));
}

TEST(Tool, SaysThatItsOutputIsFull) {
  Process full({"/bin/sh", "-c", SLIPSTREAM_BUILD_DIR "/slipstream version >/dev/full"});
  EXPECT_EQ(full.wait(), 1);
  EXPECT_EQ(full.err().all(),
            "slipstream version: can't write to the standard output: No space left on device\n");
}

TEST(Version, NamesWhatIsLinked) {
  const Ended ended = run_tool({"version"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, MatchesRegex("slipstream [0-9.]+\n(hiredis [0-9.]+\n)?(libcurl "
                                      "[0-9.]+\nlibmicrohttpd [0-9.]+\n)?librdkafka [0-9.]+\noneTBB "
                                      "[0-9.]+\n(RocksDB [0-9.]+\n)?simdjson [0-9.]+\n"
                                      "toml.. [0-9.]+\nxxHash [0-9.]+\nzlib [0-9.]+\nAbseil [0-9.]+\n"));
  EXPECT_EQ(run_tool({"--version"}).out, ended.out);
}

/// A folder that is empty at first and gone in the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "slipstream-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::string contents(const std::string& path) {
  std::ifstream file(path);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// That the program builds and passes its test is checked where the package is installed: tests/install.
TEST(New, MakesAProgramNamedAfterItsFolder) {
  const Folder folder;
  const std::string path = folder / "rooms";
  const Ended ended = run_tool({"new", path});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "Made " + path + ". Next:\n\n  cd " + path +
                           "\n  cmake -B build && cmake --build build && ctest --test-dir build\n"
                           "  build/rooms <test/input.jsonl\n");
  EXPECT_THAT(contents(path + "/CMakeLists.txt"), HasSubstr("add_executable(rooms main.cc)\n"));
  EXPECT_THAT(contents(path + "/main.cc"), HasSubstr("int main(int argc, char** argv) {\n"));
  EXPECT_THAT(contents(path + "/test/expected.jsonl"), StartsWith("{\"key\":\"attic\","));
}

TEST(New, LeavesWhatExistsAlone) {
  const Folder folder;
  std::ofstream(folder / "main.cc") << "mine";
  const std::string here = std::filesystem::path(folder / "main.cc").parent_path().string();
  const Ended full = run_tool({"new", here});
  EXPECT_EQ(full.code, 2);
  EXPECT_EQ(full.err, "slipstream new: '" + here + "' exists and isn't an empty folder\n");
  const Ended file = run_tool({"new", folder / "main.cc/x"});
  EXPECT_EQ(file.code, 2);
  EXPECT_EQ(file.err,
            "slipstream new: can't write " + (folder / "main.cc/x/main.cc") + ": Not a directory\n");
  EXPECT_EQ(contents(folder / "main.cc"), "mine");
}

TEST(New, RefusesNamesThatAProgramCantHave) {
  for (const char* name : {"7up", "a b", "test", "."}) {
    const Ended ended = run_tool({"new", "/" + std::string(name)});
    EXPECT_EQ(ended.code, 2) << name;
    EXPECT_THAT(
        ended.err,
        StartsWith("slipstream new: the folder's name is the program's, too: letters, digits, - and _, "
                   "beginning with a letter, at most 64, and not 'test'; found '"));
  }
}

class Broker : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    broker_ = std::make_unique<Process>(tool({"broker", "--topic", "orders:2", "--topic=weather:1", "--topic",
                                              "mistakes:1", "--topic", "bytes:1"}));
    address_ = broker_->out().first_line();
  }
  static void TearDownTestSuite() { broker_.reset(); }

  static Ended run(std::vector<std::string> words, std::string_view input = "") {
    words.insert(words.end(), {"--brokers", address_});
    return run_tool(std::move(words), input);
  }

  inline static std::unique_ptr<Process> broker_;
  inline static std::string address_;
};

TEST_F(Broker, PrintsItsAddress) { EXPECT_THAT(address_, MatchesRegex("127.0.0.1:[0-9]+")); }

TEST_F(Broker, EndsAtASignal) {
  for (const int number : {SIGINT, SIGTERM}) {
    Process broker(tool({"broker"}));
    EXPECT_THAT(broker.out().first_line(), StartsWith("127.0.0.1:"));
    broker.signal(number);
    EXPECT_EQ(broker.wait(), 0) << number;
  }
}

TEST_F(Broker, RecordsComeBackAsTheyWereProduced) {
  const std::string lines =
      R"({"key":"EWR","value":{"wind": 7},"headers":{"from":"test","n":"1"},"partition":0,"offset":0,"timestamp":"2013-01-01T05:00:00Z"}
{"value":[1,2.50],"partition":0,"offset":1,"timestamp":"2013-01-01T05:00:00.250Z"}
{"key":"JFK","value":"ünï \"quoted\"\n","partition":0,"offset":2,"timestamp":"2013-01-01T06:00:00Z"}
{"key":"JFK","value":null,"partition":0,"offset":3,"timestamp":"2013-01-01T07:00:00Z"}
)";
  const Ended produced = run({"produce", "weather"}, lines);
  EXPECT_EQ(produced.code, 0) << produced.err;
  EXPECT_EQ(produced.err, "slipstream produce: 4 records written to weather\n");
  const Ended consumed = run({"consume", "weather", "--until-end"});
  EXPECT_EQ(consumed.code, 0) << consumed.err;
  EXPECT_EQ(consumed.out, lines);

  const Ended rest = run({"consume", "weather", "--until-end", "--from", "3"});
  EXPECT_EQ(rest.out, lines.substr(lines.find("{\"key\":\"JFK\",\"value\":null")));
}

TEST_F(Broker, BytesTravelAsBase64) {
  const std::string line =
      R"({"key_base64":"/wA=","value_base64":"gIE=","headers":{"raw":{"base64":"/w=="}},"partition":0,"offset":0,"timestamp":"2013-01-01T05:00:00Z"})"
      "\n";
  EXPECT_EQ(run({"produce", "bytes"}, line).code, 0);
  EXPECT_EQ(run({"consume", "bytes", "--until-end"}).out, line);
}

TEST_F(Broker, RecordsWithoutAPartitionGoByKey) {
  std::string lines;
  for (int i = 0; i < 20; ++i) lines += "{\"key\":\"k" + std::to_string(i % 5) + "\",\"value\":\"v\"}\n\n";
  const Ended produced = run({"produce", "orders"}, lines + R"({"value": 5})");
  EXPECT_EQ(produced.err, "slipstream produce: 21 records written to orders\n");
  const Ended consumed = run({"consume", "orders", "--until-end"});
  EXPECT_EQ(std::count(consumed.out.begin(), consumed.out.end(), '\n'), 21);
  EXPECT_THAT(consumed.out,
              AllOf(HasSubstr(R"("key":"k0","value":"v","partition":)"), HasSubstr(R"("partition":0,)"),
                    HasSubstr(R"("partition":1,)"), HasSubstr(R"({"value":"5","partition":)")));
}

TEST_F(Broker, SaysWhatIsWrongWithALine) {
  const std::pair<std::string, std::string> cases[] = {
      {"{\"vaule\":1}", "line 1: unknown field 'vaule'; did you mean 'value'?"},
      {"\n{\"key\":1}", "line 2: value is missing; null makes a tombstone"},
      {"[1]", "line 1: the line: expected an object, found [1]"},
      {"{\"value\":1,\"partition\":-1}", "line 1: partition: expected a partition's number, found -1"},
      {"{\"value\":1,\"headers\":[]}", "line 1: headers: expected an object, found []"},
      {"{\"value\":1,\"headers\":{\"a\":5}}", "line 1: headers.a: expected text, found 5"},
      {"{\"value_base64\":\"%\"}", "line 1: value_base64: expected base64, found '%'"},
      {"{\"value\":1,\"value\":2}", "line 1: value: comes twice"},
      {"{\"value\":1,\"value_base64\":\"AA==\"}", "line 1: value: comes twice"},
      {"{\"key_base64\":7,\"value\":1}", "line 1: key_base64: expected base64, found 7"},
  };
  for (const auto& [line, message] : cases) {
    const Ended ended = run({"produce", "mistakes"}, line);
    EXPECT_EQ(ended.code, 4) << message;
    EXPECT_THAT(ended.err, HasSubstr("slipstream produce: " + message + "\n"));
  }
  EXPECT_THAT(run({"produce", "mistakes"}, "{\"value\":").err,
              HasSubstr("slipstream produce: line 1: not JSON: "));
  EXPECT_THAT(run({"produce", "mistakes"}, "{\"value\":1,\"timestamp\":\"noon\"}").err,
              HasSubstr("slipstream produce: line 1: timestamp: "));
}

TEST_F(Broker, KeepsTheRecordsBeforeABadLine) {
  const Ended ended = run({"produce", "mistakes"}, "{\"value\":\"good\"}\nbad\n");
  EXPECT_EQ(ended.code, 4);
  EXPECT_THAT(ended.err, HasSubstr("1 records written to mistakes\n"));
  EXPECT_THAT(run({"consume", "mistakes", "--until-end"}).out, HasSubstr("\"value\":\"good\""));
}

TEST_F(Broker, ProduceStopsAtASignalAndDeliversWhatItHasRead) {
  Process produce(tool({"produce", "orders", "--brokers", address_}));
  produce.write("{\"key\":\"last\",\"value\":\"before the signal\"}\n");
  Process consume(tool({"consume", "orders", "--brokers", address_}));
  EXPECT_TRUE(consume.out().wait_for("before the signal"));
  produce.signal(SIGINT);
  EXPECT_EQ(produce.wait(), 0);
  EXPECT_THAT(produce.err().all(), HasSubstr("1 records written to orders\n"));
  consume.signal(SIGTERM);
  EXPECT_EQ(consume.wait(), 0);
}

TEST(Stopped, ProduceDoesNotWaitLongForABrokerThatIsGone) {
  Process broker(tool({"broker", "--topic", "orders:1"}));
  const std::string address = broker.out().first_line();
  Process produce(tool({"produce", "orders", "--brokers", address, "--set", "runtime.drain_timeout=100ms"}));
  produce.write("{\"value\":\"delivered\"}\n");
  Process consume(tool({"consume", "orders", "--brokers", address}));
  EXPECT_TRUE(consume.out().wait_for("delivered"));
  broker.signal(SIGKILL);
  EXPECT_TRUE(produce.err().wait_for("lost " + address));
  // More than a pipe holds: when it is written, some of it has been read.
  std::string lines;
  for (int i = 0; i < 10'000; ++i) lines += "{\"value\":\"never delivered\"}\n";
  produce.write(lines);
  produce.signal(SIGINT);
  EXPECT_EQ(produce.wait(), 1);
  EXPECT_THAT(produce.err().all(), HasSubstr(" records were not delivered within 100 ms\n"));
}

TEST_F(Broker, MissingTopicsAreNamedWithTheNearest) {
  const std::string what = "kafka topic 'wether' does not exist on " + address_ + "; nearest: 'weather'; ";
  const Ended produced = run({"produce", "wether"}, "{\"value\":1}");
  EXPECT_EQ(produced.code, 2);
  EXPECT_EQ(produced.err, "slipstream produce: " + what + "create it first\n");
  const Ended consumed = run({"consume", "wether"});
  EXPECT_EQ(consumed.code, 2);
  EXPECT_EQ(consumed.err,
            "slipstream consume: " + what + "create it, or wait for it with --wait-for-topic 30s\n");
}

TEST_F(Broker, ConsumeWaitsForATopicWhenTold) {
  Process consume(tool({"consume", "later", "--wait-for-topic", "1m", "--brokers", address_}));
  EXPECT_TRUE(consume.err().wait_for("kafka topic 'later' does not exist on " + address_ + " yet; waiting"));
  consume.signal(SIGTERM);
  EXPECT_EQ(consume.wait(), 1000 + SIGTERM);  // nothing to finish yet
}

TEST(Unreachable, BrokersEndCommandsWithTheirOwnCode) {
  for (const char* command : {"produce", "consume"}) {
    const Ended ended =
        run_tool({command, "orders", "--brokers", "127.0.0.1:1", "--set", "kafka.connect_timeout=1s"},
                 "{\"value\":1}");
    EXPECT_EQ(ended.code, 5) << ended.err;
    EXPECT_THAT(ended.err, HasSubstr("127.0.0.1:1"));
  }
}

}  // namespace
}  // namespace slipstream::testing
