#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipstream/json.h"
#include "tests/http/server.h"

namespace slipstream::http {

struct PostedSchema {
  std::string schema;
  std::optional<std::string> schemaType;
};
SLIPSTREAM_FIELDS(PostedSchema, schema, schemaType)

/// A schema registry on the loopback interface, which knows what the client asks for: a schema by number, and
/// the number of a schema under a subject.
class FakeRegistry {
 public:
  std::string url() const { return server_.url(""); }
  std::vector<std::string> requests() const { return server_.requests(); }
  /// Returns its number.
  std::int32_t add(const std::string& subject, PostedSchema schema) {
    const std::lock_guard lock(mutex_);
    return add_locked(subject, std::move(schema));
  }

 private:
  static std::string answer(int status, const std::string& json) {
    return "HTTP/1.1 " + std::to_string(status) +
           " .\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\nContent-Length: " +
           std::to_string(json.size()) + "\r\nConnection: close\r\n\r\n" + json;
  }
  std::int32_t add_locked(const std::string& subject, PostedSchema schema) {
    const auto [at, is_new] = ids_.try_emplace({subject, schema.schema}, schemas_.size() + 1);
    if (is_new) schemas_.push_back(std::move(schema));
    return at->second;
  }
  std::string answer_to(const std::string& request) {
    const std::lock_guard lock(mutex_);
    const std::string path =
        request.substr(request.find(' ') + 1, request.find(" HTTP/") - request.find(' ') - 1);
    if (request.starts_with("GET /schemas/ids/")) return schema(std::atol(path.c_str() + 13));
    const bool is_lookup = !path.ends_with("/versions");
    const std::string subject = path.substr(10, is_lookup ? path.npos : path.size() - 19);
    PostedSchema posted;
    const std::string body = request.substr(request.find("\r\n\r\n") + 4);
    if (!request.starts_with("POST /subjects/") || !json<PostedSchema>().make_decoder()(body, posted).ok())
      return answer(422, R"({"error_code": 42201, "message": "Invalid schema"})");
    if (is_lookup && !ids_.contains({subject, posted.schema}))
      return answer(404, R"({"error_code": 40403, "message": "Schema not found"})");
    return answer(200, "{\"id\": " + std::to_string(add_locked(subject, std::move(posted))) + "}");
  }
  std::string schema(long id) {
    if (id < 1 || static_cast<std::size_t>(id) > schemas_.size())
      return answer(404, R"({"error_code": 40403, "message": "Schema not found"})");
    std::string text;
    (void)json<PostedSchema>().make_encoder()(schemas_[static_cast<std::size_t>(id) - 1], text);
    return answer(200, text);
  }

  std::mutex mutex_;
  std::vector<PostedSchema> schemas_;
  std::map<std::pair<std::string, std::string>, std::int32_t> ids_;  // by subject and schema
  Server server_{
      [this](std::size_t number, Peer& peer) { peer.send(answer_to(server_.requests()[number])); }};
};

}  // namespace slipstream::http
