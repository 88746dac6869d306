#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipstream/detail/graph.h"
#include "slipstream/detail/operator.h"
#include "slipstream/stream.h"

/// Handlers that share a source or a Proxy run as one operator in one lane: a serial domain. What App::on()
/// describes is kept in plans until the graph is complete; the operator is made from them.
namespace slipstream::detail {

class HandlerOperator;
struct HandlerBinding;

/// A message on its way through one handler after the other.
struct Delivery {
  const RecordInfo& info;
  const HeadersPtr* headers;  ///< the message's own; null when it has none
  HandlerOperator& op;
  std::size_t outputs = 0;  ///< values that handlers made of it so far
  bool diverted = false;    ///< a handler failed on it

  /// Of the value that was made last.
  RecordId output_id() const {
    RecordId id = info.id;
    id.n = output_number(id.n, outputs - 1);
    return id;
  }
  template <class T>
  void append_to(Batch<T>& batch, const T& value) const {
    batch.append_columns(info.time, output_id(), headers ? *headers : nullptr);
    batch.values.push_back(value);
  }
};

/// Sends what handlers emit into a connector's sink.
class HandlerOutputBase {
 public:
  virtual ~HandlerOutputBase() = default;
  virtual void flush() = 0;
};
template <class T>
class HandlerOutput final : public HandlerOutputBase {
 public:
  OutputPort<T> out;
  void push(const T& value, const Delivery& delivery) { delivery.append_to(batch_, value); }
  void flush() override { out.emit(batch_); }

 private:
  Batch<T> batch_;
};

/// A sink of a connector behind handlers: one output port of the operator.
struct OutputPlanBase {
  virtual ~OutputPlanBase() = default;
  virtual std::unique_ptr<HandlerOutputBase> make() const = 0;
  virtual void connect(HandlerOutputBase& output, void* receiver) const = 0;
  std::size_t port = 0;        ///< set when the graph is completed
  const void* sink = nullptr;  ///< which; several handlers may write to one
  /// Adds the sink's node behind these outputs.
  std::function<void(std::vector<Input>)> attach;
};
template <class T>
struct OutputPlan final : OutputPlanBase {
  std::unique_ptr<HandlerOutputBase> make() const override { return std::make_unique<HandlerOutput<T>>(); }
  void connect(HandlerOutputBase& output, void* receiver) const override {
    detail::connect(static_cast<HandlerOutput<T>&>(output).out, receiver);
  }
};

/// What comes in from one stream, in front of the handlers that listen to it.
class HandlerPortBase {
 public:
  explicit HandlerPortBase(std::vector<std::shared_ptr<SourceSwitch>> switches)
      : switches_(std::move(switches)) {}
  virtual ~HandlerPortBase() = default;
  /// Takes the records of a batch.
  virtual void take(BatchBase& batch) = 0;
  virtual std::size_t held() const = 0;
  virtual EventTime oldest_held() const = 0;
  /// Gives handlers what is held, until the source is paused. False: downstream is full.
  virtual bool deliver(HandlerOperator& op) = 0;
  virtual void deliver_published(HandlerOperator& op) = 0;
  /// No record will come any more.
  virtual void end(HandlerOperator& op) = 0;
  bool is_paused() const {
    return std::any_of(switches_.begin(), switches_.end(), [](const auto& s) { return s->is_paused(); });
  }

 private:
  std::vector<std::shared_ptr<SourceSwitch>> switches_;
};

struct PortPlanBase {
  virtual ~PortPlanBase() = default;
  virtual std::unique_ptr<HandlerPortBase> make() const = 0;
  virtual EdgeEnd make_edge(const EdgeEnv& env) const = 0;
  std::vector<Input> from;
  bool has_handlers = false;

  std::vector<std::shared_ptr<SourceSwitch>> switches() const {
    std::vector<std::shared_ptr<SourceSwitch>> found;
    for (const Node* source : sources_of(from)) found.push_back(source->source_switch);
    return found;
  }
};

/// One app.on(...).handle(...).
struct HandlerBinding {
  std::string name;
  bool named = false;
  std::string location;
  ErrorPolicy errors;
  std::vector<PortPlanBase*> ports;
  std::vector<const Node*> publishes_to;  ///< sources of Proxies it writes to
  std::vector<std::shared_ptr<OutputPlanBase>> outputs;
};

class HandlerOperator final : public Operator {
 public:
  HandlerOperator(const OperatorEnv& env, std::vector<const PortPlanBase*> ports,
                  std::vector<const OutputPlanBase*> outputs);

  void receive_message(int port, BatchBase& batch) override;
  void on_watermark(std::span<const EventTime> ports) override;
  bool has_pending() const override;
  void resume() override;
  /// Messages of a paused source hold the watermark.
  EventTime hold() const override;
  bool abandons_held() const override { return true; }

  HandlerOutputBase& output(std::size_t port) { return *outputs_[port]; }
  /// Where handlers listen to this source; null when none does.
  HandlerPortBase* find_port(const Node& source) const;
  /// The port's published messages grew by one.
  void published(HandlerPortBase& port);
  /// Delivers what handlers published while they had a message.
  void deliver_published();
  /// Hands over what is collected for sinks. True: they have no room, stop.
  bool flush_at_times();
  /// Inside a catch: applies the handler's error policy. A message counts once, however many handlers fail on
  /// it. `value` makes its JSON.
  void failed(const HandlerBinding& handler, Delivery& delivery, const std::function<std::string()>& value);
  bool stopped() const { return lane().failed(); }

 private:
  /// A message may lead to this many others through Proxies.
  static constexpr std::size_t kMostPublished = 1'000'000;

  void pump();
  void flush();
  void count_held();

