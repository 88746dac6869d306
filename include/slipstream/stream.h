#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "slipstream/detail/aggregate.h"
#include "slipstream/detail/as_of_join.h"
#include "slipstream/detail/graph.h"
#include "slipstream/detail/hopping_window.h"
#include "slipstream/detail/interval_join.h"
#include "slipstream/detail/process.h"
#include "slipstream/detail/session_window.h"
#include "slipstream/detail/sliding_window.h"
#include "slipstream/detail/stateless.h"
#include "slipstream/detail/typed_sink.h"
#include "slipstream/sink.h"
#include "slipstream/window.h"

/// Streams: what a program is written with. A stream is a small value that names an output of the App's
/// graph; its methods add nodes. Nothing runs before App::run. Functions given to map, filter, flat_map,
/// split, key_by, aggregate, joins and process are called from several lanes at once, so they are called as
/// const: a lambda that keeps state in a `mutable` capture doesn't compile. Keyed state belongs into process
/// or aggregate. Their captures must outlive the run. They take the record, or the record and a `const
/// RecordInfo&`.
namespace slipstream {

using Here = std::source_location;

template <class T>
class Stream;
template <class T, class KeyOf>
class KeyedStream;

/// A function from a record to something, that may be called from several threads.
template <class F, class T>
concept RecordFunction = detail::TakesRecord<const F&, T>;
template <class F, class T>
concept Mapper = RecordFunction<F, T> && !std::is_void_v<detail::ResultOf<const F&, T>>;
template <class F, class T>
concept Predicate = RecordFunction<F, T> && std::convertible_to<detail::ResultOf<const F&, T>, bool>;
template <class F, class T>
concept FlatMapper = RecordFunction<F, T> && requires {
  typename detail::RangeElement<std::remove_reference_t<detail::ResultOf<const F&, T>>>::type;
};
template <class F, class T>
concept KeySelector = std::invocable<const F&, const T&> &&
                      detail::KeyType<std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>>;
/// The state of an aggregation: a plain struct that takes in one record at a time.
template <class State, class T>
concept Aggregate = std::default_initializable<State> && std::copyable<State> &&
                    requires(State s, const T& record) { s.add(record); };

/// A state that also takes in what another one has seen.
template <class State>
concept Mergeable = requires(State s, const State& other) { s.merge(other); };

struct EventTimeOptions {
  /// How much older than the newest record before it a record of the same partition may be and still count as
  /// on time. >= 0.
  Duration max_out_of_orderness{0};
  WhenQuiet when_quiet = {};
  /// A record further ahead of the wall clock follows the source's error policy and doesn't move the
  /// watermark. Empty: no limit but the configured one.
  std::optional<Duration> max_future = {};
};

struct AsOfOptions {
  /// How old the right record may be; one exactly this much older still matches. >= 0.
  Duration tolerance = Duration::max();
  enum class Emit {
    final,        ///< a record is joined once, when it is known with what
    speculative,  ///< at once with what is there, and once more, with the same RecordId, if that was wrong
  };
  /// Speculative results go into sinks in which a later one replaces an earlier one of the same id.
  Emit emit = Emit::final;
};

/// Which records of the right side belong to a left one: those from its time + lower to its time + upper,
/// both included. Either may be negative; lower <= upper.
struct Interval {
  Duration lower{0};
  Duration upper{0};
};

struct SinkOptions {
  std::string name = {};
  /// The sink may block (write to a slow device, call a service): it gets a thread of its own instead of a
  /// worker's time.
  bool blocking = false;
  /// What happens with records that it can't take: a function throws on them, a codec can't encode them, a
  /// connector refuses them. Where a connector's error may pass by itself (Unavailable, DeadlineExceeded,
  /// ResourceExhausted, Aborted), `retries` offers it the same records again after the backoff; meanwhile the
  /// sink takes nothing and those in front of it wait. When that is over, and at once for other errors, the
  /// action applies to the first record not taken, and the next is offered.
  ErrorPolicy errors = {};
};

namespace detail {

template <class T>
void connect(OutputPort<T>& port, void* receiver) {
  port.connect(static_cast<Receiver<T>*>(receiver));
}
template <class T>
EdgeEnd make_forward(const EdgeEnv& env) {
  auto edge = std::make_shared<Forward<T>>(env);
  Receiver<T>* receiver = edge.get();
  return {std::move(edge), receiver};
}
template <class T, class KeyOf>
EdgeEnd make_exchange(const EdgeEnv& env, const std::shared_ptr<const KeyOf>& key_of) {
  auto edge = std::make_shared<Exchange<T, KeyOf>>(env, key_of);
  Receiver<T>* receiver = edge.get();
  return {std::move(edge), receiver};
}
/// Fills in a chained node whose operator type is Op, with one output `out`.
template <class In, class Op, class... Args>
void define_chained(Node& node, Args... args) {
  node.make = [args...](const OperatorEnv& env) { return std::make_unique<Op>(env, args...); };
  node.as_receiver = [](Operator& op) -> void* { return static_cast<Receiver<In>*>(&static_cast<Op&>(op)); };
}
template <class Op>
void connect_single(Node& node) {
  node.connect = [](Operator& op, int, void* receiver) {
    detail::connect(static_cast<Op&>(op).out, receiver);
  };
}
template <class Op>
void connect_with_late(Node& node) {
  node.outputs = 2;
  node.connect = [](Operator& op, int port, void* receiver) {
    Op& typed = static_cast<Op&>(op);
    port == 0 ? detail::connect(typed.out, receiver) : detail::connect(typed.late, receiver);
  };
}

template <class State>
struct AddRecord {
  static constexpr bool kMerges = Mergeable<State>;
  template <class T>
  void operator()(State& state, const T& record) const {
    state.add(record);
  }
  void merge(State& state, const State& other) const
    requires Mergeable<State>
  {
    state.merge(other);
  }
};
struct CountRecord {
  static constexpr bool kMerges = true;
  void merge(std::int64_t& count, std::int64_t other) const { count += other; }
  template <class T>
  void operator()(std::int64_t& count, const T&) const {
    ++count;
  }
};

/// The operator for a window, and what is wrong with one.
template <class W>
struct WindowKind;
template <>
struct WindowKind<Tumbling> {
  static constexpr const char* kName = "tumbling window";
  static constexpr const char* kNeeds = "a tumbling window needs size > 0 and 0 <= offset < size";
  static constexpr bool kMustMerge = false;
  static constexpr bool is_valid(const Tumbling& w) {
    return w.size > Duration{0} && w.offset >= Duration{0} && w.offset < w.size;
  }
  template <class T, class KeyOf, class State, class Add>
  using Operator = TumblingAggregate<T, KeyOf, State, Add>;
};
template <>
struct WindowKind<Hopping> {
  static constexpr const char* kName = "hopping window";
  static constexpr const char* kNeeds = "a hopping window needs 0 < hop <= size and 0 <= offset < hop";
  static constexpr bool kMustMerge = false;
  static constexpr bool is_valid(const Hopping& w) {
    return w.hop > Duration{0} && w.hop <= w.size && w.offset >= Duration{0} && w.offset < w.hop;
  }
  template <class T, class KeyOf, class State, class Add>
  using Operator = HoppingAggregate<T, KeyOf, State, Add>;
};
template <>
struct WindowKind<Sliding> {
  static constexpr const char* kName = "sliding window";
  static constexpr const char* kNeeds = "a sliding window needs size > 0";
  static constexpr bool kMustMerge = true;
  static constexpr bool is_valid(const Sliding& w) { return w.size > Duration{0}; }
  template <class T, class KeyOf, class State, class Add>
  using Operator = SlidingAggregate<T, KeyOf, State, Add>;
};
template <>
struct WindowKind<Session> {
  static constexpr const char* kName = "session window";
  static constexpr const char* kNeeds = "a session window needs gap > 0";
  static constexpr bool kMustMerge = true;
  static constexpr bool is_valid(const Session& w) { return w.gap > Duration{0}; }
  template <class T, class KeyOf, class State, class Add>
  using Operator = SessionAggregate<T, KeyOf, State, Add>;
};

}  // namespace detail

/// tumbling(…), hopping(…), sliding(…) or session(…).
template <class W>
concept Window = requires { detail::WindowKind<W>::kName; };

template <class T>
class Stream {
 public:
  using value_type = T;

