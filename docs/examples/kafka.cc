// Kafka in and out, on a broker inside this process: docs/connectors.md shows this program piece by piece.
#include "slipstream/kafka.h"

#include <cstdio>
#include <stdexcept>

#include "slipstream/json.h"
#include "slipstream/slipstream.h"
using namespace slipstream;

struct Order {
  std::string shop;
  int euros;
};
SLIPSTREAM_FIELDS(Order, shop, euros)

absl::Status fill(const std::string& brokers) {
  App app;
  app.source(from<Order>({{"ams", 5}, {"ber", 20}, {"ams", 30}}))
      .sink(kafka::sink<Order>("orders", json<Order>(),
                               {.brokers = brokers, .settings = {{"compression.type", "lz4"}}},
                               [](const Order& o, std::string& key) { key = o.shop; }));
  return app.run();
}

absl::Status read(const std::string& brokers) {
  App app;
  app.source(kafka::source("orders", json<Order>(),
                           {.brokers = brokers,
                            .group = "large orders",
                            .start = kafka::Start::beginning(),
                            .until_end = true}))
      .filter([](const Order& o) { return o.euros >= 10; })
      .sink([](const Order& o) { std::printf("%s %d\n", o.shop.c_str(), o.euros); });
  return app.run();
}

absl::Status divert(const std::string& brokers) {
  App app;
  app.source("orders", from<Order>({{"ams", 5}, {"ber", -20}}))
      .map([](const Order& o) {
        if (o.euros < 0) throw std::invalid_argument("less than nothing");
        return o;
      })
      .named("check")
      .on_error(ErrorPolicy::dead_letter())
      .sink([](const Order&) {});
  app.dead_letters().sink(kafka::sink("orders.dead", dead_letter_value(),
                                      {.brokers = brokers, .create_topic = true},
                                      [](const DeadLetter& letter, std::string& key) { key = letter.key; }));
  return app.run();
}

absl::Status inspect(const std::string& brokers) {
  App app;
  app.source(kafka::source("orders.dead", bytes(), {.brokers = brokers, .until_end = true}))
      .sink([](const std::string& value, const RecordInfo& info) {
        std::printf("dead: %s\n", value.c_str());
        for (const Header& h : *info.headers) std::printf("dead: %s = %s\n", h.name.c_str(), h.value.c_str());
      });
  return app.run();
}

int main() {
  auto broker = kafka::EmbeddedBroker::start({{.name = "orders", .partitions = 2}});
  if (!broker.ok()) return 5;
  absl::Status status = fill(broker->bootstrap());
  if (status.ok()) status = read(broker->bootstrap());
  if (status.ok()) status = divert(broker->bootstrap());
  if (status.ok()) status = inspect(broker->bootstrap());
  if (!status.ok()) std::printf("%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
