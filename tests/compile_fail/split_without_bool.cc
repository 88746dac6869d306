// expect: split() needs a function, callable as const, from the stream's record to bool
#include "orders.h"

auto s = orders.split([](const Order& o) { return o.shop; });
