// expect: interval_join() needs a keyed stream: call key_by(...) first
#include "orders.h"

void f() {
  orders.interval_join("join", orders.key_by(&Order::shop), {},
                       [](const Order& l, const Order&) { return l.amount; });
}
