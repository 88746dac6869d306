// expect: window() needs a window such as tumbling(1min)
#include "orders.h"

void f() { orders.key_by(&Order::shop).window(60); }