  /// One record becomes one: what f returns. Event time, id and headers stay.
  template <class F>
  auto map(F f, Here here = Here::current()) const {
    static_assert(detail::TakesRecord<F&, T>, "map() needs a function that takes the stream's record");
    static_assert(RecordFunction<F, T>,
                  "map() calls its function from several lanes at once: it must be callable as const (no "
                  "mutable lambda)");
    static_assert(Mapper<F, T>, "map() needs a function that returns a value; to look on, use sink()");
    using Out = std::remove_cvref_t<detail::ResultOf<const F&, T>>;
    static_assert(!std::same_as<Out, bool>, "a stream of bool is not supported: use a struct or an enum");
    using Op = detail::Map<T, Out, F>;
    detail::Node& node = add("map", detail::Role::chained, {}, here);
    detail::define_chained<T, Op>(node, std::make_shared<const F>(std::move(f)));
    detail::connect_single<Op>(node);
    return Stream<Out>(graph_, {{&node, 0}});
  }

  /// Keeps the records the predicate holds for.
  template <class F>
  Stream filter(F f, Here here = Here::current()) const {
    static_assert(detail::TakesRecord<F&, T>, "filter() needs a function that takes the stream's record");
    static_assert(RecordFunction<F, T>,
                  "filter() calls its function from several lanes at once: it must be callable as const (no "
                  "mutable lambda)");
    static_assert(Predicate<F, T>, "filter() needs a function that returns a bool");
    using Op = detail::Filter<T, F>;
    detail::Node& node = add("filter", detail::Role::chained, {}, here);
    detail::define_chained<T, Op>(node, std::make_shared<const F>(std::move(f)));
    detail::connect_single<Op>(node);
    return Stream(graph_, {{&node, 0}});
  }

