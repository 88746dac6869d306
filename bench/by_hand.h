#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "bench/suite.h"

/// What a loop is made of that a careful programmer writes for one task and nothing else: the limits.
namespace slipstream::bench::by_hand {

/// Both the table's place and the thread come from this one multiplication.
inline std::uint64_t hash(std::uint64_t key) { return key * 0x9E3779B97F4A7C15u; }

/// The table one takes first.
template <class Value>
class PlainTable {
 public:
  Value& operator[](std::uint64_t key) { return values_[key]; }
  template <class F>
  void for_each(F&& f) {
    for (auto& [key, value] : values_) f(key, value);
  }
  void clear() { values_.clear(); }

 private:
  absl::flat_hash_map<std::uint64_t, Value> values_;
};

/// The table one takes when it has to be fast: linear probing, at most half full. Keys are below 2^64 - 1.
template <class Value>
class Table {
 public:
  explicit Table(std::size_t capacity = std::size_t{1} << 14) { resize(capacity); }

  Value& operator[](std::uint64_t key) {
    std::size_t i = home(key);
    while (slots_[i].key != key + 1) {
      if (slots_[i].key == 0) return insert(i, key);
      i = (i + 1) & mask_;
    }
    return slots_[i].value;
  }
  template <class F>
  void for_each(F&& f) {
    for (Slot& slot : slots_) {
      if (slot.key != 0) f(slot.key - 1, slot.value);
    }
  }
  void clear() {
    std::fill(slots_.begin(), slots_.end(), Slot{});
    size_ = 0;
  }

 private:
  struct Slot {
    std::uint64_t key = 0;  ///< plus one; 0 is free
    Value value{};
  };

  // The topmost bit chose the thread.
  std::size_t home(std::uint64_t key) const { return (hash(key) << 1) >> shift_; }
  Value& insert(std::size_t i, std::uint64_t key) {
    if (2 * ++size_ > slots_.size()) {
      grow();
      i = home(key);
      while (slots_[i].key != 0) i = (i + 1) & mask_;
    }
    slots_[i].key = key + 1;
    return slots_[i].value;
  }
  void resize(std::size_t capacity) {
    slots_.assign(capacity, {});
    mask_ = capacity - 1;
    shift_ = 64 - __builtin_ctzll(capacity);
  }
  void grow() {
    std::vector<Slot> old = std::move(slots_);
    resize(2 * old.size());
    for (Slot& slot : old) {
      if (slot.key == 0) continue;
      std::size_t i = home(slot.key - 1);
      while (slots_[i].key != 0) i = (i + 1) & mask_;
      slots_[i] = std::move(slot);
    }
  }

  std::vector<Slot> slots_;
  std::size_t mask_ = 0;
  int shift_ = 0;
  std::size_t size_ = 0;
};

/// Two threads that meet often. Spins: the other one is about to come.
class Meeting {
 public:
  void wait() {
    const unsigned round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) == 1) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins) {
      if (spins > 10'000) std::this_thread::yield();
    }
  }

 private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<unsigned> round_{0};
};

/// A Worker is the task for some of the keys: using Row (what the task needs of an event); static key(event),
/// time(event), row(event, index); apply(row); advance(time), when all events up to here are applied and none
/// came with a larger time; finish(), which says what it came to.
constexpr std::size_t kBlock = 8192;

template <class Worker, class Event>
Answer in_one_thread(std::span<const Event> events) {
  Worker worker;
  std::int64_t largest = 0;
  for (std::size_t at = 0; at < events.size(); at += kBlock) {
    const std::size_t end = std::min(events.size(), at + kBlock);
    for (std::size_t i = at; i < end; ++i) {
      largest = std::max(largest, Worker::time(events[i]));
      worker.apply(Worker::row(events[i], i));
    }
    worker.advance(largest);
  }
  return worker.finish();
}

/// Spreads events over two threads by their key and keeps each key's order: both read every other block, put
/// each event's row into a buffer for the thread that owns its key, meet, and work on what was put there for
/// them, the first block first.
template <class Worker, class Event>
Answer in_two_threads(std::span<const Event> events) {
  using Row = typename Worker::Row;
  struct Buffer {
    std::array<Row, kBlock> rows;
    std::size_t size = 0;
  };
  struct alignas(64) Side {
    Worker worker;
    // By round (the other thread may still read those of the one before) and owner.
    std::array<std::array<Buffer, 2>, 2> buffers;
    std::array<std::int64_t, 2> largest{};
    Answer answer;
  };
  const auto sides = std::make_unique<std::array<Side, 2>>();
  Meeting meeting;
  const auto run = [&](std::size_t me) {
    Side& mine = (*sides)[me];
    std::int64_t largest = 0;
    for (std::size_t at = 0, round = 0; at < events.size(); at += 2 * kBlock, round ^= 1) {
      auto& [low, high] = mine.buffers[round];
      // In registers and without a branch, which would go wrong every other time.
      Row* to_low = low.rows.data();
      Row* to_high = high.rows.data();
      const std::size_t begin = std::min(events.size(), at + me * kBlock);
      const std::size_t end = std::min(events.size(), begin + kBlock);
      for (std::size_t i = begin; i < end; ++i) {
        const bool is_high = hash(Worker::key(events[i])) >> 63;
        *(is_high ? to_high : to_low) = Worker::row(events[i], i);
        to_high += is_high;
        to_low += !is_high;
        largest = std::max(largest, Worker::time(events[i]));
      }
      low.size = static_cast<std::size_t>(to_low - low.rows.data());
      high.size = static_cast<std::size_t>(to_high - high.rows.data());
      mine.largest[round] = largest;
      meeting.wait();
      for (const Side& from : *sides) {
        const Buffer& in = from.buffers[round][me];
        for (std::size_t i = 0; i < in.size; ++i) mine.worker.apply(in.rows[i]);
      }
      mine.worker.advance(std::max((*sides)[0].largest[round], (*sides)[1].largest[round]));
    }
    mine.answer = mine.worker.finish();
  };
  std::thread other(run, 1);
  run(0);
  other.join();
  const auto& [first, second] = *sides;
  return {first.answer.count + second.answer.count, first.answer.checksum + second.answer.checksum};
}

}  // namespace slipstream::bench::by_hand
