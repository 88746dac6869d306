// expect: as_of_join() needs both sides keyed: call key_by(...) on the right one
#include "orders.h"

void f() {
  orders.key_by(&Order::shop).as_of_join("join", orders, {}, [](const Order& o, const Order*) {
    return o.amount;
  });
}
