// expect: handle() needs a function that returns the same type for the messages of all sources
#include "orders.h"
#include "slipstream/handler.h"
void f(const slipstream::Source<int>& numbers) {
  app.on(orders, numbers).handle([](const auto& m) { return m; });
}
