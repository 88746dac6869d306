// expect: parallel_by() is for one source: merge() several, or give each its own on()
#include "orders.h"
#include "slipstream/handler.h"
void f() {
  app.on(orders, orders).parallel_by(&Order::shop).handle([](const Order&) {});
}
