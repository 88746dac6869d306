// expect: interval_join() needs a const function of (const Left&, const Right&)
#include "orders.h"

void f() {
  orders.key_by(&Order::shop)
      .interval_join("join", orders.key_by(&Order::shop), {},
                     [](const Order& l, const Order*) { return l.amount; });
}
