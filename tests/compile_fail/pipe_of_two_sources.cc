// expect: pipe() is for one source: merge() several, or give each its own on() and pipe()
#include "orders.h"
#include "slipstream/handler.h"
void f() {
  app.on(orders, orders).pipe(slipstream::pairwise<Order>).handle([](const auto&) {});
}
