#pragma once
#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/app.h"
#include "slipstream/checkpoint_store.h"
#include "slipstream/detail/checkpoint_core.h"
#include "slipstream/detail/state_codec.h"
#include "slipstream/downtime.h"
#include "slipstream/handler.h"

/// Checkpoints keep a stream, the dependent, in step with those it depends on. Each message of the dependent
/// is a pulse, each of a dependency a heartbeat; both carry a marker, the time they are about. A dependency
/// that falls behind the dependent by more than its threshold is down: the dependent is paused until it has
/// caught up.
///
///     auto checkpoint = app.checkpoint("activity", activities, {dependency("weather", weather)});
///     app.on(weather).handle([](const Weather& w) { remember(w); });
///     app.on(checkpoint).handle([](const Activity& a) { return enriched(a); }).to(out);
///
/// The pulse that finds a dependency down is handled all the same; what was handled since the dependency's
/// last beat may be wrong. Outage::seek_back() has all of it handled again.
namespace slipstream {

template <class K, class V>
struct Message;

/// The default state of a checkpoint: the offset of the last message, by partition.
using Offsets = std::map<int, std::int64_t>;

namespace detail {

template <class F, class T>
inline constexpr bool kTellsTimeOfValue = false;
template <class F, class K, class V>
inline constexpr bool kTellsTimeOfValue<F, slipstream::Message<K, V>> =
    std::is_invocable_r_v<EventTime, F&, const V&>;

}  // namespace detail

/// When a message is: a member or function of it, or of a topic's Message's value, returning EventTime or a
/// coarser std::chrono time; of the message it may take a second parameter `const RecordInfo&`.
template <class T>
class MarkerOf {
 public:
  MarkerOf() = default;
  template <class F>
    requires(!std::same_as<F, MarkerOf>)
  MarkerOf(F select) {  // NOLINT: a member pointer or lambda stands for it
    constexpr bool kOfMessage = std::is_invocable_r_v<EventTime, F&, const T&>;
    constexpr bool kOfBoth = std::is_invocable_r_v<EventTime, F&, const T&, const RecordInfo&>;
    constexpr bool kOfValue = detail::kTellsTimeOfValue<F, T>;
    static_assert(kOfMessage || kOfBoth || kOfValue,
                  "a marker needs a member or function of the message that returns a time");
    if constexpr (kOfMessage || kOfBoth || kOfValue) {
      select_ = [select = std::move(select)](const T& message,
                                             const RecordInfo& record) mutable -> EventTime {
        if constexpr (kOfMessage) {
          return std::invoke(select, message);
        } else if constexpr (kOfBoth) {
          return std::invoke(select, message, record);
        } else {
          return std::invoke(select, message.value);
        }
      };
    }
  }
  explicit operator bool() const { return static_cast<bool>(select_); }
  EventTime operator()(const T& message, const RecordInfo& record) const {
    return select_ ? select_(message, record) : record.time;
  }

 private:
  std::function<EventTime(const T&, const RecordInfo&)> select_;
};

/// The state after a message: a function of the message (and, if it likes, its RecordInfo) and the state
/// before.
template <class T, class State>
class StateOf {
 public:
  StateOf() = default;
  template <class F>
    requires(!std::same_as<F, StateOf>)
  StateOf(F next) {  // NOLINT
    constexpr bool kShort = std::is_invocable_r_v<State, F&, const T&, State>;
    constexpr bool kLong = std::is_invocable_r_v<State, F&, const T&, const RecordInfo&, State>;
    static_assert(kShort || kLong,
                  "a checkpoint's state needs a function of the message and the state before that returns "
                  "the state after");
    if constexpr (kShort || kLong) {
      next_ = [next = std::move(next)](const T& message, const RecordInfo& record,
                                       State state) mutable -> State {
        if constexpr (kShort) {
          return std::invoke(next, message, std::move(state));
        } else {
          return std::invoke(next, message, record, std::move(state));
        }
      };
    }
  }
  explicit operator bool() const { return static_cast<bool>(next_); }
  State operator()(const T& message, const RecordInfo& record, State state) const {
    return next_(message, record, std::move(state));
  }

 private:
  std::function<State(const T&, const RecordInfo&, State)> next_;
};

/// A check of the user's: a function of `const Markers&` that returns R, or a coroutine that returns Task<R>
/// and may sleep; the dependent is paused until it has decided. It must not call the checkpoint.
template <class R>
class CheckOf {
 public:
  CheckOf() = default;
  template <class F>
    requires(!std::same_as<F, CheckOf>)
  CheckOf(F check) {  // NOLINT
    constexpr bool kAtOnce = std::is_invocable_r_v<R, F&, const Markers&>;
    constexpr bool kLater = std::is_invocable_r_v<Task<R>, F&, const Markers&>;
    static_assert(kAtOnce || kLater,
                  "a check needs a function of `const Markers&`: is_down returns an optional duration, "
                  "is_recovered a bool, or a Task of it");
    if constexpr (kAtOnce || kLater) {
      check_ = [check = std::move(check)](const Markers& markers) mutable {
        if constexpr (kLater) {
          return std::invoke(check, markers);
        } else {
          return Task<R>(R(std::invoke(check, markers)));
        }
      };
    }
  }
  const detail::Check<R>& get() const { return check_; }

