// expect: to(): the Proxy has another type than the handler returns
#include "orders.h"
#include "slipstream/proxy.h"
void f(const slipstream::Proxy<std::string>& proxy) {
  app.on(orders).handle([](const Order& o) { return o; }).to(proxy);
}
