// expect: key_by() needs a key that is a number, bool, enum, string, time, or an optional, pair, tuple
#include "orders.h"

void f() {
  orders.key_by([](const Order& o) { return std::vector<std::string>{o.shop}; });
}
