// Avro records whose schema changes, on a broker inside this process: docs/recipes.md shows this program
// piece by piece.
#include "slipstream/avro.h"

#include <cstdio>

#include "slipstream/slipstream.h"
#include "slipstream/topic.h"
#include "tests/http/fake_registry.h"
using namespace slipstream;

namespace before {
struct Order {
  std::string shop;
  int euros = 0;
  std::string clerk;
};
SLIPSTREAM_FIELDS(Order, shop, euros, clerk)
}  // namespace before

struct Order {
  std::string store;   // was shop
  double euros = 0;    // was a whole number
  std::string status;  // is new; the clerk is gone
};
SLIPSTREAM_FIELDS(Order, store, euros, status)

constexpr std::string_view kOrderSchema = R"({
  "type": "record", "name": "Order", "fields": [
    {"name": "store", "type": "string", "aliases": ["shop"]},
    {"name": "euros", "type": "double"},
    {"name": "status", "type": "string", "default": "paid"}]})";

absl::Status write_before(const std::string& brokers, const std::shared_ptr<SchemaRegistry>& registry) {
  App app;
  auto orders = app.topic<std::string, before::Order>(
      "orders", avro<before::Order>(registry, {.topic = "orders"}), {.brokers = brokers});
  app.on(from<before::Order>({{"ams", 5, "ann"}, {"ber", 20, "bob"}}))
      .handle([](const before::Order& o) { return std::pair(o.shop, o); })
      .to(orders);
  return app.run();
}

absl::Status write_and_read(const std::string& brokers, const Codec<Order>& codec) {
  App writer;
  auto orders = writer.topic<std::string, Order>("orders", codec, {.brokers = brokers});
  writer.on(from<Order>({{"ams", 7.5, "open"}}))
      .handle([](const Order& o) { return std::pair(o.store, o); })
      .to(orders);
  if (absl::Status s = writer.run(); !s.ok()) return s;

  App reader;
  auto all = reader.topic<std::string, Order>("orders", codec, {.brokers = brokers, .until_end = true});
  reader.on(all).handle([](const Message<std::string, Order>& m) {
    std::printf("%s %g %s\n", m.value.store.c_str(), m.value.euros, m.value.status.c_str());
  });
  return reader.run();
}

int main() {
  const http::FakeRegistry fake;  // for this program; yours is at https://registry.example.org or elsewhere
  auto broker = kafka::EmbeddedBroker::start({{.name = "orders", .partitions = 1}});
  const auto registry = schema_registry({.url = fake.url()});
  if (!broker.ok() || !registry.ok()) return 1;
  const std::string brokers = broker->bootstrap();

  absl::Status status = write_before(brokers, *registry);
  const auto codec = avro_with_schema<Order>(kOrderSchema, *registry, {.topic = "orders"});
  if (status.ok()) status = codec.ok() ? write_and_read(brokers, *codec) : codec.status();
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}
