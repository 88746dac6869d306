// expect: key_by() keeps keys longer than records: return a std::string instead of a std::string_view
#include "orders.h"

void f() {
  orders.key_by([](const Order& o) { return std::string_view(o.shop); });
}
