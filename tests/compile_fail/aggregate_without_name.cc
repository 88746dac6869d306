// expect: aggregate() needs a name: its state is kept under it
#include "orders.h"

void f() { orders.key_by(&Order::shop).aggregate<Revenue>(); }