 private:
  detail::Check<R> check_;
};

template <class T>
struct DowntimeOptions {
  /// How far the dependent may be ahead; more is downtime. >= 0.
  Duration downtime_threshold = std::chrono::minutes(10);
  /// By how much the dependency is behind, when that is too much; in place of the threshold.
  CheckOf<std::optional<Duration>> is_down = {};
  /// Whether a dependency that was down has caught up; in place of being newer than the dependent.
  CheckOf<bool> is_recovered = {};
  /// Needed by App::on(checkpoint) where the stream has no event time.
  MarkerOf<T> marker = {};
};

/// A stream another one depends on. Made by dependency().
class Dependency {
 public:
  const std::string& name() const { return base_.plan.name; }

  // For the library itself.
  template <class T>
  Dependency(std::string_view name, const Stream<T>& stream, DowntimeOptions<T> options)
      : base_{{std::string(name), options.downtime_threshold, options.is_down.get(),
               options.is_recovered.get()},
              stream.graph(),
              stream.outputs()},
        has_marker_(options.marker),
        port_([outputs = stream.outputs()](detail::Handlers& handlers) -> detail::PortPlanBase& {
          return handlers.port<T>(outputs);
        }),
        listen_([name = std::string(name), marker = std::move(options.marker)](
                    detail::PortPlanBase& port, detail::HandlerBinding& binding,
                    const std::shared_ptr<detail::CheckpointCore>& core) {
          static_cast<detail::PortPlan<T>&>(port).checkpoints.push_back(
              {&binding,
               detail::make_step<T>([core, name, marker](const T& message, detail::Delivery& delivery) {
                 core->heartbeat(marker(message, delivery.info()), name).IgnoreError();
               }),
               [core, name](detail::Delivery&) { core->finish(name); }});
        }) {}
  const detail::DependencyBase& base() const { return base_; }
  bool has_marker() const { return has_marker_; }
  detail::PortPlanBase& port(detail::Handlers& handlers) const { return port_(handlers); }
  void listen(detail::PortPlanBase& port, detail::HandlerBinding& binding,
              const std::shared_ptr<detail::CheckpointCore>& core) const {
    listen_(port, binding, core);
  }

 private:
  detail::DependencyBase base_;
  bool has_marker_;
  std::function<detail::PortPlanBase&(detail::Handlers&)> port_;
  std::function<void(detail::PortPlanBase&, detail::HandlerBinding&,
                     const std::shared_ptr<detail::CheckpointCore>&)>
      listen_;
};

/// `name` must be unique in the checkpoint and stay the same: the marker is kept under it.
template <class T>
Dependency dependency(std::string_view name, const Stream<T>& stream,
                      std::type_identity_t<DowntimeOptions<T>> options = {}) {
  return Dependency(name, stream, std::move(options));
}

template <class K, class V>
Dependency dependency(std::string_view name, const Topic<K, V>& topic,
                      std::type_identity_t<DowntimeOptions<Message<K, V>>> options = {}) {
  return Dependency(name, topic.stream(), std::move(options));
}

/// What callbacks get.
template <class State>
struct Outage {
  std::string dependency;  ///< that went down; in a recovery the last that came back
  Duration downtime{0};    ///< how far the dependent was ahead of it when that was last looked at
  EventTime dependent_marker = kMinTime;
  EventTime dependency_marker = kMinTime;
  State state = {};             ///< after the dependent's last pulse
  State dependency_state = {};  ///< the same when the dependency last beat
  /// By partition of the dependent: the first message handled that isn't older than the last beat before the
  /// outage. From there on results may be wrong. Only of pulses that said which record they are of.
  Offsets offsets = {};

