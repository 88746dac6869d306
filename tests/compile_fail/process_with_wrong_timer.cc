// expect: process() needs on_timer(EventTime, State&, ProcessContext<Key, Out>&), callable as const
#include "orders.h"

void f() {
  orders.key_by(&Order::shop)
      .process<double, double>(
          "p", [](const Order&, double&, auto&) {}, [](int) {});
}
