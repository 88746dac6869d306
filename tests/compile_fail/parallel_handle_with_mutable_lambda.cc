// expect: handle() behind parallel_by() needs a function of the message, of it and a HandlerContext, or of nothing, that several threads may call: not `mutable`
#include "orders.h"
#include "slipstream/handler.h"

void f() {
  app.on(orders).parallel_by(&Order::shop).handle([n = 0](const Order&) mutable { ++n; });
}
