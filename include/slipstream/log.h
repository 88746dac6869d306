#pragma once
#include <functional>
#include <string_view>

namespace slipstream {

enum class LogLevel { debug, info, warning, error };

std::string_view to_string(LogLevel level);

/// Receives what the library has to say; it prints nothing by itself. Called from any thread, one call at a
/// time per App. `component` names the part that speaks ("kafka", "runtime", a node's name).
using LogHook = std::function<void(LogLevel level, std::string_view component, std::string_view message)>;

/// Writes lines such as "14:03:07.250Z warning kafka: …" (UTC) to stderr, leaving out what is below
/// `minimum`. Control characters in messages are escaped. For programs; libraries take a hook.
LogHook stderr_log(LogLevel minimum);

}  // namespace slipstream
