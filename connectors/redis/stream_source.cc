#include <algorithm>
#include <thread>

#include "connectors/redis/connection.h"
#include "connectors/redis/entry_id.h"
#include "slipstream/detail/arrivals.h"
#include "slipstream/detail/io_thread.h"

namespace slipstream::redis {
namespace {

/// Of one XREAD: before it is known how large they are, and at most.
constexpr std::size_t kFirstEntries = 16;
constexpr std::size_t kMostEntries = 256;
/// A server that isn't heard of for longer than it was told to wait is gone.
constexpr std::string_view kBlockMilliseconds = "5000";
constexpr std::chrono::seconds kReplyTimeout{15};

struct Arrived {
  std::int64_t offset = 0;
  Entry entry;
};

std::size_t size_of(const Entry& entry) {
  std::size_t bytes = sizeof(Arrived) + entry.id.size();
  for (const auto& [name, value] : entry.fields)
    bytes += sizeof(entry.fields[0]) + name.size() + value.size();
  return bytes;
}

const redisReply* element(const redisReply& reply, std::size_t i) {
  return reply.type == REDIS_REPLY_ARRAY && i < reply.elements ? reply.element[i] : nullptr;
}

/// Of [id, [name, value, …]].
bool read_entry(const redisReply& reply, Entry& out) {
  const redisReply* id = element(reply, 0);
  const redisReply* fields = element(reply, 1);
  if (id == nullptr || id->type != REDIS_REPLY_STRING || fields == nullptr) return false;
  out.id = text_of(*id);
  for (std::size_t i = 0; i + 1 < fields->elements; i += 2) {
    out.fields.emplace_back(text_of(*fields->element[i]), text_of(*fields->element[i + 1]));
  }
  return true;
}

/// One thread reads entries into a bounded buffer.
class StreamSource final : public RawSource {
 public:
  StreamSource(std::string stream, std::string field, StreamOptions options)
      : stream_(std::move(stream)),
        field_(std::move(field)),
        options_(std::move(options)),
        name_("redis stream " + stream_) {}
  ~StreamSource() override { (void)close(); }

  std::string name() const override { return name_; }
  std::string position(int, std::int64_t offset) const override {
    return name_ + " entry " + EntryId::of_offset(offset).text();
  }
  int partition_count() const override { return 1; }
  absl::Status open(const SourceEnv& env) override;
  absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, RawCollector& out) override;
  absl::Status close() override;

 private:
  using Arrivals = detail::Arrivals<Arrived>;
  using Input = Arrivals::Input;

  absl::StatusOr<EntryId> find_end();
  absl::Status find_bounds();
  // Of the thread.
  void run();
  absl::Status read_entries();
  absl::Status fetch(bool may_wait);
  std::size_t entries_to_ask_for() const;
  absl::StatusOr<bool> take_reply(const redisReply& reply);
  bool wait_for_room();

  void hand_over(const std::vector<Arrived>& batch, RawCollector& out) const;

