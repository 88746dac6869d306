// expect: filter() calls its function from several lanes at once: it must be callable as const (no mutable lambda)
#include "orders.h"

auto s = orders.filter([n = 0](const Order&) mutable { return ++n % 2 == 0; });
