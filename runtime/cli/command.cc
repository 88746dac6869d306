#include "runtime/cli/command.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "slipstream/detail/exit_code.h"
#include "slipstream/detail/nearest.h"
#include "slipstream/detail/units.h"

namespace slipstream::cli {

const Option kBrokers = {"--brokers", "HOST:PORT,…",
                         "where Kafka is (kafka.brokers; default 127.0.0.1:9092)"};

const Option kProfile = {"--profile", "",
                         "at the end, print where the time went and which node others wait for"};

namespace {

// What parse_arguments() in config.h takes off every command line, as far as it makes sense here.
constexpr Option kCommon[] = {
    {"--config", "FILE", "read settings from a TOML file"},
    {"--set", "KEY=VALUE", "set one value, e.g. kafka.settings.security.protocol=ssl"},
    {"--log-level", "LEVEL", "debug, info, warning or error"},
    {"--print-config", "", "print all settings and where each came from, then end"},
    {"--help", "", "print this, then end"},
};

absl::Status usage_error(const std::string& text) { return absl::InvalidArgumentError(text); }

std::string usage(const Command& command) {
  std::string text = "slipstream " + std::string(command.name);
  for (const std::string_view argument : command.arguments) text.append(" ").append(argument);
  return text;
}

void append_option(std::string& text, const Option& option) {
  constexpr std::size_t kColumn = 30;
  std::string name = "  " + std::string(option.name);
  if (!option.value.empty()) name.append(" ").append(option.value);
  // Some names have letters of several bytes: what counts is how wide they look.
  const auto width = std::count_if(name.begin(), name.end(), [](char c) { return (c & 0xc0) != 0x80; });
  name.append(
      std::max<std::size_t>(kColumn, static_cast<std::size_t>(width) + 2) - static_cast<std::size_t>(width),
      ' ');
  text.append(name).append(option.doc).append("\n");
}

std::string help(const Command& command) {
  std::string text = "usage: " + usage(command) + " [flags]\n\n" + std::string(command.about) + "\n\n";
  for (const Option& option : command.options) append_option(text, option);
  for (const Option& option : kCommon) append_option(text, option);
  return text;
}

const Option* find_option(const Command& command, std::string_view name) {
  const auto found = std::find_if(command.options.begin(), command.options.end(),
                                  [&](const Option& option) { return option.name == name; });
  return found == command.options.end() ? nullptr : &*found;
}

absl::Status unknown_option(const Command& command, const std::string& name) {
  std::vector<std::string> known;
  for (const Option& option : command.options) known.emplace_back(option.name);
  for (const Option& option : kCommon) known.emplace_back(option.name);
  const std::string hint = detail::did_you_mean(name, known);
  return usage_error("unknown flag '" + detail::one_line(name) + "'" +
                     (hint.empty() ? "; --help lists them" : hint));
}

/// Reads the option at words[i] and moves i to its last word.
absl::Status take_option(const Command& command, const std::vector<std::string>& words, std::size_t& i,
                         Invocation& out) {
  const std::string& word = words[i];
  const std::size_t equals = std::min(word.find('='), word.size());
  const std::string name = word.substr(0, equals);
  const Option* option = find_option(command, name);
  if (option == nullptr) return unknown_option(command, name);
  const bool has_value = equals < word.size();
  if (option->value.empty()) {
    if (has_value) return usage_error(name + " takes no value");
    out.options.emplace_back(option->name, "");
    return absl::OkStatus();
  }
  std::string value;
  if (has_value) {
    value = word.substr(equals + 1);
  } else if (i + 1 < words.size()) {
    value = words[++i];
  }
  // Also of a variable of the shell that isn't set: --brokers "$KAFKA".
  if (value.empty()) {
    return usage_error(name + " needs a value: " + name + " " + std::string(option->value));
  }
  out.options.emplace_back(option->name, std::move(value));
  return absl::OkStatus();
}

absl::Status parse(const Command& command, const std::vector<std::string>& words, Invocation& out) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].empty()) return usage_error("an argument is empty; usage: " + usage(command));
    if (!words[i].starts_with('-')) {
      out.arguments.push_back(words[i]);
    } else if (absl::Status status = take_option(command, words, i, out); !status.ok()) {
      return status;
    }
  }
  if (out.arguments.size() > command.arguments.size()) {
    return usage_error("unexpected argument '" + detail::one_line(out.arguments[command.arguments.size()]) +
                       "'; usage: " + usage(command));
  }
  return absl::OkStatus();
}

absl::Status check_nothing_missing(const Command& command, const Invocation& invocation) {
  if (invocation.arguments.size() == command.arguments.size()) return absl::OkStatus();
  return usage_error(std::string(command.arguments[invocation.arguments.size()]) +
                     " is missing; usage: " + usage(command));
}

absl::Status run(const Command& command, int argc, const char* const* argv) {
  absl::StatusOr<Arguments> arguments = parse_arguments(argc, argv);
  if (!arguments.ok()) return arguments.status();
  if (arguments->help) return print(help(command));
  if (arguments->graph)
    return usage_error("--graph is for programs that have a graph; this command has none");
  if (arguments->profile && !find_option(command, kProfile.name))
    return usage_error("--profile is for programs that have a graph; this command has none");
  Invocation invocation;
  invocation.profile = arguments->profile;
  if (absl::Status status = parse(command, arguments->rest, invocation); !status.ok()) return status;
  if (!arguments->print_config) {
    if (absl::Status status = check_nothing_missing(command, invocation); !status.ok()) return status;
  }
  if (const auto brokers = invocation.value(kBrokers.name)) {
    arguments->settings.push_back({"kafka.brokers", *brokers, std::string(kBrokers.name)});
  }
  absl::StatusOr<Config> config = Config::load(*arguments);
  if (!config.ok()) return config.status();
  if (arguments->print_config) return print(config->print());
  invocation.config = *std::move(config);
  return command.run(invocation);
}

}  // namespace

bool Invocation::has(std::string_view option) const { return value(option).has_value(); }

std::optional<std::string> Invocation::value(std::string_view option) const {
  const std::vector<std::string> all = values(option);
  if (all.empty()) return std::nullopt;
  return all.back();
}

std::vector<std::string> Invocation::values(std::string_view option) const {
  std::vector<std::string> out;
  for (const auto& [name, value] : options) {
    if (name == option) out.push_back(value);
  }
  return out;
}

int run_command(const Command& command, int argc, const char* const* argv) {
  const absl::Status status = run(command, argc, argv);
  if (!status.ok()) say("slipstream " + std::string(command.name) + ": " + std::string(status.message()));
  return detail::exit_code(status);
}

kafka::ClientOptions client_options(const Invocation& invocation) {
  const RuntimeConfig& config = invocation.config.runtime();
  kafka::ClientOptions options;
  if (!config.kafka.brokers.empty()) options.brokers = config.kafka.brokers;
  options.connect_timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(config.kafka.connect_timeout);
  options.settings = config.kafka.settings;
  options.log = stderr_log(config.log_level);
  return options;
}

absl::Status with_way_out(const absl::Status& status, std::string_view way_out) {
  if (!absl::IsNotFound(status)) return status;
  const std::string message(status.message());
  return absl::NotFoundError(message.substr(0, message.rfind("; ")) + "; " + std::string(way_out));
}

absl::Status print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return absl::OkStatus();
  }
  return absl::DeadlineExceededError(std::string("can't write to the standard output: ") +
                                     std::strerror(errno));
}

void say(std::string_view text) {
  const std::string line = std::string(text) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace slipstream::cli
