// expect: a map's keys must be std::string, numbers, bools or enums with SLIPSTREAM_ENUM
#include <map>
#include <vector>

#include "slipstream/json.h"

auto codec = slipstream::json<std::map<std::vector<int>, int>>();
