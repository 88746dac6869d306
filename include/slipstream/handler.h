#pragma once
#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "slipstream/app.h"
#include "slipstream/detail/handler_operator.h"
#include "slipstream/pipe.h"
#include "slipstream/source.h"
#include "slipstream/stream.h"
#include "slipstream/values.h"

/// The handler door: sources, handlers and sinks, many to many.
///
///     app.on(numbers, more_numbers).handle([](int n) { return n * 10; }).to(first, second);
///
/// Handlers that share a source or a Proxy form a serial domain: each message goes through all that listen to
/// it, in the order they were bound, before the next message of any of their sources; never two at once. A
/// pause takes effect between two messages. Different domains run side by side.
namespace slipstream {

template <class T>
class Proxy;  // proxy.h
template <class K, class V>
class Topic;  // topic.h
template <class T, class State>
class Checkpoint;  // checkpoint.h
template <class K, class V>
class Cache;  // cache.h
template <class K, class V>
struct CacheUpdate;  // cache_updates.h

/// What a handler or sink may ask beside its message: take a second parameter `const HandlerContext&`.
struct HandlerContext {
  const RecordInfo& record;
  const Values& values;  ///< given to App::run()
  /// What a handler of App::on(checkpoint) may ask: who was down when the message was looked at. Empty
  /// elsewhere, and when all is well.
  const Downtime& downtime;
};

namespace detail {

inline const Downtime kNoDowntime;

/// A HandlerContext and what it refers to.
struct MessageContext {
  MessageContext(const Delivery& delivery, const Graph& graph)
      : record(delivery.info()),
        context{record, *graph.values, delivery.downtime ? *delivery.downtime : kNoDowntime} {}
  const RecordInfo record;
  const HandlerContext context;
};

template <class F, class T>
concept TakesMessage =
    std::invocable<F&> || std::invocable<F&, const T&> ||
    std::invocable<F&, const T&, const HandlerContext&> || std::invocable<F&, const T&, const RecordInfo&>;

struct NoContext {
  NoContext(const Delivery&, const Graph&) {}
};
/// Made for each message, so a MessageContext only where f asks for it.
template <class F, class T>
using ContextFor = std::conditional_t<!std::invocable<F&, const T&> &&
                                          (std::invocable<F&, const T&, const HandlerContext&> ||
                                           std::invocable<F&, const T&, const RecordInfo&>),
                                      MessageContext, NoContext>;

template <class F, class T>
decltype(auto) call_handler(F& f, const T& message, const ContextFor<F, T>& of) {
  if constexpr (std::invocable<F&, const T&>) {
    return std::invoke(f, message);
  } else if constexpr (std::invocable<F&, const T&, const HandlerContext&>) {
    return std::invoke(f, message, of.context);
  } else if constexpr (std::invocable<F&, const T&, const RecordInfo&>) {
    return std::invoke(f, message, of.record);
  } else {
    return std::invoke(f);
  }
}

/// What a handler's result is to its sinks: the elements of an optional or a range, though not of a text.
template <class R>
struct Emits {
  using type = R;
};
template <class R>
  requires((RangeLike<R> || OptionalLike<R>) && !std::convertible_to<R, std::string_view>)
struct Emits<R> : RangeElement<R> {};
template <class F, class T>
using HandlerResult = std::remove_cvref_t<decltype(call_handler(std::declval<F&>(), std::declval<const T&>(),
                                                                std::declval<const ContextFor<F, T>&>()))>;
template <class F, class T>
using HandlerOut = typename Emits<HandlerResult<F, T>>::type;

/// What the result owns can be moved from, but for a range's elements, which may be another's.
template <class R, class Each>
void for_each_output(R&& result, Each&& each) {
  using Result = std::remove_cvref_t<R>;
  if constexpr (std::convertible_to<Result, std::string_view>) {
    each(std::forward<R>(result));
  } else if constexpr (OptionalLike<Result>) {
    if (result.has_value()) each(*std::forward<R>(result));
  } else if constexpr (RangeLike<Result>) {
    for (auto&& element : result) each(element);
  } else {
    each(std::forward<R>(result));
  }
}

/// What a handler made, as one of its sinks gets it.
template <class Out>
struct Sent {
  const Out& value;
  Out* last = nullptr;  ///< the same, where nobody needs it afterwards
  /// f(value), which is moved if it may be.
  template <class F>
  decltype(auto) pass_to(F&& f) const {
    return last ? f(std::move(*last)) : f(value);
  }
};

/// The sinks behind one handler, in order.
template <class Out>
struct HandlerSinks {
  std::vector<std::function<void(Sent<Out>, Delivery&)>> all;

