// expect: to(): the Proxy has another type than the handler returns
#include "orders.h"
#include "slipstream/handler.h"
#include "slipstream/proxy.h"

void f() {
  app.on(orders).handle([](const Order& o) { return o; }).to(app.proxy<std::string>("proxy"));
}
