// expect: process() needs a keyed stream: call key_by(...) first
#include "orders.h"

void f() {
  orders.process<int, double>("p", [](const Order&, int&, auto&) {});
}
