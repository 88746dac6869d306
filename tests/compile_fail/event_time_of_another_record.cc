// expect: event_time() needs a member or a const function of the source's record
#include "orders.h"

void f() {
  orders.event_time([](int) { return slipstream::EventTime(); });
}
