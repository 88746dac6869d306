// expect: as_of_join() needs both sides keyed by the same type
#include "orders.h"

void f() {
  orders.key_by(&Order::shop)
      .as_of_join("join", orders.key_by(&Order::at), {},
                  [](const Order& o, const Order*) { return o.amount; });
}
