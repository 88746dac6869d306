#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/log.h"
#include "slipstream/record.h"
#include "slipstream/signal.h"
#include "slipstream/time.h"

/// What a connector implements: sources and sinks of bytes. Users of connectors don't need this header.
namespace slipstream {

struct RuntimeConfig;

/// One record as a source reads it. The views are valid during RawCollector::add.
struct RawRecord {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  ///< empty: a tombstone
  std::int64_t offset = 0;                ///< rising inside a partition; gaps are fine
  std::optional<EventTime> timestamp;     ///< the source's own, e.g. the broker's
  HeadersPtr headers;
};

/// Takes what a source reads. One call per read with all its records is best; each call costs a virtual call.
class RawCollector {
 public:
  virtual ~RawCollector() = default;
  virtual void add(std::span<const RawRecord> records) = 0;
};

/// What a source partition knows after a read.
enum class ReadState {
  more,     ///< there may be more at once
  waiting,  ///< something may be unread but isn't here yet (a fetch is under way); SourceEnv::wake tells when
  caught_up,  ///< nothing is unread now, more may come; SourceEnv::wake tells when
  finished,   ///< nothing will come any more
};

/// Stop once either is reached; one record may go beyond max_bytes. Both are at least 1.
struct ReadLimits {
  std::size_t max_records = 1;
  std::size_t max_bytes = 1;
};

/// What the runtime lends to a source, from open() until close() has returned.
struct SourceEnv {
  std::function<void()> wake;              ///< "look at me again": cheap, from any thread
  std::function<void(absl::Status)> fail;  ///< ends the run with this error; from any thread
  LogHook log;                             ///< never null
  std::size_t memory_budget = 0;           ///< bytes this source may hold before they are read
  std::function<EventTime()>
      now;  ///< the runtime's clock; never goes back; virtual in tests; from any thread
  const RuntimeConfig* config = nullptr;  ///< the App's settings; null where there is no App
  /// Like wake, once now() has reached this time. Several calls may be outstanding; each leads to a wake.
  std::function<void(EventTime)> wake_at;
  std::function<Signal()> signal;  ///< what the source was told last; from any thread
};

/// Offsets for SourceControl::seek and SourceStream::seek, beside those from 0 on.
inline constexpr std::int64_t kBeginning = -2;  ///< the oldest record there is
inline constexpr std::int64_t kEnd = -1;        ///< behind the newest

struct PartitionOffset {
  int partition = 0;
  std::int64_t next_offset = 0;  ///< the first record that is not yet done
};

/// The half of a source that doesn't depend on its record type. open, commit and close come from one thread
/// at a time and may block; read comes from lanes, for one partition from one thread at a time, and must not
/// block; hold may come from any thread.
class SourceControl {
 public:
  virtual ~SourceControl() = default;
  /// For messages: "kafka topic orders", "file flights.csv".
  virtual std::string name() const = 0;
  /// For messages about one record: "flights.csv line 1234". From any thread while the source is open.
  virtual std::string position(int partition, std::int64_t offset) const {
    return name() + " partition " + std::to_string(partition) + " offset " + std::to_string(offset);
  }
  /// The offset the partition's next record will get, as far as is known without asking anybody; for lag.
  /// From any thread while the source is open.
  virtual std::optional<std::int64_t> end_offset(int /*partition*/) const { return std::nullopt; }
  /// The offset the partition's first record will have, or less; for lag. Known after open().
  virtual std::int64_t start_offset(int /*partition*/) const { return 0; }
  /// Opens what has to be opened. After success partition_count() is known.
  virtual absl::Status open(const SourceEnv& env) = 0;
  /// At least 1 after open. Partitions are numbered from 0.
  virtual int partition_count() const = 0;
  /// The runtime won't read this partition until further notice (held), or will again. A source may stop
  /// fetching; it must not lose what it has fetched.
  virtual void hold(int /*partition*/, bool /*held*/) {}
  /// Whether seek() means anything to this source.
  virtual bool can_seek() const { return false; }
  /// The partition's next read, also after it had finished, is to begin at this offset: one from 0 on,
  /// kBeginning or kEnd. Called by the lane that reads the partition; must not block. Returns the offset it
  /// goes on at; empty: it isn't known yet, SourceEnv::wake tells when to ask again. An error ends the run.
  virtual absl::StatusOr<std::optional<std::int64_t>> seek(int /*partition*/, std::int64_t /*offset*/) {
    return absl::UnimplementedError(name() + " can't be sought");
  }
  /// How many records it gave up because nobody read them in time; for metrics. From any thread.
  virtual std::uint64_t dropped(int /*partition*/) const { return 0; }
  /// What handlers write to so that this source hands it out, such as a cache, by its address; null for most.
  virtual const void* echo_of() const { return nullptr; }
  /// Nothing will be read any more: the run or this source was told to stop. From any thread while the source
  /// is open, perhaps more than once.
  virtual void stopping() {}
  /// False: the next read comes only when all that was read before has been dealt with.
  virtual bool reads_ahead() const { return true; }
  /// Whether commit() means anything to this source.
  virtual bool commits() const { return false; }
  /// Records below these offsets are done, with all their effects.
  virtual absl::Status commit(std::span<const PartitionOffset> /*offsets*/) { return absl::OkStatus(); }
  /// No read is under way and none will come.
  virtual absl::Status close() { return absl::OkStatus(); }
};

class RawSource : public SourceControl {
 public:
  /// Hands over whole records within `limits`. An error ends the run with its message.
  virtual absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, RawCollector& out) = 0;
};