  void send(const Out& value, Delivery& delivery) const { send(value, nullptr, delivery); }
  void send(Out&& value, Delivery& delivery) const
    requires(!std::is_trivially_copyable_v<Out>)
  {
    send(value, &value, delivery);
  }

 private:
  void send(const Out& value, Out* last, Delivery& delivery) const {
    ++delivery.outputs;
    for (const auto& sink : all) sink({value, &sink == &all.back() ? last : nullptr}, delivery);
  }
};
template <>
struct HandlerSinks<void> {};

}  // namespace detail

/// A handler with its sinks.
template <class Out>
class Handled {
 public:
  using Output = Out;
  Handled(std::shared_ptr<detail::Graph> graph, detail::HandlerBinding& binding,
          std::shared_ptr<detail::HandlerSinks<Out>> sinks)
      : graph_(std::move(graph)), binding_(&binding), sinks_(std::move(sinks)) {}

  /// Each output goes to these, one after the other, before the handler's next output: callables (of the
  /// output, or of it and a HandlerContext), connectors' sinks, Proxies, Topics, Caches. May be called again
  /// to add more.
  template <class... To>
  const Handled& to(To... to) const {
    static_assert(!std::is_void_v<Out>,
                  "to() behind a handler that returns nothing: return what the sinks shall get");
    if constexpr (!std::is_void_v<Out>) (add(std::move(to)), ...);
    return *this;
  }
  /// Names the handler in metrics and messages; without it, it is where it stands in the program.
  const Handled& named(std::string_view name) const {
    binding_->name = name;
    binding_->named = true;
    return *this;
  }
  /// What happens when the handler or one of its sinks throws: fail (the default), skip or dead letter. Other
  /// handlers get the message all the same, unless the run ends. Outputs made before the throw are out.
  const Handled& on_error(const ErrorPolicy& policy) const {
    binding_->errors = policy;
    return *this;
  }

 private:
  template <class U>
  void add(const Sink<U>& sink) const {
    static_assert(std::convertible_to<const Out&, const U&>,
                  "to(): the sink takes another type than the handler returns");
    if constexpr (std::same_as<Out, U>) {
      write_to(sink, {}, [](auto&& value) -> auto&& { return std::forward<decltype(value)>(value); });
    } else {
      write_to(sink, {}, [](const Out& value) -> U { return value; });
    }
  }
  template <class K, class V>
  void add(const Topic<K, V>& topic) const {
    using Types = typename Topic<K, V>::Types;
    static_assert(
        Types::template takes<Out>(),
        "to() of a topic needs what is sent there, in the topic's types: (key, value), (key, value, "
        "headers), (key, Tombstone{}) or a Message");
    if constexpr (Types::template takes<Out>()) {
      write_to(topic.sink(), topic.sink_options(),
               [](auto&& value) { return Types::record(std::forward<decltype(value)>(value)); });
    }
  }
  template <class K, class V>
  void add(const Cache<K, V>& cache) const {
    static_assert(Cache<K, V>::template takes<Out>(),
                  "to() of a cache needs what is written there, in the cache's types: (key, value), (key, "
                  "Tombstone{}) or a Message");
    if constexpr (Cache<K, V>::template takes<Out>()) {
      binding_->writes_to.push_back(cache.impl()->updates.get());
      sinks_->all.push_back([cache](detail::Sent<Out> sent, detail::Delivery& delivery) {
        sent.pass_to([&](auto&& value) {
          cache.impl()->update_or_throw(Cache<K, V>::update(std::forward<decltype(value)>(value)),
                                        delivery.op);
        });
      });
    }
  }
  template <class U, class Convert>
  void write_to(const Sink<U>& sink, const SinkOptions& options, Convert convert) const {
    auto plan = std::make_shared<detail::OutputPlan<U>>();
    plan->sink = sink.impl().get();
    plan->attach = [graph = graph_.get(), sink, options](std::vector<detail::Input> from) {
      Stream<U>(graph->shared_from_this(), std::move(from)).sink(sink, options);
    };
    binding_->outputs.push_back(plan);
    sinks_->all.push_back([plan, convert](detail::Sent<Out> sent, detail::Delivery& delivery) {
      auto& output = static_cast<detail::HandlerOutput<U>&>(delivery.op.output(plan->port));
      sent.pass_to(
          [&](auto&& value) { output.push(convert(std::forward<decltype(value)>(value)), delivery); });
    });
  }
  template <class U>
  void add(const Proxy<U>& proxy) const {
    static_assert(std::convertible_to<const Out&, const U&>,
                  "to(): the Proxy has another type than the handler returns");
    if (proxy.stream().graph() != graph_) graph_->mistakes.push_back("to() of a Proxy of another App");
    const detail::Node* node = proxy.stream().outputs().front().from;
    binding_->publishes_to.push_back(node);
    sinks_->all.push_back([node, subscribers = proxy.subscribers()](detail::Sent<Out> sent,
                                                                    detail::Delivery& delivery) {
      subscribers->call(sent.value);
      if (auto* port = delivery.op.find_port(*node)) {
        sent.pass_to([&](auto&& value) {
          static_cast<detail::HandlerPort<U>&>(*port).publish(std::forward<decltype(value)>(value), delivery);
        });
      }
    });
  }
  template <class F>
  void add(F f) const {
    static_assert(
        detail::TakesMessage<F, Out>,
        "to() needs sinks for what the handler returns: callables of it, a Sink or a Proxy of its type");
    if constexpr (detail::TakesMessage<F, Out>) {
      sinks_->all.push_back([graph = graph_.get(), f = std::make_shared<F>(std::move(f))](
                                detail::Sent<Out> sent, detail::Delivery& delivery) {
        detail::call_handler(*f, sent.value, detail::ContextFor<F, Out>(delivery, *graph));
      });
    }
  }

