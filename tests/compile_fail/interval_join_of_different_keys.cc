// expect: interval_join() needs both sides keyed by the same type
#include "orders.h"

void f() {
  orders.key_by(&Order::shop)
      .interval_join("join", orders.key_by(&Order::at), {},
                     [](const Order& l, const Order&) { return l.amount; });
}
