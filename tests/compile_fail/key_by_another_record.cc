// expect: key_by() needs a member or a const function of the stream's record
#include "orders.h"

void f() {
  orders.key_by([](int x) { return x; });
}
