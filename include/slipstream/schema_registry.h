#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "slipstream/time.h"

/// Schemas by number, as Confluent's Schema Registry and those that speak its protocol keep them. Records
/// carry the number of the schema they were written with: a zero byte, the number in four bytes, big-endian,
/// then the record. avro.h and protobuf.h read and write such records.
namespace slipstream {

struct RegisteredSchema {
  std::string type = "AVRO";  ///< or PROTOBUF, JSON
  std::string text;
  std::vector<std::string> references;  ///< names of other schemas that it needs
};

/// A value that is shared; every function may be called from any thread. Functions may block, at most for the
/// registry's time-out.
class SchemaRegistry {
 public:
  virtual ~SchemaRegistry() = default;
  /// The schema of that number. NotFound where the registry doesn't know it, Unavailable where it gave no
  /// answer, PermissionDenied and Unauthenticated.
  virtual absl::StatusOr<std::shared_ptr<const RegisteredSchema>> schema(std::int32_t id) = 0;
  /// The number of the schema under a subject. One that isn't there is added if `may_register`, else it is
  /// NotFound; FailedPrecondition where the registry finds it incompatible with those before.
  virtual absl::StatusOr<std::int32_t> id_of(const std::string& subject, const RegisteredSchema& schema,
                                             bool may_register) = 0;
};

struct SchemaRegistryOptions {
  std::string url = {};  ///< such as https://registry.example.org:8081
  /// For a call with all its attempts. The first record with a new number waits for the answer in its lane's
  /// thread, so this is how long a lane may stand still.
  Duration timeout = std::chrono::seconds(10);
  /// Waited between attempts after the answers 429 and 5xx and lost connections; doubles each time.
  Duration retry_backoff = std::chrono::milliseconds(100);
  /// How long an answer that was an error is given again without asking the registry.
  Duration error_ttl = std::chrono::seconds(5);
  std::string user = {};
  std::string password = {};
  std::string token = {};  ///< instead of user and password: Authorization: Bearer …
  /// The authorities to trust, in PEM; empty: the system's.
  std::string ca_file = {};
};

/// A registry over HTTP. Schemas and numbers are kept for ever (the registry never changes them), errors for
/// `error_ttl`; of several threads that ask for the same, one asks the registry and the others wait for it.
/// Messages name the URL, what was asked for, the HTTP status and the registry's own words; never user,
/// password, token or what is behind "?". InvalidArgument for options that can't work.
absl::StatusOr<std::shared_ptr<SchemaRegistry>> schema_registry(SchemaRegistryOptions options);

/// Under which subject a codec's schema is in the registry. Needed for writing only.
struct SubjectOptions {
  std::string topic = {};  ///< the subject is TOPIC-value, or TOPIC-key with `is_key`
  bool is_key = false;
  std::string subject = {};                    ///< instead of `topic`, for other strategies
  bool may_register = true;                    ///< false: the schema must be there already
  std::optional<std::int32_t> schema_id = {};  ///< written without asking the registry
};

namespace detail {
/// Appends the zero byte and the number.
void append_frame(std::int32_t id, std::string& out);
/// Takes both off the front of `bytes`. InvalidArgument when they aren't there.
absl::StatusOr<std::int32_t> take_frame(std::string_view& bytes);
}  // namespace detail

}  // namespace slipstream
