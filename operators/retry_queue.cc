#include "slipstream/detail/retry_queue.h"

#include <algorithm>
#include <utility>

namespace slipstream::detail {
namespace {

constexpr std::chrono::nanoseconds kLongestBackoff = std::chrono::minutes(1);

}  // namespace

std::chrono::nanoseconds backoff(const ErrorPolicy& policy, int attempt) {
  std::chrono::nanoseconds delay = policy.backoff;
  for (int i = 1; i < attempt && delay < kLongestBackoff; ++i) delay *= 2;
  return std::min(delay, kLongestBackoff);
}

std::chrono::nanoseconds RetryQueue::put_failed(std::uint64_t unit, WaitingRecord record,
                                                const ErrorPolicy& policy, std::chrono::nanoseconds now) {
  Queue& queue = units_[unit];
  queue.due = now + backoff(policy, record.attempts);
  queue.records.push_front(std::move(record));
  ++size_;
  return queue.due;
}

void RetryQueue::put_behind(std::uint64_t unit, WaitingRecord record) {
  units_[unit].records.push_back(std::move(record));
  ++size_;
}

std::optional<std::pair<std::uint64_t, WaitingRecord>> RetryQueue::take_due(std::chrono::nanoseconds now) {
  for (auto& [unit, queue] : units_) {
    if (queue.due > now || queue.records.empty()) continue;
    std::pair taken(unit, std::move(queue.records.front()));
    queue.records.pop_front();
    --size_;
    return taken;
  }
  return std::nullopt;
}

void RetryQueue::release(std::uint64_t unit) {
  auto it = units_.find(unit);
  if (it != units_.end() && it->second.records.empty()) units_.erase(it);
}

std::chrono::nanoseconds RetryQueue::next_due() const {
  auto next = std::chrono::nanoseconds::max();
  for (const auto& [unit, queue] : units_) next = std::min(next, queue.due);
  return next;
}

EventTime RetryQueue::oldest() const {
  EventTime oldest = kMaxTime;
  for_each([&](std::uint64_t, const WaitingRecord& waiting) {
    oldest = std::min(oldest, waiting.record->time(0));
  });
  return oldest;
}

}  // namespace slipstream::detail
