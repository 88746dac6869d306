#include "runtime/tuner.h"

#include <algorithm>
#include <cstdio>
#include <initializer_list>
#include <utility>

#include "slipstream/detail/units.h"

namespace slipstream::runtime {
namespace {

constexpr std::int64_t kFirstStep = 64;  // crosses plateaus, such as batches that bytes limit anyway
constexpr std::int64_t kSecondStep = 8;  // also the first when it looks again
constexpr std::int64_t kLastStep = 2;
constexpr std::size_t kIntervals = 3;  // of which a measurement is the median
constexpr std::size_t kRest = 10;      // of the same while settled
constexpr int kMostPatience = 64;
constexpr int kSilence = 50;     // intervals
constexpr double kGain = 1.04;   // less may be noise
constexpr double kMargin = 0.9;  // of the target, for what is new, and of a p99 to be called shorter
constexpr double kOtherLoad = 1.5;
constexpr Duration kLeastLinger = std::chrono::microseconds(100);  // but none

std::string text_of(const Knobs& knobs) {
  return "batches of " + std::to_string(knobs.batch) + " records, linger " +
         (knobs.linger == Duration::zero() ? "0ms" : detail::format_duration(knobs.linger));
}

/// With three digits, in the largest of the units that it fills.
std::string brief(double value, std::initializer_list<std::pair<double, const char*>> units) {
  const auto fits =
      std::find_if(units.begin(), units.end() - 1, [&](const auto& u) { return value >= u.first; });
  char text[64];
  std::snprintf(text, sizeof text, "%.3g%s", value / fits->first, fits->second);
  return text;
}

std::string text_of(const Measured& measured) {
  const std::string rate =
      brief(measured.records_per_second, {{1e6, " M"}, {1e3, " k"}, {1, ""}}) + " records/s";
  if (!measured.p99) return rate;
  return rate + ", p99 " +
         brief(static_cast<double>(measured.p99->count()), {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}});
}

template <class T, class Get>
T median(std::vector<Measured>& block, Get get) {
  const auto middle = block.begin() + static_cast<std::ptrdiff_t>(block.size() / 2);
  std::nth_element(block.begin(), middle, block.end(),
                   [&](const Measured& a, const Measured& b) { return get(a) < get(b); });
  return get(*middle);
}

}  // namespace

Tuner::Tuner(const TuningConfig& config, Knobs start) : config_(config), step_(kFirstStep) {
  base_ = {std::clamp(start.batch, config.batch.least, config.batch.most),
           std::clamp(start.linger, config.linger.least, config.linger.most)};
  now_ = base_;
  settled_on_ = base_;
}

std::optional<Tuner::Decision> Tuner::observe(const Measured& measured) {
  if (!is_usable(measured)) return warn_of_silence();
  if (std::exchange(was_changed_, false)) return std::nullopt;
  block_.push_back(measured);
  if (block_.size() < needed() && !is_hopeless()) return std::nullopt;
  const Measured now = take_median();
  if (phase_ == Phase::settled) return watch(now);
  if (phase_ == Phase::trial) return judge(now);
  base_measured_ = now;
  if (!to_confirm_) return probe();
  go_to(*to_confirm_, Phase::trial);
  return std::nullopt;
}

bool Tuner::is_usable(const Measured& measured) {
  if (measured.records_per_second <= 0) return false;
  if (config_.mode != TuningMode::target_p99) return true;
  silent_ = measured.p99 ? 0 : silent_ + 1;
  return measured.p99.has_value();
}

std::optional<Tuner::Decision> Tuner::warn_of_silence() {
  if (silent_ != kSilence) return std::nullopt;
  ++silent_;  // once
  return Decision{LogLevel::warning,
                  "records are read, but none reaches the end of its way, so there is no p99 to be held to "
                  "tuning.target_p99"};
}

std::size_t Tuner::needed() const { return phase_ == Phase::settled ? kRest : kIntervals; }

/// Whether the median of a trial will be over the target, whatever comes: nothing is kept waiting for longer
/// than it takes to know.
bool Tuner::is_hopeless() const {
  if (phase_ != Phase::trial || is_over(base_measured_)) return false;
  const auto over =
      std::count_if(block_.begin(), block_.end(), [this](const Measured& m) { return is_over(m); });
  return 2 * static_cast<std::size_t>(over) > kIntervals;
}

Measured Tuner::take_median() {
  Measured m;
  m.records_per_second = median<double>(block_, [](const Measured& x) { return x.records_per_second; });
  m.p99 = median<std::optional<std::chrono::nanoseconds>>(block_, [](const Measured& x) { return x.p99; });
  m.lingers = std::any_of(block_.begin(), block_.end(), [](const Measured& x) { return x.lingers; });
  block_.clear();
  return m;
}