  /// The dependent goes on at these offsets, so everything that may be wrong is handled again. The source
  /// must be one that can be sought, such as Kafka or from(vector).
  void seek_back() const { core->seek_back(offsets); }
  std::shared_ptr<detail::CheckpointCore> core = nullptr;  ///< for the library itself
};

template <class T, class State>
struct CheckpointOptions {
  /// Called once when a dependency goes down, after the dependent was paused. What it throws, the handler
  /// throws whose message was the pulse. Callbacks run one at a time; they may call the checkpoint, pause and
  /// seek. Where a check is a coroutine, a thread of the run's own calls them while handlers run: guard what
  /// they share, and don't block.
  std::function<void(const Outage<State>&)> on_downtime = {};
  /// Called when the last dependency is back, before the dependent goes on.
  std::function<void(const Outage<State>&)> on_recovery = {};
  /// Where markers, states and who is down are kept, after each pulse and beat; empty: they end with the
  /// App. An App that starts while a dependency is down starts paused.
  std::shared_ptr<CheckpointStore> store = {};
  /// False: outages are found and told, but nothing is paused.
  bool pause_dependent = true;
  /// Needed by App::on(checkpoint) where the stream has no event time.
  MarkerOf<T> marker = {};
  /// Used by App::on(checkpoint). Offsets keep themselves; other states stay as they are without it.
  StateOf<T, State> state = {};
};

/// What is known of one dependency.
template <class State>
struct DependencyState {
  std::optional<EventTime> marker;  ///< empty: neither it nor the dependent was heard of yet
  State state = {};                 ///< the dependent's when the dependency last beat
  bool is_down = false;
};

/// Made by App::checkpoint(); a small value. By hand, from any thread: check_pulse for each message of the
/// dependent, heartbeat for each of a dependency. With App::on(checkpoint) both happen by themselves.
///
/// Markers only move forward: older ones change nothing. A pulse whose record is known counts for its own
/// partition, and only partitions that are too far ahead are paused.
template <class T, class State>
class Checkpoint {
 public:
  const std::string& name() const { return core_->name(); }

  /// The dependent is at `marker`. A dependency that was never heard of starts there.
  Downtime check_pulse(EventTime marker) const { return core_->check_pulse(marker, {}, {}); }
  Downtime check_pulse(EventTime marker, const State& state) const {
    return core_->check_pulse(marker, bytes_of(state), {});
  }
  /// `record`: the message's, as handlers get it in HandlerContext or as a second parameter.
  Downtime check_pulse(EventTime marker, const State& state, const RecordInfo& record) const {
    return core_->check_pulse(marker, bytes_of(state), position_of(source_, record));
  }
  /// The dependency is at `marker`. The name may be left out where there is only one. NotFound: there is no
  /// such dependency. InvalidArgument: there are several, or none, and no name.
  absl::StatusOr<Heartbeat> heartbeat(EventTime marker, std::string_view dependency = {}) const {
    return core_->heartbeat(marker, dependency);
  }

  Downtime downtime() const { return core_->downtime(); }
  State state() const { return state_of(core_->state()); }
  /// The newest of the dependent's; empty before the first pulse.
  std::optional<EventTime> marker() const { return core_->marker(); }
  /// NotFound: there is no such dependency.
  absl::StatusOr<DependencyState<State>> dependency(std::string_view dependency) const {
    const auto found = core_->dependency(dependency);
    if (!found) {
      return absl::NotFoundError("checkpoint '" + name() + "' has no dependency '" + std::string(dependency) +
                                 "'");
    }
    return DependencyState<State>{found->marker, state_of(found->state), found->is_down};
  }

  // For the library itself.
  Checkpoint(const Stream<T>& dependent, std::string_view name, std::vector<Dependency> dependencies,
             CheckpointOptions<T, State> options)
      : stream_(dependent), dependencies_(std::move(dependencies)) {
    std::vector<detail::DependencyBase> bases;
    for (const Dependency& d : dependencies_) bases.push_back(d.base());
    auto told = [down = std::move(options.on_downtime), back = std::move(options.on_recovery)](
                    const detail::CheckpointCore::Event& event,
                    const std::shared_ptr<detail::CheckpointCore>& core) {
      const auto& call = event.is_recovery ? back : down;
      if (!call) return;
      call(Outage<State>{event.dependency, event.downtime, event.dependent_marker, event.dependency_marker,
                         state_of(event.state), state_of(event.dependency_state), event.offsets, core});
    };
    core_ = detail::add_checkpoint(*dependent.graph(), dependent.outputs(),
                                   {std::string(name), detail::schema_of<State>(), std::move(options.store),
                                    options.pause_dependent, told},
                                   bases);
    pulse_ = {std::move(options.marker), std::move(options.state)};
    const auto sources = detail::sources_of(dependent.outputs());
    if (!sources.empty()) source_ = sources.front()->id;
    bound_ = std::make_shared<bool>(false);
  }
  const Stream<T>& stream() const { return stream_; }
  /// Lets messages be pulses and beats before handlers get them. Once, however often it is called.
  void bind(detail::Handlers& handlers) const {
    if (std::exchange(*bound_, true)) return;
    need_marker(static_cast<bool>(pulse_.marker), stream_.outputs(), "its dependent");
    detail::PortPlan<T>& port = handlers.port<T>(stream_.outputs());
    std::vector<detail::PortPlanBase*> ports{&port};
    for (const Dependency& d : dependencies_) {
      need_marker(d.has_marker(), d.base().outputs, "dependency '" + d.name() + "'");
      ports.push_back(&d.port(handlers));
    }
    detail::HandlerBinding& binding = handlers.bind("checkpoint '" + name() + "'", ports);
    binding.name = binding.location;
    binding.is_checkpoint = true;
    for (std::size_t i = 0; i < dependencies_.size(); ++i)
      dependencies_[i].listen(*ports[i + 1], binding, core_);
    auto found = std::make_shared<Found>();
    // Not the Checkpoint: it holds the graph, which holds this.
    port.checkpoints.push_back({&binding,
                                detail::make_step<T>([core = core_, rule = pulse_, source = source_, found](
                                                         const T& message, detail::Delivery& delivery) {
                                  found->by_others = std::exchange(delivery.downtime, &found->all);
                                  found->set({});
                                  found->set(pulse(*core, rule, source, message, delivery.info()));
                                }),
                                {},
                                [core = core_, found] {
                                  if (core->is_deciding()) return false;
                                  found->set(core->downtime());
                                  return true;
                                }});
  }

