// expect: map() needs a function that takes the stream's record
#include "orders.h"

auto s = orders.map([](int x) { return x; });
