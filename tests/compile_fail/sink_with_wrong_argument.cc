// expect: sink() needs a function that takes the stream's record, or a Sink of its type
#include "orders.h"

void f() {
  orders.sink([](const std::string&) {});
}
