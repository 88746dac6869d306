// expect: flat_map() calls its function from several lanes at once: it must be callable as const (no mutable lambda)
#include "orders.h"

auto s = orders.flat_map([n = 0](const Order&) mutable { return std::vector<int>{++n}; });
