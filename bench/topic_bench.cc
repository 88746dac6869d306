#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/bare_kafka.h"
#include "bench/suite.h"
#include "slipstream/slipstream.h"
#include "slipstream/topic.h"

/// A topic as a source and as a sink of a handler, beside the bare client with the same calls and settings,
/// on a broker inside this process (which takes its share of both sides' time).
namespace slipstream::bench {
namespace {

constexpr int kPartitions = 8;
constexpr std::int64_t kMessages = 200'000;  // fit into what the embedded broker keeps
constexpr const char* kSource = "in";

std::string key_of(std::int64_t i) { return "key-" + std::to_string(i % 1000); }
std::string value_of(std::int64_t i) {
  std::string value = "message " + std::to_string(i) + " ";
  value.resize(100, '.');
  return value;
}

std::uint64_t read_bare(const std::string& brokers) {
  std::uint64_t bytes = 0;
  bare::Reader(brokers, kSource, kPartitions).read([&](int, std::string_view key, std::string_view value) {
    bytes += std::string(key).size() + std::string(value).size();  // handlers get strings of their own
  });
  return bytes;
}

std::uint64_t read_topic(const std::string& brokers) {
  std::uint64_t bytes = 0;
  App app;
  const auto topic =
      app.topic<std::string, std::string>(kSource, text(), {.brokers = brokers, .until_end = true});
  app.on(topic).handle(
      [&](const Message<std::string, std::string>& m) { bytes += m.key.size() + m.value.size(); });
  check_ok(app.run());
  return bytes;
}

std::uint64_t write_bare(const std::string& brokers, const std::vector<std::int64_t>& numbers) {
  bare::Writer writer(brokers, "out");
  for (const std::int64_t i : numbers) {
    writer.write(key_of(i), value_of(i));
    writer.poll();
  }
  writer.flush();
  return numbers.size();
}

std::uint64_t write_topic(const std::string& brokers, const std::vector<std::int64_t>& numbers) {
  App app;
  std::uint64_t written = 0;
  const auto topic = app.topic<std::string, std::string>(
      "out", text(), {.brokers = brokers, .settings = {{"compression.type", "lz4"}}});
  app.on(from(numbers))
      .handle([&](std::int64_t i) {
        ++written;
        return std::pair(key_of(i), value_of(i));
      })
      .to(topic);
  check_ok(app.run());
  return written;
}

void run(Suite& suite) {
  auto broker = kafka::EmbeddedBroker::start({{kSource, kPartitions}, {"out", kPartitions}});
  check_ok(broker.status());
  const std::string brokers = broker->bootstrap();
  std::vector<std::int64_t> numbers;
  std::uint64_t bytes = 0;
  auto producer = kafka::Producer::connect({.brokers = brokers, .settings = {{"compression.type", "lz4"}}});
  check_ok(producer.status());
  for (std::int64_t i = 0; i < suite.size<std::int64_t>(kMessages, 1'000); ++i) {
    numbers.push_back(i);
    const std::string key = key_of(i);
    const std::string value = value_of(i);
    bytes += key.size() + value.size();
    check_ok(producer->produce(kSource, {.key = key, .value = value}));
  }
  check_ok(producer->flush());
  const auto work = [](auto f) -> Work { return [f] { return timed([&] { return Answer{0, f()}; }); }; };
  const auto items = static_cast<double>(numbers.size());
  suite.compare({"topic in",
                 items,
                 work([&] { return read_topic(brokers); }),
                 work([&] { return read_bare(brokers); }),
                 {0, bytes}});
  suite.compare({"topic out",
                 items,
                 work([&] { return write_topic(brokers, numbers); }),
                 work([&] { return write_bare(brokers, numbers); }),
                 {0, numbers.size()}});
}

const Registered topic("topic", run);

}  // namespace
}  // namespace slipstream::bench
