// expect: to(): the sink takes another type than the handler returns
#include "orders.h"
#include "slipstream/handler.h"
void f(const slipstream::Sink<std::string>& sink) {
  app.on(orders).handle([](const Order& o) { return o; }).to(sink);
}
