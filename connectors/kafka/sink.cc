#include <functional>
#include <memory>
#include <utility>

#include "connectors/kafka/configured.h"
#include "connectors/kafka/outbox.h"

namespace slipstream::kafka {
namespace {

class KafkaSink final : public RawSink {
 public:
  KafkaSink(std::string topic, SinkOptions options)
      : topic_(std::move(topic)), options_(std::move(options)) {}

  std::string name() const override { return "kafka topic " + topic_; }
  absl::Status open(const SinkEnv& env) override;
  absl::StatusOr<std::size_t> write(std::span<const OutRecord> records) override;
  absl::StatusOr<std::uint64_t> delivered() override { return outbox_->delivered(); }
  absl::Status flush() override;
  absl::Status close() override;

 private:
  absl::StatusOr<bool> take(const OutRecord& record);
  absl::StatusOr<int> choose_partition(const OutRecord& record) const;

  const std::string topic_;
  SinkOptions options_;
  std::function<void()> wake_;
  std::unique_ptr<Outbox> outbox_;
  int partitions_ = 0;
};

absl::Status KafkaSink::open(const SinkEnv& env) {
  options_ = configured(std::move(options_), env.config);
  Outbox::Options options;
  options.what = name();
  options.brokers = options_.brokers;
  options.settings = options_.settings;
  if (env.memory_budget > 0) options.memory_budget = env.memory_budget;
  options.connect_timeout = *options_.connect_timeout;
  options.outage_timeout = options_.outage_timeout;
  options.log = env.log;
  options.wake = env.wake;
  options.fail = env.fail;
  wake_ = env.wake;
  options.create_topic = options_.create_topic;
  auto outbox = Outbox::open(std::move(options));
  if (!outbox.ok()) return outbox.status();
  const auto count = (*outbox)->open_topic(topic_, "create it, or set create_topic");
  if (!count.ok()) return count.status();
  partitions_ = *count;
  outbox_ = *std::move(outbox);
  return absl::OkStatus();
}

absl::StatusOr<int> KafkaSink::choose_partition(const OutRecord& record) const {
  if (!options_.partition) return -1;
  const int chosen = options_.partition(record, partitions_);
  if (chosen >= 0 && chosen < partitions_) return chosen;
  return absl::InvalidArgumentError("kafka topic '" + topic_ + "': `partition` chose " +
                                    std::to_string(chosen) + "; the topic has " +
                                    std::to_string(partitions_) + " partitions, from 0");
}

absl::StatusOr<std::size_t> KafkaSink::write(std::span<const OutRecord> records) {
  if (options_.refuse_in_outage && outbox_->is_cut_off()) {
    return absl::UnavailableError("kafka topic '" + topic_ + "': no broker answers at " + options_.brokers);
  }
  std::size_t count = 0;
  for (const OutRecord& record : records) {
    const absl::StatusOr<bool> taken = take(record);
    if (!taken.ok() && count == 0) return taken.status();
    // An error is about the first record that is offered: so this one is asked to be offered again.
    if (!taken.ok()) wake_();
    if (!taken.ok() || !*taken) break;
    ++count;
  }
  return count;
}

absl::StatusOr<bool> KafkaSink::take(const OutRecord& record) {
  const auto partition = choose_partition(record);
  if (!partition.ok()) return partition.status();
  return outbox_->produce(topic_, *partition, record);
}

absl::Status KafkaSink::flush() {
  outbox_->flush();
  return absl::OkStatus();
}

absl::Status KafkaSink::close() {
  if (outbox_ == nullptr) return absl::OkStatus();
  const std::unique_ptr<Outbox> outbox = std::move(outbox_);
  const bool in_time = outbox->wait_delivered(options_.close_timeout);
  const auto delivered = outbox->delivered();
  if (!delivered.ok()) return delivered.status();
  if (in_time) return absl::OkStatus();
  return absl::DeadlineExceededError("kafka topic '" + topic_ +
                                     "': " + std::to_string(outbox->taken() - *delivered) + " of " +
                                     std::to_string(outbox->taken()) + " records were not delivered within " +
                                     std::to_string(options_.close_timeout.count()) + " ms");
}

}  // namespace

std::shared_ptr<RawSink> raw_sink(std::string topic, SinkOptions options) {
  return std::make_shared<KafkaSink>(std::move(topic), std::move(options));
}

}  // namespace slipstream::kafka
