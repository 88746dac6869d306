#include "slipstream/schema_registry.h"

#include <algorithm>
#include <cctype>
#include <condition_variable>
#include <functional>
#include <map>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "connectors/http/request.h"
#include "connectors/http/transfer.h"
#include "connectors/http/url.h"
#include "slipstream/detail/mutex.h"
#include "slipstream/detail/units.h"
#include "slipstream/json.h"

namespace slipstream::http {

// What the registry says and is told, as JSON.
struct Reference {
  std::string name;
};
SLIPSTREAM_FIELDS(Reference, name)
struct SchemaAnswer {
  std::string schema;
  std::optional<std::string> schemaType;  // absent: AVRO
  std::optional<std::vector<Reference>> references;
};
SLIPSTREAM_FIELDS(SchemaAnswer, schema, schemaType, references)
struct SchemaRequest {
  std::string schema;
  std::optional<std::string> schemaType;
};
SLIPSTREAM_FIELDS(SchemaRequest, schema, schemaType)
struct IdAnswer {
  std::int32_t id = 0;
};
SLIPSTREAM_FIELDS(IdAnswer, id)
struct ErrorAnswer {
  std::optional<std::int64_t> error_code;
  std::string message;
};
SLIPSTREAM_FIELDS(ErrorAnswer, error_code, message)

namespace {

using Clock = std::chrono::steady_clock;

/// Answers by question. Good ones are kept for ever, errors for a while; while one thread asks, others that
/// ask the same wait for it.
template <class Key, class T>
class AnswerCache {
 public:
  using Ask = std::function<absl::StatusOr<T>(Clock::time_point deadline)>;

  absl::StatusOr<T> get(const Key& key, Duration timeout, Duration error_ttl, const Ask& ask) {
    const auto deadline = Clock::now() + timeout;
    detail::MutexLock lock(mutex_);
    for (;;) {
      Entry& entry = entries_[key];
      if (entry.is_asking) {
        if (!lock.wait_until(changed_, deadline) && entries_[key].is_asking)
          return absl::UnavailableError("another thread's question has not been answered in time");
        continue;
      }
      if (entry.answer && (entry.answer->ok() || Clock::now() < entry.end)) return *entry.answer;
      entry.is_asking = true;
      break;
    }
    lock.unlock();
    absl::StatusOr<T> answer = ask(deadline);
    lock.lock();
    if (!answer.ok() && entries_.size() > kManyEntries) drop_old_errors();
    Entry& entry = entries_[key];
    entry.is_asking = false;
    entry.end = Clock::now() + error_ttl;
    entry.answer = answer;
    changed_.notify_all();
    return answer;
  }

 private:
  /// Anybody who writes records can ask for any number; what isn't there must not fill the memory.
  static constexpr std::size_t kManyEntries = 1000;

  struct Entry {
    bool is_asking = false;
    std::optional<absl::StatusOr<T>> answer;
    Clock::time_point end{};  // of an error
  };
  void drop_old_errors() SLIPSTREAM_REQUIRES(mutex_) {
    std::erase_if(entries_, [now = Clock::now()](const auto& each) {
      const Entry& entry = each.second;
      return !entry.is_asking && entry.answer && !entry.answer->ok() && entry.end <= now;
    });
  }

  detail::Mutex mutex_;
  std::condition_variable changed_;
  std::map<Key, Entry> entries_ SLIPSTREAM_GUARDED_BY(mutex_);
};

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(3, bytes.size()))) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i)
      bits = bits << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0u);
    for (std::size_t i = 0; i < 4; ++i)
      out.push_back(i <= bytes.size() ? kDigits[bits >> (18 - 6 * i) & 63] : '=');
  }
  return out;
}

std::string percent_encoded(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80 && (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~')) {
      out.push_back(c);
    } else {
      out.append(1, '%').append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    }
  }
  return out;
}

template <class T>
std::string json_of(const T& value) {
  std::string text;
  (void)json<T>().make_encoder()(value, text);
  return text;
}

absl::StatusCode code_of(long status) {
  switch (status) {
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 409:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return status == 429 || status >= 500 ? absl::StatusCode::kUnavailable
                                            : absl::StatusCode::kInvalidArgument;
  }
}

std::string way_out(long status) {
  switch (status) {
    case 401:
    case 403:
      return "; check user, password or token";
    case 409:
      return "; the schema is incompatible with the subject's earlier ones: give new fields a default";
    default:
      return status >= 300 && status < 400 ? "; write the address it leads to" : "";
  }
}

class HttpSchemaRegistry final : public SchemaRegistry {
 public:
  HttpSchemaRegistry(SchemaRegistryOptions options, std::string shown)
      : options_(std::move(options)), shown_(std::move(shown)) {
    while (options_.url.ends_with('/')) options_.url.pop_back();
    headers_ = {{"Accept", "application/vnd.schemaregistry.v1+json, application/json"},
                {"Content-Type", "application/vnd.schemaregistry.v1+json"},
                {"Expect", ""}};
    if (!options_.token.empty()) headers_.push_back({"Authorization", "Bearer " + options_.token});
    if (!options_.user.empty())
      headers_.push_back({"Authorization", "Basic " + base64(options_.user + ":" + options_.password)});
  }

  absl::StatusOr<std::shared_ptr<const RegisteredSchema>> schema(std::int32_t id) override {
    return schemas_.get(id, options_.timeout, options_.error_ttl,
                        [&](auto deadline) { return ask_schema(id, deadline); });
  }

