// expect: to() of a topic needs what is sent there, in the topic's types: (key, value), (key, value, headers), (key, Tombstone{}) or a Message
#include "orders.h"
#include "slipstream/topic.h"

void f(const slipstream::Topic<std::string, Order>& topic) {
  app.on(orders).handle([](const Order& o) { return std::pair(std::string("key"), &o); }).to(topic);
}
