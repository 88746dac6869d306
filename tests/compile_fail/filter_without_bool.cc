// expect: filter() needs a function that returns a bool
#include "orders.h"

auto s = orders.filter([](const Order& o) { return o.shop; });
