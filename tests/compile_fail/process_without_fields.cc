// expect: the state or the record can't be stored: describe its fields with SLIPSTREAM_FIELDS
#include "orders.h"

struct Seen {
  std::vector<std::string> shops;
};
void f() {
  orders.key_by(&Order::shop).process<Seen, double>("p", [](const Order&, Seen&, auto&) {});
}
