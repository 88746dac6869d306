// expect: a checkpoint's state needs a function of the message and the state before that returns the state after
#include "orders.h"
#include "slipstream/checkpoint.h"
void f() {
  app.checkpoint<int>("c", orders, {slipstream::dependency("o", orders)},
                      {.state = [](const Order& o) { return o.shop; }});
}
