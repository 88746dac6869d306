#pragma once
#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipstream/connector.h"
#include "waiting.h"

/// Connectors whose every move a test decides and reads back.
namespace slipstream::test {

/// What was asked of connectors, in order. Thread-safe.
class Journal {
 public:
  void add(std::string entry) {
    const std::lock_guard lock(mutex_);
    entries_.push_back(std::move(entry));
    changed_.notify_all();
  }
  std::vector<std::string> entries() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }
  /// Without what happens as often as it pleases: reads, writes, holds.
  std::vector<std::string> ends() const {
    std::vector<std::string> kept;
    for (const std::string& e : entries()) {
      if (e.find(" open") != std::string::npos || e.find(" close") != std::string::npos ||
          e.find(" finish") != std::string::npos) {
        kept.push_back(e);
      }
    }
    return kept;
  }
  std::size_t count(std::string_view entry) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::count(entries_.begin(), entries_.end(), entry));
  }
  /// False after kPatience.
  bool wait_for(std::string_view entry) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] {
      return std::find(entries_.begin(), entries_.end(), entry) != entries_.end();
    });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<std::string> entries_;
};

/// Reads what was pushed; finishes when told to.
class FakeSource final : public RawSource {
 public:
  struct Options {
    std::string name = "fake source";
    int partitions = 1;
    bool commits = false;
    bool finished = true;  ///< once everything pushed is read
    absl::Status open = absl::OkStatus();
    absl::Status close = absl::OkStatus();
    std::function<void(const SourceEnv&)> on_open = {};
    std::function<absl::Status(std::span<const PartitionOffset>)> on_commit = {};
    /// Called before each read; an error is returned by it.
    std::function<absl::Status(int partition)> on_read = {};
    /// Where a seek goes on, when it is known; without it the source can't be sought.
    std::function<absl::StatusOr<std::optional<std::int64_t>>(int partition, std::int64_t offset)> on_seek =
        {};
  };

  FakeSource(Options options, std::shared_ptr<Journal> journal)
      : options_(std::move(options)),
        journal_(std::move(journal)),
        partitions_(static_cast<std::size_t>(options_.partitions)),
        finished_(options_.finished) {}

  void push(std::string value, int partition = 0) {
    {
      const std::lock_guard lock(mutex_);
      partitions_[static_cast<std::size_t>(partition)].values.push_back(std::move(value));
    }
    wake();
  }
  void finish() {
    {
      const std::lock_guard lock(mutex_);
      finished_ = true;
    }
    wake();
  }
  std::int64_t read_so_far(int partition = 0) const {
    const std::lock_guard lock(mutex_);
    return partitions_[static_cast<std::size_t>(partition)].offset;
  }
  const SourceEnv& env() const { return env_; }

  std::string name() const override { return options_.name; }
  absl::Status open(const SourceEnv& env) override {
    journal_->add(options_.name + " open");
    {
      const std::lock_guard lock(mutex_);
      env_ = env;
    }
    if (options_.on_open) options_.on_open(env);
    return options_.open;
  }
  int partition_count() const override { return options_.partitions; }
  void hold(int partition, bool held) override {
    journal_->add(options_.name + (held ? " hold " : " go on ") + std::to_string(partition));
  }
  bool commits() const override { return options_.commits; }
  absl::Status commit(std::span<const PartitionOffset> offsets) override {
    for (const PartitionOffset& o : offsets) {
      journal_->add(options_.name + " commit " + std::to_string(o.partition) + ":" +
                    std::to_string(o.next_offset));
    }
    return options_.on_commit ? options_.on_commit(offsets) : absl::OkStatus();
  }
  bool can_seek() const override { return options_.on_seek != nullptr; }
  absl::StatusOr<std::optional<std::int64_t>> seek(int partition, std::int64_t offset) override {
    auto at = options_.on_seek(partition, offset);
    const std::lock_guard lock(mutex_);
    if (at.ok() && *at) partitions_[static_cast<std::size_t>(partition)].offset = **at;
    return at;
  }
  absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, RawCollector& out) override {
    if (options_.on_read) {
      if (absl::Status s = options_.on_read(partition); !s.ok()) return s;
    }
    const std::lock_guard lock(mutex_);
    Partition& p = partitions_[static_cast<std::size_t>(partition)];
    std::size_t bytes = 0;
    const auto size = static_cast<std::int64_t>(p.values.size());
    for (std::size_t n = 0; n < limits.max_records && bytes < limits.max_bytes && p.offset < size; ++n) {
      RawRecord record;
      record.value = p.values[static_cast<std::size_t>(p.offset)];
      record.offset = p.offset++;
      bytes += record.value->size();
      out.add({&record, 1});
    }
    if (p.offset < size) return ReadState::more;
    return finished_ ? ReadState::finished : ReadState::caught_up;
  }
  absl::Status close() override {
    journal_->add(options_.name + " close");
    return options_.close;
  }

 private:
  struct Partition {
    std::vector<std::string> values;
    std::int64_t offset = 0;  ///< of the next to read
  };
  void wake() {
    std::function<void()> wake;
    {
      const std::lock_guard lock(mutex_);
      wake = env_.wake;
    }
    if (wake) wake();
  }

  const Options options_;
  const std::shared_ptr<Journal> journal_;
  mutable std::mutex mutex_;
  std::vector<Partition> partitions_;
  bool finished_;
  SourceEnv env_;
};