  std::shared_ptr<detail::Graph> graph_;
  detail::HandlerBinding* binding_;
  std::shared_ptr<detail::HandlerSinks<Out>> sinks_;
};

namespace detail {

/// A stream a handler listens to, through what was put in between: listen(handler, step, end) adds a step.
template <class T>
struct Listened {
  PortPlanBase* port;
  std::function<void(HandlerBinding&, std::shared_ptr<Step<T>>, std::function<void(Delivery&)> end)> listen;
  bool is_piped = false;
};

template <class T>
Listened<T> listened(PortPlan<T>& port) {
  return {&port, [&port](HandlerBinding& handler, std::shared_ptr<Step<T>> step,
                         std::function<void(Delivery&)> end) {
            port.listeners.push_back({&handler, std::move(step), std::move(end)});
          }};
}

}  // namespace detail

namespace detail {

/// Calls f as const.
template <class F>
struct AsConst {
  std::shared_ptr<const F> f;
  template <class... Args>
    requires std::invocable<const F&, Args...>
  decltype(auto) operator()(Args&&... args) const {
    return std::invoke(*f, std::forward<Args>(args)...);
  }
};

/// The same behind an exchange by key, which sends messages whose key throws anywhere and leaves the error to
/// who handles them.
template <class F, class T, class KeyOf>
struct WithKey {
  std::shared_ptr<const F> f;
  std::shared_ptr<const KeyOf> key_of;
  template <class... Args>
    requires std::invocable<const F&, const T&, Args...>
  decltype(auto) operator()(const T& message, Args&&... args) const {
    (void)std::invoke(*key_of, message);
    return std::invoke(*f, message, std::forward<Args>(args)...);
  }
  decltype(auto) operator()(const T& message) const
    requires(!std::invocable<const F&, const T&> && std::invocable<const F&>)
  {
    (void)std::invoke(*key_of, message);
    return std::invoke(*f);
  }
};

template <class To>
inline constexpr bool kIsProxy = false;
template <class T>
inline constexpr bool kIsProxy<Proxy<T>> = true;

}  // namespace detail

/// A handler that runs in several lanes, with its sinks.
template <class Out>
class ParallelHandled {
 public:
  explicit ParallelHandled(Handled<Out> handled) : handled_(std::move(handled)) {}
  /// As Handled::to. Callables are called by several threads at once, so as const; a Proxy is none of the
  /// possible sinks, for its listeners would be handled in this handler's lane.
  template <class... To>
  const ParallelHandled& to(To... to) const {
    (add(std::move(to)), ...);
    return *this;
  }
  const ParallelHandled& named(std::string_view name) const {
    handled_.named(name);
    return *this;
  }
  const ParallelHandled& on_error(const ErrorPolicy& policy) const {
    handled_.on_error(policy);
    return *this;
  }

