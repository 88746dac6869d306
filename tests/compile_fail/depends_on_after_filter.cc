// expect: depends_on() belongs right behind source(): it is sources that wait
#include "orders.h"

void f() {
  orders.filter([](const Order& o) { return o.amount > 0; }).depends_on(orders);
}
