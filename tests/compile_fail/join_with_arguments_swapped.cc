// expect: as_of_join() needs a const function of (const Left&, const Right*): the right one is null when there is none
#include "orders.h"

struct Rate {
  std::string shop;
  double percent;
};
SLIPSTREAM_FIELDS(Rate, shop, percent)
auto rates = app.source(slipstream::from(std::vector<Rate>{}));
void f() {
  orders.key_by(&Order::shop)
      .as_of_join("join", rates.key_by(&Rate::shop), {},
                  [](const Rate* r, const Order&) { return r->percent; });
}
