// expect: window() needs a keyed stream: call key_by(...) first
#include "orders.h"

void f() { orders.window(slipstream::tumbling(1min)); }
