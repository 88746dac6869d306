// Counts on a web page, as they change: docs/connectors.md shows this program piece by piece.
#include <cstdio>
#include <future>

#include "slipstream/http.h"
#include "slipstream/http_endpoint.h"
#include "slipstream/json.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"
using namespace slipstream;

struct Order {
  std::string shop;
  int euros = 0;
};
SLIPSTREAM_FIELDS(Order, shop, euros)

using Count = Keyed<std::string, std::int64_t>;

const char kPage[] = R"html(<!doctype html>
<meta charset="utf-8"><title>Orders</title>
<table id="counts"></table>
<script>
  const table = document.getElementById("counts"), cells = new Map();
  const source = new EventSource("events" + location.search);
  source.addEventListener("snapshot", () => { table.replaceChildren(); cells.clear(); });
  source.addEventListener("counts", event => {
    const {key, value} = JSON.parse(event.data);
    if (!cells.has(key)) {
      const row = table.insertRow();
      row.insertCell().textContent = key;
      cells.set(key, row.insertCell());
    }
    cells.get(key).textContent = value;
  });
</script>
)html";

int main() {
  App app;
  const auto orders = app.proxy<Order>("new orders");

  const http::Endpoint endpoint({.page = kPage});
  orders.stream()
      .key_by(&Order::shop)
      .count("orders")
      .sink(endpoint.events<Count>("counts", json<Count>(),
                                   [](const Count& c, std::string& key) { key = c.key; }));

  const auto run = app.start();
  if (!run.ok()) return 1;
  // Stands in for a browser at endpoint.url(): another program that reads the events.
  std::promise<void> connected;
  auto watching = std::async(std::launch::async, [&] {
    App browser;
    browser.source(http::events(endpoint.url("/events"), {.reconnect = false}))
        .sink([&](const http::Event& e) {
          if (e.event == "snapshot") connected.set_value();
          std::printf("%s %s\n", e.event.c_str(), e.data.c_str());
        });
    return browser.run();
  });
  connected.get_future().wait();

  for (const Order& order : std::vector<Order>{{"ams", 5}, {"ber", 20}, {"ams", 30}}) orders.publish(order);
  orders.close();
  return (*run)->wait().ok() && watching.get().ok() ? 0 : 1;
}
