#include "connectors/kafka/group.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <utility>

#include "connectors/kafka/admin_request.h"
#include "connectors/kafka/errors.h"
#include "connectors/kafka/topics.h"

namespace slipstream::kafka {
namespace {

constexpr Milliseconds kRequest{30'000};
constexpr Milliseconds kAskAgain{200};
/// A broker looks for members that have died only now and then.
constexpr Milliseconds kNotices{2'000};

/// The same for all sources of this process, and for no other process; operators see it as the member's name.
std::string process_name(const std::string& client_id) {
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);
  return client_id + "-" + host + "-" + std::to_string(::getpid());
}

bool has_topic(const rd_kafka_MemberDescription_t* member, const std::string& topic) {
  const rd_kafka_MemberAssignment_t* assignment = rd_kafka_MemberDescription_assignment(member);
  const rd_kafka_topic_partition_list_t* list =
      assignment == nullptr ? nullptr : rd_kafka_MemberAssignment_partitions(assignment);
  if (list == nullptr) return false;
  return std::any_of(list->elems, list->elems + list->cnt, [&](const auto& p) { return topic == p.topic; });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Group>> Group::start(Options options) {
  std::unique_ptr<Group> group(new Group(std::move(options)));
  const Options& o = group->options_;
  const Settings defaults = {
      // Heartbeats come from a thread of their own: a member that is silent for so long is dead.
      {"session.timeout.ms", "10000"},      {"socket.keepalive.enable", "true"},
      {"reconnect.backoff.max.ms", "2000"}, {"topic.metadata.refresh.interval.ms", "10000"},
      {"client.id", "slipstream"},
  };
  const Settings owned = {
      {"group.id", o.name}, {"enable.auto.commit", "false"}, {"enable.auto.offset.store", "false"}};
  auto conf = client_conf(Role::consumer, o.brokers, o.settings, defaults, owned);
  if (!conf.ok()) return conf.status();
  group->client_id_ = process_name(setting(conf->conf.get(), "client.id"));
  rd_kafka_conf_set(conf->conf.get(), "client.id", group->client_id_.c_str(), nullptr, 0);
  group->session_timeout_ = Milliseconds(std::atoi(setting(conf->conf.get(), "session.timeout.ms").c_str()));
  Client::Options client;
  client.what = group->about();
  client.brokers = o.brokers;
  client.log = o.log;
  client.fail = o.fail;
  client.on_rebalance = [g = group.get()](bool assigned, const rd_kafka_topic_partition_list_t& partitions) {
    g->on_rebalance(assigned, partitions);
  };
  client.on_commit = [g = group.get()](rd_kafka_resp_err_t error,
                                       const rd_kafka_topic_partition_list_t* list) {
    g->on_commit(error, list);
  };
  client.after_poll = [g = group.get()] { g->serve(); };
  auto started = Client::start(Role::consumer, *std::move(conf), std::move(client));
  if (!started.ok()) return started.status();
  group->client_ = *std::move(started);
  return group;
}

Group::~Group() { (void)close(Milliseconds(0)); }

// ---------------------------------------------------------------- who else is there

absl::StatusOr<std::vector<Group::Member>> Group::members() {
  const std::string context = about() + ": asking who is in it";
  // librdkafka 2.0.2 would hang for good when a broker doesn't know the request.
  if (options_.is_embedded) {
    return absl::UnimplementedError(context + ": the embedded broker at " + options_.brokers + " can't tell");
  }
  const char* name = options_.name.c_str();
  const auto answer = ask_admin(*client_, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, kRequest, context,
                                [&](rd_kafka_AdminOptions_t* request, rd_kafka_queue_t* answers) {
                                  rd_kafka_DescribeConsumerGroups(client_->get(), &name, 1, request, answers);
                                });
  if (!answer.ok()) return answer.status();
  std::size_t count = 0;
  const auto* groups = rd_kafka_DescribeConsumerGroups_result_groups(
      rd_kafka_event_DescribeConsumerGroups_result(answer->get()), &count);
  if (count != 1) return absl::InternalError(context + ": the broker said nothing about it");
  if (const rd_kafka_error_t* failed = rd_kafka_ConsumerGroupDescription_error(groups[0])) {
    return absl::Status(code_of(rd_kafka_error_code(failed)), context + ": " + rd_kafka_error_string(failed));
  }
  std::vector<Member> members(rd_kafka_ConsumerGroupDescription_member_count(groups[0]));
  for (std::size_t i = 0; i < members.size(); ++i) {
    const rd_kafka_MemberDescription_t* member = rd_kafka_ConsumerGroupDescription_member(groups[0], i);
    std::string_view host = rd_kafka_MemberDescription_host(member);
    if (host.starts_with('/')) host.remove_prefix(1);
    members[i] = {rd_kafka_MemberDescription_consumer_id(member),
                  rd_kafka_MemberDescription_client_id(member), std::string(host),
                  has_topic(member, options_.topic)};
  }
  return members;
}

absl::StatusOr<std::vector<Group::Member>> Group::outsiders() {
  auto others = members();
  // Sources of one program may share a group, each with a topic of its own.
  if (others.ok()) std::erase_if(*others, [&](const Member& m) { return m.client == client_id_; });
  return others;
}

std::string Group::names(const std::vector<Member>& members) {
  constexpr std::size_t kMost = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(kMost, members.size()); ++i) {
    text += (i > 0 ? ", '" : "'") + members[i].client + "' at " + members[i].host;
  }
  if (members.size() > kMost) text += " and " + std::to_string(members.size() - kMost) + " more";
  return text;
}

absl::Status Group::await_alone() {
  const Milliseconds wait = session_timeout_ + kNotices;
  const Clock::time_point end = Clock::now() + wait;
  const Deadline until_told(kRequest);
  bool said = false;
  while (true) {
    const auto others = outsiders();
    if (absl::IsUnavailable(others.status()) && !until_told.passed()) {
      std::this_thread::sleep_for(kAskAgain);  // a group's coordinator may still be starting
      continue;
    }
    if (!others.ok()) return others.status();
    if (others->empty()) return absl::OkStatus();
    if (Clock::now() >= end) {
      return absl::FailedPreconditionError(
          about() + " has another member: " + names(*others) +
          "; both would process every record: stop that one, or choose another group (waited " +
          seconds(wait) + "; a member that died stays for its session.timeout.ms)");
    }
    if (!said) {
      client_->log(LogLevel::warning, about() + " has another member: " + names(*others) +
                                          "; waiting up to " + seconds(wait) + " for it to leave");
    }
    said = true;
    std::this_thread::sleep_for(kAskAgain);
  }
}

absl::Status Group::join() {
  const PartitionList topics(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), options_.topic.c_str(), RD_KAFKA_PARTITION_UA);
  // The group's events come to the thread that polls, as all others do.
  const Queue group_queue(rd_kafka_queue_get_consumer(client_->get()));
  const Queue main_queue(rd_kafka_queue_get_main(client_->get()));
  rd_kafka_queue_forward(group_queue.get(), main_queue.get());
  {
    const detail::MutexLock lock(mutex_);
    joins_ = true;
  }
  const rd_kafka_resp_err_t failed = rd_kafka_subscribe(client_->get(), topics.get());
  return failed ? error(failed, about() + ": joining it") : absl::OkStatus();
}

void Group::on_rebalance(bool assigned, const rd_kafka_topic_partition_list_t& partitions) {
  int of_ours = 0;
  for (int i = 0; i < partitions.cnt; ++i) of_ours += partitions.elems[i].partition < options_.partitions;
  const detail::MutexLock lock(mutex_);
  joined_ = assigned;
  look_ = assigned && of_ours < options_.partitions;
}

void Group::serve() {
  look_around();
  send();
}

/// Missing partitions may be a deleted topic's, or those of a member that has already left again.
void Group::look_around() {
  {
    const detail::MutexLock lock(mutex_);
    if (!look_ || given_up_) return;
  }
  auto others = members();
  if (absl::IsUnavailable(others.status())) return;  // asked again after the next poll
  std::string who = "; the broker doesn't say which";
  if (others.ok()) {
    char* own = rd_kafka_memberid(client_->get());
    std::erase_if(*others, [&](const Member& m) { return !m.has_topic || (own != nullptr && m.id == own); });
    if (own != nullptr) rd_kafka_mem_free(client_->get(), own);
    who = ": " + names(*others);
  }
  {
    const detail::MutexLock lock(mutex_);
    look_ = false;
    if (others.ok() && others->empty()) return;
  }
  give_up(absl::FailedPreconditionError(
      "another member of " + about() + " was given partitions of topic '" + options_.topic + "'" + who +
      "; both would process every record: stop that one, or give it another "
      "group, and start this one again"));
}

// ---------------------------------------------------------------- commits

absl::StatusOr<std::vector<std::optional<std::int64_t>>> Group::committed() {
  const PartitionList list(rd_kafka_topic_partition_list_new(options_.partitions));
  for (int p = 0; p < options_.partitions; ++p) {
    rd_kafka_topic_partition_list_add(list.get(), options_.topic.c_str(), p);
  }
  const std::string context = about() + ": asking for its offsets in topic '" + options_.topic + "'";
  const rd_kafka_resp_err_t failed =
      rd_kafka_committed(client_->get(), list.get(), static_cast<int>(kRequest.count()));
  if (failed) return error(failed, context);
  std::vector<std::optional<std::int64_t>> offsets(static_cast<std::size_t>(options_.partitions));
  for (std::size_t p = 0; p < offsets.size(); ++p) {
    const rd_kafka_topic_partition_t& answer = list->elems[p];
    if (answer.err) return error(answer.err, context);
    if (answer.offset >= 0) offsets[p] = answer.offset;
  }
  return offsets;
}

void Group::commit(std::span<const PartitionOffset> offsets) {
  {
    const detail::MutexLock lock(mutex_);
    for (const PartitionOffset& done : offsets) pending_[done.partition] = done.next_offset;
  }
  client_->post([] {});
}

void Group::send() {
  const detail::MutexLock lock(mutex_);
  if (is_sent_ || given_up_ || pending_.empty() || (joins_ && !joined_) || Clock::now() < next_try_) return;
  const PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(pending_.size())));
  for (const auto& [partition, offset] : pending_) {
    rd_kafka_topic_partition_list_add(list.get(), options_.topic.c_str(), partition)->offset = offset;
  }
  sent_ = pending_;
  is_sent_ = rd_kafka_commit(client_->get(), list.get(), /*async=*/1) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void Group::on_commit(rd_kafka_resp_err_t failed, const rd_kafka_topic_partition_list_t* partitions) {
  for (int i = 0; partitions != nullptr && !failed && i < partitions->cnt; ++i) {
    failed = partitions->elems[i].err;
  }
  if (failed && !is_later(failed)) {
    give_up(error(failed, about() + ": committing offsets of topic '" + options_.topic + "'"));
    return;
  }
  const detail::MutexLock lock(mutex_);
  is_sent_ = false;
  if (failed) {
    why_later_ = describe(failed);
    next_try_ = Clock::now() + kAskAgain;
    return;
  }
  for (const auto& [partition, offset] : sent_) {
    const auto same = pending_.find(partition);
    if (same != pending_.end() && same->second == offset) pending_.erase(same);
  }
  changed_.notify_all();
}

/// Brokers come back, and members are let in again; of a deleted topic the source hears by itself.
bool Group::is_later(rd_kafka_resp_err_t error) {
  const detail::MutexLock lock(mutex_);
  switch (error) {
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
      return joins_;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__DESTROY:
      return true;
    default:
      return is_passing(error);
  }
}

void Group::give_up(absl::Status status) {
  {
    const detail::MutexLock lock(mutex_);
    is_sent_ = false;
    given_up_ = true;
  }
  changed_.notify_all();
  client_->fail(std::move(status));
}

absl::Status Group::wait_committed(Milliseconds patience) {
  const Clock::time_point deadline = Clock::now() + patience;
  detail::MutexLock lock(mutex_);
  while (!pending_.empty() && !given_up_ && lock.wait_until(changed_, deadline)) {
  }
  if (pending_.empty() || given_up_) return absl::OkStatus();
  return absl::UnavailableError(about() + ": the last offsets of topic '" + options_.topic +
                                "' could not be committed within " + seconds(patience) + ": " +
                                (why_later_.empty() ? "no answer" : why_later_) +
                                "; the next start goes on at those before");
}

absl::Status Group::close(Milliseconds patience) {
  if (client_ == nullptr) return absl::OkStatus();
  const absl::Status status = wait_committed(patience);
  client_->close();
  client_.reset();
  return status;
}

}  // namespace slipstream::kafka