  /// One record becomes zero to many: the elements of what f returns, an optional, a range or a Generator, in
  /// their order. Outputs carry the record's event time and headers.
  template <class F>
  auto flat_map(F f, Here here = Here::current()) const {
    static_assert(detail::TakesRecord<F&, T>, "flat_map() needs a function that takes the stream's record");
    static_assert(RecordFunction<F, T>,
                  "flat_map() calls its function from several lanes at once: it must be callable as const "
                  "(no mutable lambda)");
    static_assert(FlatMapper<F, T>,
                  "flat_map() needs a function that returns an optional, a range or a Generator; for one "
                  "value use map()");
    using R = std::remove_reference_t<detail::ResultOf<const F&, T>>;
    using Out = typename detail::RangeElement<R>::type;
    using Op = detail::FlatMap<T, Out, F>;
    detail::Node& node = add("flat_map", detail::Role::chained, {}, here);
    detail::define_chained<T, Op>(node, std::make_shared<const F>(std::move(f)));
    detail::connect_single<Op>(node);
    return Stream<Out>(graph_, {{&node, 0}});
  }

  /// Two streams: the records the predicate holds for, and all others.
  template <class F>
  std::pair<Stream, Stream> split(F f, Here here = Here::current()) const {
    static_assert(Predicate<F, T>,
                  "split() needs a function, callable as const, from the stream's record to bool");
    using Op = detail::Split<T, F>;
    detail::Node& node = add("split", detail::Role::chained, {}, here);
    detail::define_chained<T, Op>(node, std::make_shared<const F>(std::move(f)));
    node.outputs = 2;
    node.connect = [](detail::Operator& op, int port, void* receiver) {
      Op& typed = static_cast<Op&>(op);
      port == 0 ? detail::connect(typed.matching, receiver) : detail::connect(typed.others, receiver);
    };
    return {Stream(graph_, {{&node, 0}}), Stream(graph_, {{&node, 1}})};
  }

  /// The records of both. Order between the two is not defined; the watermark is the smaller one.
  Stream merge(const Stream& other) const {
    Stream both = *this;
    if (other.graph_ != graph_)
      graph_->mistakes.push_back("merge() of streams that belong to different Apps");
    both.outputs_.insert(both.outputs_.end(), other.outputs_.begin(), other.outputs_.end());
    return both;
  }
  template <class U>
    requires(!std::same_as<U, T>)
  void merge(const Stream<U>&) const {
    static_assert(detail::kNever<U>, "merge() needs two streams of the same type: map() one of them first");
  }

  /// Says what belongs together: records with equal keys meet in the same lane, in an order that is kept per
  /// source partition. The selector is a member pointer or a function without side effects: it is called more
  /// than once. Keys are numbers, bools, enums, strings, times, and optionals, pairs, tuples and structs with
  /// SLIPSTREAM_FIELDS made of them.
  template <class F>
  auto key_by(F key_of) const {
    static_assert(std::invocable<const F&, const T&>,
                  "key_by() needs a member or a const function of the stream's record");
    if constexpr (std::invocable<const F&, const T&>) {
      static_assert(
          KeySelector<F, T>,
          "key_by() needs a key that is a number, bool, enum, string, time, or an optional, pair, tuple or "
          "struct with SLIPSTREAM_FIELDS made of these");
      static_assert(
          !KeySelector<F, T> ||
              detail::Storable<std::remove_cvref_t<std::invoke_result_t<const F&, const T&>>>,
          "key_by() keeps keys longer than records: return a std::string instead of a std::string_view");
      return KeyedStream<T, F>(*this, std::make_shared<const F>(std::move(key_of)));
    }
  }

