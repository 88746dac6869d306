#include <array>

#include "runtime/config_schema.h"
#include "slipstream/detail/nearest.h"
#include "slipstream/detail/units.h"

namespace slipstream {
namespace {

enum class Takes { nothing, value, optional_value };

struct Flag {
  std::string_view name;
  Takes takes;
  std::string_view value_name;
  std::string_view doc;
};

constexpr std::array kFlags = {
    Flag{"--config", Takes::value, "FILE", "read settings from a TOML file"},
    Flag{"--set", Takes::value, "KEY=VALUE", "set one value, e.g. runtime.linger=20ms; may be repeated"},
    Flag{"--parallelism", Takes::value, "N", "lanes of every keyed stage (runtime.parallelism)"},
    Flag{"--log-level", Takes::value, "LEVEL", "debug, info, warning or error (log.level)"},
    Flag{"--print-config", Takes::nothing, "", "print all settings and where each came from, then end"},
    Flag{"--graph", Takes::optional_value, "FILE",
         "print the graph as DOT, or write it to FILE.svg, then end"},
    Flag{"--profile", Takes::nothing, "",
         "at the end, print where the time went and which node others wait for"},
    Flag{"--help", Takes::nothing, "", "print this, then end"},
};

const Flag* find_flag(std::string_view name) {
  for (const Flag& flag : kFlags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

absl::Status error(std::string text) { return absl::InvalidArgumentError(text); }

absl::Status add_setting(std::string_view text, Arguments& out) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return error("--set needs key=value, found '" + detail::one_line(text) + "'");
  }
  out.settings.push_back({std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))});
  return absl::OkStatus();
}

absl::Status apply(const Flag& flag, std::string_view value, Arguments& out) {
  if (flag.name == "--set") return add_setting(value, out);
  if (flag.name == "--config") out.config_file = value;
  const auto set = [&](const char* key) {
    out.settings.push_back({key, std::string(value), std::string(flag.name)});
  };
  if (flag.name == "--parallelism") set("runtime.parallelism");
  if (flag.name == "--log-level") set("log.level");
  if (flag.name == "--print-config") out.print_config = true;
  if (flag.name == "--graph") out.graph = value;
  if (flag.name == "--profile") out.profile = true;
  if (flag.name == "--help") out.help = true;
  return absl::OkStatus();
}

std::string_view file_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

void append_row(std::string& text, std::string name, std::size_t column, std::string_view doc) {
  name.resize(std::max(name.size() + 2, column), ' ');
  text.append("  ").append(name).append(doc).append("\n");
}

std::string shown(const Flag& flag) {
  const std::string name(flag.name), value(flag.value_name);
  switch (flag.takes) {
    case Takes::nothing:
      return name;
    case Takes::value:
      return name + " " + value;
    case Takes::optional_value:
      return name + "[=" + value + "]";
  }
  return name;
}

}  // namespace

absl::StatusOr<Arguments> parse_arguments(int argc, const char* const* argv) {
  Arguments out;
  if (argc > 0) out.program = file_name(argv[0]);
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--") {
      out.rest.insert(out.rest.end(), argv + i + 1, argv + argc);
      break;
    }
    const std::size_t equals = std::min(word.find('='), word.size());
    const Flag* flag = find_flag(word == "-h" ? "--help" : word.substr(0, equals));
    if (flag == nullptr) {
      out.rest.emplace_back(word);
      continue;
    }
    const bool has_value = equals < word.size();
    std::string_view value = has_value ? word.substr(equals + 1) : "";
    if (has_value && flag->takes == Takes::nothing) {
      return error(std::string(flag->name) + " takes no value, found '" + detail::one_line(value) + "'");
    }
    if (!has_value && flag->takes == Takes::value && i + 1 < argc) value = argv[++i];
    if (flag->takes == Takes::value && value.empty()) {
      return error(std::string(flag->name) + " needs a value: " + shown(*flag));
    }
    if (absl::Status status = apply(*flag, value, out); !status.ok()) return status;
  }
  return out;
}

absl::Status check_nothing_left(const Arguments& arguments) {
  if (arguments.rest.empty()) return absl::OkStatus();
  const std::string& word = arguments.rest.front();
  if (!word.starts_with('-')) {
    return error("unexpected argument '" + detail::one_line(word) + "'; --help lists what there is");
  }
  const std::string name = word.substr(0, word.find('='));
  std::vector<std::string> known;
  for (const Flag& flag : kFlags) known.emplace_back(flag.name);
  const std::string hint = detail::did_you_mean(name, known);
  return error("unknown flag '" + detail::one_line(name) + "'" +
               (hint.empty() ? "; --help lists them" : hint));
}

std::string help_text(const Arguments& arguments, std::string_view about,
                      std::span<const std::pair<std::string, std::string>> own) {
  std::string text = "usage: " + (arguments.program.empty() ? "program" : arguments.program) + " [flags]\n";
  if (!about.empty()) text.append("\n").append(about).append("\n");
  text += "\n";
  constexpr std::size_t kFlagColumn = 22, kKeyColumn = 32;
  for (const auto& [name, doc] : own) append_row(text, name, kFlagColumn, doc);
  for (const Flag& flag : kFlags) append_row(text, shown(flag), kFlagColumn, flag.doc);
  text +=
      "\nSettings come from defaults, the program, the file, SLIPSTREAM_… variables and flags, later ones "
      "winning:\n\n";
  for (const auto& key : detail::runtime_keys()) append_row(text, key.name, kKeyColumn, key.doc);
  append_row(text, "kafka.settings.*", kKeyColumn, "Any setting of librdkafka.");
  for (const auto& key : detail::node_keys())
    append_row(text, "node.<name>." + key.name, kKeyColumn, key.doc);
  append_row(text, "app.*", kKeyColumn, "The program's own.");
  return text;
}

}  // namespace slipstream
