// expect: as_of_join() needs a keyed stream: call key_by(...) first
#include "orders.h"

void f() {
  orders.as_of_join("join", orders.key_by(&Order::shop), {},
                    [](const Order& o, const Order*) { return o.amount; });
}