/// Goes to the next neighbour that is another place.
std::optional<Tuner::Decision> Tuner::probe() {
  for (;;) {
    for (; failed_ < kMoves; ++failed_, move_ = (move_ + 1) % kMoves) {
      const auto move = static_cast<Move>(move_);
      const bool is_linger = move == Move::more_linger || move == Move::less_linger;
      if (is_linger && !base_measured_.lingers) continue;
      if (after(move) == base_) continue;
      go_to(after(move), Phase::trial);
      return std::nullopt;
    }
    if (step_ <= kLastStep) return settle();
    step_ = step_ > kSecondStep ? kSecondStep : kLastStep;
    failed_ = 0;
  }
}

std::optional<Tuner::Decision> Tuner::judge(const Measured& trial) {
  const Knobs tried = now_;
  const bool is_second = std::exchange(to_confirm_, std::nullopt).has_value();
  if (is_better(trial) && !is_second) {
    to_confirm_ = tried;
    go_to(base_, Phase::base);
    return std::nullopt;
  }
  if (is_better(trial)) {
    base_ = tried;
    failed_ = 0;
    go_to(base_, Phase::base);
    was_changed_ = false;  // it is in use already
    return Decision{LogLevel::info,
                    text_of(tried) + ": " + text_of(trial) + " instead of " + text_of(base_measured_)};
  }
  ++failed_;
  move_ = (move_ + 1) % kMoves;
  go_to(base_, Phase::base);
  return Decision{LogLevel::debug, text_of(tried) + " would be no better: " + text_of(trial) +
                                       " instead of " + text_of(base_measured_) + " with " + text_of(base_)};
}

std::optional<Tuner::Decision> Tuner::settle() {
  patience_ = base_ == settled_on_ ? std::min(2 * patience_, kMostPatience) : 1;
  settled_on_ = base_;
  settled_at_.reset();
  rested_ = 0;
  go_to(base_, Phase::settled);
  was_changed_ = false;
  const std::string what = text_of(base_) + ": " + text_of(base_measured_);
  if (!is_over(base_measured_)) return Decision{LogLevel::info, "settled on " + what};
  return Decision{LogLevel::warning,
                  "tuning.target_p99 of " + detail::format_duration(*config_.target_p99) +
                      " can't be held within tuning.batch and tuning.linger; the best there is are " + what};
}

/// Looks again when the load is another one, or the target isn't kept any more.
std::optional<Tuner::Decision> Tuner::watch(const Measured& now) {
  if (!settled_at_) settled_at_ = now;
  if (++rested_ < patience_) return std::nullopt;
  const double ratio = now.records_per_second / settled_at_->records_per_second;
  const bool is_other_load = ratio > kOtherLoad || ratio < 1 / kOtherLoad;
  if (!is_other_load && !is_over(now)) return std::nullopt;
  step_ = kSecondStep;
  failed_ = 0;
  go_to(base_, Phase::base);
  was_changed_ = false;
  return Decision{LogLevel::info,
                  std::string("looks for better values than ") + text_of(base_) + ", as " +
                      (is_other_load ? "the load is another one: " : "the target isn't kept: ") +
                      text_of(now) + " instead of " + text_of(*settled_at_)};
}

Knobs Tuner::after(Move move) const {
  Knobs to = base_;
  const auto factor = static_cast<std::size_t>(step_);
  switch (move) {
    case Move::more_batch:
      to.batch *= factor;
      break;
    case Move::less_batch:
      to.batch /= factor;
      break;
    case Move::more_linger:
      to.linger = std::max(kLeastLinger, to.linger * step_);
      break;
    case Move::less_linger:
      to.linger = to.linger / step_ < kLeastLinger ? Duration::zero() : to.linger / step_;
      break;
  }
  return {std::clamp(to.batch, config_.batch.least, config_.batch.most),
          std::clamp(to.linger, config_.linger.least, config_.linger.most)};
}

bool Tuner::is_over(const Measured& measured) const {
  return config_.mode == TuningMode::target_p99 && measured.p99 > *config_.target_p99;
}

bool Tuner::is_better(const Measured& trial) const {
  const bool is_faster = trial.records_per_second > kGain * base_measured_.records_per_second;
  if (config_.mode != TuningMode::target_p99) return is_faster;
  const auto p99 = static_cast<double>(trial.p99->count());
  const bool keeps =
      p99 <= kMargin * static_cast<double>(std::chrono::nanoseconds(*config_.target_p99).count());
  if (!is_over(base_measured_)) return keeps && is_faster;
  const auto before = static_cast<double>(base_measured_.p99->count());
  return keeps || p99 < kMargin * before || (is_faster && p99 < before / kMargin);
}

void Tuner::go_to(const Knobs& knobs, Phase phase) {
  now_ = knobs;
  phase_ = phase;
  was_changed_ = true;
  block_.clear();
}

}  // namespace slipstream::runtime
