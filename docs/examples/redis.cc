// Redis as a sink and as a source: docs/connectors.md shows this program piece by piece.
#include "slipstream/redis.h"

#include <cstdio>

#include "slipstream/handler.h"
#include "slipstream/json.h"
#include "slipstream/slipstream.h"
#include "tests/redis/redis_server.h"
using namespace slipstream;

struct Order {
  std::string shop;
  int euros = 0;
};
SLIPSTREAM_FIELDS(Order, shop, euros)

using Count = Keyed<std::string, std::int64_t>;

int main() {
  redis::RedisServer own;  // for this program; yours is at "127.0.0.1:6379" or elsewhere
  const redis::Server server{.address = own.socket()};

  App writer;
  const auto orders = writer.source(from<Order>({{"ams", 5}, {"ber", 20}, {"ams", 30}}));
  orders.key_by(&Order::shop)
      .count("orders")
      .sink(redis::sink<Count>(json<Count>(),
                               [](const Count& c, std::string& key) { key = "orders of " + c.key; },
                               {.server = server}));
  orders.sink(redis::stream_sink<Order>("orders", json<Order>(), {.server = server, .field = "order"}));
  if (const int code = writer.main(); code != 0) return code;
  std::printf("%s\n", own.ask({"GET", "orders of ams"}).c_str());

  App reader;
  reader.on(redis::stream_source("orders", "order", json<Order>(), {.server = server, .until_end = true}))
      .handle([](const Order& o) { std::printf("%s %d\n", o.shop.c_str(), o.euros); });
  return reader.main();
}
