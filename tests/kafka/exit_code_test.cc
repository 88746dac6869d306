#include "slipstream/detail/exit_code.h"

#include "kafka_testing.h"
#include "slipstream/app.h"
#include "slipstream/generator.h"

namespace slipstream::test {
namespace {

using detail::exit_code;

TEST(KafkaExitCode, OfAStartOutsideOfTheLogIsAMistakesOwn) {
  const std::string topic = new_topic(1);
  App app;
  app.source(kafka::source(topic, text(),
                           {.brokers = shared_broker().bootstrap(), .start = kafka::Start::offset(7)}))
      .sink([](const std::string&) {});
  const absl::Status status = app.run();
  EXPECT_EQ(status, absl::OutOfRangeError(
                        "kafka topic " + topic + ": kafka topic '" + topic +
                        "' partition 0: the start offset 7 is outside of what the broker has, 0 to 0"));
  EXPECT_EQ(exit_code(status), 2);
}

TEST(KafkaExitCode, OfARequestThatTimedOutIsTheBrokers) {
  kafka::EmbeddedBroker broker = start_broker({{"topic", 1}});
  App app;
  app.source(generate([&, sent = 0]() mutable {
       if (sent == 0) {
         EXPECT_EQ(broker.set_reachable(false), absl::OkStatus());
       }
       return sent++ == 0 ? std::optional<std::string>("v") : std::nullopt;
     }))
      .sink(kafka::sink("topic", text(),
                        {.brokers = broker.bootstrap(),
                         .close_timeout = std::chrono::milliseconds(0),
                         .settings = {{"message.timeout.ms", "500"}}}));
  const absl::Status status = app.run();
  EXPECT_EQ(status, absl::UnavailableError(
                        "kafka topic topic: kafka topic 'topic': delivery of the record with no key "
                        "failed: Message timed out"));
  EXPECT_EQ(exit_code(status), 5);
}

}  // namespace
}  // namespace slipstream::test
