#pragma once
#include <functional>
#include <memory>
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

template <class T>
void send_to(const EdgeEnv& env, std::uint32_t lane, std::unique_ptr<Batch<T>> batch) {
  batch->bytes = batch->footprint_bytes();
  env.lane->send(env.edge, lane, std::move(batch));
}

/// The whole batch to the only lane behind the edge.
template <class T>
void send_whole(const EdgeEnv& env, Batch<T>& batch) {
  auto whole = std::make_unique<Batch<T>>();
  whole->values = std::move(batch.values);
  whole->take_columns(batch);
  send_to(env, 0, std::move(whole));
}

/// All records to the one lane of the stage behind.
template <class T>
class Forward final : public Receiver<T> {
 public:
  explicit Forward(const EdgeEnv& env) : env_(env) {}
  void receive(Batch<T>& batch) override { send_whole(env_, batch); }

 private:
  EdgeEnv env_;
};

/// Each record to the lane that owns its key's shard. Everything received is sent before receive() returns,
/// so a watermark never overtakes a record.
template <class T, class KeyOf>
class Exchange final : public Receiver<T> {
 public:
  Exchange(const EdgeEnv& env, std::shared_ptr<const KeyOf> key_of) : env_(env), key_of_(std::move(key_of)) {
    lane_of_shard_.resize(env.shards);
    for (std::uint32_t s = 0; s < env.shards; ++s) lane_of_shard_[s] = lane_of_shard(s, env.lanes);
    picks_.resize(env.lanes);
  }
  void receive(Batch<T>& batch) override {
    if (env_.lanes == 1) {
      send_whole(env_, batch);
      return;
    }
    route(batch);
    for (std::uint32_t l = 0; l < env_.lanes; ++l) {
      if (!picks_[l].empty()) send_to(env_, l, take(batch, picks_[l]));
    }
  }

 private:
  void route(const Batch<T>& batch) {
    for (auto& picks : picks_) picks.clear();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      picks_[lane_of(batch.values[i])].push_back(static_cast<std::uint32_t>(i));
    }
  }
  /// A record whose key can't be had goes to any lane: the operator there asks for the key again, and its
  /// error policy decides.
  std::uint32_t lane_of(const T& value) const {
    try {
      return lane_of_shard_[shard_of(hash_key(std::invoke(*key_of_, value)), env_.shards)];
    } catch (...) {
      return 0;
    }
  }
  static std::unique_ptr<Batch<T>> take(Batch<T>& batch, const std::vector<std::uint32_t>& picks) {
    auto part = std::make_unique<Batch<T>>();
    part->values.reserve(picks.size());
    for (const std::uint32_t i : picks) part->values.push_back(std::move(batch.values[i]));
    part->gather_columns(batch, picks);
    return part;
  }

  EdgeEnv env_;
  std::shared_ptr<const KeyOf> key_of_;
  std::vector<std::uint32_t> lane_of_shard_;
  std::vector<std::vector<std::uint32_t>> picks_;  ///< by lane: which records of the batch
};

}  // namespace slipstream::detail
