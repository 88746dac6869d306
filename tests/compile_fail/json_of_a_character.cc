// expect: a character is no number here: use std::int8_t, std::uint8_t or std::string
#include "slipstream/json.h"

struct Order {
  char grade;
};
SLIPSTREAM_FIELDS(Order, grade)
auto codec = slipstream::json<Order>();
