// expect: aggregate() needs a copyable struct with add(const Record&) and a default value
#include "orders.h"

struct Nothing {};
void f() { orders.key_by(&Order::shop).aggregate<Nothing>("nothing"); }
