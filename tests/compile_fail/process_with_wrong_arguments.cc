// expect: process() needs on_record(const Record&, State&, ProcessContext<Key, Out>&), callable as const
#include "orders.h"

void f() {
  orders.key_by(&Order::shop).process<double, double>("p", [](const Order&, double&) {});
}
