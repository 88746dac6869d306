// expect: aggregate() over session() or sliding() needs a state with merge(const State&)
#include "orders.h"

void f() { orders.key_by(&Order::shop).window(slipstream::session(1min)).aggregate<Revenue>("revenue"); }
