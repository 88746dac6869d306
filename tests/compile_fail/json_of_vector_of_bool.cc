// expect: std::vector<bool> has no elements to point to: use deque
#include <vector>

#include "slipstream/json.h"

auto codec = slipstream::json<std::vector<bool>>();