  std::vector<const PortPlanBase*> plans_;
  std::vector<std::unique_ptr<HandlerPortBase>> ports_;
  std::vector<std::unique_ptr<HandlerOutputBase>> outputs_;
  std::vector<HandlerPortBase*> published_;  ///< a FIFO
  std::vector<bool> ended_;                  ///< by port
  std::size_t since_flush_ = 0;
};

template <class T>
using Step = std::function<void(const T& message, Delivery& delivery)>;

template <class T>
struct PortPlan final : PortPlanBase {
  struct Listener {
    HandlerBinding* handler;
    Step<T> run;
    std::function<void(Delivery&)> end;  ///< empty where the end means nothing
  };
  std::vector<Listener> listeners;  ///< in the order they were bound

  std::unique_ptr<HandlerPortBase> make() const override;
  EdgeEnd make_edge(const EdgeEnv& env) const override { return make_forward<T>(env); }
};

template <class T>
class HandlerPort final : public HandlerPortBase {
 public:
  explicit HandlerPort(const PortPlan<T>& plan) : HandlerPortBase(plan.switches()), plan_(plan) {}

  void take(BatchBase& base) override {
    auto& batch = static_cast<Batch<T>&>(base);
    if (held() > 0) {
      held_.append(batch);
      return;
    }
    std::swap(held_.values, batch.values);
    held_.take_columns(batch);
  }
  /// By a handler of the same domain; delivered before the next message.
  void publish(const T& value, const Delivery& delivery) {
    delivery.op.counters.in += 1;
    if (is_paused() || held() > 0) {
      delivery.append_to(held_, value);
      return;
    }
    delivery.append_to(published_, value);
    delivery.op.published(*this);
  }
  std::size_t held() const override { return held_.size() - at_; }
  EventTime oldest_held() const override {
    EventTime oldest = kMaxTime;
    for (std::size_t i = at_; i < held_.size(); ++i) oldest = std::min(oldest, held_.time(i));
    return oldest;
  }
  bool deliver(HandlerOperator& op) override {
    while (at_ < held_.size() && !is_paused()) {
      if (op.stopped()) {
        op.counters.skipped += held();
        held_.clear(), at_ = 0;
        break;
      }
      handle_next(held_, at_, op);
      op.deliver_published();
      if (op.flush_at_times()) return held() == 0;
    }
    return true;
  }
  void deliver_published(HandlerOperator& op) override { handle_next(published_, published_at_, op); }
  void end(HandlerOperator& op) override {
    const RecordInfo info{kMinTime, {op.env().node_id, 0, 0, 0}, nullptr};
    for (const auto& listener : plan_.listeners) {
      if (!listener.end || op.stopped()) continue;
      Delivery delivery{info, nullptr, op};
      delivery.diverted = true;  // no record, so nothing to count
      try {
        listener.end(delivery);
      } catch (...) {
        op.failed(*listener.handler, delivery, [] { return std::string(); });
      }
    }
    op.deliver_published();
  }

 private:
  /// Takes the message at `at` out before it is handled: handlers may publish into the same batch meanwhile.
  void handle_next(Batch<T>& batch, std::size_t& at, HandlerOperator& op) {
    const T message = std::move(batch.values[at]);
    const RecordInfo info = batch.info(at);
    const HeadersPtr headers = batch.headers.empty() ? nullptr : batch.headers[at];
    if (++at == batch.size()) batch.clear(), at = 0;
    handle(message, info, headers, op);
  }
  void handle(const T& message, const RecordInfo& info, const HeadersPtr& headers, HandlerOperator& op) {
    Delivery delivery{info, headers ? &headers : nullptr, op};
    for (const auto& listener : plan_.listeners) {
      try {
        listener.run(message, delivery);
      } catch (...) {
        op.failed(*listener.handler, delivery, [&] { return json_text(message); });
        if (op.stopped()) break;
      }
    }
    op.counters.out += delivery.outputs;
    if (!delivery.diverted) op.counters.forwarded += 1;
  }

  const PortPlan<T>& plan_;
  Batch<T> held_;  ///< from at_ on: read, but not handed out
  std::size_t at_ = 0;
  Batch<T> published_;
  std::size_t published_at_ = 0;
};

template <class T>
std::unique_ptr<HandlerPortBase> PortPlan<T>::make() const {
  return std::make_unique<HandlerPort<T>>(*this);
}

/// All handlers of an App.
class Handlers : public std::enable_shared_from_this<Handlers> {
 public:
  /// The graph's nodes own the handlers, once they are complete.
  explicit Handlers(Graph& graph) : graph_(graph) {}
  /// The plan of a stream; made at the first call.
  template <class T>
  PortPlan<T>& port(const std::vector<Input>& from) {
    if (PortPlanBase* known = find_port(from)) return static_cast<PortPlan<T>&>(*known);
    auto plan = std::make_unique<PortPlan<T>>();
    PortPlan<T>& made = *plan;
    made.from = from;
    ports_.push_back(std::move(plan));
    return made;
  }
  HandlerBinding& bind(std::string_view location, std::vector<PortPlanBase*> ports);
  /// Adds a node for every serial domain, and the sinks behind it. Once, however often it is called.
  void complete();

  /// Sources that handlers were bound to directly, by implementation, so that the same one is read once.
  std::vector<std::pair<const void*, std::shared_ptr<void>>> sources;

 private:
  PortPlanBase* find_port(const std::vector<Input>& from) const;
  void add_domain(const std::vector<PortPlanBase*>& ports);
  void add_sinks();

  Graph& graph_;
  std::vector<std::unique_ptr<PortPlanBase>> ports_;
  std::vector<std::unique_ptr<HandlerBinding>> bindings_;
  std::vector<std::pair<OutputPlanBase*, Input>> outputs_;  ///< of all domains
  bool completed_ = false;
};

}  // namespace slipstream::detail
