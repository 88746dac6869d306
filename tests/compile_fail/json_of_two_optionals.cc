// expect: an optional of an optional has two empties, text has one
#include "slipstream/json.h"

struct Order {
  std::optional<std::optional<int>> amount;
};
SLIPSTREAM_FIELDS(Order, amount)
auto codec = slipstream::json<Order>();
