// expect: aggregate() needs a keyed stream: call key_by(...) first
#include "orders.h"

void f() { orders.aggregate<Revenue>("revenue"); }