  /// Ends a branch in a connector.
  void sink(const Sink<T>& to, SinkOptions options = {}, Here here = Here::current()) const {
    using Op = detail::WriteSink<T>;
    detail::Node& node = add("sink", detail::Role::sink, options.name, here);
    if (options.name.empty()) node.name = to.impl()->control().name();
    node.is_blocking = options.blocking;
    node.errors = options.errors;
    node.sink = &to.impl()->control();
    node.outputs = 0;
    node.make = [impl = to.impl()](const detail::OperatorEnv& env) {
      return std::make_unique<Op>(env, *impl);
    };
    node.make_edge = [](int, const detail::EdgeEnv& env) { return detail::make_forward<T>(env); };
  }
  /// Ends a branch in a function, called for one record at a time, never from two threads at once.
  template <class F>
    requires(!std::convertible_to<const F&, Sink<T>>)
  void sink(F f, SinkOptions options = {}, Here here = Here::current()) const {
    static_assert(detail::TakesRecord<F&, T>,
                  "sink() needs a function that takes the stream's record, or a Sink of its type");
    using Op = detail::CallSink<T, F>;
    detail::Node& node = add("sink", detail::Role::sink, options.name, here);
    node.is_blocking = options.blocking;
    node.errors = options.errors;
    node.outputs = 0;
    node.make = [shared = std::make_shared<F>(std::move(f)), blocking = options.blocking](
                    const detail::OperatorEnv& env) { return std::make_unique<Op>(env, shared, blocking); };
    node.make_edge = [](int, const detail::EdgeEnv& env) { return detail::make_forward<T>(env); };
  }

  /// What the node that made this stream does with records its function throws on; the default is fail.
  Stream on_error(const ErrorPolicy& policy) const {
    for (const detail::Input& o : outputs_) o.from->errors = policy;
    return *this;
  }
  /// Names the node that made this stream, for metrics, messages and pictures.
  Stream named(std::string_view name) const {
    for (const detail::Input& o : outputs_) {
      o.from->name = name;
      o.from->named = true;
    }
    return *this;
  }

  template <class W>
  void window(W&&) const {
    static_assert(detail::kNever<W>, "window() needs a keyed stream: call key_by(...) first");
  }
  template <class... Types, class... Args>
  void aggregate(Args&&...) const {
    static_assert(detail::kNever<T>, "aggregate() needs a keyed stream: call key_by(...) first");
  }
  template <class... Types, class... Args>
  void process(Args&&...) const {
    static_assert(detail::kNever<T>, "process() needs a keyed stream: call key_by(...) first");
  }
  template <class Right, class F>
  void as_of_join(std::string_view, const Right&, AsOfOptions, F) const {
    static_assert(detail::kNever<F>, "as_of_join() needs a keyed stream: call key_by(...) first");
  }
  template <class Right, class F>
  void interval_join(std::string_view, const Right&, Interval, F) const {
    static_assert(detail::kNever<F>, "interval_join() needs a keyed stream: call key_by(...) first");
  }
  template <class F>
  void event_time(F&&, EventTimeOptions = {}) const {
    static_assert(detail::kNever<F>,
                  "event_time() belongs right behind source(), before anything filters or changes records");
  }
  template <class U>
  void depends_on(const Stream<U>&, DependencyOptions = {}) const {
    static_assert(detail::kNever<U>, "depends_on() belongs right behind source(): it is sources that wait");
  }

  // For the library itself.
  Stream(std::shared_ptr<detail::Graph> graph, std::vector<detail::Input> outputs)
      : graph_(std::move(graph)), outputs_(std::move(outputs)) {}
  const std::shared_ptr<detail::Graph>& graph() const { return graph_; }
  const std::vector<detail::Input>& outputs() const { return outputs_; }
  detail::Node& add(std::string kind, detail::Role role, std::string_view name, const Here& here) const {
    detail::Node& node = graph_->add(std::move(kind), role, name, here);
    node.inputs.push_back(outputs_);
    return node;
  }

 protected:
  std::shared_ptr<detail::Graph> graph_;
  std::vector<detail::Input> outputs_;
};

/// A stream with a side output for records that came too late.
template <class T, class Late>
class StreamWithLate : public Stream<T> {
 public:
  StreamWithLate(std::shared_ptr<detail::Graph> graph, detail::Node& node)
      : Stream<T>(graph, {{&node, 0}}), late_(graph, {{&node, 1}}) {}
  /// The records that were dropped because the watermark had passed them. Counted whether this is used or
  /// not.
  Stream<Late> late() const { return late_; }
  StreamWithLate on_error(const ErrorPolicy& policy) const {
    Stream<T>::on_error(policy);
    return *this;
  }

 private:
  Stream<Late> late_;
};

/// A stream as its source made it: the only place where event time and dependencies can be stated.
template <class T>
class SourceStream : public Stream<T> {
 public:
  using Stamping = typename detail::TypedSourceOperator<T>::Stamping;
  SourceStream(std::shared_ptr<detail::Graph> graph, detail::Node& node, std::shared_ptr<Stamping> stamping)
      : Stream<T>(std::move(graph), {{&node, 0}}), stamping_(std::move(stamping)) {}

