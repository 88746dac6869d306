#include <utility>

#include "connectors/kafka/admin_request.h"
#include "connectors/kafka/client.h"
#include "connectors/kafka/errors.h"
#include "connectors/kafka/topics.h"

namespace slipstream::kafka {

struct Admin::Impl {
  Deadline deadline() const { return Deadline(options.request_timeout); }
  absl::StatusOr<int> await(const std::string& topic, Milliseconds wait, const std::string& way_out) {
    return await_topic(
        *client, topic,
        {.wait = wait, .patience = options.request_timeout, .create = false, .way_out = way_out});
  }
  /// Sends what `send` sends, and gives its answer to `check`.
  absl::Status ask(const std::string& context, rd_kafka_admin_op_t operation,
                   const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send,
                   const std::function<absl::Status(rd_kafka_event_t*)>& check);

  ClientOptions options;
  std::unique_ptr<Client> client;
};

absl::StatusOr<Admin> Admin::connect(ClientOptions options) {
  auto conf =
      client_conf(Role::consumer, options.brokers, options.settings, {{"client.id", "slipstream"}}, {});
  if (!conf.ok()) return conf.status();
  Client::Options client;
  client.what = "kafka admin";
  client.brokers = options.brokers;
  client.log = options.log;
  client.connect_timeout = options.connect_timeout;
  auto started = Client::start(Role::consumer, *std::move(conf), std::move(client));
  if (!started.ok()) return started.status();
  if (absl::Status status = (*started)->connect(); !status.ok()) return status;
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  impl->client = *std::move(started);
  return Admin(std::move(impl));
}

absl::StatusOr<std::vector<std::string>> Admin::list_topics() {
  return kafka::list_topics(*impl_->client, impl_->deadline());
}

absl::StatusOr<int> Admin::partition_count(const std::string& topic) {
  return impl_->await(topic, Milliseconds(0), "list_topics() names them all");
}

absl::StatusOr<std::vector<Watermarks>> Admin::watermarks(const std::string& topic) {
  const auto count = partition_count(topic);
  if (!count.ok()) return count.status();
  return kafka::watermarks(*impl_->client, topic, *count, impl_->deadline());
}

absl::Status Admin::Impl::ask(const std::string& context, rd_kafka_admin_op_t operation,
                              const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send,
                              const std::function<absl::Status(rd_kafka_event_t*)>& check) {
  if (is_embedded(*client, deadline())) {
    return absl::UnimplementedError(context + ": the embedded broker at " + client->brokers() +
                                    " can't; give the topics to EmbeddedBroker::start or create_topic");
  }
  const auto answer = ask_admin(*client, operation, options.request_timeout, context, send);
  if (!answer.ok()) return answer.status();
  return check(answer->get());
}

namespace {

absl::Status check_topics(const std::string& doing, const rd_kafka_topic_result_t** results,
                          std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t failed = rd_kafka_topic_result_error(results[i]);
    if (!failed) continue;
    const char* why = rd_kafka_topic_result_error_string(results[i]);
    return {code_of(failed), doing + " kafka topic '" + rd_kafka_topic_result_name(results[i]) +
                                 "': " + (why == nullptr ? describe(failed) : std::string(why))};
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Admin::create_topics(const std::vector<NewTopic>& topics) {
  if (topics.empty()) return absl::OkStatus();
  std::vector<TopicSpec> owners;
  std::vector<rd_kafka_NewTopic_t*> specs;
  for (const NewTopic& topic : topics) {
    char why[512] = {};
    owners.emplace_back(
        rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, topic.replication, why, sizeof why));
    if (owners.back() == nullptr)
      return absl::InvalidArgumentError("creating kafka topic '" + topic.name + "': " + why);
    for (const auto& [name, value] : topic.configs) {
      rd_kafka_NewTopic_set_config(owners.back().get(), name.c_str(), value.c_str());
    }
    specs.push_back(owners.back().get());
  }
  absl::Status status = impl_->ask(
      "creating kafka topics", RD_KAFKA_ADMIN_OP_CREATETOPICS,
      [&](rd_kafka_AdminOptions_t* request, rd_kafka_queue_t* answers) {
        rd_kafka_CreateTopics(impl_->client->get(), specs.data(), specs.size(), request, answers);
      },
      [](rd_kafka_event_t* answer) {
        std::size_t count = 0;
        const auto* result = rd_kafka_event_CreateTopics_result(answer);
        const auto results = rd_kafka_CreateTopics_result_topics(result, &count);
        return check_topics("creating", results, count);
      });
  for (const NewTopic& topic : topics) {
    if (!status.ok()) break;
    status = impl_->await(topic.name, impl_->options.request_timeout, "it was created just now").status();
  }
  return status;
}

absl::Status Admin::delete_topics(const std::vector<std::string>& topics) {
  if (topics.empty()) return absl::OkStatus();
  std::vector<TopicRemoval> owners;
  std::vector<rd_kafka_DeleteTopic_t*> removals;
  for (const std::string& topic : topics) {
    owners.emplace_back(rd_kafka_DeleteTopic_new(topic.c_str()));
    removals.push_back(owners.back().get());
  }
  return impl_->ask(
      "deleting kafka topics", RD_KAFKA_ADMIN_OP_DELETETOPICS,
      [&](rd_kafka_AdminOptions_t* request, rd_kafka_queue_t* answers) {
        rd_kafka_DeleteTopics(impl_->client->get(), removals.data(), removals.size(), request, answers);
      },
      [](rd_kafka_event_t* answer) {
        std::size_t count = 0;
        const auto* result = rd_kafka_event_DeleteTopics_result(answer);
        const auto results = rd_kafka_DeleteTopics_result_topics(result, &count);
        return check_topics("deleting", results, count);
      });
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&&) noexcept = default;
Admin::~Admin() = default;

}  // namespace slipstream::kafka
