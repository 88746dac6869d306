#include <utility>

#include "connectors/kafka/outbox.h"

namespace slipstream::kafka {

struct Producer::Impl {
  std::unique_ptr<Outbox> outbox;
  std::map<std::string, int> partitions;  // of the topics written to so far
};

absl::StatusOr<Producer> Producer::connect(ClientOptions options) {
  Outbox::Options box;
  box.what = "kafka producer";
  box.brokers = options.brokers;
  box.settings = options.settings;
  box.connect_timeout = options.connect_timeout;
  box.log = options.log;
  auto outbox = Outbox::open(std::move(box));
  if (!outbox.ok()) return outbox.status();
  auto impl = std::make_unique<Impl>();
  impl->outbox = *std::move(outbox);
  return Producer(std::move(impl));
}

absl::Status Producer::produce(const std::string& topic, const ProducerRecord& record) {
  Outbox& outbox = *impl_->outbox;
  auto known = impl_->partitions.find(topic);
  if (known == impl_->partitions.end()) {
    const auto count = outbox.open_topic(topic, "create it first");
    if (!count.ok()) return count.status();
    known = impl_->partitions.emplace(topic, *count).first;
  }
  const int partition = record.partition.value_or(-1);
  if (record.partition && (partition < 0 || partition >= known->second)) {
    return absl::InvalidArgumentError("kafka topic '" + topic + "' has no partition " +
                                      std::to_string(partition) + "; it has " +
                                      std::to_string(known->second));
  }
  const OutRecord out{record.key, record.value, record.timestamp, record.headers};
  while (true) {
    const auto taken = outbox.produce(topic, partition, out);
    if (!taken.ok()) return taken.status();
    if (*taken) return absl::OkStatus();
    outbox.wait_room(Milliseconds(100));
  }
}

absl::Status Producer::flush(std::chrono::milliseconds timeout) {
  Outbox& outbox = *impl_->outbox;
  const bool in_time = outbox.wait_delivered(timeout);
  const auto delivered = outbox.delivered();
  if (!delivered.ok()) return delivered.status();
  if (in_time) return absl::OkStatus();
  return absl::DeadlineExceededError("kafka producer: " + std::to_string(outbox.taken() - *delivered) +
                                     " of " + std::to_string(outbox.taken()) +
                                     " records were not delivered within " + std::to_string(timeout.count()) +
                                     " ms");
}

Producer::Producer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Producer::Producer(Producer&&) noexcept = default;
Producer& Producer::operator=(Producer&&) noexcept = default;
Producer::~Producer() = default;

}  // namespace slipstream::kafka
