// expect: to() behind a handler that returns nothing: return what the sinks shall get
#include "orders.h"
#include "slipstream/handler.h"

void f() {
  app.on(orders).handle([](const Order&) {}).to([](int) {});
}
