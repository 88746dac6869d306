// expect: of time points, text can hold std::chrono::sys_time with an integral rep
#include <chrono>

#include "slipstream/json.h"

auto codec = slipstream::json<std::chrono::steady_clock::time_point>();
