#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "slipstream/detail/checked.h"
#include "slipstream/detail/hash.h"
#include "slipstream/detail/key_table.h"
#include "slipstream/detail/operator.h"

namespace slipstream::detail {

/// The hashes of a batch's next few keys and where their states most likely are, looked up together ahead of
/// their turn, so that the memory of one is on its way while another is worked on: waiting for it was half of
/// an aggregate's time.
class LookAhead {
 public:
  struct Found {
    std::uint64_t hash;
    std::uint32_t guess;
  };
  /// Of the record at `at`, which is behind the one before. hash_of(i) gives the hash of a record's key, or
  /// throws: that is dealt with when it is the record's turn.
  template <class HashOf, class Table>
  const Found& operator()(std::size_t at, std::size_t end, HashOf&& hash_of, const Table& table) {
    if (at >= end_) [[unlikely]]
      find(at, end, hash_of, table);
    return found_[at - begin_];
  }
  /// Records behind the last have moved.
  void forget() { end_ = 0; }

 private:
  static constexpr std::size_t kRecords = 32;

  template <class HashOf, class Table>
  [[gnu::noinline]] void find(std::size_t at, std::size_t end, HashOf& hash_of, const Table& table) {
    const std::size_t size = std::min(kRecords, end - at);
    found_[0].hash = hash_of(at);
    table.prefetch(found_[0].hash);
    std::size_t n = 1;
    try {
      for (; n < size; ++n) {
        found_[n].hash = hash_of(at + n);
        table.prefetch(found_[n].hash);
      }
    } catch (...) {
    }
    for (std::size_t k = 0; k < n; ++k) found_[k].guess = table.guess(found_[k].hash);
    begin_ = at;
    end_ = at + n;
  }

  std::array<Found, kRecords> found_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// An operator on a keyed stream: the head of a stage whose lanes own disjoint sets of keys.
template <class In, class KeyOf>
class KeyedOperator : public TypedOperator<In> {
 public:
  using Key = std::remove_cvref_t<std::invoke_result_t<const KeyOf&, const In&>>;
  KeyedOperator(const OperatorEnv& env, std::shared_ptr<const KeyOf> key_of)
      : TypedOperator<In>(env), key_of_(std::move(key_of)) {}

 protected:
  decltype(auto) key(const In& value) const { return std::invoke(*key_of_, value); }
  /// Of the record at `at`, whose key this is.
  template <class Table>
  LookAhead::Found look_up(LookAhead& ahead, const Batch<In>& batch, std::size_t at, const Key& key,
                           const Table& table) const {
    if constexpr (kIsKeyCheap) {
      return ahead(
          at, batch.size(), [&](std::size_t i) { return hash_key<Key>(this->key(batch.values[i])); }, table);
    } else {
      return {hash_key<Key>(key), Table::kNoSlot};
    }
  }
  std::uint32_t slot(std::uint64_t hash) const { return shard_of(hash, this->env_.shards); }
  std::uint64_t unit(const Batch<In>& batch, std::size_t i) const override {
    try {
      return hash_key<Key>(key(batch.values[i]));
    } catch (...) {
      return 0;  // it may be the key that failed
    }
  }
  std::uint32_t slot_of_unit(std::uint64_t hash) const override { return slot(hash); }
  void receive_message(int port, BatchBase& batch) override {
    if (kChecked) check_owner(static_cast<const Batch<In>&>(batch), *key_of_);
    TypedOperator<In>::receive_message(port, batch);
  }
  /// One lane per shard: every key that arrives here belongs here.
  template <class T, class Of>
  void check_owner(const Batch<T>& batch, const Of& key_of) {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      try {
        const std::uint32_t shard = slot(hash_key<Key>(std::invoke(key_of, batch.values[i])));
        if (lane_of_shard(shard, this->env_.lanes) == this->env_.index) continue;
        this->lane().fail(
            *this, batch.ids[i],
            "a defect in slipstream: shard " + std::to_string(shard) + " came to another lane than its own",
            absl::StatusCode::kInternal);
        return;
      } catch (...) {  // the error policy will decide about it
      }
    }
  }

 private:
  /// Whether asking for it once more costs next to nothing.
  static constexpr bool kIsKeyCheap =
      std::is_reference_v<std::invoke_result_t<const KeyOf&, const In&>> || std::is_trivially_copyable_v<Key>;

  std::shared_ptr<const KeyOf> key_of_;
};

/// Whether a user function may leave its state half changed when it throws, so that it needs a copy to go
/// back to. Under ErrorPolicy::fail nobody sees the state again.
inline bool needs_undo(const ErrorPolicy& errors) {
  return errors.retries > 0 || errors.action != ErrorPolicy::Action::fail;
}

/// The state of keys under one mutation at a time, with the way back.
template <class State>
class Undo {
 public:
  explicit Undo(bool active) : active_(active) {}
  /// A record begins; nothing is changed yet.
  void begin() { changed_ = false; }
  void before(const State& state, bool is_new) {
    if (active_) [[unlikely]]
      save(state, is_new);
  }
  bool needed() const { return changed_; }
  bool was_new() const { return is_new_; }
  State& copy() { return *copy_; }

 private:
  [[gnu::noinline]] void save(const State& state, bool is_new) {
    changed_ = true;
    is_new_ = is_new;
    if (!is_new) copy_ = std::make_unique<State>(state);
  }

  bool active_;
  bool changed_ = false;
  bool is_new_ = false;
  std::unique_ptr<State> copy_;
};

}  // namespace slipstream::detail
