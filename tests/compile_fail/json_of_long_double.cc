// expect: use double: text formats don't carry long double
#include "slipstream/json.h"

struct Order {
  long double amount;
};
SLIPSTREAM_FIELDS(Order, amount)
auto codec = slipstream::json<Order>();
