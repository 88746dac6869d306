#pragma once
#include <cstdint>

namespace slipstream {

/// What a source was told last. A paused source is read until one more record came, which is held back with
/// whatever else was read already; all of it is delivered after the resume. Nothing is lost.
enum class Signal : std::uint8_t {
  none,    ///< nothing so far
  pause,   ///< paused, for at least one reason
  resume,  ///< no reason is left
};

}  // namespace slipstream
