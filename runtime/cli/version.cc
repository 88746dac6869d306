#ifdef SLIPSTREAM_HTTP
#include <curl/curl.h>
#include <microhttpd.h>
#endif
#ifdef SLIPSTREAM_REDIS
#include <hiredis/hiredis.h>
#endif
#include <librdkafka/rdkafka.h>
#include <oneapi/tbb/version.h>
#ifdef SLIPSTREAM_ROCKSDB
#include <rocksdb/version.h>
#endif
#include <simdjson.h>
#include <toml++/toml.h>
#include <xxhash.h>
#include <zlib.h>

#include <string>

#include "absl/base/config.h"
#include "runtime/cli/command.h"

namespace slipstream::cli {
namespace {

// What the linked libraries say of themselves; hiredis, simdjson, toml++, xxHash and Abseil only say it in
// their headers.
absl::Status print_versions(const Invocation&) {
  std::string text = "slipstream " SLIPSTREAM_VERSION "\n";
#ifdef SLIPSTREAM_REDIS
  text += "hiredis " + std::to_string(HIREDIS_MAJOR) + "." + std::to_string(HIREDIS_MINOR) + "." +
          std::to_string(HIREDIS_PATCH) + "\n";
#endif
#ifdef SLIPSTREAM_HTTP
  text += "libcurl " + std::string(curl_version_info(CURLVERSION_NOW)->version) + "\n";
  text += "libmicrohttpd " + std::string(MHD_get_version()) + "\n";
#endif
  text += "librdkafka " + std::string(rd_kafka_version_str()) + "\n";
  text += "oneTBB " + std::string(TBB_runtime_version()) + "\n";
#ifdef SLIPSTREAM_ROCKSDB
  text += "RocksDB " + rocksdb::GetRocksVersionAsString() + "\n";
#endif
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
