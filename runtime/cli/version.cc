#include <librdkafka/rdkafka.h>
#include <oneapi/tbb/version.h>
#include <simdjson.h>
#include <toml++/toml.h>
#include <xxhash.h>
#include <zlib.h>

#include <string>

#include "absl/base/config.h"
#include "runtime/cli/command.h"

namespace slipstream::cli {
namespace {

// What the linked libraries say of themselves; simdjson, toml++, xxHash and Abseil only say it in their
// headers.
absl::Status print_versions(const Invocation&) {
  std::string text = "slipstream " SLIPSTREAM_VERSION "\n";
  text += "librdkafka " + std::string(rd_kafka_version_str()) + "\n";
  text += "oneTBB " + std::string(TBB_runtime_version()) + "\n";
  text += "simdjson " + std::to_string(simdjson::SIMDJSON_VERSION_MAJOR) + "." +
          std::to_string(simdjson::SIMDJSON_VERSION_MINOR) + "." +
          std::to_string(simdjson::SIMDJSON_VERSION_REVISION) + "\n";
  text += "toml++ " + std::to_string(TOML_LIB_MAJOR) + "." + std::to_string(TOML_LIB_MINOR) + "." +
          std::to_string(TOML_LIB_PATCH) + "\n";
  text += "xxHash " + std::to_string(XXH_VERSION_MAJOR) + "." + std::to_string(XXH_VERSION_MINOR) + "." +
          std::to_string(XXH_VERSION_RELEASE) + "\n";
  text += "zlib " + std::string(zlibVersion()) + "\n";
  text += "Abseil " + std::to_string(ABSL_LTS_RELEASE_VERSION) + "." +
          std::to_string(ABSL_LTS_RELEASE_PATCH_LEVEL) + "\n";
  return print(text);
}

}  // namespace

int run_version(int argc, const char* const* argv) {
  return run_command({.name = "version",
                      .arguments = {},
                      .about = "Prints the versions of slipstream and of the libraries it is linked with.",
                      .options = {},
                      .run = print_versions},
                     argc, argv);
}

}  // namespace slipstream::cli
