// expect: flat_map() needs a function that returns an optional, a range or a Generator; for one value use map()
#include "orders.h"

auto s = orders.flat_map([](const Order& o) { return o.amount; });
