#pragma once
#include <algorithm>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/codec.h"
#include "slipstream/connector.h"
#include "slipstream/detail/batch.h"
#include "slipstream/detail/invoke.h"

namespace slipstream::detail {

std::string describe_current_exception();

/// Where a typed source puts what it reads; the limits are its own to keep.
template <class T>
class SourceBatch {
 public:
  /// Called with a record that couldn't be decoded; decides by the node's error policy.
  using Bad = std::function<void(const RawRecord&, std::string_view cause)>;

  SourceBatch(Batch<T>& batch, std::uint32_t source, std::uint32_t partition, const Bad& bad)
      : batch_(batch), bad_(bad), source_(source), partition_(partition) {}

  void add(T value, std::int64_t offset, std::optional<EventTime> timestamp = {},
           HeadersPtr headers = nullptr) {
    start(offset);
    next_offset_ = offset + 1;
    batch_.ids.push_offset(offset);
    batch_.values.push_back(std::move(value));
    const std::size_t i = batch_.size() - 1;
    if (timestamp) {
      batch_.times.resize(i, kMinTime);
      batch_.times.push_back(*timestamp);
    } else if (!batch_.times.empty()) {
      batch_.times.push_back(kMinTime);
    }
    if (headers || !batch_.headers.empty()) {
      batch_.headers.resize(i);
      batch_.headers.push_back(std::move(headers));
    }
  }
  /// Many at once, with consecutive offsets.
  void add_range(const T* first, std::size_t count, std::int64_t offset) {
    start(offset);
    next_offset_ = offset + static_cast<std::int64_t>(count);
    batch_.ids.push_offsets(offset, count);
    batch_.values.insert(batch_.values.end(), first, first + count);
  }
  /// No record read after this one is older, whatever the records themselves say.
  void advance_watermark(EventTime to) { watermark_ = std::max(watermark_, to); }
  EventTime watermark() const { return watermark_; }
  void bad(const RawRecord& record, std::string_view cause) {
    ++read_bad_;
    next_offset_ = record.offset + 1;
    bad_(record, cause);
  }
  /// Behind the last record, good or bad.
  std::int64_t next_offset() const { return next_offset_; }
  std::size_t size() const { return batch_.size(); }
  std::size_t bad_count() const { return read_bad_; }

 private:
  void start(std::int64_t offset) {
    if (batch_.ids.size() == 0) batch_.ids.start(source_, partition_, offset);
  }

  Batch<T>& batch_;
  const Bad& bad_;
  std::uint32_t source_;
  std::uint32_t partition_;
  std::size_t read_bad_ = 0;
  std::int64_t next_offset_ = 0;
  EventTime watermark_ = kMinTime;
};

/// Reads a source's partitions for one lane.
template <class T>
class SourceReader {
 public:
  virtual ~SourceReader() = default;
  virtual absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, SourceBatch<T>& out) = 0;
};

/// A source of records of one type.
template <class T>
class TypedSource {
 public:
  virtual ~TypedSource() = default;
  virtual SourceControl& control() = 0;
  virtual std::unique_ptr<SourceReader<T>> make_reader() = 0;
};

/// A source of bytes. A Decode makes a T of a record: decode(partition, RawRecord, T&) -> absl::Status; every
/// lane makes its own.
template <class T, class Decode>
class DecodedSource final : public TypedSource<T> {
 public:
  DecodedSource(std::shared_ptr<RawSource> raw, std::function<Decode()> make)
      : raw_(std::move(raw)), make_(std::move(make)) {}
  SourceControl& control() override { return *raw_; }
  std::unique_ptr<SourceReader<T>> make_reader() override { return std::make_unique<Reader>(*raw_, make_()); }

 private:
  class Reader final : public SourceReader<T>, RawCollector {
   public:
    Reader(RawSource& raw, Decode decode) : raw_(raw), decode_(std::move(decode)) {}
    absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, SourceBatch<T>& out) override {
      out_ = &out;
      partition_ = partition;
      return raw_.read(partition, limits, *this);
    }

   private:
    void add(std::span<const RawRecord> records) override {
      for (const RawRecord& r : records) {
        T value{};
        if (absl::Status s = decode(r, value); s.ok()) {
          out_->add(std::move(value), r.offset, r.timestamp, r.headers);
        } else {
          out_->bad(r, {s.message().data(), s.message().size()});
        }
      }
    }
    absl::Status decode(const RawRecord& record, T& value) {
      try {
        return decode_(partition_, record, value);
      } catch (...) {
        return absl::InvalidArgumentError(describe_current_exception());
      }
    }
    RawSource& raw_;
    Decode decode_;
    int partition_ = 0;
    SourceBatch<T>* out_ = nullptr;
  };

  std::shared_ptr<RawSource> raw_;
  std::function<Decode()> make_;
};

/// Makes a T of a record's value alone.
template <class T>
struct ValueDecode {
  typename Codec<T>::Decode decode;
  absl::Status operator()(int, const RawRecord& record, T& value) const {
    if (record.value) return decode(*record.value, value);
    return absl::InvalidArgumentError("the value is null (a tombstone); this source reads values only");
  }
};

