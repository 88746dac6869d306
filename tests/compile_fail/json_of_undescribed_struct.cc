// expect: text formats don't know this type: describe it with SLIPSTREAM_FIELDS
#include "slipstream/json.h"

struct Order {
  int id;
};
auto codec = slipstream::json<Order>();
