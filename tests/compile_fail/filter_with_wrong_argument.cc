// expect: filter() needs a function that takes the stream's record
#include "orders.h"

auto s = orders.filter([](int x) { return x > 0; });
