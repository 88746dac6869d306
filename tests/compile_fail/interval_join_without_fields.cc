// expect: interval_join() keeps records of both sides: describe their fields with SLIPSTREAM_FIELDS
#include "orders.h"

struct Rate {
  std::string shop;
  double percent;
};
auto rates = app.source(slipstream::from(std::vector<Rate>{}));
void f() {
  orders.key_by(&Order::shop)
      .interval_join("join", rates.key_by(&Rate::shop), {},
                     [](const Order& o, const Rate&) { return o.amount; });
}
