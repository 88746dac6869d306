#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "slipstream/detail/key_bytes.h"

namespace slipstream::detail {

/// Keyed state of one lane: a hash table with linear probing, at most half full, whose places lead to slots
/// that lie densely, so that many keys fit into a cache and a walk is as fast as memory. The hash comes from
/// the caller, who has it already. References stay valid until the next insert or erase.
template <class Key, class Value>
class KeyTable {
 public:
  struct Slot {
    Key key;
    Value value;
  };
  static constexpr std::uint32_t kNoSlot = static_cast<std::uint32_t>(-1);

  KeyTable() = default;
  KeyTable(KeyTable&& o) noexcept { swap(o); }
  KeyTable& operator=(KeyTable&& o) noexcept {
    swap(o);
    return *this;
  }
  ~KeyTable() {
    clear();
    release(slots_);
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// Keys it holds before it grows.
  std::size_t capacity() const { return places_.size() / 2; }

  Value* find(const Key& key, std::uint64_t hash) {
    const std::size_t i = place_of(key, hash);
    return i == kNone ? nullptr : &slots_[places_[i].slot].value;
  }
  /// The value of `key`, made by Value{} when it is new.
  Value& operator()(const Key& key, std::uint64_t hash, bool* inserted = nullptr) {
    const std::size_t i = place_of(key, hash);
    if (inserted) *inserted = i == kNone;
    const std::uint32_t slot = i == kNone ? insert(key, tag_of(hash)) : places_[i].slot;
    return slots_[slot].value;
  }
  /// Room for so many more keys: until they are there, references stay valid and inserting moves nothing.
  void reserve(std::size_t more) {
    while (size_ + more > capacity()) grow();
  }
  /// Asks for the memory a look-up will touch first.
  void prefetch(std::uint64_t hash) const {
    if (!places_.empty()) __builtin_prefetch(&places_[home(tag_of(hash))]);
  }
  /// Where a key of this hash most likely is; asks for that memory. Stays a guess whatever happens to the
  /// table.
  std::uint32_t guess(std::uint64_t hash) const {
    if (size_ == 0) return kNoSlot;
    const std::uint32_t tag = tag_of(hash);
    std::size_t i = home(tag);
    while (places_[i].tag != tag && places_[i].tag != 0) i = (i + 1) & mask_;
    __builtin_prefetch(&slots_[places_[i].slot]);
    return places_[i].slot;
  }
  /// As operator() without a guess, which may be wrong.
  Value& operator()(const Key& key, std::uint64_t hash, std::uint32_t guess, bool* inserted) {
    if (guess >= size_ || !same_key(slots_[guess].key, key)) return (*this)(key, hash, inserted);
    *inserted = false;
    return slots_[guess].value;
  }
  bool erase(const Key& key, std::uint64_t hash) {
    const std::size_t place = place_of(key, hash);
    if (place == kNone) return false;
    const std::uint32_t hole = places_[place].slot;
    free_place(place);
    fill(hole);
    return true;
  }
  void clear() {
    for (std::size_t i = 0; i < size_; ++i) slots_[i].~Slot();
    std::fill(places_.begin(), places_.end(), Place{});
    tags_.clear();
    size_ = 0;
  }

  /// The slot at position `from`, or null behind the last. Positions stay valid while nothing is inserted or
  /// erased, so a long walk can stop and go on later.
  Slot* next(const std::size_t& from) { return from < size_ ? &slots_[from] : nullptr; }
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t i = 0; i < size_; ++i) f(slots_[i].key, slots_[i].value);
  }
  std::size_t table_bytes() const {
    return places_.size() * sizeof(Place) + capacity() * (sizeof(Slot) + sizeof(std::uint32_t));
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  struct Place {
    std::uint32_t tag = 0;  ///< 0: free
    std::uint32_t slot = 0;
  };

  // The low half of the hash; the high half chose the lane, so within a lane only the low half varies freely.
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash) | 1u; }
  std::size_t home(std::uint32_t tag) const { return (tag >> 1) & mask_; }

  std::size_t place_of(const Key& key, std::uint64_t hash) const {
    if (size_ == 0) return kNone;
    const Place* const places = places_.data();
    const std::uint32_t tag = tag_of(hash);
    for (std::size_t i = home(tag); places[i].tag != 0; i = (i + 1) & mask_) {
      if (places[i].tag == tag && same_key(slots_[places[i].slot].key, key)) return i;
    }
    return kNone;
  }
  /// Of a key that isn't there.
  std::uint32_t insert(const Key& key, std::uint32_t tag) {
    if (size_ == capacity()) grow();
    const auto slot = static_cast<std::uint32_t>(size_);
    new (&slots_[slot]) Slot{key, Value{}};
    tags_.push_back(tag);
    places_[free_from(tag)] = {tag, slot};
    ++size_;
    return slot;
  }
  /// The first free place for this tag.
  std::size_t free_from(std::uint32_t tag) const {
    std::size_t i = home(tag);
    while (places_[i].tag != 0) i = (i + 1) & mask_;
    return i;
  }
  /// Closes the gap: every later place of the run that may move nearer to its home does.
  void free_place(std::size_t hole) {
    places_[hole].tag = 0;
    for (std::size_t i = (hole + 1) & mask_; places_[i].tag != 0; i = (i + 1) & mask_) {
      if (((i - home(places_[i].tag)) & mask_) < ((i - hole) & mask_)) continue;
      places_[hole] = std::exchange(places_[i], Place{});
      hole = i;
    }
  }
  /// Puts the last slot where one is to go.
  void fill(std::uint32_t hole) {
    const auto last = static_cast<std::uint32_t>(--size_);
    if (hole != last) {
      slots_[hole].~Slot();
      new (&slots_[hole]) Slot(std::move(slots_[last]));
      std::size_t i = home(tags_[last]);
      while (places_[i].tag == 0 || places_[i].slot != last) i = (i + 1) & mask_;
      places_[i].slot = hole;
      tags_[hole] = tags_[last];
    }
    slots_[last].~Slot();
    tags_.pop_back();
  }
  void grow() {
    const std::size_t count = places_.empty() ? 16 : places_.size() * 2;
    Slot* const slots =
        static_cast<Slot*>(::operator new(count / 2 * sizeof(Slot), std::align_val_t{alignof(Slot)}));
    const std::vector<Place> before = std::exchange(places_, std::vector<Place>(count));
    mask_ = count - 1;
    for (const Place& place : before) {
      if (place.tag != 0) places_[free_from(place.tag)] = place;
    }
    for (std::size_t i = 0; i < size_; ++i) {
      new (&slots[i]) Slot(std::move(slots_[i]));
      slots_[i].~Slot();
    }
    release(std::exchange(slots_, slots));
    tags_.reserve(count / 2);
  }
  static void release(Slot* slots) {
    if (slots) ::operator delete(slots, std::align_val_t{alignof(Slot)});
  }
  void swap(KeyTable& o) noexcept {
    std::swap(places_, o.places_);
    std::swap(tags_, o.tags_);
    std::swap(slots_, o.slots_);
    std::swap(mask_, o.mask_);
    std::swap(size_, o.size_);
  }

  std::vector<Place> places_;        ///< twice as many as slots
  std::vector<std::uint32_t> tags_;  ///< by slot: where to look for its place
  Slot* slots_ = nullptr;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
};

}  // namespace slipstream::detail
