#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "connectors/http/event_parser.h"
#include "simdjson.h"

namespace {

using slipstream::http::Event;
using slipstream::http::EventParser;

constexpr std::size_t kMax = 256;

struct Parsed {
  std::vector<Event> events;
  std::string last_event_id;
  bool ok = true;
};

Parsed parse(std::string_view bytes, std::size_t piece) {
  EventParser parser(kMax);
  Parsed parsed;
  for (; !bytes.empty() && parsed.ok; bytes.remove_prefix(std::min(piece, bytes.size()))) {
    parsed.ok =
        parser.feed(bytes.substr(0, piece), [&](Event e) { parsed.events.push_back(std::move(e)); }).ok();
  }
  parsed.last_event_id = parser.last_event_id();
  return parsed;
}

/// The event as a server would send it.
std::string written(const Event& event) {
  std::string text = "id: " + event.id + "\nevent: " + event.event + "\n";
  if (event.retry) text += "retry:" + std::to_string(event.retry->count()) + "\n";
  for (std::string_view rest = event.data;;) {
    const std::size_t end = rest.find('\n');
    text += "data: " + std::string(rest.substr(0, end)) + "\n";
    if (end == rest.npos) return text + "\n";
    rest.remove_prefix(end + 1);
  }
}

}  // namespace

/// How a stream is cut doesn't matter; what was read is UTF-8 within the limit, and reads the same when it is
/// sent again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const Parsed whole = parse(stream, stream.size() + 1);
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}}) {
    const Parsed cut = parse(stream, piece);
    if (cut.ok != whole.ok || cut.events != whole.events || cut.last_event_id != whole.last_event_id)
      __builtin_trap();
  }
  for (const Event& event : whole.events) {
    if (event.data.size() > kMax || !simdjson::validate_utf8(event.data) ||
        !simdjson::validate_utf8(event.event) || !simdjson::validate_utf8(event.id)) {
      __builtin_trap();
    }
    // Every byte may have become three, so the limit is a higher one here.
    std::vector<Event> again;
    EventParser parser(4 * kMax);
    const bool ok = parser.feed(written(event), [&](Event e) { again.push_back(std::move(e)); }).ok();
    if (!ok || again.size() != 1 || again[0] != event) __builtin_trap();
  }
  return 0;
}
