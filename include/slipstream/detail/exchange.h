#pragma once
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "slipstream/detail/hash.h"
#include "slipstream/detail/operator.h"

/// The ends of a chain: they put batches into other lanes' inboxes.
namespace slipstream::detail {

/// Where an edge leads, as the lane that owns the edge knows it.
struct EdgeEnv {
  LaneServices* lane = nullptr;
  int edge = 0;             ///< the lane's number of this edge
  std::uint32_t lanes = 1;  ///< of the stage it leads to
  std::uint32_t shards = 128;
};

/// The sending end of an edge: batches of one type for the lanes behind it.
template <class T>
class EdgeSender {
 public:
  explicit EdgeSender(const EdgeEnv& env) : env_(env) {}
  const EdgeEnv& env() const { return env_; }

  /// An empty batch to fill and send.
  std::unique_ptr<Batch<T>> make() {
    if (auto spent = spent_.take()) return std::unique_ptr<Batch<T>>(static_cast<Batch<T>*>(spent.release()));
    auto made = std::make_unique<Batch<T>>();
    made->home = &spent_;
    return made;
  }
  void send(std::uint32_t lane, std::unique_ptr<Batch<T>> batch) {
    batch->bytes = batch->footprint_bytes();
    env_.lane->send(env_.edge, lane, std::move(batch));
  }
  /// The whole batch to the only lane behind the edge.
  void send_whole(Batch<T>& batch) {
    auto whole = make();
    whole->values.swap(batch.values);
    whole->take_columns(batch);
    send(0, std::move(whole));
  }

 private:
  EdgeEnv env_;
  SpentBatches spent_;
};

/// All records to the one lane of the stage behind.
template <class T>
class Forward final : public Receiver<T> {
 public:
  explicit Forward(const EdgeEnv& env) : sender_(env) {}
  void receive(Batch<T>& batch) override { sender_.send_whole(batch); }

 private:
  EdgeSender<T> sender_;
};

/// Each record to the lane that owns its key's shard. Everything received is sent before receive() returns,
/// so a watermark never overtakes a record.
template <class T, class KeyOf>
class Exchange final : public Receiver<T> {
 public:
  Exchange(const EdgeEnv& env, std::shared_ptr<const KeyOf> key_of)
      : sender_(env), key_of_(std::move(key_of)), shards_(env.shards) {
    lane_of_shard_.resize(env.shards);
    for (std::uint32_t s = 0; s < env.shards; ++s) lane_of_shard_[s] = lane_of_shard(s, env.lanes);
    picks_.resize(env.lanes);
    ends_.resize(env.lanes);
  }
  void receive(Batch<T>& batch) override {
    if (picks_.size() == 1) {
      sender_.send_whole(batch);
      return;
    }
    route(batch);
    for (std::uint32_t l = 0; l < picks_.size(); ++l) {
      const std::span<const std::uint32_t> picks(picks_[l].data(), ends_[l]);
      if (!picks.empty()) sender_.send(l, take(batch, picks));
    }
  }

 private:
  /// Says, by lane, which records of the batch go there.
  void route(const Batch<T>& batch) {
    const auto size = static_cast<std::uint32_t>(batch.size());
    for (std::size_t l = 0; l < picks_.size(); ++l) {
      if (picks_[l].size() < size) picks_[l].resize(size);
      ends_[l] = picks_[l].data();
    }
    const T* const values = batch.values.data();
    const std::uint32_t* const lane_of_shard = lane_of_shard_.data();
    std::uint32_t** const ends = ends_.data();
    for (std::uint32_t i = 0; i < size; ++i) {
      try {
        for (; i < size; ++i)
          *ends[lane_of_shard[shard_of(hash_key(std::invoke(*key_of_, values[i])), shards_)]]++ = i;
      } catch (...) {
        // A record whose key can't be had goes to any lane: the operator there asks for the key again, and
        // its error policy decides.
        *ends[0]++ = i;
      }
    }
  }
  std::unique_ptr<Batch<T>> take(Batch<T>& batch, std::span<const std::uint32_t> picks) {
    auto part = sender_.make();
    gather_column(batch.values, picks, part->values);
    part->gather_columns(batch, picks);
    return part;
  }

  EdgeSender<T> sender_;
  std::shared_ptr<const KeyOf> key_of_;
  const std::uint32_t shards_;
  std::vector<std::uint32_t> lane_of_shard_;
  // By lane: numbers of records, and behind the last of this batch.
  std::vector<std::vector<std::uint32_t>> picks_;
  std::vector<std::uint32_t*> ends_;
};

}  // namespace slipstream::detail
