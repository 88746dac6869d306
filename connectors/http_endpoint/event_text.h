#pragma once
#include <string>
#include <string_view>

namespace slipstream::http::endpoint {

/// Appends an event as text/event-stream. `id` and `type` have no line breaks; of `data`, "\r\n", "\r" and
/// "\n" all separate lines.
void append_event(std::string_view id, std::string_view type, std::string_view data, std::string& out);

}  // namespace slipstream::http::endpoint
