// expect: to() of a cache needs what is written there, in the cache's types: (key, value), (key, Tombstone{}) or a Message
#include "orders.h"
#include "slipstream/cache.h"
#include "slipstream/handler.h"

void f(const slipstream::Cache<std::string, Order>& cache) {
  app.on(orders).handle([](const Order&) { return 5; }).to(cache);
}
