// expect: pipe() needs a function from Incoming<message> to a Pipe
#include "orders.h"
#include "slipstream/handler.h"

void f() {
  app.on(orders).pipe(slipstream::pairwise<int>).handle([](const auto&) {});
}
