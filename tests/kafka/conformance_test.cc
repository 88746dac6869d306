#include "conformance/sink_conformance.h"
#include "conformance/source_conformance.h"
#include "kafka_testing.h"

namespace slipstream::test {
namespace {

TEST(KafkaSource, KeepsTheSourceContract) {
  const std::string topic = new_topic(3);
  conformance::SourceCase c;
  for (int p = 0; p < 3; ++p) {
    const std::vector<std::string> values = numbered("v", 0, p == 1 ? 0 : 50);
    produce_values(shared_broker().bootstrap(), topic, p, values);
    auto& expected = c.expected.emplace_back();
    for (const std::string& value : values) {
      expected.push_back({.key = "k", .value = value, .offset = static_cast<std::int64_t>(expected.size())});
    }
  }
  c.make = [&] {
    return kafka::raw_source(topic,
                             {.brokers = shared_broker().bootstrap(), .until_end = true, .settings = kFast});
  };
  conformance::check_source(c);
}

TEST(KafkaSource, KeepsTheContractOfAGrowingSource) {
  const std::string topic = new_topic(1);
  conformance::check_growing_source(
      {.make =
           [&](bool bounded) {
             return kafka::raw_source(
                 topic, {.brokers = shared_broker().bootstrap(), .until_end = bounded, .settings = kFast});
           },
       .append = [&](const auto& values) { produce_values(shared_broker().bootstrap(), topic, 0, values); }});
}

TEST(KafkaSink, KeepsTheSinkContract) {
  std::string topic;
  conformance::SinkCase c;
  c.make = [&] {
    topic = new_topic(1);
    return kafka::raw_sink(topic, {.brokers = shared_broker().bootstrap()});
  };
  c.written = [&] { return values_of(read_topic(shared_broker().bootstrap(), topic, 0)); };
  conformance::check_sink(c);
}

}  // namespace
}  // namespace slipstream::test
