// expect: this type can't be kept in state: describe it with SLIPSTREAM_FIELDS
#include "slipstream/detail/state_codec.h"

struct Order {
  std::string id;
};
void save(const Order& order, std::string& out) { slipstream::detail::store(order, out); }
