#pragma once

namespace slipstream::detail {

/// Whether the runtime checks its invariants while it runs (CMake option SLIPSTREAM_CHECKED): one thread in a
/// lane, one lane for a key, no record behind a watermark that doesn't know of it, no credit lost. What is
/// violated ends the run as a defect. Sequence numbers of channels are checked always: that costs nothing.
#ifdef SLIPSTREAM_CHECKED
inline constexpr bool kChecked = true;
#else
inline constexpr bool kChecked = false;
#endif

}  // namespace slipstream::detail
