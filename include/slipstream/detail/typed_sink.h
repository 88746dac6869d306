#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/codec.h"
#include "slipstream/connector.h"
#include "slipstream/detail/invoke.h"
#include "slipstream/detail/operator.h"

namespace slipstream::detail {

template <class T>
class TypedSink {
 public:
  virtual ~TypedSink() = default;
  virtual RawSink& control() = 0;
  /// Takes the records from `from` on; returns how many. Each call from one thread at a time. A record that
  /// can't be encoded is reported to `bad` and counts as taken.
  virtual absl::StatusOr<std::size_t> write(
      const Batch<T>& batch, std::size_t from,
      const std::function<void(std::size_t, std::string_view)>& bad) = 0;
};

/// What a record is on the wire beside its bytes: first the key's, then the value's.
struct WireRecord {
  bool has_key = false;
  std::size_t key_size = 0;
  bool has_value = true;  ///< false: a tombstone
  /// Instead of the record's own; null and empty: those.
  const Headers* headers = nullptr;
  std::optional<EventTime> timestamp = {};
};

/// A sink of bytes. An Encode appends a record's key and value to bytes: encode(const T&, std::string&,
/// WireRecord&) -> absl::Status.
template <class T, class Encode>
class EncodedSink final : public TypedSink<T> {
 public:
  EncodedSink(std::shared_ptr<RawSink> raw, Encode encode)
      : raw_(std::move(raw)), encode_(std::move(encode)) {}
  RawSink& control() override { return *raw_; }

  absl::StatusOr<std::size_t> write(const Batch<T>& batch, std::size_t from,
                                    const std::function<void(std::size_t, std::string_view)>& bad) override {
    encode_all(batch, from);
    auto taken = raw_->write(records_);
    if (!taken.ok()) return taken.status();
    // Records that couldn't be encoded are done with when they stand before the first one not taken.
    const std::size_t end = *taken == records_.size() ? batch.size() : encoded_[*taken].position;
    for (const auto& [i, cause] : bad_) {
      if (i < end) bad(i, cause);
    }
    return end - from;
  }

 private:
  struct Encoded {
    WireRecord wire;
    std::size_t begin, end;
    std::size_t position;  ///< of the record in the batch
  };
  void encode_all(const Batch<T>& batch, std::size_t from) {
    bytes_.clear();
    encoded_.clear();
    bad_.clear();
    for (std::size_t i = from; i < batch.size(); ++i) {
      Encoded e{{}, bytes_.size(), 0, i};
      if (absl::Status s = encode(batch.values[i], e.wire); !s.ok()) {
        bytes_.resize(e.begin);
        bad_.emplace_back(i, std::string(s.message()));
        continue;
      }
      e.end = bytes_.size();
      encoded_.push_back(e);
    }
    view_all(batch);
  }
  absl::Status encode(const T& value, WireRecord& wire) {
    try {
      return encode_(value, bytes_, wire);
    } catch (...) {
      return absl::InvalidArgumentError(describe_current_exception());
    }
  }
  void view_all(const Batch<T>& batch) {
    records_.clear();
    const std::string_view all = bytes_;
    for (const Encoded& e : encoded_) {
      const std::size_t key_end = e.begin + e.wire.key_size;
      OutRecord r;
      if (e.wire.has_key) r.key = all.substr(e.begin, e.wire.key_size);
      if (e.wire.has_value) r.value = all.substr(key_end, e.end - key_end);
      r.timestamp = e.wire.timestamp;
      // kMinTime: a record without event time in a batch of others.
      if (!r.timestamp && batch.time(e.position) != kMinTime) r.timestamp = batch.times[e.position];
      r.headers = e.wire.headers ? e.wire.headers : batch.header(e.position);
      records_.push_back(r);
    }
  }

  std::shared_ptr<RawSink> raw_;
  Encode encode_;
  std::string bytes_;
  std::vector<Encoded> encoded_;
  std::vector<OutRecord> records_;
  std::vector<std::pair<std::size_t, std::string>> bad_;  ///< records that couldn't be encoded, and why
};

/// Encodes a record as a value, with the key that a function makes of it.
template <class T>
struct ValueEncode {
  typename Codec<T>::Encode encode;
  std::function<void(const T&, std::string&)> key;  ///< empty: no key
  std::string buffer = {};
  absl::Status operator()(const T& value, std::string& bytes, WireRecord& wire) {
    if (key) {
      buffer.clear();
      key(value, buffer);
      bytes += buffer;
      wire.has_key = true;
      wire.key_size = buffer.size();
    }
    return encode(value, bytes);
  }
};

/// A sink that is the user's callable: called for each record in turn, from one thread at a time.
template <class T, class F>
class CallSink final : public TypedOperator<T> {
 public:
  CallSink(const OperatorEnv& env, std::shared_ptr<F> f, bool is_slow)
      : TypedOperator<T>(env), f_(std::move(f)), is_slow_(is_slow) {}

