// expect: map() needs a function that returns a value; to look on, use sink()
#include "orders.h"

auto s = orders.map([](const Order&) {});
