#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>

#include "runtime/cli/command.h"
#include "runtime/cli/json_lines.h"
#include "runtime/stop_signals.h"

namespace slipstream::cli {
namespace {

constexpr Duration kFlushWithin = std::chrono::minutes(1);

/// Lines of the standard input, until it ends or a signal says stop.
class StandardInput {
 public:
  explicit StandardInput(const StopSignals& signals) : signals_(signals) {}

  /// False: no more lines. The line is valid until the next call.
  absl::StatusOr<bool> next(std::string_view& line) {
    while (true) {
      const std::size_t end = buffer_.find('\n', begin_);
      if (end != std::string::npos) {
        line = std::string_view(buffer_).substr(begin_, end - begin_);
        begin_ = end + 1;
        return true;
      }
      const absl::StatusOr<bool> filled = fill();
      if (!filled.ok()) return filled.status();
      if (!*filled) break;
    }
    line = std::string_view(buffer_).substr(begin_);  // a last line without its end
    begin_ = buffer_.size();
    return !line.empty() && !signals_.stopped();
  }

 private:
  absl::StatusOr<bool> fill() {
    pollfd entries[] = {{STDIN_FILENO, POLLIN, 0}, {signals_.fd(), POLLIN, 0}};
    while (poll(entries, 2, -1) < 0 && errno == EINTR) {
    }
    if (entries[1].revents != 0) return false;
    buffer_.erase(0, begin_);
    begin_ = 0;
    char chunk[64 * 1024];
    const ssize_t size = read(STDIN_FILENO, chunk, sizeof(chunk));
    if (size < 0)
      return absl::InvalidArgumentError(std::string("can't read the standard input: ") +
                                        std::strerror(errno));
    buffer_.append(chunk, static_cast<std::size_t>(size));
    return size > 0;
  }

  const StopSignals& signals_;
  std::string buffer_;
  std::size_t begin_ = 0;
};

kafka::ProducerRecord to_produce(const LineRecord& line) {
  kafka::ProducerRecord record;
  record.partition = line.partition;
  if (line.key) record.key = *line.key;
  if (line.value) record.value = *line.value;
  record.timestamp = line.timestamp;
  record.headers = line.headers.empty() ? nullptr : &line.headers;
  return record;
}

/// The topic has to exist: a producer would make the broker create it with who knows how many partitions.
absl::Status check_topic(const Invocation& invocation, const std::string& topic) {
  absl::StatusOr<kafka::Admin> admin = kafka::Admin::connect(client_options(invocation));
  if (!admin.ok()) return admin.status();
  return with_way_out(admin->partition_count(topic).status(), "create it first");
}

absl::Status produce_lines(const std::string& topic, StandardInput& input, kafka::Producer& producer,
                           std::size_t& count) {
  LineReader reader;
  std::string_view line;
  for (std::size_t number = 1;; ++number) {
    const absl::StatusOr<bool> more = input.next(line);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const absl::StatusOr<LineRecord> record = reader.read(line);
    if (!record.ok()) {
      return absl::DataLossError("line " + std::to_string(number) + ": " +
                                 std::string(record.status().message()));
    }
    if (absl::Status status = producer.produce(topic, to_produce(*record)); !status.ok()) {
      return absl::Status(status.code(),
                          "line " + std::to_string(number) + ": " + std::string(status.message()));
    }
    ++count;
  }
}

absl::Status produce(const Invocation& invocation) {
  const std::string& topic = invocation.arguments[0];
  if (absl::Status status = check_topic(invocation, topic); !status.ok()) return status;
  absl::StatusOr<kafka::Producer> producer = kafka::Producer::connect(client_options(invocation));
  if (!producer.ok()) return producer.status();
  // Not before: until now a signal may simply end the program.
  const auto signals = StopSignals::install();
  if (!signals.ok()) return signals.status();
  StandardInput input(**signals);
  std::size_t count = 0;
  const absl::Status written = produce_lines(topic, input, *producer, count);
  // Whoever stopped the program wants it to end, whether a broker answers or not.
  const Duration patience = (*signals)->stopped() ? invocation.config.runtime().drain_timeout : kFlushWithin;
  const absl::Status flushed = producer->flush(std::chrono::ceil<std::chrono::milliseconds>(patience));
  if (flushed.ok()) say("slipstream produce: " + std::to_string(count) + " records written to " + topic);
  return written.ok() ? flushed : written;
}

}  // namespace

int run_produce(int argc, const char* const* argv) {
  return run_command(
      {.name = "produce",
       .arguments = {"TOPIC"},
       .about = "Writes one record per line of the standard input to TOPIC, which must exist. A line is a "
                "JSON object:\n\n"
                "  {\"key\": \"EWR\", \"value\": {\"wind\": 7}, \"headers\": {\"from\": \"me\"}, "
                "\"partition\": 0,\n"
                "   \"timestamp\": \"2013-01-01T05:00:00Z\"}\n\n"
                "Only value is needed; null makes a tombstone. An object or array stands for its own JSON "
                "text, and\n"
                "key_base64 and value_base64 take any bytes. What consume prints can be written again.",
       .options = {kBrokers},
       .run = produce},
      argc, argv);
}

}  // namespace slipstream::cli
