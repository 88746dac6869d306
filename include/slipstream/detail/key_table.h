#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "slipstream/detail/key_bytes.h"

namespace slipstream::detail {

/// Keyed state of one lane: a hash table with linear probing and small tags, at most half full. The tags are
/// looked at first, so a probe touches one line of tags and one slot. The hash comes from the caller, who has
/// it already. References stay valid until the next insert or erase.
template <class Key, class Value>
class KeyTable {
 public:
  struct Slot {
    Key key;
    Value value;
  };

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
  std::size_t capacity() const { return tags_.size(); }

  Value* find(const Key& key, std::uint64_t hash) {
    const std::size_t i = index_of(key, hash);
    return i == kNone ? nullptr : &slots_[i].value;
  }
  /// The value of `key`, made by Value{} when it is new.
  Value& operator()(const Key& key, std::uint64_t hash, bool* inserted = nullptr) {
    if (2 * (size_ + 1) > tags_.size()) grow();
    const std::uint32_t tag = tag_of(hash);
    std::size_t i = home(tag);
    for (; tags_[i] != 0; i = (i + 1) & mask_) {
      if (tags_[i] == tag && same_key(slots_[i].key, key)) {
        if (inserted) *inserted = false;
        return slots_[i].value;
      }
    }
    new (&slots_[i]) Slot{key, Value{}};
    tags_[i] = tag;
    ++size_;
    if (inserted) *inserted = true;
    return slots_[i].value;
  }
  bool erase(const Key& key, std::uint64_t hash) {
    std::size_t hole = index_of(key, hash);
    if (hole == kNone) return false;
    slots_[hole].~Slot();
    tags_[hole] = 0;
    --size_;
    // Close the gap: every later slot of the run that may move nearer to its home does.
    for (std::size_t i = (hole + 1) & mask_; tags_[i] != 0; i = (i + 1) & mask_) {
      if (((i - home(tags_[i])) & mask_) < ((i - hole) & mask_)) continue;
      new (&slots_[hole]) Slot(std::move(slots_[i]));
      slots_[i].~Slot();
      tags_[hole] = std::exchange(tags_[i], 0);
      hole = i;
    }
    return true;
  }
  void clear() {
    for (std::size_t i = 0; i < tags_.size(); ++i) {
      if (tags_[i] != 0) slots_[i].~Slot();
      tags_[i] = 0;
    }
    size_ = 0;
  }

  /// The first used slot at or after position `from`, or null; `from` becomes its position. Positions stay
  /// valid while nothing is inserted or erased, so a long walk can stop and go on later.
  Slot* next(std::size_t& from) {
    while (from < tags_.size() && tags_[from] == 0) ++from;
    return from < tags_.size() ? &slots_[from] : nullptr;
  }
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t i = 0; i < tags_.size(); ++i) {
      if (tags_[i] != 0) f(slots_[i].key, slots_[i].value);
    }
  }
  std::size_t table_bytes() const { return tags_.size() * (sizeof(Slot) + sizeof(std::uint32_t)); }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  // The low half of the hash; the high half chose the lane, so within a lane only the low half varies freely.
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash) | 1u; }
  std::size_t home(std::uint32_t tag) const { return (tag >> 1) & mask_; }

  std::size_t index_of(const Key& key, std::uint64_t hash) const {
    if (size_ == 0) return kNone;
    const std::uint32_t tag = tag_of(hash);
    for (std::size_t i = home(tag); tags_[i] != 0; i = (i + 1) & mask_) {
      if (tags_[i] == tag && same_key(slots_[i].key, key)) return i;
    }
    return kNone;
  }
  void grow() {
    const std::size_t capacity = tags_.empty() ? 16 : tags_.size() * 2;
    std::vector<std::uint32_t> tags(capacity);
    Slot* slots =
        static_cast<Slot*>(::operator new(capacity * sizeof(Slot), std::align_val_t{alignof(Slot)}));
    mask_ = capacity - 1;
    for (std::size_t from = 0; from < tags_.size(); ++from) {
      if (tags_[from] == 0) continue;
      std::size_t i = home(tags_[from]);
      while (tags[i] != 0) i = (i + 1) & mask_;
      new (&slots[i]) Slot(std::move(slots_[from]));
      slots_[from].~Slot();
      tags[i] = tags_[from];
    }
    release(slots_);
    tags_ = std::move(tags);
    slots_ = slots;
  }
  static void release(Slot* slots) {
    if (slots) ::operator delete(slots, std::align_val_t{alignof(Slot)});
  }
  void swap(KeyTable& o) noexcept {
    std::swap(tags_, o.tags_);
    std::swap(slots_, o.slots_);
    std::swap(mask_, o.mask_);
    std::swap(size_, o.size_);
  }

  std::vector<std::uint32_t> tags_;  ///< 0: free
  Slot* slots_ = nullptr;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
};

}  // namespace slipstream::detail
