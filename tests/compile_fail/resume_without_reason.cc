// expect: resume() of a partition: give a reason and the partition
#include "orders.h"

void f() { orders.resume(0); }
