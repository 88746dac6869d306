#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "slipstream/config.h"
#include "slipstream/kafka.h"

namespace slipstream::cli {

struct Option {
  std::string_view name;   ///< "--topic"
  std::string_view value;  ///< what its value is called; empty: it takes none
  std::string_view doc;
};

/// A command line that has been understood.
class Invocation {
 public:
  Config config;
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string_view, std::string>> options;
  bool profile = false;  ///< --profile

  bool has(std::string_view option) const;
  /// The last one given wins.
  std::optional<std::string> value(std::string_view option) const;
  std::vector<std::string> values(std::string_view option) const;
};

struct Command {
  std::string_view name;
  std::vector<std::string_view> arguments;  ///< all are needed
  std::string_view about;
  std::vector<Option> options;  ///< beside those every command has
  absl::Status (*run)(const Invocation& invocation);
};

/// Parses argv (argv[0] is the command's name), runs the command, says on stderr what went wrong, and returns
/// the exit code.
int run_command(const Command& command, int argc, const char* const* argv);

/// "--brokers", for commands that talk to Kafka, and what they then connect with.
extern const Option kBrokers;
extern const Option kProfile;  ///< of commands that run a program
kafka::ClientOptions client_options(const Invocation& invocation);

/// Of what the library says about a topic that doesn't exist, the end tells programs what they may do; here
/// it tells who uses the tool. Other errors stay as they are.
absl::Status with_way_out(const absl::Status& status, std::string_view way_out);

/// Writes all of it. A reader that went away is an error.
absl::Status print(std::string_view text);
/// A line on stderr, for people.
void say(std::string_view text);

int run_broker(int argc, const char* const* argv);
int run_cache(int argc, const char* const* argv);
int run_consume(int argc, const char* const* argv);
int run_demo(int argc, const char* const* argv);
int run_new(int argc, const char* const* argv);
int run_produce(int argc, const char* const* argv);
int run_version(int argc, const char* const* argv);

}  // namespace slipstream::cli
