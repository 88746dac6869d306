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

template <class T>
class EncodedSink final : public TypedSink<T> {
 public:
  EncodedSink(std::shared_ptr<RawSink> raw, Codec<T> codec, std::function<void(const T&, std::string&)> key)
      : raw_(std::move(raw)), encode_(codec.make_encoder()), key_(std::move(key)) {}
  RawSink& control() override { return *raw_; }

  absl::StatusOr<std::size_t> write(const Batch<T>& batch, std::size_t from,
                                    const std::function<void(std::size_t, std::string_view)>& bad) override {
    encode_all(batch, from);
    auto taken = raw_->write(records_);
    if (!taken.ok()) return taken.status();
    // Records that couldn't be encoded are done with when they stand before the first one not taken.
    const std::size_t end = *taken == records_.size() ? batch.size() : position_[*taken];
    for (const auto& [i, cause] : bad_) {
      if (i < end) bad(i, cause);
    }
    return end - from;
  }

 private:
  struct Span {
    std::size_t key_begin, key_end, end;
  };
  void encode_all(const Batch<T>& batch, std::size_t from) {
    bytes_.clear();
    spans_.clear();
    position_.clear();
    bad_.clear();
    for (std::size_t i = from; i < batch.size(); ++i) {
      Span span{bytes_.size(), 0, 0};
      if (absl::Status s = encode(batch.values[i], span.key_end); !s.ok()) {
        bytes_.resize(span.key_begin);
        bad_.emplace_back(i, std::string(s.message()));
        continue;
      }
      span.end = bytes_.size();
      spans_.push_back(span);
      position_.push_back(i);
    }
    view_all(batch);
  }
  absl::Status encode(const T& value, std::size_t& key_end) {
    try {
      if (key_) {
        key_buffer_.clear();
        key_(value, key_buffer_);
        bytes_ += key_buffer_;
      }
      key_end = bytes_.size();
      return encode_(value, bytes_);
    } catch (...) {
      return absl::InvalidArgumentError(describe_current_exception());
    }
  }
  void view_all(const Batch<T>& batch) {
    records_.clear();
    const std::string_view all = bytes_;
    for (std::size_t k = 0; k < spans_.size(); ++k) {
      const Span& s = spans_[k];
      OutRecord r;
      if (key_) r.key = all.substr(s.key_begin, s.key_end - s.key_begin);
      r.value = all.substr(s.key_end, s.end - s.key_end);
      if (!batch.times.empty()) r.timestamp = batch.times[position_[k]];
      r.headers = batch.header(position_[k]);
      records_.push_back(r);
    }
  }

  std::shared_ptr<RawSink> raw_;
  typename Codec<T>::Encode encode_;
  std::function<void(const T&, std::string&)> key_;
  std::string bytes_, key_buffer_;
  std::vector<Span> spans_;
  std::vector<std::size_t> position_;  ///< of each encoded record in the batch
  std::vector<OutRecord> records_;
  std::vector<std::pair<std::size_t, std::string>> bad_;  ///< records that couldn't be encoded, and why
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
    failures_ = 0;
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
      due_ = this->lane().now() + backoff(this->env_.errors, ++failures_);
      this->lane().wake_at(due_);
      return false;
    }
    failures_ = 0;
    this->give_up(pending_, at_, {why.message().data(), why.message().size()}, why.code());
    ++at_;
    if (!this->lane().failed()) return true;
    this->counters.skipped += pending_.size() - at_;
    at_ = pending_.size();
    return false;
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