 private:
  template <class To>
  void add(To to) const {
    static_assert(
        !detail::kIsProxy<To>,
        "to() behind parallel_by() can't publish to a Proxy: its listeners are handled in one lane");
    if constexpr (detail::kIsProxy<To>) {
    } else if constexpr (!std::is_void_v<Out> && detail::TakesMessage<To, Out>) {
      static_assert(detail::TakesMessage<const To, Out>,
                    "to() behind parallel_by() needs callables that several threads may call: not `mutable`");
      if constexpr (detail::TakesMessage<const To, Out>)
        handled_.to(detail::AsConst<To>{std::make_shared<const To>(std::move(to))});
    } else {
      handled_.to(std::move(to));
    }
  }
  Handled<Out> handled_;
};

template <class... Ts>
class On;

/// What On::parallel_by() returns: give it a handler.
template <class T, class KeyOf>
class ParallelOn {
 public:
  ParallelOn(On<T> on, std::shared_ptr<const KeyOf> key_of)
      : on_(std::move(on)), key_of_(std::move(key_of)) {}
  /// As On::handle, but f is called by several threads at once, for messages of different keys: so as const,
  /// and what it shares it has to guard. What `key_of` throws is an error of the handler.
  template <class F>
  auto handle(F f, Here here = Here::current()) const {
    static_assert(
        detail::TakesMessage<const F, T>,
        "handle() behind parallel_by() needs a function of the message, of it and a HandlerContext, or "
        "of nothing, that several threads may call: not `mutable`");
    if constexpr (detail::TakesMessage<const F, T>) {
      auto handled =
          on_.handle(detail::WithKey<F, T, KeyOf>{std::make_shared<const F>(std::move(f)), key_of_}, here);
      return ParallelHandled<typename decltype(handled)::Output>(std::move(handled));
    }
  }

 private:
  On<T> on_;
  std::shared_ptr<const KeyOf> key_of_;
};

/// What App::on() returns: give it a handler.
template <class... Ts>
class On {
 public:
  On(std::shared_ptr<detail::Graph> graph, std::shared_ptr<detail::Handlers> handlers,
     detail::Listened<Ts>... from)
      : graph_(std::move(graph)), handlers_(std::move(handlers)), from_(std::move(from)...) {}

  /// Sends the messages through a Pipe in front of the handler; several apply from left to right. `make` is a
  /// function from Incoming<T> to a Pipe, such as a coroutine.
  template <class F>
  auto pipe(F make) const {
    static_assert(sizeof...(Ts) == 1,
                  "pipe() is for one source: merge() several, or give each its own on() and pipe()");
    using T = std::tuple_element_t<0, std::tuple<Ts...>>;
    static_assert(std::invocable<F&, Incoming<T>>,
                  "pipe() needs a function from Incoming<message> to a Pipe");
    using P = std::invoke_result_t<F&, Incoming<T>>;
    using U = typename P::Output;
    const detail::Listened<T>& from = std::get<0>(from_);
    detail::Listened<U> through{
        from.port,
        [from, make](detail::HandlerBinding& handler, const std::shared_ptr<detail::Step<U>>& step,
                     const std::function<void(detail::Delivery&)>& end) {
          auto pipe = std::make_shared<P>(std::invoke(make, Incoming<T>{}));
          const auto run = [pipe, step](std::optional<T> message, detail::Delivery& delivery) {
            pipe->run(std::move(message), [&](const U& value) { step->run(value, delivery); });
          };
          from.listen(handler, detail::make_step<T>(run), [run, end](detail::Delivery& delivery) {
            run(std::nullopt, delivery);
            if (end) end(delivery);
          });
        },
        true};
    return On<U>(graph_, handlers_, std::move(through));
  }

  /// Has the handler behind it run in as many lanes as the parallelism says. Messages with equal keys are
  /// handled in their order by one of them; the handler is in no serial domain with others. `key_of` as for
  /// Stream::key_by: a member or a const function of the message.
  template <class KeyOf>
  auto parallel_by(KeyOf key_of) const {
    static_assert(sizeof...(Ts) == 1,
                  "parallel_by() is for one source: merge() several, or give each its own on()");
    using T = std::tuple_element_t<0, std::tuple<Ts...>>;
    static_assert(KeySelector<KeyOf, T>,
                  "parallel_by() needs a member or const function that makes a key of the message");
    if constexpr (KeySelector<KeyOf, T>) {
      const detail::PortPlanBase& serial = *std::get<0>(from_).port;
      if (std::get<0>(from_).is_piped)
        graph_->mistakes.push_back("parallel_by() behind pipe(): a pipe takes one message after the other");
      auto key = std::make_shared<const KeyOf>(std::move(key_of));
      auto& port = handlers_->template parallel_port<T>(
          serial.from, [key](const detail::EdgeEnv& env) { return detail::make_exchange<T>(env, key); });
      return ParallelOn<T, KeyOf>(On<T>(graph_, handlers_, detail::listened(port)), key);
    }
  }

