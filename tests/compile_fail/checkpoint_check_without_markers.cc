// expect: a check needs a function of `const Markers&`: is_down returns an optional duration, is_recovered a bool, or a Task of it
#include "orders.h"
#include "slipstream/checkpoint.h"
void f() {
  app.checkpoint("c", orders,
                 {slipstream::dependency("o", orders, {.is_recovered = [](int) { return true; }})});
}
