#include <span>
#include <utility>

#include "connectors/kafka/admin_request.h"
#include "connectors/kafka/client.h"
#include "connectors/kafka/errors.h"
#include "connectors/kafka/topics.h"

namespace slipstream::kafka {
namespace {

constexpr const char* kNames = "list_topics() names them all";

}  // namespace

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

  /// The same for what changes topics.
  absl::Status change(const std::string& context, rd_kafka_admin_op_t operation,
                      const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send,
                      const std::function<absl::Status(rd_kafka_event_t*)>& check);
  absl::Status check_results(const std::string& doing, const rd_kafka_topic_result_t** results,
                             std::size_t count);
  absl::Status refused(const std::string& doing, const rd_kafka_topic_result_t& result);
  absl::Status describe_configs(std::vector<TopicDescription>& topics);

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
  return impl_->await(topic, Milliseconds(0), kNames);
}

absl::StatusOr<std::vector<Watermarks>> Admin::watermarks(const std::string& topic) {
  const auto count = partition_count(topic);
  if (!count.ok()) return count.status();
  return kafka::watermarks(*impl_->client, topic, *count, impl_->deadline());
}

absl::Status Admin::Impl::ask(const std::string& context, rd_kafka_admin_op_t operation,
                              const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send,
                              const std::function<absl::Status(rd_kafka_event_t*)>& check) {
  const auto answer = ask_admin(*client, operation, options.request_timeout, context, send);
  if (!answer.ok()) return answer.status();
  return check(answer->get());
}

absl::Status Admin::Impl::change(const std::string& context, rd_kafka_admin_op_t operation,
                                 const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send,
                                 const std::function<absl::Status(rd_kafka_event_t*)>& check) {
  if (is_embedded(*client, deadline())) {
    return absl::UnimplementedError(context + ": the embedded broker at " + client->brokers() +
                                    " can't; give the topics to EmbeddedBroker::start or create_topic");
  }
  absl::Status status = ask(context, operation, send, check);
  if (!absl::IsUnavailable(status)) return status;
  return absl::UnavailableError(std::string(status.message()) + "; it may have happened nevertheless, " +
                                kNames);
}

absl::Status Admin::Impl::refused(const std::string& doing, const rd_kafka_topic_result_t& result) {
  const std::string name = rd_kafka_topic_result_name(&result);
  const rd_kafka_resp_err_t why = rd_kafka_topic_result_error(&result);
  const std::string context = doing + " kafka topic '" + name + "': ";
  if (why == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
    return no_such_topic(*client, name, deadline(), kNames);
  }
  if (why == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
    return absl::AlreadyExistsError(context + "it exists already on " + client->brokers() +
                                    "; use it as it is, or delete it first");
  }
  const char* text = rd_kafka_topic_result_error_string(&result);
  return {code_of(why), context + (text == nullptr ? describe(why) : std::string(text))};
}

absl::Status Admin::Impl::check_results(const std::string& doing, const rd_kafka_topic_result_t** results,
                                        std::size_t count) {
  for (const rd_kafka_topic_result_t* result : std::span(results, count)) {
    if (rd_kafka_topic_result_error(result)) return refused(doing, *result);
  }
  return absl::OkStatus();
}

namespace {

absl::StatusOr<TopicSpec> spec_of(const NewTopic& topic) {
  const std::string context = "creating kafka topic '" + topic.name + "': ";
  // To librdkafka -1 is the broker's default.
  if (topic.partitions < 1 || topic.replication < 1) {
    const bool partitions = topic.partitions < 1;
    return absl::InvalidArgumentError(context + "it needs at least 1 " +
                                      (partitions ? "partition" : "replica") + ", not " +
                                      std::to_string(partitions ? topic.partitions : topic.replication));
  }
  char why[512] = {};
  TopicSpec spec(
      rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, topic.replication, why, sizeof why));
  if (spec == nullptr) return absl::InvalidArgumentError(context + why);
  for (const auto& [name, value] : topic.configs) {
    rd_kafka_NewTopic_set_config(spec.get(), name.c_str(), value.c_str());
  }
  return spec;
}

std::map<std::string, TopicConfig> configs_of(const rd_kafka_ConfigResource_t* topic) {
  std::size_t count = 0;
  const rd_kafka_ConfigEntry_t** entries = rd_kafka_ConfigResource_configs(topic, &count);
  std::map<std::string, TopicConfig> configs;
  for (const rd_kafka_ConfigEntry_t* entry : std::span(entries, count)) {
    const char* value = rd_kafka_ConfigEntry_value(entry);
    configs[rd_kafka_ConfigEntry_name(entry)] = {
        .value = value == nullptr ? "" : value,
        .is_default = rd_kafka_ConfigEntry_source(entry) != RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG};
  }
  return configs;
}

}  // namespace