/// Takes as much as it has room for and delivers when told to.
class FakeSink final : public RawSink {
 public:
  struct Options {
    std::string name = "fake sink";
    std::size_t room = SIZE_MAX;  ///< records to take until make_room()
    bool delivers = true;         ///< at once; else deliver() does
    absl::Status open = absl::OkStatus();
    absl::Status write = absl::OkStatus();
    absl::Status flush = absl::OkStatus();
    absl::Status delivery = absl::OkStatus();
    absl::Status finish = absl::OkStatus();
    absl::Status close = absl::OkStatus();
    std::function<void()> on_open = {};
    std::function<void(std::size_t taken)> on_write = {};
    /// Called with what is offered before it is taken; an error is returned by write.
    std::function<absl::Status(std::span<const OutRecord>)> on_offer = {};
  };

  FakeSink(Options options, std::shared_ptr<Journal> journal)
      : options_(std::move(options)), journal_(std::move(journal)), room_(options_.room) {}

  void make_room(std::size_t records) {
    {
      const std::lock_guard lock(mutex_);
      room_ += records;
    }
    env_.wake();
  }
  void deliver(std::size_t records = SIZE_MAX) {
    {
      const std::lock_guard lock(mutex_);
      delivered_ = std::min(values_.size(), records == SIZE_MAX ? records : delivered_ + records);
    }
    env_.wake();
  }
  std::vector<std::string> values() const {
    const std::lock_guard lock(mutex_);
    return values_;
  }
  std::size_t taken() const {
    const std::lock_guard lock(mutex_);
    return values_.size();
  }
  std::size_t delivered_so_far() const {
    const std::lock_guard lock(mutex_);
    return options_.delivers ? values_.size() : delivered_;
  }
  bool is_open() const {
    const std::lock_guard lock(mutex_);
    return is_open_;
  }
  const SinkEnv& env() const { return env_; }

  std::string name() const override { return options_.name; }
  absl::Status open(const SinkEnv& env) override {
    journal_->add(options_.name + " open");
    if (options_.on_open) options_.on_open();
    const std::lock_guard lock(mutex_);
    env_ = env;
    is_open_ = options_.open.ok();
    return options_.open;
  }
  absl::StatusOr<std::size_t> write(std::span<const OutRecord> records) override {
    if (!options_.write.ok()) return options_.write;
    if (options_.on_offer) {
      if (absl::Status s = options_.on_offer(records); !s.ok()) return s;
    }
    std::size_t total = 0;
    std::size_t n = 0;
    {
      const std::lock_guard lock(mutex_);
      if (!is_open_) return absl::InternalError("written to while it isn't open");
      for (; n < records.size() && room_ > 0; ++n, --room_) values_.emplace_back(*records[n].value);
      total = values_.size();
    }
    if (n < records.size()) journal_->add(options_.name + " is full");
    if (options_.on_write) options_.on_write(total);
    return n;
  }
  absl::StatusOr<std::uint64_t> delivered() override {
    if (!options_.delivery.ok()) return options_.delivery;
    return delivered_so_far();
  }
  absl::Status flush() override {
    journal_->add(options_.name + " flush");
    return options_.flush;
  }
  absl::Status finish() override {
    journal_->add(options_.name + " finish");
    return options_.finish;
  }
  absl::Status close() override {
    journal_->add(options_.name + " close");
    const std::lock_guard lock(mutex_);
    is_open_ = false;
    return options_.close;
  }

 private:
  const Options options_;
  const std::shared_ptr<Journal> journal_;
  mutable std::mutex mutex_;
  std::size_t room_;
  std::vector<std::string> values_;
  std::size_t delivered_ = 0;
  bool is_open_ = false;
  SinkEnv env_;
};

}  // namespace slipstream::test
