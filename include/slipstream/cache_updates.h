#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "slipstream/detail/room.h"
#include "slipstream/fields.h"
#include "slipstream/ordered_key.h"
#include "slipstream/proxy.h"

namespace slipstream {

/// A write through to(cache) or Cache::publish(), as those who listen get it.
template <class K, class V>
struct CacheUpdate {
  K key = {};
  std::optional<V> value = {};  ///< empty: the key was removed
  friend bool operator==(const CacheUpdate&, const CacheUpdate&) = default;
};
SLIPSTREAM_TEMPLATE_FIELDS((class K, class V), (CacheUpdate<K, V>), key, value)

/// What becomes of updates that come faster than the listener takes them.
enum class WhenSlow {
  /// Nothing is lost. Once `capacity` wait, whoever writes waits until half of them are taken: the sources
  /// behind a handler are paused, so it gets no further message, and Cache::publish() returns later. Sources
  /// of updates are not paused for that, lest handlers that write to what they listen to wait for themselves;
  /// what these make of updates may go beyond `capacity`, and so may what a handler makes of one message.
  block,
  /// Of each key the newest update waits, in the place of the one before it. `capacity` means nothing: no
  /// more wait than there are keys.
  latest,
  /// Once `capacity` wait, the oldest of them is dropped for each new one. PartitionMetrics::dropped counts
  /// them; the first is logged.
  drop,
};

struct CacheUpdatesOptions {
  WhenSlow when_slow = WhenSlow::block;
  std::size_t capacity = 1024;  ///< updates; at least 1
};

namespace detail {

/// An update on its way to all who listen.
template <class K, class V>
struct PublishedUpdate {
  CacheUpdate<K, V>& update;
  bool is_last;                              ///< nobody needs it any more: it may be moved from
  HandlerOperator* writer;                   ///< null: not a handler
  std::vector<std::shared_ptr<Room>>& full;  ///< those in which the writer, when it isn't one, is to wait
};
template <class K, class V>
using UpdateSubscribers = Subscribers<PublishedUpdate<K, V>>;

/// Wakes the lane that reads updates, while its run lasts. Shared with the writers' next flushes, which may
/// be another App's and come when the run is over.
class UpdateWaker : public std::enable_shared_from_this<UpdateWaker> {
 public:
  void open(std::function<void()> wake) {
    const MutexLock lock(mutex_);
    wake_ = std::move(wake);
  }
  void close() {
    const MutexLock lock(mutex_);
    wake_ = nullptr;
  }
  /// A listener that is quicker than the writer would be woken for each update, which costs as much as the
  /// write: so a handler wakes it every five milliseconds and when it has no more messages.
  void wake(HandlerOperator* writer) {
    const MutexLock lock(mutex_);
    if (!wake_) return;
    if (!writer) return wake_();
    if (const auto now = writer->now(); now >= woken_at_ + std::chrono::milliseconds(5)) {
      woken_at_ = now;
      wake_();
    } else if (!is_due_) {
      is_due_ = true;
      writer->at_flush([self = shared_from_this()] { self->wake_at_flush(); });
    }
  }

 private:
  void wake_at_flush() {
    const MutexLock lock(mutex_);
    is_due_ = false;
    if (wake_) wake_();
  }

  Mutex mutex_;
  std::function<void()> wake_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::chrono::nanoseconds woken_at_ SLIPSTREAM_GUARDED_BY(mutex_){};
  bool is_due_ SLIPSTREAM_GUARDED_BY(mutex_) = false;  ///< some writer's flush will wake it
};

/// Hands out what is published from its opening on. One partition, offsets from 0.
template <class K, class V>
class UpdateSource final : public MemorySource<CacheUpdate<K, V>> {
 public:
  UpdateSource(std::string name, std::shared_ptr<UpdateSubscribers<K, V>> published,
               const CacheUpdatesOptions& options)
      : name_(std::move(name)),
        published_(std::move(published)),
        options_(options),
        room_(std::make_shared<Room>(name_)) {}

  std::string name() const override { return name_; }
  std::optional<std::int64_t> end_offset(int) const override {
    const MutexLock lock(mutex_);
    return offset_ + static_cast<std::int64_t>(queue_.size());
  }
  std::uint64_t dropped(int) const override {
    const MutexLock lock(mutex_);
    return dropped_;
  }
  const void* echo_of() const override { return published_.get(); }

