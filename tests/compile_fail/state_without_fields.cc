// expect: the state can't be stored: describe its fields with SLIPSTREAM_FIELDS
#include "orders.h"

struct Shops {
  std::vector<std::string> seen;
  void add(const Order& o) { seen.push_back(o.shop); }
};
void f() { orders.key_by(&Order::shop).aggregate<Shops>("shops"); }
