// expect: flat_map() needs a function that takes the stream's record
#include "orders.h"

auto s = orders.flat_map([](int x) { return std::vector<int>{x}; });
