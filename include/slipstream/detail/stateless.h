#pragma once
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "slipstream/detail/invoke.h"
#include "slipstream/detail/operator.h"

/// Operators without keyed state. They run in the lane of whatever feeds them.
namespace slipstream::detail {

/// The user's function, shared by the lanes that call it.
template <class F>
using Shared = std::shared_ptr<const F>;

template <class In, class Out, class F>
class Map final : public TypedOperator<In> {
 public:
  Map(const OperatorEnv& env, Shared<F> f) : TypedOperator<In>(env), f_(std::move(f)) {}
  OutputPort<Out> out;

 protected:
  void process(Batch<In>& batch) override {
    result_.values.reserve(batch.size());
    std::size_t i = 0;
    std::size_t kept = 0;
    this->guarded(
        batch, i,
        [&](std::size_t at) {
          result_.values.push_back(call(*f_, batch, at));
          batch.move_columns_down(at, kept++);
          return true;
        },
        [](std::size_t) {});
    batch.truncate_columns(kept);
    result_.take_columns(batch);
    this->counters.forwarded += kept;
    this->counters.out += kept;
    out.emit(result_);
  }

 private:
  Shared<F> f_;
  Batch<Out> result_;
};

template <class T, class F>
class Filter final : public TypedOperator<T> {
 public:
  Filter(const OperatorEnv& env, Shared<F> f) : TypedOperator<T>(env), f_(std::move(f)) {}
  OutputPort<T> out;

 protected:
  void process(Batch<T>& batch) override {
    std::size_t i = 0;
    std::size_t kept = 0;
    std::size_t dropped = 0;
    this->guarded(
        batch, i,
        [&](std::size_t at) {
          if (!call(*f_, batch, at)) {
            ++dropped;
            return true;
          }
          if (kept != at) batch.values[kept] = std::move(batch.values[at]);
          batch.move_columns_down(at, kept++);
          return true;
        },
        [](std::size_t) {});
    batch.truncate(kept);
    this->counters.filtered += dropped;
    this->counters.forwarded += kept;
    this->counters.out += kept;
    out.emit(batch);
  }

 private:
  Shared<F> f_;
};

/// Two outputs: the records the predicate holds for, and the others.
template <class T, class F>
class Split final : public TypedOperator<T> {
 public:
  Split(const OperatorEnv& env, Shared<F> f) : TypedOperator<T>(env), f_(std::move(f)) {}
  OutputPort<T> matching;
  OutputPort<T> others;

 protected:
  void process(Batch<T>& batch) override {
    std::size_t i = 0;
    std::size_t kept = 0;
    this->guarded(
        batch, i,
        [&](std::size_t at) {
          if (call(*f_, batch, at)) {
            if (kept != at) batch.values[kept] = std::move(batch.values[at]);
            batch.move_columns_down(at, kept++);
          } else {
            rest_.values.push_back(std::move(batch.values[at]));
            rest_.append_columns(batch, at);
          }
          return true;
        },
        [](std::size_t) {});
    batch.truncate(kept);
    this->counters.forwarded += kept + rest_.size();
    this->counters.out += kept + rest_.size();
    matching.emit(batch);
    others.emit(rest_);
  }

 private:
  Shared<F> f_;
  Batch<T> rest_;
};

/// Walks what a user's flat_map function returned, one element a step, so that it can stop anywhere.
template <class R>
class Walk {
 public:
  using Held = std::conditional_t<std::is_reference_v<R>, std::remove_reference_t<R>*, R>;
  using Range = std::remove_reference_t<R>;
  using Element = typename RangeElement<Range>::type;

  explicit Walk(R&& range) : held_(hold(std::forward<R>(range))) {
    if constexpr (!OptionalLike<Range>) it_.emplace(std::begin(get()));
  }
  Walk(const Walk&) = delete;

  bool done() {
    if constexpr (OptionalLike<Range>) {
      return taken_ || !get().has_value();
    } else {
      return *it_ == std::end(get());
    }
  }
  Element take() {
    if constexpr (OptionalLike<Range>) {
      taken_ = true;
      return element(*get());
    } else {
      Element e = element(**it_);
      ++*it_;
      return e;
    }
  }

 private:
  struct None {};
  template <class X>
  struct IteratorOf {
    using type = std::optional<decltype(std::begin(std::declval<X&>()))>;
  };
  template <OptionalLike X>
  struct IteratorOf<X> {
    using type = None;
  };