  absl::StatusOr<std::int32_t> id_of(const std::string& subject, const RegisteredSchema& schema,
                                     bool may_register) override {
    return ids_.get({subject, schema.type, schema.text, may_register}, options_.timeout, options_.error_ttl,
                    [&](auto deadline) { return ask_id(subject, schema, may_register, deadline); });
  }

 private:
  using Ids = std::tuple<std::string, std::string, std::string, bool>;

  absl::StatusOr<std::shared_ptr<const RegisteredSchema>> ask_schema(std::int32_t id,
                                                                     Clock::time_point deadline) {
    const std::string what = "schema " + std::to_string(id);
    SchemaAnswer answer;
    if (absl::Status s = ask("/schemas/ids/" + std::to_string(id), "", what, deadline, answer); !s.ok())
      return s;
    RegisteredSchema schema{answer.schemaType.value_or("AVRO"), std::move(answer.schema), {}};
    for (Reference& each : answer.references.value_or(std::vector<Reference>()))
      schema.references.push_back(std::move(each.name));
    return std::make_shared<const RegisteredSchema>(std::move(schema));
  }

  absl::StatusOr<std::int32_t> ask_id(const std::string& subject, const RegisteredSchema& schema,
                                      bool may_register, Clock::time_point deadline) {
    const SchemaRequest request{schema.text,
                                schema.type == "AVRO" ? std::nullopt : std::optional(schema.type)};
    const std::string path = "/subjects/" + percent_encoded(subject) + (may_register ? "/versions" : "");
    IdAnswer answer;
    const absl::Status s =
        ask(path, json_of(request), "subject '" + detail::one_line(subject) + "'", deadline, answer);
    if (!s.ok()) return s;
    return answer.id;
  }

  /// Tries until the time-out what may pass.
  template <class T>
  absl::Status ask(const std::string& path, const std::string& body, const std::string& what,
                   Clock::time_point deadline, T& out) {
    for (Duration backoff = options_.retry_backoff;; backoff *= 2) {
      const auto left = std::chrono::duration_cast<Duration>(deadline - Clock::now());
      const absl::StatusOr<Answer> answer =
          perform({options_.url + path, headers_, body, options_.ca_file, left});
      const bool may_pass = answer.ok() ? code_of(answer->status) == absl::StatusCode::kUnavailable
                                        : absl::IsUnavailable(answer.status());
      if (!may_pass || Clock::now() + backoff >= deadline) return judge(answer, what, out);
      std::this_thread::sleep_for(backoff);  // nobody can end it earlier, and it is bounded by the time-out
    }
  }

  template <class T>
  absl::Status judge(const absl::StatusOr<Answer>& answer, const std::string& what, T& out) const {
    const std::string who = "schema registry " + shown_ + ": " + what + ": ";
    if (!answer.ok())
      return absl::Status(answer.status().code(), who + std::string(answer.status().message()));
    if (answer->status == 200) {
      const absl::Status read = json<T>().make_decoder()(answer->body, out);
      if (read.ok()) return read;
      return absl::InternalError(who + "its answer can't be read: " + std::string(read.message()));
    }
    ErrorAnswer error;
    std::string words;
    if (json<ErrorAnswer>().make_decoder()(answer->body, error).ok()) {
      words = ": " + detail::one_line(error.message).substr(0, 300);
      if (error.error_code) words += " (" + std::to_string(*error.error_code) + ")";
    }
    return absl::Status(code_of(answer->status),
                        who + "HTTP " + std::to_string(answer->status) + words + way_out(answer->status));
  }

  SchemaRegistryOptions options_;
  const std::string shown_;  // the URL without secrets
  Headers headers_;
  AnswerCache<std::int32_t, std::shared_ptr<const RegisteredSchema>> schemas_;
  AnswerCache<Ids, std::int32_t> ids_;
};

absl::Status check(const SchemaRegistryOptions& options) {
  const auto wrong = [](const std::string& what) {
    return absl::InvalidArgumentError("schema registry: " + what);
  };
  if (options.timeout <= Duration::zero()) return wrong("the option 'timeout' must be positive");
  if (options.retry_backoff <= Duration::zero()) return wrong("the option 'retry_backoff' must be positive");
  if (options.error_ttl < Duration::zero()) return wrong("the option 'error_ttl' is negative");
  if (!options.token.empty() && !options.user.empty())
    return wrong("give either 'token' or 'user' and 'password'");
  if (options.user.empty() && !options.password.empty()) return wrong("a 'password' without a 'user'");
  if (options.user.find(':') != options.user.npos) return wrong("a colon in the option 'user'");
  const std::string secrets = options.user + options.password + options.token;
  if (secrets.find_first_of(std::string_view("\r\n\0", 3)) != secrets.npos)
    return wrong("user, password or token has a line break or a NUL in it");
  if (options.url.find_first_of("?#") != options.url.npos)
    return wrong("the URL has a \"?\" or \"#\"; write it without");
  return absl::OkStatus();
}

}  // namespace
}  // namespace slipstream::http

namespace slipstream {

absl::StatusOr<std::shared_ptr<SchemaRegistry>> schema_registry(SchemaRegistryOptions options) {
  if (absl::Status s = http::check(options); !s.ok()) return s;
  auto shown = http::shown_url("schema registry", options.url);
  if (!shown.ok()) return shown.status();
  return std::make_shared<http::HttpSchemaRegistry>(std::move(options), *std::move(shown));
}

}  // namespace slipstream