  /// Calls f for each message of all the sources. It takes the message, the message and a HandlerContext, or
  /// nothing; it returns nothing, a value, an optional, or a range or Generator of values. f is called by one
  /// thread at a time.
  template <class F>
  auto handle(F f, Here here = Here::current()) const {
    static_assert(
        (detail::TakesMessage<F, Ts> && ...),
        "handle() needs a function that takes every source's message, the message and a HandlerContext, "
        "or nothing");
    if constexpr ((detail::TakesMessage<F, Ts> && ...)) {
      using Out = detail::HandlerOut<F, std::tuple_element_t<0, std::tuple<Ts...>>>;
      static_assert((std::same_as<detail::HandlerOut<F, Ts>, Out> && ...),
                    "handle() needs a function that returns the same type for the messages of all sources");
      detail::HandlerBinding& binding = handlers_->bind(
          std::string(here.file_name()) + ":" + std::to_string(here.line()),
          std::apply([](const auto&... from) { return std::vector<detail::PortPlanBase*>{from.port...}; },
                     from_));
      auto sinks = std::make_shared<detail::HandlerSinks<Out>>();
      auto shared = std::make_shared<F>(std::move(f));
      std::apply([&](const auto&... from) { (listen<Out>(from, binding, shared, sinks), ...); }, from_);
      return Handled<Out>(graph_, binding, std::move(sinks));
    }
  }

 private:
  template <class Out, class T, class F>
  void listen(const detail::Listened<T>& from, detail::HandlerBinding& binding, const std::shared_ptr<F>& f,
              const std::shared_ptr<detail::HandlerSinks<Out>>& sinks) const {
    from.listen(
        binding,
        detail::make_step<T>([graph = graph_.get(), f, sinks](const T& message, detail::Delivery& delivery) {
          const detail::ContextFor<F, T> of(delivery, *graph);
          if constexpr (std::is_void_v<Out>) {
            detail::call_handler(*f, message, of);
          } else {
            detail::for_each_output(detail::call_handler(*f, message, of), [&](auto&& value) {
              sinks->send(std::forward<decltype(value)>(value), delivery);
            });
          }
        }),
        {});
  }

  std::shared_ptr<detail::Graph> graph_;
  std::shared_ptr<detail::Handlers> handlers_;
  std::tuple<detail::Listened<Ts>...> from_;
};

namespace detail {

/// The stream a handler listens to when it is given this.
template <class T>
Stream<T> stream_of(App&, Handlers&, const Stream<T>& stream) {
  return stream;
}
template <class T>
Stream<T> stream_of(App&, Handlers&, const Proxy<T>& proxy) {
  return proxy.stream();
}
template <class K, class V>
auto stream_of(App&, Handlers&, const Topic<K, V>& topic) {
  return topic.stream();
}
template <class T, class State>
Stream<T> stream_of(App&, Handlers& handlers, const Checkpoint<T, State>& checkpoint) {
  checkpoint.bind(handlers);
  return checkpoint.stream();
}
/// Of the source that `make` makes, once for all that is called `what`.
template <class Make>
auto stream_of_one(App& app, Handlers& handlers, const void* what, const Make& make) {
  using S = decltype(app.source(make()));
  for (const auto& [known, stream] : handlers.sources) {
    if (known == what) return *std::static_pointer_cast<S>(stream);
  }
  auto stream = std::make_shared<S>(app.source(make()));
  handlers.sources.emplace_back(what, stream);
  return *stream;
}
template <class T>
Stream<T> stream_of(App& app, Handlers& handlers, const Source<T>& source) {
  return stream_of_one(app, handlers, source.impl().get(), [&] { return source; });
}
template <class K, class V>
Stream<CacheUpdate<K, V>> stream_of(App& app, Handlers& handlers, const Cache<K, V>& cache) {
  return stream_of_one(app, handlers, cache.impl()->updates.get(), [&] { return cache.updates(); });
}

template <class... Ts>
On<Ts...> make_on(const std::shared_ptr<Graph>& graph, const std::shared_ptr<Handlers>& handlers,
                  const Stream<Ts>&... streams) {
  if (((streams.graph() != graph) || ...)) graph->mistakes.push_back("on() of a stream of another App");
  return On<Ts...>(graph, handlers, listened(handlers->port<Ts>(streams.outputs()))...);
}

}  // namespace detail

template <class... From>
  requires(sizeof...(From) > 0)
auto App::on(const From&... from) {
  return detail::make_on(graph_, handlers_, detail::stream_of(*this, *handlers_, from)...);
}

}  // namespace slipstream
