// expect: a CSV column holds one value: no lists, maps or optional structs
#include "slipstream/csv.h"

struct Order {
  std::vector<int> items;
};
SLIPSTREAM_FIELDS(Order, items)
auto codec = slipstream::csv<Order>();