/// Into `topics`, which are named and in order.
absl::Status Admin::Impl::describe_configs(std::vector<TopicDescription>& topics) {
  std::vector<ConfigResource> owners;
  std::vector<rd_kafka_ConfigResource_t*> resources;
  for (const TopicDescription& topic : topics) {
    owners.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.name.c_str()));
    resources.push_back(owners.back().get());
  }
  return ask(
      "describing kafka topics", RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS,
      [&](rd_kafka_AdminOptions_t* request, rd_kafka_queue_t* answers) {
        rd_kafka_DescribeConfigs(client->get(), resources.data(), resources.size(), request, answers);
      },
      [&](rd_kafka_event_t* answer) {
        std::size_t count = 0;
        const auto* result = rd_kafka_event_DescribeConfigs_result(answer);
        const auto found = rd_kafka_DescribeConfigs_result_resources(result, &count);
        for (const rd_kafka_ConfigResource_t* resource : std::span(found, count)) {
          const std::string name = rd_kafka_ConfigResource_name(resource);
          if (const auto failed = rd_kafka_ConfigResource_error(resource))
            return error(failed, "describing kafka topic '" + name + "'");
          for (TopicDescription& topic : topics) {
            if (topic.name == name) topic.configs = configs_of(resource);
          }
        }
        return absl::OkStatus();
      });
}

absl::StatusOr<std::vector<TopicDescription>> Admin::describe_topics(const std::vector<std::string>& topics) {
  std::vector<TopicDescription> descriptions;
  for (const std::string& topic : topics) {
    if (const auto count = partition_count(topic); !count.ok()) return count.status();
    auto partitions = partition_brokers(*impl_->client, topic, impl_->deadline());
    if (!partitions.ok()) return partitions.status();
    descriptions.push_back({.name = topic, .partitions = *std::move(partitions)});
  }
  if (descriptions.empty() || is_embedded(*impl_->client, impl_->deadline())) return descriptions;
  if (absl::Status status = impl_->describe_configs(descriptions); !status.ok()) return status;
  return descriptions;
}

absl::Status Admin::create_topics(const std::vector<NewTopic>& topics) {
  if (topics.empty()) return absl::OkStatus();
  std::vector<TopicSpec> owners;
  std::vector<rd_kafka_NewTopic_t*> specs;
  for (const NewTopic& topic : topics) {
    auto spec = spec_of(topic);
    if (!spec.ok()) return spec.status();
    specs.push_back(spec->get());
    owners.push_back(*std::move(spec));
  }
  absl::Status status = impl_->change(
      "creating kafka topics", RD_KAFKA_ADMIN_OP_CREATETOPICS,
      [&](rd_kafka_AdminOptions_t* request, rd_kafka_queue_t* answers) {
        rd_kafka_CreateTopics(impl_->client->get(), specs.data(), specs.size(), request, answers);
      },
      [&](rd_kafka_event_t* answer) {
        std::size_t count = 0;
        const auto* result = rd_kafka_event_CreateTopics_result(answer);
        const auto results = rd_kafka_CreateTopics_result_topics(result, &count);
        return impl_->check_results("creating", results, count);
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
  absl::Status status = impl_->change(
      "deleting kafka topics", RD_KAFKA_ADMIN_OP_DELETETOPICS,
      [&](rd_kafka_AdminOptions_t* request, rd_kafka_queue_t* answers) {
        rd_kafka_DeleteTopics(impl_->client->get(), removals.data(), removals.size(), request, answers);
      },
      [&](rd_kafka_event_t* answer) {
        std::size_t count = 0;
        const auto* result = rd_kafka_event_DeleteTopics_result(answer);
        const auto results = rd_kafka_DeleteTopics_result_topics(result, &count);
        return impl_->check_results("deleting", results, count);
      });
  for (const std::string& topic : topics) {
    if (!status.ok()) break;
    status = await_gone(*impl_->client, topic, impl_->deadline());
  }
  return status;
}

Admin::Admin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Admin::Admin(Admin&&) noexcept = default;
Admin& Admin::operator=(Admin&&) noexcept = default;
Admin::~Admin() = default;

}  // namespace slipstream::kafka