/// A source that is its own control and reader: the in-memory ones.
template <class T>
class MemorySource : public TypedSource<T>, protected SourceControl {
 public:
  SourceControl& control() override { return *this; }
  std::unique_ptr<SourceReader<T>> make_reader() override { return std::make_unique<Reader>(*this); }

 protected:
  absl::Status open(const SourceEnv&) override { return absl::OkStatus(); }
  int partition_count() const override { return 1; }
  virtual absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, SourceBatch<T>& out) = 0;

 private:
  class Reader final : public SourceReader<T> {
   public:
    explicit Reader(MemorySource& source) : source_(source) {}
    absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, SourceBatch<T>& out) override {
      return source_.read(partition, limits, out);
    }

   private:
    MemorySource& source_;
  };
};

template <class T>
class StoredSource final : public MemorySource<T> {
 public:
  explicit StoredSource(std::vector<std::vector<T>> partitions) : partitions_(std::move(partitions)) {
    if (partitions_.empty()) partitions_.emplace_back();
    at_.resize(partitions_.size());
  }
  std::string name() const override { return "in-memory records"; }
  int partition_count() const override { return static_cast<int>(partitions_.size()); }

 protected:
  bool can_seek() const override { return true; }
  absl::StatusOr<std::optional<std::int64_t>> seek(int partition, std::int64_t offset) override {
    const auto size = static_cast<std::int64_t>(partitions_[static_cast<std::size_t>(partition)].size());
    if (offset > size) {
      return absl::OutOfRangeError(name() + " partition " + std::to_string(partition) +
                                   ": the sought offset " + std::to_string(offset) +
                                   " is outside of what there is, 0 to " + std::to_string(size));
    }
    const std::int64_t at = offset == kBeginning ? 0 : offset == kEnd ? size : offset;
    at_[static_cast<std::size_t>(partition)].value = static_cast<std::size_t>(at);
    return at;
  }
  absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, SourceBatch<T>& out) override {
    const auto& records = partitions_[static_cast<std::size_t>(partition)];
    std::size_t& at = at_[static_cast<std::size_t>(partition)].value;
    const std::size_t end = std::min(records.size(), at + limits.max_records);
    std::size_t until = at;
    if constexpr (kFixedFootprint<T>) {
      until = std::min(end, at + std::max<std::size_t>(1, limits.max_bytes / (sizeof(T) + kColumnBytes)));
    } else {
      for (std::size_t bytes = 0; until < end && bytes < limits.max_bytes; ++until)
        bytes += footprint(records[until]) + kColumnBytes;
    }
    if (until > at) out.add_range(records.data() + at, until - at, static_cast<std::int64_t>(at));
    at = until;
    return at == records.size() ? ReadState::finished : ReadState::more;
  }

 private:
  struct alignas(64) Position {  // one lane each: no false sharing
    std::size_t value = 0;
  };
  std::vector<std::vector<T>> partitions_;
  std::vector<Position> at_;
};

template <class T, class Range>
class WalkedSource final : public MemorySource<T> {
 public:
  explicit WalkedSource(Range range) : range_(std::move(range)) {}
  std::string name() const override { return "range"; }

 protected:
  absl::StatusOr<ReadState> read(int, const ReadLimits& limits, SourceBatch<T>& out) override {
    try {
      if (!it_) it_.emplace(std::begin(range_));
      for (std::size_t n = 0, bytes = 0; n < limits.max_records && bytes < limits.max_bytes; ++n) {
        if (*it_ == std::end(range_)) return ReadState::finished;
        T value = **it_;
        bytes += footprint(value) + kColumnBytes;
        out.add(std::move(value), offset_++);
        ++*it_;
      }
      return *it_ == std::end(range_) ? ReadState::finished : ReadState::more;
    } catch (...) {
      return absl::UnknownError("the range failed at element " + std::to_string(offset_) + ": " +
                                describe_current_exception());
    }
  }

 private:
  Range range_;
  std::optional<decltype(std::begin(std::declval<Range&>()))> it_;
  std::int64_t offset_ = 0;
};

template <class T, class F>
class GeneratedSource final : public MemorySource<T> {
 public:
  explicit GeneratedSource(F f) : f_(std::move(f)) {}
  std::string name() const override { return "generate"; }

 protected:
  absl::StatusOr<ReadState> read(int, const ReadLimits& limits, SourceBatch<T>& out) override {
    try {
      for (std::size_t n = 0, bytes = 0; n < limits.max_records && bytes < limits.max_bytes; ++n) {
        auto next = f_();
        if (!next) return ReadState::finished;
        bytes += footprint(*next) + kColumnBytes;
        out.add(std::move(*next), offset_++);
      }
      return ReadState::more;
    } catch (...) {
      return absl::UnknownError("the callable failed at record " + std::to_string(offset_) + ": " +
                                describe_current_exception());
    }
  }

 private:
  F f_;
  std::int64_t offset_ = 0;
};

}  // namespace slipstream::detail