 protected:
  void process(Batch<T>& batch) override {
    std::size_t i = 0;
    std::size_t done = 0;
    this->guarded(
        batch, i,
        [&](std::size_t at) {
          if (is_slow_ && this->lane().failed()) return false;
          call(*f_, batch, at);
          ++done;
          return true;
        },
        [](std::size_t) {});
    this->counters.skipped += batch.size() - i;
    this->counters.forwarded += done;
    this->counters.out += done;
  }

 private:
  std::shared_ptr<F> f_;
  const bool is_slow_;  ///< it is worth a look whether the run has failed before each call
};

/// The head of a connector's sink stage: one lane.
class SinkOperator {
 public:
  virtual ~SinkOperator() = default;
  /// Records the connector has taken so far.
  virtual std::uint64_t taken() const = 0;
  /// The connector calls: it has room again or has delivered more. From any thread.
  void wake() { woken_.store(true); }
  /// Whether to offer what is pending again: a connector that was full is left alone until it calls, one that
  /// failed until its backoff is over.
  virtual bool is_ready() const = 0;

 protected:
  std::atomic<bool> woken_{false};
};

template <class T>
class WriteSink final : public TypedOperator<T>, public SinkOperator {
 public:
  WriteSink(const OperatorEnv& env, TypedSink<T>& sink) : TypedOperator<T>(env), sink_(sink) {
    bad_ = [this](std::size_t i, std::string_view cause) {
      ++bad_count_;
      this->give_up(pending_, i, std::string(cause));
    };
  }
  bool has_pending() const override { return at_ < pending_.size(); }
  void resume() override {
    BusyScope busy(*this);
    write();
  }
  std::uint64_t taken() const override { return taken_.get(); }
  bool is_ready() const override { return failures_ > 0 ? this->lane().now() >= due_ : woken_.load(); }

 protected:
  void process(Batch<T>& batch) override {
    if (has_pending()) {
      pending_.append(batch);
      return;
    }
    pending_.clear();
    std::swap(pending_.values, batch.values);
    pending_.take_columns(batch);
    at_ = 0;
    write();
  }

 private:
  void write() {
    while (has_pending() && offer()) {
    }
    if (!has_pending()) pending_.clear(), at_ = 0;
  }
  /// Offers what is pending. True when a record was given up, so that the rest may be offered at once.
  bool offer() {
    woken_.store(false);  // before it is asked: a call that comes meanwhile counts
    bad_count_ = 0;
    const auto taken = sink_.write(pending_, at_, bad_);
    if (!taken.ok()) return refused(taken.status());
    end_retries();
    at_ += *taken;
    const std::size_t written = *taken - std::min(*taken, bad_count_);
    taken_ += written;
    this->counters.forwarded += written;
    this->counters.out += written;
    return false;
  }
  /// The connector failed and took nothing: it is asked again later, or the first record is given up.
  bool refused(const absl::Status& why) {
    if (is_transient(why) && failures_ < this->env_.errors.retries) {
      const std::chrono::nanoseconds wait = backoff(this->env_.errors, ++failures_);
      due_ = this->lane().now() + wait;
      sink_.control().retrying({failures_, this->env_.errors.retries, wait, why});
      this->lane().wake_at(due_);
      return false;
    }
    end_retries();
    // What the connector finds wrong with a record isn't a mistake in the program's arguments.
    const bool is_record = absl::IsInvalidArgument(why);
    this->give_up(pending_, at_, {why.message().data(), why.message().size()},
                  is_record ? absl::StatusCode::kAborted : why.code());
    ++at_;
    if (!this->lane().failed()) return true;
    this->counters.skipped += pending_.size() - at_;
    at_ = pending_.size();
    return false;
  }
  void end_retries() {
    if (std::exchange(failures_, 0) > 0) sink_.control().retrying({});
  }
  /// What may be otherwise after a while.
  static bool is_transient(const absl::Status& why) {
    return why.code() == absl::StatusCode::kUnavailable ||
           why.code() == absl::StatusCode::kDeadlineExceeded ||
           why.code() == absl::StatusCode::kResourceExhausted || why.code() == absl::StatusCode::kAborted;
  }

  TypedSink<T>& sink_;
  std::function<void(std::size_t, std::string_view)> bad_;
  Batch<T> pending_;
  std::size_t at_ = 0;
  std::size_t bad_count_ = 0;
  int failures_ = 0;  ///< in a row, of the offer that begins at at_
  std::chrono::nanoseconds due_{0};
  Counter taken_;
};

}  // namespace slipstream::detail
