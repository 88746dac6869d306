// expect: handle() needs a function that takes every source's message, the message and a HandlerContext, or nothing
#include "orders.h"
#include "slipstream/handler.h"

void f() {
  app.on(orders).handle([](const std::string&) {});
}