  /// Says when a record happened: a member or function returning EventTime, any coarser std::chrono time, or
  /// an optional of these (a record without a time follows the source's error policy, as one before 1970
  /// does). The watermark of a partition is its largest event time minus max_out_of_orderness; the source's
  /// is the smallest of its unfinished partitions'.
  template <class F>
  SourceStream event_time(F select, EventTimeOptions options = {}) const {
    static_assert(RecordFunction<F, T>,
                  "event_time() needs a member or a const function of the source's record");
    if constexpr (RecordFunction<F, T>) {
      static_assert(std::convertible_to<detail::ResultOf<const F&, T>, std::optional<EventTime>>,
                    "event_time() needs a time: slipstream::EventTime or another std::chrono::sys_time");
      stamping_->select = [select = std::move(select)](const detail::Batch<T>& batch, std::size_t i,
                                                       std::vector<EventTime>& times, std::string& cause) {
        try {
          for (; i < batch.size(); ++i) {
            const auto& time = detail::call(select, batch, i);
            if constexpr (detail::OptionalLike<std::remove_cvref_t<decltype(time)>>) {
              if (!time.has_value()) {
                cause = "the record has no event time";
                return i;
              }
              times[i] = *time;
            } else {
              times[i] = time;
            }
          }
        } catch (...) {
          cause = "event_time: " + detail::describe_current_exception();
        }
        return i;
      };
    }
    if (options.max_out_of_orderness < Duration{0}) {
      this->graph_->mistakes.push_back(node().name + ": max_out_of_orderness is negative");
    }
    stamping_->max_out_of_orderness = options.max_out_of_orderness;
    stamping_->max_future = options.max_future;
    node().has_event_time = true;
    node().when_quiet = options.when_quiet;
    return *this;
  }

  /// Holds back this source's partitions while their watermark is more than max_lag ahead of the other
  /// stream's: they are not read, nothing is lost, and they go on as soon as the other has caught up or
  /// finished. Both need event time.
  template <class U>
  SourceStream depends_on(const Stream<U>& other, DependencyOptions options = {}) const {
    if (other.graph() != this->graph_)
      this->graph_->mistakes.push_back("depends_on() of a stream of another App");
    if (options.max_lag < Duration{0})
      this->graph_->mistakes.push_back(node().name + ": max_lag is negative");
    node().dependencies.push_back({detail::sources_of(other.outputs()), options});
    return *this;
  }

  /// The source isn't read until every reason to pause it has been taken back with resume(). Handlers get
  /// nothing of it any more, from their next message on; what was read already is kept and delivered after
  /// the resume. (Other nodes go on with what was read; a coroutine goes on to its next record.) The reason
  /// shows in metrics. From any thread, also from handlers.
  void pause(std::string_view reason = "paused") const { node().source_switch->pause(reason); }
  void resume(std::string_view reason = "paused") const { node().source_switch->resume(reason); }
  template <std::same_as<int> Partition>
  void pause(Partition) const {
    static_assert(detail::kNever<Partition>, "pause() of a partition: give a reason and the partition");
  }
  template <std::same_as<int> Partition>
  void resume(Partition) const {
    static_assert(detail::kNever<Partition>, "resume() of a partition: give a reason and the partition");
  }
  /// The same for one of its partitions, beside the reasons of the whole source: either pauses it. A
  /// partition the source doesn't have yet is paused from its first record on.
  void pause(std::string_view reason, int partition) const { node().source_switch->pause(reason, partition); }
  void resume(std::string_view reason, int partition) const {
    node().source_switch->resume(reason, partition);
  }
  /// Goes on in every partition at this offset (from 0 on, kBeginning or kEnd), back or forth, while the App
  /// runs. From any thread, also from handlers, which get nothing of before any more: what was read but not
  /// handed out is dropped, counted as filtered, and read again where it is due. Other nodes process what was
  /// read before. A partition that had finished is read again; a source ends when its handlers have had
  /// everything. Offsets that are committed go back as well. The event time of what is read again is late
  /// where the watermark has passed it: the watermark never goes back.
  ///
  /// FailedPrecondition when the App doesn't run or the source has ended, Unimplemented when the source can't
  /// be sought (Kafka, from(vector) and from_partitions can) or a node behind it keeps state, in which its
  /// records are counted already; InvalidArgument when there is no such partition or offset. An offset the
  /// source doesn't have ends the run.
  absl::Status seek(std::int64_t offset) const { return node().source_switch->seek(offset); }
  /// Only in these partitions.
  absl::Status seek(const std::map<int, std::int64_t>& offsets) const {
    return node().source_switch->seek(offsets);
  }
  /// So that seek({}) means none.
  absl::Status seek(std::initializer_list<std::pair<const int, std::int64_t>> offsets) const {
    return seek(std::map<int, std::int64_t>(offsets));
  }
  /// The source has nothing more, as if it were at its end: it isn't read again, a coroutine not resumed.
  /// What was read is processed. From any thread.
  void stop() const { node().source_switch->stop(); }

