// expect: to() needs sinks for what the handler returns: callables of it, a Sink or a Proxy of its type
#include "orders.h"
#include "slipstream/handler.h"

void f() {
  app.on(orders).handle([](const Order& o) { return o; }).to([](const std::string&) {});
}
