#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace slipstream::detail {

/// The known names a mistyped one may have meant, nearest first (Damerau-Levenshtein distance without regard
/// to case, then the order in `known`), at most `at_most`. Names too far away to be meant are left out.
std::vector<std::string> nearest_names(std::string_view wanted, std::span<const std::string> known,
                                       std::size_t at_most);

/// For the end of an error message: "; did you mean 'a'?", "; did you mean 'a' or 'b'?", or "" when none is
/// near.
std::string did_you_mean(std::string_view wanted, std::span<const std::string> known,
                         std::size_t at_most = 1);

}  // namespace slipstream::detail
