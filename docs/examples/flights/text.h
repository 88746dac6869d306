#pragma once
#include <cstdint>
#include <string>

#include "slipstream/time.h"

namespace flights {

/// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string text(const char* format, ...);
/// 1234567 is "1,234,567".
std::string grouped(std::int64_t number);
/// "2013-06-24 08:15"; "-" before anything was seen, "the end" at the end.
std::string to_text(slipstream::EventTime time);
/// `what` that many times.
std::string repeated(const char* what, int times);
/// `words` at the right end of `width` columns; ASCII only.
std::string right(const std::string& words, std::size_t width);

}  // namespace flights
