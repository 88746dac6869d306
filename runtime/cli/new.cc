#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "runtime/cli/command.h"
#include "slipstream/detail/units.h"

namespace slipstream::cli {
namespace {

struct Template {
  const char* path;
  const char* text;  ///< @NAME@ is the program's name
};

constexpr Template kTemplates[] = {
    {"main.cc", R"(#include <slipstream/file.h>
#include <slipstream/slipstream.h>

#include <algorithm>

using namespace slipstream;
using namespace std::chrono_literals;

struct Reading {
  std::string room;
  double celsius;
  EventTime at;
};
SLIPSTREAM_FIELDS(Reading, room, celsius, at)

struct Summary {
  int readings = 0;
  double highest = -273.15;
  void add(const Reading& r) { ++readings, highest = std::max(highest, r.celsius); }
};
SLIPSTREAM_FIELDS(Summary, readings, highest)

int main(int argc, char** argv) {
  App app(argc, argv, "Summarises the temperatures of each room by the minute.");
  app.source(stdin_jsonl<Reading>())
      .event_time(&Reading::at, {.max_out_of_orderness = 10s})
      .key_by(&Reading::room)
      .window(tumbling(1min))
      .aggregate<Summary>("per room and minute")
      .sink(stdout_jsonl<Windowed<std::string, Summary>>());
  return app.main();
}
)"},
    {"CMakeLists.txt", R"(cmake_minimum_required(VERSION 3.25)
project(@NAME@ LANGUAGES CXX)

find_package(slipstream 0.1 REQUIRED)
add_executable(@NAME@ main.cc)
target_link_libraries(@NAME@ PRIVATE slipstream::slipstream)

# What the program makes of test/input.jsonl has to be test/expected.jsonl, in any order.
enable_testing()
add_test(NAME @NAME@
  COMMAND sh -c "$<TARGET_FILE:@NAME@> <input.jsonl | sort | diff expected.jsonl -"
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/test)
)"},
    {"test/input.jsonl", R"({"room":"attic","celsius":30.5,"at":"2024-06-01T12:00:01Z"}
{"room":"cellar","celsius":12,"at":"2024-06-01T12:00:02Z"}
{"room":"attic","celsius":31,"at":"2024-06-01T12:00:31Z"}
{"room":"cellar","celsius":12.5,"at":"2024-06-01T12:01:05Z"}
{"room":"attic","celsius":30,"at":"2024-06-01T12:00:59Z"}
)"},
    {"test/expected.jsonl",
     R"({"key":"attic","window":{"start":"2024-06-01T12:00:00Z","end":"2024-06-01T12:01:00Z"},"value":{"readings":3,"highest":31}}
{"key":"cellar","window":{"start":"2024-06-01T12:00:00Z","end":"2024-06-01T12:01:00Z"},"value":{"readings":1,"highest":12}}
{"key":"cellar","window":{"start":"2024-06-01T12:01:00Z","end":"2024-06-01T12:02:00Z"},"value":{"readings":1,"highest":12.5}}
)"},
};

bool is_program_name(std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return name.size() <= 64 && kLetters.find(name.substr(0, 1)) != std::string_view::npos && !name.empty() &&
         name.find_first_not_of(std::string(kLetters) + "0123456789_-") == std::string_view::npos &&
         name != "test";  // CMake's own target
}

std::string with_name(std::string_view text, const std::string& name) {
  constexpr std::string_view kPlaceholder = "@NAME@";
  std::string out;
  for (std::size_t at = 0; (at = text.find(kPlaceholder)) != std::string_view::npos;) {
    out.append(text.substr(0, at)).append(name);
    text.remove_prefix(at + kPlaceholder.size());
  }
  return out.append(text);
}

absl::Status write_file(const std::filesystem::path& path, const std::string& text) {
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  std::ofstream file(path);
  file << text << std::flush;
  if (file) return absl::OkStatus();
  return absl::InvalidArgumentError("can't write " + path.string() + ": " +
                                    (error ? error.message() : std::string(std::strerror(errno))));
}

absl::Status make_program(const Invocation& invocation) {
  const std::filesystem::path folder = invocation.arguments[0];
  std::error_code error;
  const std::string name =
      std::filesystem::absolute(folder / "").lexically_normal().parent_path().filename().string();
  if (!is_program_name(name)) {
    return absl::InvalidArgumentError(
        "the folder's name is the program's, too: letters, digits, - and _, beginning with "
        "a letter, at most 64, and not 'test'; found '" +
        detail::one_line(name) + "'");
  }
  if (std::filesystem::exists(folder, error) && !std::filesystem::is_empty(folder, error)) {
    return absl::AlreadyExistsError("'" + detail::one_line(folder.string()) +
                                    "' exists and isn't an empty folder");
  }
  for (const Template& file : kTemplates) {
    if (absl::Status status = write_file(folder / file.path, with_name(file.text, name)); !status.ok())
      return status;
  }
  return print("Made " + folder.string() + ". Next:\n\n  cd " + folder.string() +
               "\n  cmake -B build && cmake --build build && ctest --test-dir build\n  build/" + name +
               " <test/input.jsonl\n");
}

}  // namespace

int run_new(int argc, const char* const* argv) {
  return run_command(
      {.name = "new",
       .arguments = {"DIR"},
       .about =
           "Makes the folder DIR with a program of a few lines, its CMakeLists.txt and a test; they build\n"
           "against an installed slipstream.",
       .options = {},
       .run = make_program},
      argc, argv);
}

}  // namespace slipstream::cli
