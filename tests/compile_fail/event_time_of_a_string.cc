// expect: event_time() needs a time: slipstream::EventTime or another std::chrono::sys_time
#include "orders.h"

void f() { orders.event_time(&Order::shop); }