  static Held hold(R&& range) {
    if constexpr (std::is_reference_v<R>) {
      return &range;
    } else {
      return std::move(range);
    }
  }
  Range& get() {
    if constexpr (std::is_reference_v<R>) {
      return *held_;
    } else {
      return held_;
    }
  }
  /// What the function returned by value is ours to move from.
  template <class E>
  static Element element(E&& e) {
    if constexpr (!std::is_reference_v<R> && !std::is_const_v<std::remove_reference_t<E>>) {
      return std::move(e);
    } else {
      return e;
    }
  }

  Held held_;
  typename IteratorOf<Range>::type it_;
  bool taken_ = false;
};

/// Zero to many outputs per record. What one record becomes is sent only when its function is done with it,
/// so that a record that fails leaves nothing behind; beyond kMaxAtomic lazily made outputs that is given up,
/// and a failure then ends the run whatever the policy.
template <class In, class Out, class F>
class FlatMap final : public TypedOperator<In> {
 public:
  static constexpr std::size_t kMaxAtomic = 65536;

  FlatMap(const OperatorEnv& env, Shared<F> f) : TypedOperator<In>(env), f_(std::move(f)) {}
  OutputPort<Out> out;

  bool has_pending() const override { return at_ < input_.size(); }
  void resume() override {
    BusyScope busy(*this);
    run();
    while (!has_pending() && !behind_.empty()) {
      this->divert_waiting(behind_, 0);  // a record before them may wait for a retry by now
      start(behind_);
    }
  }

 protected:
  void process(Batch<In>& batch) override {
    if (!has_pending()) {
      start(batch);
      return;
    }
    // Behind the batch that was cut short, and not into it: the walk may look into the record it is at.
    behind_.append(batch);
  }

 private:
  using R = ResultOf<const F&, In>;
  static constexpr bool kStored =
      StoredRange<std::remove_reference_t<R>> || OptionalLike<std::remove_reference_t<R>>;

  void start(Batch<In>& batch) {
    input_.clear();
    std::swap(input_.values, batch.values);
    input_.take_columns(batch);
    batch.clear();
    at_ = 0;
    run();
  }
  void run() {
    bool pause = false;
    while (at_ < input_.size() && !pause) {
      this->guarded(
          input_, at_,
          [&](std::size_t i) {
            pause = !expand(i);
            return !pause;
          },
          [&](std::size_t i) { undo(i); });
    }
    send();
    if (at_ >= input_.size()) input_.clear(), at_ = 0;
  }
  /// False: stopped in the middle of the record or right behind it, because downstream is full.
  bool expand(std::size_t i) {
    if (!walk_) {
      walk_.emplace(call(*f_, input_, i));
      made_ = 0;
      sent_ = 0;
    }
    while (!walk_->done()) {
      result_.values.push_back(walk_->take());
      result_.append_columns(input_, i, made_++);
      if (result_.size() >= this->lane().max_batch && (kStored || made_ - sent_ >= kMaxAtomic)) {
        send();
        sent_ = made_;
        if (this->lane().should_pause()) return false;
      }
    }
    walk_.reset();
    made_ == 0 ? this->counters.filtered += 1 : this->counters.forwarded += 1;
    made_ = sent_ = 0;
    if (result_.size() < this->lane().max_batch) return true;
    send();
    if (!this->lane().should_pause()) return true;
    ++at_;
    return false;
  }
  void undo(std::size_t i) {
    walk_.reset();
    if (sent_ > 0) {
      this->lane().fail(
          *this, input_.ids[i],
          "failed after " + std::to_string(sent_) + " of its outputs were sent; they can't be taken back");
    }
    result_.truncate(result_.size() - (made_ - sent_));
    made_ = sent_ = 0;
  }
  void send() {
    this->counters.out += result_.size();
    out.emit(result_);
  }

  Shared<F> f_;
  Batch<In> input_;
  Batch<In> behind_;    ///< what came while input_ was cut short
  std::size_t at_ = 0;  ///< the record of input_ to go on with
  Batch<Out> result_;
  std::optional<Walk<R>> walk_;  ///< of the record at at_, when it is cut short
  std::size_t made_ = 0;         ///< outputs of that record so far
  std::size_t sent_ = 0;         ///< of them, sent
};

}  // namespace slipstream::detail
