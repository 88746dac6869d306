#include "connectors/http_endpoint/event_log.h"

#include <charconv>
#include <utility>

#include "connectors/http_endpoint/event_text.h"

namespace slipstream::http::endpoint {
namespace {

/// What an event costs beside its bytes, about.
constexpr std::size_t kEventBytes = 128;

std::size_t size_of(const Text& text) { return kEventBytes + text->size(); }

std::string gap(std::optional<std::uint64_t> missed) {
  std::string text;
  append_event("", "gap", "{\"missed\":" + (missed ? std::to_string(*missed) : "null") + "}", text);
  return text;
}

/// The number in an id of this epoch; empty: it isn't one.
std::optional<std::uint64_t> number_in(std::string_view id, std::string_view epoch) {
  if (!id.starts_with(epoch)) return std::nullopt;
  id.remove_prefix(epoch.size());
  if (!id.starts_with('-')) return std::nullopt;
  id.remove_prefix(1);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
  if (error != std::errc() || end != id.data() + id.size()) return std::nullopt;
  return number;
}

}  // namespace

EventLog::EventLog(const EndpointOptions& options, std::string epoch)
    : epoch_(std::move(epoch)),
      slow_client_(options.slow_client),
      max_recent_bytes_(options.recent_bytes),
      max_latest_bytes_(options.latest_bytes) {}

void EventLog::append(std::string_view type, std::optional<std::string_view> key,
                      std::optional<std::string_view> data) {
  const detail::MutexLock lock(mutex_);
  auto text = std::make_shared<std::string>();
  const std::string id = epoch_ + "-" + std::to_string(++newest_);
  if (data) {
    append_event(id, type, *data, *text);
  } else {
    append_event(id, std::string(type) + " deleted", key.value_or(""), *text);
  }
  const bool has_key = key.has_value() && max_latest_bytes_ > 0;
  recent_.push_back({text, has_key});
  recent_bytes_ += size_of(recent_.back().text);
  if (has_key) keep_latest(std::string(type) + '\n' + std::string(*key), text, !data);
  trim_recent();
}

void EventLog::keep_latest(std::string key, const Text& text, bool is_deletion) {
  const auto [found, is_new] = number_of_.try_emplace(key, newest_);
  if (!is_new) {
    const auto old = latest_.find(std::exchange(found->second, newest_));
    latest_bytes_ -= size_of(old->second.text) + old->second.key.size();
    latest_.erase(old);
  }
  latest_bytes_ += size_of(text) + key.size();
  latest_.emplace_hint(latest_.end(), newest_, Latest{text, std::move(key), is_deletion});
  if (is_deletion) deletions_.push_back(newest_);
  while (latest_bytes_ > max_latest_bytes_ && !latest_.empty()) {
    lost_ = std::max(lost_, latest_.begin()->first);
    has_evicted_ = has_evicted_ || !latest_.begin()->second.is_deletion;
    forget_latest(latest_.begin());
  }
}

void EventLog::forget_latest(LatestMap::iterator it) {
  latest_bytes_ -= size_of(it->second.text) + it->second.key.size();
  number_of_.erase(it->second.key);
  latest_.erase(it);
}

void EventLog::trim_recent() {
  while (recent_bytes_ > max_recent_bytes_ && recent_.size() > 1) {
    if (!recent_.front().has_key) lost_ = std::max(lost_, oldest_recent());
    recent_bytes_ -= size_of(recent_.front().text);
    recent_.pop_front();
  }
}

void EventLog::forget_deleted(std::uint64_t least_seen) {
  const detail::MutexLock lock(mutex_);
  while (!deletions_.empty() && deletions_.front() <= least_seen && deletions_.front() < oldest_recent()) {
    const auto it = latest_.find(deletions_.front());
    if (it != latest_.end()) forget_latest(it);
    deletions_.pop_front();
  }
}

bool EventLog::begin(std::string_view last_id, Cursor& cursor, std::string& hello) const {
  const detail::MutexLock lock(mutex_);
  const auto number = number_in(last_id, epoch_);
  if (number && *number <= newest_ && *number + 1 >= oldest_recent()) {
    cursor.seen = *number;
    return true;
  }
  if (max_latest_bytes_ > 0) {
    cursor.until = newest_;
    append_event("", "snapshot", has_evicted_ ? "{\"complete\":false}" : "{\"complete\":true}", hello);
  } else {
    cursor.seen = newest_;
    if (!last_id.empty()) {
      hello += gap(number && *number <= newest_ ? std::optional(newest_ - *number) : std::nullopt);
    }
  }
  return false;
}

Text EventLog::next(Cursor& cursor) {
  const detail::MutexLock lock(mutex_);
  Text text = next_latest(cursor);
  if (text == nullptr && cursor.seen < newest_) {
    if (cursor.seen + 1 < oldest_recent()) return fall_behind(cursor);
    text = recent_[++cursor.seen - oldest_recent()].text;
  }
  if (text != nullptr) ++sent_;
  return text;
}

/// While the cursor is in what it gets only the latest of; null: no more of that.
Text EventLog::next_latest(Cursor& cursor) {
  while (cursor.seen < cursor.until) {
    const auto it = latest_.upper_bound(cursor.seen);
    if (it == latest_.end() || it->first > cursor.until) {
      pass_over(cursor, cursor.until - cursor.seen);
      cursor.seen = cursor.until;
      break;
    }
    pass_over(cursor, it->first - cursor.seen - 1);
    cursor.seen = it->first;
    // A new client doesn't know the key.
    if (!it->second.is_deletion || cursor.is_behind) return it->second.text;
  }
  cursor.is_behind = false;
  return nullptr;
}

/// The events behind the cursor aren't all there any more.
Text EventLog::fall_behind(Cursor& cursor) {
  const std::uint64_t missed = oldest_recent() - 1 - cursor.seen;
  cursor.is_behind = true;
  if (slow_client_ != SlowClient::latest || max_latest_bytes_ == 0) {
    pass_over(cursor, missed);
    cursor.seen += missed;
    cursor.is_behind = false;
    return std::make_shared<const std::string>(gap(missed));
  }
  cursor.until = oldest_recent() - 1;
  if (lost_ > cursor.seen) return std::make_shared<const std::string>(gap(missed));
  if (Text text = next_latest(cursor)) {
    ++sent_;
    return text;
  }
  ++sent_;
  return recent_[++cursor.seen - oldest_recent()].text;
}

void EventLog::pass_over(const Cursor& cursor, std::uint64_t events) {
  if (cursor.is_behind) skipped_ += events;
}

void EventLog::give_up(const Cursor& cursor) {
  const detail::MutexLock lock(mutex_);
  const std::uint64_t next = std::max(cursor.seen, cursor.until) + 1;
  if (next < oldest_recent()) skipped_ += oldest_recent() - next;
}

bool EventLog::has_more(const Cursor& cursor) const {
  const detail::MutexLock lock(mutex_);
  return cursor.seen < newest_;
}

bool EventLog::has_lost(const Cursor& cursor) const {
  const detail::MutexLock lock(mutex_);
  return std::max(cursor.seen, cursor.until) + 1 < oldest_recent();
}

std::uint64_t EventLog::newest() const {
  const detail::MutexLock lock(mutex_);
  return newest_;
}

void EventLog::add_stats(EndpointStats& stats) const {
  const detail::MutexLock lock(mutex_);
  stats.events = newest_;
  stats.sent = sent_;
  stats.skipped = skipped_;
}

std::size_t EventLog::bytes() const {
  const detail::MutexLock lock(mutex_);
  return recent_bytes_ + latest_bytes_;
}

}  // namespace slipstream::http::endpoint