  SourceStream on_error(const ErrorPolicy& policy) const {
    Stream<T>::on_error(policy);
    return *this;
  }
  SourceStream named(std::string_view name) const {
    Stream<T>::named(name);
    return *this;
  }

 private:
  detail::Node& node() const { return *this->outputs_.front().from; }
  std::shared_ptr<Stamping> stamping_;
};

/// Records of a keyed stream cut into windows of event time.
template <class T, class KeyOf, Window W>
class WindowedStream {
 public:
  using Key = std::remove_cvref_t<std::invoke_result_t<const KeyOf&, const T&>>;
  WindowedStream(Stream<T> stream, std::shared_ptr<const KeyOf> key_of, W window)
      : stream_(std::move(stream)), key_of_(std::move(key_of)), window_(window) {}

  /// One State per key and window, fed with State::add, emitted once when the watermark reaches the window's
  /// end, with the window's last instant as event time. Records whose windows have all ended by their
  /// partition's watermark (sliding and session: records behind that watermark) go to late(). `name` must be
  /// unique in the App and stay the same: state is kept under it.
  ///
  /// Sliding and session windows need State::merge(const State&), which takes in a later state. Cost of a
  /// record: tumbling and session one look-up; sliding one, and two merges for its result. Hopping one, and
  /// for the result of each key and window size ÷ gcd(size, hop) merges at most; without merge() as many
  /// look-ups as windows the record is in. A merge() that throws ends the run.
  template <class State>
  auto aggregate(std::string_view name, Here here = Here::current()) const {
    static_assert(Aggregate<State, T>,
                  "aggregate() needs a copyable struct with add(const Record&) and a default value");
    static_assert(
        Mergeable<State> || !detail::WindowKind<W>::kMustMerge,
        "aggregate() over session() or sliding() needs a state with merge(const State&): parts of a "
        "window are made one");
    if constexpr (Mergeable<State> || !detail::WindowKind<W>::kMustMerge) {
      return make<State, detail::AddRecord<State>>(name, {}, here);
    }
  }
  /// The number of records per key and window.
  auto count(std::string_view name, Here here = Here::current()) const {
    return make<std::int64_t, detail::CountRecord>(name, {}, here);
  }
  template <class State>
  void aggregate() const {
    static_assert(detail::kNever<State>, "aggregate() needs a name: its state is kept under it");
  }

 private:
  using Kind = detail::WindowKind<W>;

  template <class State, class Add>
  StreamWithLate<Windowed<Key, State>, T> make(std::string_view name, Add add, const Here& here) const {
    static_assert(detail::Storable<State>,
                  "the state can't be stored: describe its fields with SLIPSTREAM_FIELDS");
    using Op = typename Kind::template Operator<T, KeyOf, State, Add>;
    detail::Node& node = stream_.add(Kind::kName, detail::Role::keyed, name, here);
    node.named = node.is_stateful = node.needs_event_time = node.counts_records = true;
    if (!Kind::is_valid(window_))
      stream_.graph()->mistakes.push_back(node.name + ": " + std::string(Kind::kNeeds));
    node.make = [key_of = key_of_, window = window_,
                 shared = std::make_shared<const Add>(add)](const detail::OperatorEnv& env) {
      return std::make_unique<Op>(env, key_of, window, shared);
    };
    node.make_edge = [key_of = key_of_](int, const detail::EdgeEnv& env) {
      return detail::make_exchange<T>(env, key_of);
    };
    detail::connect_with_late<Op>(node);
    return {stream_.graph(), node};
  }

  Stream<T> stream_;
  std::shared_ptr<const KeyOf> key_of_;
  W window_;
};

/// A stream whose records have keys. Each of its operators runs in as many lanes as the parallelism says; a
/// key belongs to one of them.
template <class T, class KeyOf>
class KeyedStream {
 public:
  using Key = std::remove_cvref_t<std::invoke_result_t<const KeyOf&, const T&>>;
  using Selector = KeyOf;
  KeyedStream(Stream<T> stream, std::shared_ptr<const KeyOf> key_of)
      : stream_(std::move(stream)), key_of_(std::move(key_of)) {}

