// expect: merge() needs two streams of the same type: map() one of them first
#include "orders.h"

void f() {
  orders.merge(orders.map([](const Order& o) { return o.amount; }));
}
