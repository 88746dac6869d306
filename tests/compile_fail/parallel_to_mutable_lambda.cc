// expect: to() behind parallel_by() needs callables that several threads may call: not `mutable`
#include "orders.h"
#include "slipstream/handler.h"

void f() {
  app.on(orders)
      .parallel_by(&Order::shop)
      .handle([](const Order& o) { return o; })
      .to([n = 0](const Order&) mutable { ++n; });
}
