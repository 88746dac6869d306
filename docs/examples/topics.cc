// Topics between handlers, on a broker inside this process: docs/handlers.md shows this program piece by
// piece.
#include "slipstream/topic.h"

#include <cstdio>

#include "slipstream/json.h"
#include "slipstream/slipstream.h"
using namespace slipstream;

struct Weather {
  std::string city;
  double degrees;
};
SLIPSTREAM_FIELDS(Weather, city, degrees)

absl::Status fill(const std::string& brokers) {
  App app;
  auto weather = app.topic<std::string, Weather>("weather", json<Weather>(), {.brokers = brokers});
  app.on(from<Weather>({{"ams", 11}, {"ber", -3}, {"ams", 12}}))
      .handle([](const Weather& w) { return std::pair(w.city, w); })
      .to(weather);
  return app.run();
}

absl::Status split(const std::string& brokers) {
  App app;
  auto weather = app.topic<std::string, Weather>(
      "weather", json<Weather>(), {.brokers = brokers, .group = "frost watch", .until_end = true});
  auto frost = app.topic<std::string, Weather>("frost", json<Weather>(), {.brokers = brokers});
  app.on(weather)
      .handle([](const Message<std::string, Weather>& m) -> Generator<Message<std::string, Weather>> {
        if (m.value.degrees < 0) co_yield m;
      })
      .to(frost);
  app.on(weather)
      .handle([](const Message<std::string, Weather>& m) { return std::pair(m.key, Tombstone{}); })
      .to(frost);
  return app.run();
}

absl::Status read(const std::string& brokers) {
  App app;
  using Frost = Message<std::string, OrTombstone<Weather>>;
  auto frost = app.topic<std::string, OrTombstone<Weather>>("frost", json<Weather>(),
                                                            {.brokers = brokers, .until_end = true});
  app.on(frost).handle([](const Frost& m) {
    const auto* weather = std::get_if<Weather>(&m.value);
    std::printf("%s: %s\n", m.key.c_str(), weather ? "frost" : "over");
  });
  return app.run();
}

absl::Status read_twice(const std::string& brokers) {
  App app;
  auto weather =
      app.topic<std::string, Weather>("weather", json<Weather>(), {.brokers = brokers, .until_end = true});
  app.on(weather).handle([&, messages = 0](const Message<std::string, Weather>& m) mutable {
    std::printf("read %s %g\n", m.key.c_str(), m.value.degrees);
    if (++messages == 3) (void)weather.seek({{m.partition, kBeginning}});
  });
  return app.run();
}

int main() {
  auto broker = kafka::EmbeddedBroker::start({{.name = "weather"}, {.name = "frost"}});
  if (!broker.ok()) return 5;
  absl::Status status = fill(broker->bootstrap());
  if (status.ok()) status = split(broker->bootstrap());
  if (status.ok()) status = read(broker->bootstrap());
  if (status.ok()) status = read_twice(broker->bootstrap());
  if (!status.ok()) std::printf("%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
