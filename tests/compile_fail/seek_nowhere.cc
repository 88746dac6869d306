// expect: is ambiguous
#include "orders.h"

void f() { (void)orders.seek({}); }
