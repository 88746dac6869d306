// expect: handle() needs a function that returns the same type for the messages of all sources
#include "orders.h"
#include "slipstream/handler.h"

auto numbers = app.source(slipstream::from(std::vector<int>{}));
void f() {
  app.on(orders, numbers).handle([](const auto& m) { return m; });
}
