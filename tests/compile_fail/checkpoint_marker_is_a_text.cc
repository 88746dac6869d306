// expect: a marker needs a member or function of the message that returns a time
#include "orders.h"
#include "slipstream/checkpoint.h"
void f() { app.checkpoint("c", orders, {slipstream::dependency("o", orders)}, {.marker = &Order::shop}); }
