#pragma once
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace slipstream::file {

/// "can't DOING WHAT: CAUSE", with the code that belongs to an errno value.
absl::Status io_error(std::string_view doing, std::string_view what, int error);

/// The same for a path that couldn't be opened; says whether its folder is missing and which file may be
/// meant.
absl::Status open_error(std::string_view doing, const std::string& path, int error);

}  // namespace slipstream::file