  const std::string stream_;
  const std::string field_;
  const StreamOptions options_;
  const std::string name_;
  std::unique_ptr<Connection> connection_;  // constant while open; the thread's, but for wake() and stop()
  EntryId last_;                            // of the thread: what is behind it is unread
  std::size_t entry_bytes_ = 0;             // of the thread: of an entry, about; 0: unknown
  std::optional<EntryId> until_;            // constant while open
  std::thread thread_;
  Arrivals arrivals_;
};

absl::Status StreamSource::open(const SourceEnv& env) {
  if (absl::Status s = check_server(options_.server); !s.ok()) return s;
  if (options_.start.id() != "$" && !EntryId::parse(options_.start.id())) {
    return absl::InvalidArgumentError(name_ + ": '" + options_.start.id() +
                                      "' is no entry's id; write one like 1700000000000-0");
  }
  arrivals_.open(env, [this] { connection_->wake(); });
  connection_ = std::make_unique<Connection>(name_, options_.server, env.log);
  if (absl::Status s = connection_->connect(); !s.ok()) return s;
  if (absl::Status s = find_bounds(); !s.ok()) return s;
  thread_ = detail::start_io_thread([this] { run(); });
  return absl::OkStatus();
}

absl::Status StreamSource::find_bounds() {
  const absl::StatusOr<EntryId> end = find_end();
  if (!end.ok()) return end.status();
  if (options_.until_end) until_ = *end;
  last_ = options_.start.id() == "$" ? *end : *EntryId::parse(options_.start.id());
  return absl::OkStatus();
}

/// The id of the last entry; 0-0 when there is none.
absl::StatusOr<EntryId> StreamSource::find_end() {
  const std::string_view command[] = {"XREVRANGE", stream_, "+", "-", "COUNT", "1"};
  const absl::StatusOr<Reply> reply = connection_->ask(command, kReplyTimeout);
  if (!reply.ok()) return reply.status();
  const redisReply* last = element(**reply, 0);
  if (last == nullptr) return EntryId{};
  Entry entry;
  const auto id = read_entry(*last, entry) ? EntryId::parse(entry.id) : std::nullopt;
  if (!id) return absl::InternalError(name_ + ": the server's answer to XREVRANGE can't be understood");
  return *id;
}

absl::Status StreamSource::close() {
  if (connection_) connection_->stop();
  if (thread_.joinable()) thread_.join();
  return absl::OkStatus();
}

// The thread.

void StreamSource::run() {
  for (;;) {
    if (!connection_->is_connected()) {
      absl::Status status = connection_->connect();
      if (absl::IsCancelled(status)) return;
      if (!status.ok()) return arrivals_.end(std::move(status));
    }
    absl::Status status = read_entries();
    if (absl::IsCancelled(status)) return;
    if (status.ok()) return arrivals_.end(std::move(status));
    connection_->lost(status);
    if (!absl::IsUnavailable(status)) return arrivals_.end(std::move(status));
    arrivals_.set_input(Input::fetching);  // what comes meanwhile is unread
  }
}

/// OK: everything that was asked for is read.
absl::Status StreamSource::read_entries() {
  bool may_wait = false;
  while (!until_ || last_ < *until_) {
    if (!wait_for_room()) return absl::CancelledError(name_ + ": closed");
    const EntryId before = last_;
    if (absl::Status s = fetch(may_wait); !s.ok()) return s;
    if (last_ != before) {
      may_wait = false;
    } else if (!may_wait) {
      // Asked without waiting and got nothing: nothing is unread. What was the end may have been deleted
      // meanwhile.
      if (until_) break;
      arrivals_.set_input(Input::quiet);
      may_wait = true;
    }
  }
  return absl::OkStatus();
}

absl::Status StreamSource::fetch(bool may_wait) {
  const std::string from = last_.text();
  const std::string count = std::to_string(entries_to_ask_for());
  std::vector<std::string_view> command = {"XREAD", "COUNT", count};
  if (may_wait) command.insert(command.end(), {"BLOCK", kBlockMilliseconds});
  command.insert(command.end(), {"STREAMS", stream_, from});
  const absl::StatusOr<Reply> reply = connection_->ask(command, kReplyTimeout);
  if (!reply.ok()) return reply.status();
  const absl::StatusOr<bool> any = take_reply(**reply);
  if (!any.ok()) return any.status();
  if (*any) arrivals_.set_input(Input::fetching);
  return absl::OkStatus();
}

/// A reply comes beside what is in the buffer, so it is to be about half of that.
std::size_t StreamSource::entries_to_ask_for() const {
  if (entry_bytes_ == 0) return kFirstEntries;
  return std::clamp(arrivals_.most_bytes() / 2 / entry_bytes_, std::size_t{1}, kMostEntries);
}

/// Of [[stream, [entry, …]]], or nil. Whether there were entries.
absl::StatusOr<bool> StreamSource::take_reply(const redisReply& reply) {
  const redisReply* stream = element(reply, 0);
  const redisReply* entries = stream != nullptr ? element(*stream, 1) : nullptr;
  if (entries == nullptr) return false;
  std::size_t arrived = 0, total_bytes = 0;
  for (std::size_t i = 0; i < entries->elements; ++i) {
    Entry entry;
    const auto id = read_entry(*entries->element[i], entry) ? EntryId::parse(entry.id) : std::nullopt;
    if (!id) return absl::InternalError(name_ + ": the server's answer to XREAD can't be understood");
    const auto offset = id->offset();
    if (!offset) {
      return absl::OutOfRangeError(name_ + ": the entry's id " + entry.id +
                                   " is none that a clock makes and doesn't fit an offset");
    }
    if (until_ && *id > *until_) {
      last_ = *until_;
      break;
    }
    last_ = *id;
    const std::size_t bytes = size_of(entry);
    total_bytes += bytes;
    ++arrived;
    arrivals_.add({*offset, std::move(entry)}, bytes);
  }
  if (arrived > 0) {
    // Rises at once and falls slowly: asking for too many costs memory, for too few only time.
    const std::size_t average = total_bytes / arrived;
    entry_bytes_ = std::max(average, (entry_bytes_ + average) / 2);
  }
  return arrived > 0;
}

/// False when the source closes.
bool StreamSource::wait_for_room() {
  while (!arrivals_.has_room()) {
    const absl::Status status = connection_->wait();
    if (absl::IsCancelled(status)) return false;
    // A connection that is lost is noticed by the next command.
    if (!status.ok()) return true;
  }
  return true;
}

// The reading lane.

absl::StatusOr<ReadState> StreamSource::read(int, const ReadLimits& limits, RawCollector& out) {
  return arrivals_.read(limits, [&](const std::vector<Arrived>& batch) { hand_over(batch, out); });
}

void StreamSource::hand_over(const std::vector<Arrived>& batch, RawCollector& out) const {
  std::vector<RawRecord> records;
  records.reserve(batch.size());
  for (const auto& [offset, entry] : batch) {
    Headers headers;
    for (const auto& [name, value] : entry.fields) headers.push_back({name, value});
    RawRecord& record = records.emplace_back();
    record.key = entry.id;
    if (field_.empty()) {
      record.value = "";
    } else if (const std::string* value = entry.field(field_)) {
      record.value = *value;
    }
    record.offset = offset;
    record.timestamp = EventTime(std::chrono::milliseconds(EntryId::of_offset(offset).milliseconds));
    record.headers = std::make_shared<const Headers>(std::move(headers));
  }
  out.add(records);
}

/// Makes an entry of a record again.
absl::Status decode_entry(int, const RawRecord& record, Entry& entry) {
  entry.id = *record.key;
  for (const Header& field : *record.headers) entry.fields.emplace_back(field.name, field.value);
  return absl::OkStatus();
}

}  // namespace

const std::string* Entry::field(std::string_view name) const {
  const auto found =
      std::find_if(fields.begin(), fields.end(), [&](const auto& f) { return f.first == name; });
  return found == fields.end() ? nullptr : &found->second;
}

std::shared_ptr<RawSource> raw_stream_source(std::string stream, std::string field, StreamOptions options) {
  return std::make_shared<StreamSource>(std::move(stream), std::move(field), std::move(options));
}

Source<Entry> stream_source(std::string stream, StreamOptions options) {
  using Decode = decltype(&decode_entry);
  return Source<Entry>(std::make_shared<detail::DecodedSource<Entry, Decode>>(
      raw_stream_source(std::move(stream), "", std::move(options)), [] { return &decode_entry; }));
}

}  // namespace slipstream::redis
