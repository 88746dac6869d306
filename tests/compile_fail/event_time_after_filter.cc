// expect: event_time() belongs right behind source(), before anything filters or changes records
#include "orders.h"

void f() {
  orders.filter([](const Order& o) { return o.amount > 0; }).event_time(&Order::at);
}
