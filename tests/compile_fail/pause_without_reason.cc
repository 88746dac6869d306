// expect: pause() of a partition: give a reason and the partition
#include "orders.h"

void f() { orders.pause(0); }
