// expect: a stream of bool is not supported: use a struct or an enum
#include "orders.h"

auto s = orders.map([](const Order& o) { return o.amount > 0; });