  /// A running aggregate: each record is added to its key's State, and the state after it is emitted.
  template <class State>
  auto aggregate(std::string_view name, Here here = Here::current()) const {
    static_assert(Aggregate<State, T>,
                  "aggregate() needs a copyable struct with add(const Record&) and a default value");
    return running<State>(name, detail::AddRecord<State>{}, here);
  }
  template <class State>
  void aggregate() const {
    static_assert(detail::kNever<State>, "aggregate() needs a name: its state is kept under it");
  }
  /// The number of records of the key so far.
  auto count(std::string_view name, Here here = Here::current()) const {
    return running<std::int64_t>(name, detail::CountRecord{}, here);
  }
  /// The key's records so far, two made one by f: starts with the first record.
  template <class F>
  Stream<Keyed<Key, T>> reduce(std::string_view name, F f, Here here = Here::current()) const {
    static_assert(std::is_invocable_r_v<T, const F&, const T&, const T&>,
                  "reduce() needs a const function that makes one record of two");
    auto add = [f = std::move(f)](std::optional<T>& state, const T& record) {
      if (state) {
        state.emplace(std::invoke(f, std::as_const(*state), record));
      } else {
        state.emplace(record);
      }
    };
    return running<std::optional<T>>(name, std::move(add), here)
        .map(
            [](const Keyed<Key, std::optional<T>>& k) {
              return Keyed<Key, T>{k.key, *k.value};
            },
            here);
  }

  /// A function with keyed state and event-time timers:
  ///   on_record(const T&, State&, ProcessContext<Key, Out>&)
  ///   on_timer(EventTime, State&, ProcessContext<Key, Out>&)
  template <class State, class Out, class OnRecord, class OnTimer = detail::NoTimers>
  Stream<Out> process(std::string_view name, OnRecord on_record, OnTimer on_timer = {},
                      Here here = Here::current()) const {
    static_assert(
        std::invocable<const OnRecord&, const T&, State&, ProcessContext<Key, Out>&>,
        "process() needs on_record(const Record&, State&, ProcessContext<Key, Out>&), callable as const");
    static_assert(
        std::invocable<const OnTimer&, EventTime, State&, ProcessContext<Key, Out>&>,
        "process() needs on_timer(EventTime, State&, ProcessContext<Key, Out>&), callable as const");
    static_assert(detail::Storable<State> && detail::Storable<T>,
                  "the state or the record can't be stored: describe its fields with SLIPSTREAM_FIELDS");
    using Op = detail::Process<T, KeyOf, State, Out, OnRecord, OnTimer>;
    detail::Node& node = keyed("process", name, here);
    node.needs_event_time = !std::same_as<OnTimer, detail::NoTimers>;
    node.make = [key_of = key_of_, record = std::make_shared<const OnRecord>(std::move(on_record)),
                 timer =
                     std::make_shared<const OnTimer>(std::move(on_timer))](const detail::OperatorEnv& env) {
      return std::make_unique<Op>(env, key_of, record, timer);
    };
    detail::connect_single<Op>(node);
    return Stream<Out>(stream_.graph(), {{&node, 0}});
  }

  template <Window W>
  WindowedStream<T, KeyOf, W> window(W window) const {
    return {stream_, key_of_, window};
  }
  template <class W>
    requires(!Window<W>)
  void window(W) const {
    static_assert(detail::kNever<W>, "window() needs a window such as tumbling(1min)");
  }

  /// Joins each record with the newest record of `right` that has the same key and isn't later, or none: f
  /// takes (const T&, const Right*), the second null when there is none within the tolerance. Equal times
  /// match; of equally new right records the one with the larger id wins. One output per record on time, with
  /// its event time and headers, when the right watermark has passed its time; or, speculatively, one at once
  /// and another one then if the first was wrong. Late left records go to late(), late right ones are
  /// counted. State is kept under `name`.
  template <class Right, class RightKeyOf, class F>
  auto as_of_join(std::string_view name, const KeyedStream<Right, RightKeyOf>& right, AsOfOptions options,
                  F f, Here here = Here::current()) const {
    using RightKey = typename KeyedStream<Right, RightKeyOf>::Key;
    static_assert(std::same_as<Key, RightKey>, "as_of_join() needs both sides keyed by the same type");
    static_assert(std::invocable<const F&, const T&, const Right*>,
                  "as_of_join() needs a const function of (const Left&, const Right*): the right one is null "
                  "when there is none");
    static_assert(detail::Storable<T> && detail::Storable<Right>,
                  "as_of_join() keeps records of both sides: describe their fields with SLIPSTREAM_FIELDS");
    using Out = std::remove_cvref_t<std::invoke_result_t<const F&, const T&, const Right*>>;
    using Op = detail::AsOfJoin<T, Right, KeyOf, RightKeyOf, Out, F>;
    detail::Node& node = keyed("as-of join", name, here);
    node.needs_event_time = node.counts_records = true;
    node.revises = options.emit == AsOfOptions::Emit::speculative;
    join_with(node, right);
    if (options.tolerance < Duration{0})
      stream_.graph()->mistakes.push_back(node.name + ": the tolerance is negative");
    node.make = [left_key = key_of_, right_key = right.key_of(), options,
                 shared = std::make_shared<const F>(std::move(f))](const detail::OperatorEnv& env) {
      return std::make_unique<Op>(env, left_key, right_key, options.tolerance,
                                  options.emit == AsOfOptions::Emit::speculative, shared);
    };
    detail::connect_with_late<Op>(node);
    return StreamWithLate<Out, T>(stream_.graph(), node);
  }

