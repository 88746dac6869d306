#include <poll.h>

#include <cerrno>
#include <charconv>
#include <memory>

#include "runtime/cli/command.h"
#include "runtime/stop_signals.h"
#include "slipstream/detail/units.h"

namespace slipstream::cli {
namespace {

constexpr Option kTopic = {"--topic", "NAME:PARTITIONS", "a topic to create; may be repeated"};

absl::StatusOr<kafka::EmbeddedBroker::Topic> parse_topic(const std::string& text) {
  const std::size_t colon = text.find(':');
  int partitions = 0;
  if (colon != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, partitions);
    if (parsed.ptr != end) partitions = 0;
  }
  if (colon == 0 || partitions < 1) {
    return absl::InvalidArgumentError("--topic expects NAME:PARTITIONS such as orders:4, found '" +
                                      detail::one_line(text) + "'");
  }
  return kafka::EmbeddedBroker::Topic{text.substr(0, colon), partitions};
}

void wait_for(const StopSignals& signals) {
  pollfd entry{signals.fd(), POLLIN, 0};
  while (poll(&entry, 1, -1) < 0 && errno == EINTR) {
  }
}

absl::Status serve(const Invocation& invocation) {
  std::vector<kafka::EmbeddedBroker::Topic> topics;
  for (const std::string& text : invocation.values(kTopic.name)) {
    auto topic = parse_topic(text);
    if (!topic.ok()) return topic.status();
    topics.push_back(*std::move(topic));
  }
  const auto signals = StopSignals::install();
  if (!signals.ok()) return signals.status();
  const auto broker = kafka::EmbeddedBroker::start(std::move(topics));
  if (!broker.ok()) return broker.status();
  if (absl::Status status = print(broker->bootstrap() + "\n"); !status.ok()) return status;
  say("slipstream broker: serving on " + broker->bootstrap() +
      " until Ctrl-C; everything in it is gone then");
  wait_for(**signals);
  return absl::OkStatus();
}

}  // namespace

int run_broker(int argc, const char* const* argv) {
  return run_command(
      {.name = "broker",
       .arguments = {},
       .about =
           "Runs a small Kafka broker in memory on a free port of the loopback interface, prints its address "
           "as\n"
           "the only line of its output, and ends at SIGINT or SIGTERM. It keeps the newest 5 MiB of each\n"
           "partition, and has no transactions, no offsets by time and no authentication.",
       .options = {kTopic},
       .run = serve},
      argc, argv);
}

}  // namespace slipstream::cli
