#pragma once
#include "slipstream/slipstream.h"

using namespace std::chrono_literals;

/// What the programs that must not compile share.
struct Order {
  std::string shop;
  double amount;
  slipstream::EventTime at;
};
SLIPSTREAM_FIELDS(Order, shop, amount, at)

struct Revenue {
  double total = 0;
  void add(const Order& o) { total += o.amount; }
};
SLIPSTREAM_FIELDS(Revenue, total)

inline slipstream::App app;
inline auto orders = app.source(slipstream::from(std::vector<Order>{}));
