// expect: parallel_by() needs a member or const function that makes a key of the message
#include "orders.h"
#include "slipstream/handler.h"

void f() {
  app.on(orders).parallel_by([](const Order&) { return std::vector<double>{}; }).handle([] {});
}
