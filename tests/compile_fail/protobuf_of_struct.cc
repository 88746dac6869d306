// expect: protobuf() needs a message class that protoc generated; include its .pb.h
#include "slipstream/protobuf.h"

struct Order {
  int id = 0;
};
auto codec = slipstream::protobuf<Order>();