/// One record for a sink. The views are valid during RawSink::write.
struct OutRecord {
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  ///< empty: a tombstone
  std::optional<EventTime> timestamp;
  const Headers* headers = nullptr;
};

/// What the runtime lends to a sink, from open() until close() has returned.
struct SinkEnv {
  std::function<void()> wake;  ///< there is room again, or more is delivered: cheap, from any thread
  std::function<void(absl::Status)> fail;
  LogHook log;
  std::size_t memory_budget = 0;          ///< bytes this sink may hold after it took them
  const RuntimeConfig* config = nullptr;  ///< the App's settings; null where there is no App
};

/// All calls come from one thread at a time; write and delivered must not block unless the sink is declared
/// blocking where it is attached (then it runs on a thread of its own).
class RawSink {
 public:
  virtual ~RawSink() = default;
  virtual std::string name() const = 0;
  virtual absl::Status open(const SinkEnv& env) = 0;
  /// Takes the first k records and returns k. k < size means full for now: SinkEnv::wake calls for the rest.
  /// After an error none of them counts as taken; they may be offered again (SinkOptions::errors).
  virtual absl::StatusOr<std::size_t> write(std::span<const OutRecord> records) = 0;
  /// What a write refused is offered again after a while.
  struct Retry {
    int number = 0;  ///< the first is 1; 0: no more of them, the records were taken or given up
    int of = 0;      ///< how many there may be
    std::chrono::nanoseconds wait{0};
    absl::Status why = absl::OkStatus();
  };
  virtual void retrying(const Retry& /*retry*/) {}
  /// Of all records taken, how many of the first ones are delivered (a prefix, so this never goes back).
  /// An error is a failed delivery.
  virtual absl::StatusOr<std::uint64_t> delivered() = 0;
  /// Asks for delivery of everything taken without waiting for more; delivered() tells when it is so.
  virtual absl::Status flush() { return absl::OkStatus(); }
  /// The run ended well: nothing will be written any more and everything taken is delivered. Called once,
  /// before close; not called when the run failed. May block. A file gets its final name here.
  virtual absl::Status finish() { return absl::OkStatus(); }
  virtual absl::Status close() { return absl::OkStatus(); }
};

}  // namespace slipstream
