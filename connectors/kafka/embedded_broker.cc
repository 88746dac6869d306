#include <librdkafka/rdkafka.h>
// after rdkafka.h
#include <librdkafka/rdkafka_mock.h>

#include <string_view>
#include <utility>

#include "connectors/kafka/errors.h"
#include "connectors/kafka/handles.h"
#include "slipstream/kafka.h"

namespace slipstream::kafka {
namespace {

constexpr int kBroker = 1;
/// More would take minutes to make.
constexpr int kMostPartitions = 10'000;

/// Kafka's rule, which librdkafka's mock broker doesn't know.
bool is_topic_name(std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
         name.find_first_not_of(kLetters) == name.npos;
}

/// What the broker's own client has to say about itself interests nobody.
void ignore_log(const rd_kafka_t*, int, const char*, const char*) {}

}  // namespace

struct EmbeddedBroker::Impl {
  ~Impl() {
    if (cluster != nullptr) rd_kafka_mock_cluster_destroy(cluster);
    if (client != nullptr) rd_kafka_destroy(client);
  }
  rd_kafka_t* client = nullptr;
  rd_kafka_mock_cluster_t* cluster = nullptr;
  std::string bootstrap;
};

absl::StatusOr<EmbeddedBroker> EmbeddedBroker::start(std::vector<Topic> topics) {
  auto impl = std::make_unique<Impl>();
  Conf conf(rd_kafka_conf_new());
  rd_kafka_conf_set_log_cb(conf.get(), &ignore_log);
  char why[512] = {};
  impl->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), why, sizeof why);
  if (impl->client == nullptr) return absl::InternalError(std::string("embedded broker: ") + why);
  conf.release();  // NOLINT: the client owns it now
  impl->cluster = rd_kafka_mock_cluster_new(impl->client, 1);
  if (impl->cluster == nullptr)
    return absl::UnavailableError("embedded broker: no port of the loopback interface is free");
  impl->bootstrap = rd_kafka_mock_cluster_bootstraps(impl->cluster);
  EmbeddedBroker broker(std::move(impl));
  for (const Topic& topic : topics) {
    if (absl::Status status = broker.create_topic(topic); !status.ok()) return status;
  }
  return broker;
}

const std::string& EmbeddedBroker::bootstrap() const { return impl_->bootstrap; }

absl::Status EmbeddedBroker::create_topic(const Topic& topic) {
  const std::string context = "embedded broker: topic '" + topic.name + "'";
  if (!is_topic_name(topic.name)) {
    return absl::InvalidArgumentError(context +
                                      ": a topic's name has 1 to 249 letters, digits, '.', '_' or '-'");
  }
  if (topic.partitions < 1 || topic.partitions > kMostPartitions) {
    return absl::InvalidArgumentError(context + " needs 1 to " + std::to_string(kMostPartitions) +
                                      " partitions, not " + std::to_string(topic.partitions));
  }
  const auto failed = rd_kafka_mock_topic_create(impl_->cluster, topic.name.c_str(), topic.partitions, 1);
  return failed ? error(failed, context) : absl::OkStatus();
}

absl::Status EmbeddedBroker::set_reachable(bool reachable) {
  const auto failed = reachable ? rd_kafka_mock_broker_set_up(impl_->cluster, kBroker)
                                : rd_kafka_mock_broker_set_down(impl_->cluster, kBroker);
  return failed ? error(failed, "embedded broker") : absl::OkStatus();
}

EmbeddedBroker::EmbeddedBroker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
EmbeddedBroker::EmbeddedBroker(EmbeddedBroker&&) noexcept = default;
EmbeddedBroker& EmbeddedBroker::operator=(EmbeddedBroker&&) noexcept = default;
EmbeddedBroker::~EmbeddedBroker() = default;

}  // namespace slipstream::kafka
