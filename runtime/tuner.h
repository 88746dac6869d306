#pragma once
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "slipstream/config.h"
#include "slipstream/log.h"

namespace slipstream::runtime {

/// What a run can change while it runs.
struct Knobs {
  std::size_t batch = 0;  ///< records
  Duration linger{0};
  friend bool operator==(const Knobs&, const Knobs&) = default;
};

/// What an interval was like.
struct Measured {
  double records_per_second = 0;                ///< read by sources
  std::optional<std::chrono::nanoseconds> p99;  ///< of records that reached the end of their way, if any did
  bool lingers = false;                         ///< the linger had a say
};

/// Looks for the batch and the linger that are best for what is measured. It has no clock and no threads: it
/// is told how each interval was under knobs(), and what it wants for the next are knobs() again.
///
/// The rule is a pattern search (Hooke and Jeeves, "Direct search", 1961; Kolda, Lewis and Torczon, 2003,
/// call it compass search), with steps that are factors: first 64, so that it crosses plateaus, then 8,
/// then 2. A probe measures where it is and then a neighbour, always both, because a load changes while one
/// looks, and both once more before it believes that the neighbour is better: when other work ends between
/// the two, any neighbour looks good. It moves when the neighbour is better by more than noise, and takes
/// smaller steps when none is.
/// What a target means are Deb's rules for constraints (2000): what keeps the target beats what doesn't, of
/// two that don't the faster way through, of two that are equal in this the one with more records per second.
/// An interval after each change belongs to both and counts for neither; each measurement is the median of
/// three.
///
/// When no step of 2 is better it stays where it is, until the rate is another one by half, or the target is
/// no longer kept. Probes that lead to nothing are made ever more rarely.
class Tuner {
 public:
  struct Decision {
    LogLevel level;
    std::string text;
    friend bool operator==(const Decision&, const Decision&) = default;
  };

  /// Starts at `start`, or where the bounds are nearest to it.
  Tuner(const TuningConfig& config, Knobs start);

  /// An interval under knobs(). Says what was decided, if anything was. An interval in which nothing was read
  /// says nothing about the knobs, nor does one without a p99 where there is a target.
  std::optional<Decision> observe(const Measured& measured);
  const Knobs& knobs() const { return now_; }
  bool is_settled() const { return phase_ == Phase::settled; }

 private:
  enum class Phase { base, trial, settled };
  enum class Move { more_batch, less_batch, more_linger, less_linger };
  static constexpr int kMoves = 4;

  bool is_usable(const Measured& measured);
  std::optional<Decision> warn_of_silence();
  std::size_t needed() const;
  bool is_hopeless() const;
  Measured take_median();
  std::optional<Decision> probe();
  std::optional<Decision> judge(const Measured& trial);
  std::optional<Decision> watch(const Measured& now);
  std::optional<Decision> settle();
  Knobs after(Move move) const;
  bool is_better(const Measured& trial) const;
  bool is_over(const Measured& measured) const;
  void go_to(const Knobs& knobs, Phase phase);

  const TuningConfig config_;
  Knobs base_;  ///< the best so far
  Knobs now_;   ///< in use
  Phase phase_ = Phase::base;
  std::vector<Measured> block_;  ///< intervals under now_
  bool was_changed_ = false;     ///< the next interval belongs to what was before, too
  Measured base_measured_;
  std::optional<Knobs> to_confirm_;  ///< was better once
  std::int64_t step_;
  int move_ = 0;    ///< to be tried next
  int failed_ = 0;  ///< moves of this step that led to nothing
  std::optional<Measured> settled_at_;
  Knobs settled_on_;
  int patience_ = 1;  ///< blocks to stay settled for at least
  int rested_ = 0;    ///< blocks so far
  int silent_ = 0;    ///< intervals without a p99
};

}  // namespace slipstream::runtime
