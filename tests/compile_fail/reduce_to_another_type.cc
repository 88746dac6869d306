// expect: reduce() needs a const function that makes one record of two
#include "orders.h"

void f() {
  orders.key_by(&Order::shop).reduce("sum", [](const Order& a, const Order& b) {
    return a.amount + b.amount;
  });
}
