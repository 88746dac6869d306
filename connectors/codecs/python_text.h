#pragma once
#include <string>
#include <string_view>

#include "connectors/codecs/scalars.h"

/// Values as Python's json.dumps(value, default=str) writes them.
namespace slipstream::codecs {

/// Appends the scalar (not a string), without quotes: repr() of floats, NaN and Infinity, str() of an aware
/// datetime in UTC and of a timedelta. False for an enum value without a name and for times and durations
/// that Python can't hold.
bool append_python_scalar(const TypeInfo& type, const void* value, std::string& out);
/// Of a time or duration that was refused.
std::string unwritable_in_python(const TypeInfo& type);
/// Appends UTF-8 text in ASCII, with escapes.
void append_python_escaped(std::string_view text, std::string& out);

/// NaN, Infinity and -Infinity.
bool is_python_constant(std::string_view text);
/// False where `type` is no floating type or the text none of the three.
bool parse_python_constant(std::string_view text, const TypeInfo& type, void* out);
/// What str(timedelta) writes, such as "-1 day, 22:30:00.000001", rounded down to `type`'s unit. False for
/// other text and for what doesn't fit.
bool parse_python_duration(std::string_view text, const TypeInfo& type, void* out);

}  // namespace slipstream::codecs
