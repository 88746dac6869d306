// expect: enums are written by name: list the names with SLIPSTREAM_ENUM
#include "slipstream/json.h"

enum class Color { red };
struct Order {
  Color color;
};
SLIPSTREAM_FIELDS(Order, color)
auto codec = slipstream::json<Order>();
