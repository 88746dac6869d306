// expect: to() behind parallel_by() can't publish to a Proxy: its listeners are handled in one lane
#include "orders.h"
#include "slipstream/handler.h"
#include "slipstream/proxy.h"

void f() {
  auto proxy = app.proxy<Order>("proxy");
  app.on(orders).parallel_by(&Order::shop).handle([](const Order& o) { return o; }).to(proxy);
}