  template <class Right, class F>
  void as_of_join(std::string_view, const Stream<Right>&, AsOfOptions, F) const {
    static_assert(detail::kNever<F>,
                  "as_of_join() needs both sides keyed: call key_by(...) on the right one");
  }

  /// Joins each two records of both sides that have the same key and lie within the interval: f makes one
  /// value of (const T&, const Right&), or an optional of one where not every pair counts. A pair is made as
  /// soon as both are there, and carries the later of the two times, a RecordId of its own and no headers; an
  /// inner join, as Flink's interval join. Late records of either side are left out: the left ones go to
  /// late(), the right ones are counted. When f throws, it is the record that came later that fails, with all
  /// its pairs.
  ///
  /// State, under `name`: a left record until the right watermark is past its time + upper, a right one until
  /// the left watermark is past its time - lower. A record costs a look-up, and then as much as it has pairs.
  template <class Right, class RightKeyOf, class F>
  auto interval_join(std::string_view name, const KeyedStream<Right, RightKeyOf>& right, Interval interval,
                     F f, Here here = Here::current()) const {
    using RightKey = typename KeyedStream<Right, RightKeyOf>::Key;
    static_assert(std::same_as<Key, RightKey>, "interval_join() needs both sides keyed by the same type");
    static_assert(std::invocable<const F&, const T&, const Right&>,
                  "interval_join() needs a const function of (const Left&, const Right&)");
    static_assert(
        detail::Storable<T> && detail::Storable<Right>,
        "interval_join() keeps records of both sides: describe their fields with SLIPSTREAM_FIELDS");
    using Op = detail::IntervalJoin<T, Right, KeyOf, RightKeyOf, F>;
    detail::Node& node = keyed("interval join", name, here);
    node.needs_event_time = node.counts_records = true;
    join_with(node, right);
    if (interval.lower > interval.upper)
      stream_.graph()->mistakes.push_back(node.name + ": the interval ends before it begins: lower > upper");
    node.make = [left_key = key_of_, right_key = right.key_of(), interval,
                 shared = std::make_shared<const F>(std::move(f))](const detail::OperatorEnv& env) {
      return std::make_unique<Op>(env, left_key, right_key, interval.lower, interval.upper, shared);
    };
    detail::connect_with_late<Op>(node);
    return StreamWithLate<typename Op::Out, T>(stream_.graph(), node);
  }
  template <class Right, class F>
  void interval_join(std::string_view, const Stream<Right>&, Interval, F) const {
    static_assert(detail::kNever<F>,
                  "interval_join() needs both sides keyed: call key_by(...) on the right one");
  }

  const Stream<T>& stream() const { return stream_; }
  const std::shared_ptr<const KeyOf>& key_of() const { return key_of_; }

 private:
  detail::Node& keyed(std::string kind, std::string_view name, const Here& here) const {
    detail::Node& node = stream_.add(std::move(kind), detail::Role::keyed, name, here);
    node.named = node.is_stateful = true;
    node.make_edge = [key_of = key_of_](int, const detail::EdgeEnv& env) {
      return detail::make_exchange<T>(env, key_of);
    };
    return node;
  }
  /// Makes `right` the second input of a join.
  template <class Right, class RightKeyOf>
  void join_with(detail::Node& node, const KeyedStream<Right, RightKeyOf>& right) const {
    node.inputs.push_back(right.stream().outputs());
    if (right.stream().graph() != stream_.graph()) {
      stream_.graph()->mistakes.push_back(node.name + ": the right side belongs to another App");
    }
    node.make_edge = [left_key = key_of_, right_key = right.key_of()](int port, const detail::EdgeEnv& env) {
      return port == 0 ? detail::make_exchange<T>(env, left_key)
                       : detail::make_exchange<Right>(env, right_key);
    };
  }
  template <class State, class Add>
  Stream<Keyed<Key, State>> running(std::string_view name, Add add, const Here& here) const {
    static_assert(detail::Storable<State>,
                  "the state can't be stored: describe its fields with SLIPSTREAM_FIELDS");
    using Op = detail::RunningAggregate<T, KeyOf, State, Add>;
    detail::Node& node = keyed("aggregate", name, here);
    node.counts_records = true;
    node.make = [key_of = key_of_, shared = std::make_shared<const Add>(std::move(add))](
                    const detail::OperatorEnv& env) { return std::make_unique<Op>(env, key_of, shared); };
    detail::connect_single<Op>(node);
    return Stream<Keyed<Key, State>>(stream_.graph(), {{&node, 0}});
  }

  Stream<T> stream_;
  std::shared_ptr<const KeyOf> key_of_;
};

}  // namespace slipstream