 protected:
  absl::Status open(const SourceEnv& env) override {
    if (options_.capacity == 0)
      return absl::InvalidArgumentError(name_ + ": options.capacity is to be at least 1");
    waker_->open(env.wake);
    log_ = env.log;
    {
      const MutexLock lock(mutex_);
      listens_ = true;
    }
    subscription_ = published_->add([this](const PublishedUpdate<K, V>& update) { take(update); });
    return absl::OkStatus();
  }
  absl::Status close() override {
    subscription_.end();  // nobody is in take() any more
    waker_->close();
    stopping();
    return absl::OkStatus();
  }
  /// What waits is of no use to anybody.
  void stopping() override {
    const MutexLock lock(mutex_);
    listens_ = false;
    queue_.clear();
    place_.clear();
    room_->make();
  }
  absl::StatusOr<ReadState> read(int, const ReadLimits& limits,
                                 SourceBatch<CacheUpdate<K, V>>& out) override {
    std::int64_t offset = 0;
    const bool has_more = take_out(limits.max_records, offset);
    for (CacheUpdate<K, V>& update : taken_) out.add(std::move(update), offset++);
    taken_.clear();
    return has_more ? ReadState::more : ReadState::caught_up;
  }

 private:
  /// Into taken_, from `offset` on. Mostly all at once, as those who write wait meanwhile.
  bool take_out(std::size_t most, std::int64_t& offset) {
    const MutexLock lock(mutex_);
    offset = offset_;
    if (queue_.size() <= most) {
      queue_.swap(taken_);
      place_.clear();
    }
    for (; taken_.size() < most && !queue_.empty(); queue_.pop_front()) {
      if (options_.when_slow == WhenSlow::latest) place_.erase(ordered_key(queue_.front().key));
      taken_.push_back(std::move(queue_.front()));
    }
    offset_ += static_cast<std::int64_t>(taken_.size());
    if (queue_.size() <= options_.capacity / 2) room_->make();
    return !queue_.empty();
  }
  void take(const PublishedUpdate<K, V>& published) {
    bool is_first_dropped = false;
    {
      const MutexLock lock(mutex_);
      if (!listens_) return;
      if (options_.when_slow == WhenSlow::latest && replace(published.update)) return;
      if (options_.when_slow == WhenSlow::drop && queue_.size() == options_.capacity) {
        queue_.pop_front();
        is_first_dropped = dropped_++ == 0;
      }
      published.is_last ? queue_.push_back(std::move(published.update)) : queue_.push_back(published.update);
      if (options_.when_slow == WhenSlow::block && queue_.size() >= options_.capacity) fill_room(published);
      waker_->wake(published.writer);
    }
    if (is_first_dropped) {
      log_(LogLevel::warning, "cache",
           name_ + ": " + std::to_string(options_.capacity) +
               " wait, so the oldest are dropped from now on; metrics count them");
    }
  }
  /// Under the mutex, and so is making room: else it might be made before it is filled.
  void fill_room(const PublishedUpdate<K, V>& published) SLIPSTREAM_REQUIRES(mutex_) {
    if (published.writer) {
      room_->fill(published.writer->all().sources_behind(echo_of()));
    } else {
      room_->fill({});
      published.full.push_back(room_);
    }
  }
  /// Whether one of the key waits, which is now this one.
  bool replace(const CacheUpdate<K, V>& update) SLIPSTREAM_REQUIRES(mutex_) {
    const std::int64_t end = offset_ + static_cast<std::int64_t>(queue_.size());
    const auto [place, is_new] = place_.try_emplace(ordered_key(update.key), end);
    if (!is_new) queue_[static_cast<std::size_t>(place->second - offset_)] = update;
    return !is_new;
  }

  const std::string name_;
  const std::shared_ptr<UpdateSubscribers<K, V>> published_;
  const CacheUpdatesOptions options_;
  const std::shared_ptr<Room> room_;
  const std::shared_ptr<UpdateWaker> waker_ = std::make_shared<UpdateWaker>();
  Subscription subscription_;
  LogHook log_;
  std::deque<CacheUpdate<K, V>> taken_;  ///< of the lane that reads

  mutable Mutex mutex_;
  bool listens_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  std::deque<CacheUpdate<K, V>> queue_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::int64_t offset_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;  ///< of the first in the queue
  /// By key, the offsets of what waits; of WhenSlow::latest.
  std::unordered_map<std::string, std::int64_t> place_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::uint64_t dropped_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
};

}  // namespace detail
}  // namespace slipstream
