#include "connectors/http_endpoint/event_text.h"

namespace slipstream::http::endpoint {
namespace {

void append_field(std::string_view name, std::string_view value, std::string& out) {
  out.append(name).append(": ").append(value).append("\n");
}

}  // namespace

void append_event(std::string_view id, std::string_view type, std::string_view data, std::string& out) {
  if (!id.empty()) append_field("id", id, out);
  if (type != "message") append_field("event", type, out);
  for (;;) {
    const std::size_t end = data.find_first_of("\r\n");
    append_field("data", data.substr(0, end), out);
    if (end == data.npos) break;
    data.remove_prefix(end + (data.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  out += '\n';
}

}  // namespace slipstream::http::endpoint
