// expect: interval_join() needs both sides keyed: call key_by(...) on the right one
#include "orders.h"

void f() {
  orders.key_by(&Order::shop).interval_join("join", orders, {}, [](const Order& l, const Order&) {
    return l.amount;
  });
}
