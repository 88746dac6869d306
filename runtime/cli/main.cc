#include <string>
#include <vector>

#include "runtime/cli/command.h"
#include "runtime/standard_descriptors.h"
#include "slipstream/detail/exit_code.h"
#include "slipstream/detail/nearest.h"
#include "slipstream/detail/units.h"

namespace slipstream::cli {
namespace {

struct Entry {
  std::string_view name;
  std::string_view about;
  int (*run)(int argc, const char* const* argv);  ///< argv[0] is the command's name
};

constexpr Entry kCommands[] = {
    {"demo", "watch a year of flights being counted and joined with the weather", run_demo},
    {"broker", "run a small Kafka broker in memory, for first tries and tests", run_broker},
    {"produce", "write records, given as JSON lines, to a topic", run_produce},
    {"consume", "print a topic's records as JSON lines", run_consume},
#ifdef SLIPSTREAM_ROCKSDB
    {"cache", "verify, repair or dump the database of caches", run_cache},
#endif
    {"new", "make a folder with a first program, its build and its test", run_new},
    {"version", "print the versions of slipstream and of what it is linked with", run_version},
};

std::string help() {
  std::string text = "usage: slipstream COMMAND [flags]\n\nStateful stream processing in one process.\n\n";
  for (const Entry& entry : kCommands) {
    std::string name(entry.name);
    name.resize(10, ' ');
    text.append("  ").append(name).append(entry.about).append("\n");
  }
  return text + "\nslipstream COMMAND --help says more.\n";
}

int unknown_command(const std::string& name) {
  std::vector<std::string> known;
  for (const Entry& entry : kCommands) known.emplace_back(entry.name);
  const std::string hint = detail::did_you_mean(name, known);
  say("slipstream: unknown command '" + detail::one_line(name) + "'" +
      (hint.empty() ? "; slipstream --help lists them" : hint));
  return detail::kExitUsage;
}

int run(int argc, const char* const* argv) {
  const std::string name = argc > 1 ? argv[1] : "";
  if (name.empty()) {
    say(help());
    return detail::kExitUsage;
  }
  if (name == "--help" || name == "-h" || name == "help") return detail::exit_code(print(help()));
  if (name == "--version") return run_version(argc - 1, argv + 1);
  for (const Entry& entry : kCommands) {
    if (entry.name == name) return entry.run(argc - 1, argv + 1);
  }
  return unknown_command(name);
}

}  // namespace
}  // namespace slipstream::cli

int main(int argc, char** argv) {
  slipstream::occupy_standard_descriptors();
  return slipstream::cli::run(argc, argv);
}
