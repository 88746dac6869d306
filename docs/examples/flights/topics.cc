#include "docs/examples/flights/topics.h"

#include <random>
#include <utility>

namespace flights {
namespace {

namespace kafka = slipstream::kafka;

std::string run_id() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 8; ++i) id += "0123456789abcdef"[random() % 16];
  return id;
}

kafka::NewTopic new_topic(const std::string& name, int partitions) {
  // The records' timestamps are of 2013: a broker that deletes by age would take them at once.
  return {.name = name,
          .partitions = partitions,
          .configs = {{"retention.ms", "-1"}, {"compression.type", "lz4"}}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Topics>> Topics::embedded() {
  std::unique_ptr<Topics> topics(new Topics);
  auto broker = kafka::EmbeddedBroker::start(
      {{topics->flights_, kFlightPartitions}, {topics->weather_, kWeatherPartitions}});
  if (!broker.ok()) return broker.status();
  topics->broker_ = std::make_unique<kafka::EmbeddedBroker>(*std::move(broker));
  topics->client_.brokers = topics->broker_->bootstrap();
  topics->description_ = "an embedded broker at " + topics->client_.brokers;
  return topics;
}

absl::StatusOr<std::unique_ptr<Topics>> Topics::on_broker(const kafka::ClientOptions& client, bool keep) {
  auto admin = kafka::Admin::connect(client);
  if (!admin.ok()) return admin.status();
  std::unique_ptr<Topics> topics(new Topics);
  const std::string id = run_id();
  topics->client_ = client;
  topics->flights_ = "slipstream-demo-" + id + "-flights";
  topics->weather_ = "slipstream-demo-" + id + "-weather";
  topics->description_ = client.brokers + ", topics slipstream-demo-" + id + "-{flights,weather}";
  topics->delete_at_end_ = !keep;
  const absl::Status status = admin->create_topics(
      {new_topic(topics->flights_, kFlightPartitions), new_topic(topics->weather_, kWeatherPartitions)});
  if (!status.ok()) return status;
  return topics;
}

Topics::~Topics() {
  if (!delete_at_end_) return;
  auto admin = kafka::Admin::connect(client_);
  for (const std::string& topic : {flights_, weather_}) {
    const absl::Status status = admin.ok() ? admin->delete_topics({topic}) : admin.status();
    if (!status.ok() && client_.log) {
      client_.log(slipstream::LogLevel::warning, "demo",
                  "topic '" + topic + "' is left over: " + std::string(status.message()));
    }
  }
}

absl::Status check_complete(const kafka::ClientOptions& client, const std::string& topic,
                            std::span<const std::int64_t> sent) {
  auto admin = kafka::Admin::connect(client);
  if (!admin.ok()) return admin.status();
  const auto marks = admin->watermarks(topic);
  if (!marks.ok()) return marks.status();
  for (std::size_t p = 0; p < sent.size(); ++p) {
    const kafka::Watermarks mark = p < marks->size() ? (*marks)[p] : kafka::Watermarks{};
    if (mark.low == 0 && mark.high == sent[p]) continue;
    return absl::UnavailableError(
        "topic '" + topic + "' partition " + std::to_string(p) + ": " + std::to_string(sent[p]) +
        " records were sent, but the broker has offsets " + std::to_string(mark.low) + " to " +
        std::to_string(mark.high) + ": it lost records or somebody else writes there");
  }
  return absl::OkStatus();
}

}  // namespace flights
