// The operators that keep nothing: docs/operators.md shows this program piece by piece.
#include <cstdio>

#include "slipstream/slipstream.h"
using namespace slipstream;

struct Order {
  std::string shop;
  int pieces;
  std::vector<std::string> tags;
};
SLIPSTREAM_FIELDS(Order, shop, pieces, tags)

Generator<int> countdown(int from) {
  for (int i = from; i > 0; --i) co_yield i;
}

int main() {
  App app;
  auto orders = app.source(from<Order>({{"ams", 3, {"gift", "fast"}}, {"ber", 0, {}}, {"ams", 1, {"fast"}}}));

  auto labels = orders.map([](const Order& o) { return o.shop + ":" + std::to_string(o.pieces); });
  labels.sink([](const std::string& s) { std::printf("map %s\n", s.c_str()); });

  auto real = orders.filter([](const Order& o) { return o.pieces > 0; });
  real.sink([](const Order& o) { std::printf("filter %s\n", o.shop.c_str()); });

  // A range: as many outputs as it has elements.
  auto tags = orders.flat_map([](const Order& o) { return o.tags; });
  tags.sink([](const std::string& tag) { std::printf("flat_map range %s\n", tag.c_str()); });
  // An optional: one output or none.
  auto shops =
      orders.flat_map([](const Order& o) { return o.pieces > 1 ? std::optional(o.shop) : std::nullopt; });
  shops.sink([](const std::string& shop) { std::printf("flat_map optional %s\n", shop.c_str()); });
  // A coroutine: outputs are made one by one.
  auto numbers = orders.flat_map([](const Order& o) { return countdown(o.pieces); });
  numbers.sink([](int n) { std::printf("flat_map generator %d\n", n); });

  auto [large, small] = orders.split([](const Order& o) { return o.pieces > 2; });
  large.sink([](const Order& o) { std::printf("split large %s\n", o.shop.c_str()); });
  small.sink([](const Order& o) { std::printf("split small %s\n", o.shop.c_str()); });

  auto more = app.source(from<Order>({{"cph", 7, {}}}));
  auto all = orders.merge(more);
  all.sink([](const Order& o) { std::printf("merge %s\n", o.shop.c_str()); });

  orders.map([](const Order& o, const RecordInfo& info) { return o.shop + " was " + to_string(info.id); })
      .named("where from")
      .sink([](const std::string& s) { std::printf("info %s\n", s.c_str()); });

  return app.main();
}
