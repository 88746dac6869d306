#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/http/event_parser.h"
#include "connectors/http_endpoint/event_log.h"
#include "connectors/http_endpoint/event_text.h"
#include "connectors/http_endpoint/guard.h"
#include "connectors/http_endpoint/request.h"

namespace {

using namespace slipstream::http;
using namespace slipstream::http::endpoint;

constexpr std::string_view kToken = "0123456789abcdef";

/// As a client reads it: line breaks are alike, and what isn't UTF-8 is replaced.
std::string as_read(std::string_view data) {
  std::string lines;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data[i] == '\r' && i + 1 < data.size() && data[i + 1] == '\n') continue;
    lines += data[i] == '\r' ? '\n' : data[i];
  }
  // Each line is decoded by itself.
  std::string text;
  for (std::string_view rest = lines;;) {
    const std::size_t end = rest.find('\n');
    append_utf8(rest.substr(0, end), text);
    if (end == rest.npos) return text;
    text += '\n';
    rest.remove_prefix(end + 1);
  }
}

void check_event(std::string_view data) {
  std::string text;
  append_event("e-1", "counts", data, text);
  std::vector<Event> events;
  EventParser parser(4 * data.size() + 64);
  const bool ok = parser.feed(text, [&](Event e) { events.push_back(std::move(e)); }).ok();
  if (!ok || events.size() != 1 || events[0].id != "e-1" || events[0].event != "counts" ||
      events[0].data != as_read(data)) {
    __builtin_trap();
  }
}

/// Only this machine's names and the known token get in, whatever a request says.
void check_request(std::string_view text) {
  const std::string all(text);
  const std::size_t middle = all.size() / 2;
  const Request request{"GET", "/events", {all.substr(0, middle)}, {}, {all.substr(middle)}, all};
  const Verdict verdict = judge(request, {}, kToken);
  const std::string name = host_name(request.hosts[0]);
  const bool is_own = name == "localhost" || name == "::1" || name.starts_with("127.");
  const bool has_token = request.tokens[0] == kToken;
  if ((verdict.status == 200) != (has_token && is_own_host(name, false, {}))) __builtin_trap();
  if (verdict.status == 200 && !is_own && name.find(':') == name.npos) __builtin_trap();
  if (name.find_first_of(" /@[],\\\r\n") != name.npos) __builtin_trap();
  (void)is_origin(text);
  (void)is_own_origin(text, all);
  if (bearer_token(text).size() > text.size()) __builtin_trap();
}

void check_last_id(std::string_view id) {
  EventLog log({}, "e");
  log.append("n", "k", "1");
  log.append("n", "k", "2");
  Cursor cursor;
  std::string hello;
  const bool resumed = log.begin(id, cursor, hello);
  if (resumed != hello.empty() || cursor.seen > 2 || cursor.until > 2) __builtin_trap();
  if (resumed && !id.starts_with("e-")) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_event(text);
  check_request(text);
  check_last_id(text);
  return 0;
}