 private:
  struct Pulse {
    MarkerOf<T> marker;
    StateOf<T, State> state;
  };
  /// What a message's handlers are told: what this checkpoint found and those of the same stream before it.
  struct Found {
    const Downtime* by_others = nullptr;
    Downtime all;
    void set(Downtime own) {
      all = std::move(own);
      if (!by_others) return;
      for (const auto& [name, behind] : *by_others) {
        Duration& most = all.try_emplace(name, behind).first->second;
        most = std::max(most, behind);
      }
    }
  };

  static std::string bytes_of(const State& state) {
    std::string bytes;
    detail::store(state, bytes);
    return bytes;
  }
  static State state_of(std::string_view bytes) {
    State state{};
    if (!bytes.empty()) detail::load(bytes, state);
    return state;
  }
  static std::optional<detail::PulsePosition> position_of(std::optional<std::uint32_t> source,
                                                          const RecordInfo& record) {
    if (record.id.source != source) return std::nullopt;
    return detail::PulsePosition{static_cast<int>(record.id.partition), record.id.offset};
  }
  static Downtime pulse(detail::CheckpointCore& core, const Pulse& rule, std::optional<std::uint32_t> source,
                        const T& message, const RecordInfo& record) {
    std::optional<std::string> next;
    if (rule.state) {
      next = bytes_of(rule.state(message, record, state_of(core.state())));
    } else if constexpr (std::same_as<State, Offsets>) {
      State offsets = state_of(core.state());
      offsets[static_cast<int>(record.id.partition)] = record.id.offset;
      next = bytes_of(offsets);
    }
    return core.check_pulse(rule.marker(message, record), std::move(next), position_of(source, record));
  }
  /// Says so when there is neither a selector nor event time.
  void need_marker(bool is_given, const std::vector<detail::Input>& outputs, const std::string& whose) const {
    if (is_given) return;
    for (const detail::Node* source : detail::sources_of(outputs)) {
      if (source->has_event_time) continue;
      stream_.graph()->mistakes.push_back(
          "checkpoint '" + name() + "' needs a marker of " + whose +
          " to be bound to handlers: give it .marker, or event_time() behind source '" + source->name + "'");
    }
  }

  Stream<T> stream_;
  std::optional<std::uint32_t> source_;  ///< the dependent's
  std::vector<Dependency> dependencies_;
  Pulse pulse_;
  std::shared_ptr<detail::CheckpointCore> core_;
  std::shared_ptr<bool> bound_;
};

template <class State, class K, class V>
Checkpoint<Message<K, V>, State> App::checkpoint(std::string_view name, const Topic<K, V>& dependent,
                                                 std::vector<Dependency> dependencies,
                                                 CheckpointOptions<Message<K, V>, State> options) {
  return checkpoint<State>(name, static_cast<const Stream<Message<K, V>>&>(dependent.stream()),
                           std::move(dependencies), std::move(options));
}

template <class State, class T>
Checkpoint<T, State> App::checkpoint(std::string_view name, const Stream<T>& dependent,
                                     std::vector<Dependency> dependencies,
                                     CheckpointOptions<T, State> options) {
  static_assert(detail::Storable<State>,
                "the checkpoint's state can't be stored: describe its fields with SLIPSTREAM_FIELDS");
  if (dependent.graph() != graph_)
    graph_->mistakes.push_back("checkpoint '" + std::string(name) + "' is of a stream of another App");
  return Checkpoint<T, State>(dependent, name, std::move(dependencies), std::move(options));
}

}  // namespace slipstream
