#pragma once
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipstream/detail/graph.h"
#include "slipstream/detail/operator.h"
#include "slipstream/detail/produce_pause.h"
#include "slipstream/downtime.h"
#include "slipstream/stream.h"

/// Handlers that share a source or a Proxy run as one operator in one lane: a serial domain. What App::on()
/// describes is kept in plans until the graph is complete; the operator is made from them.
namespace slipstream::detail {

class HandlerOperator;
class Handlers;
struct HandlerBinding;

/// A message on its way through one handler after the other.
struct Delivery {
  const BatchBase& records;  ///< the message is one of these,
  std::size_t at;            ///< this one
  HandlerOperator& op;
  std::size_t outputs = 0;             ///< values that handlers made of it so far
  bool diverted = false;               ///< a handler failed on it
  const Downtime* downtime = nullptr;  ///< as the message's pulse found it; null where none was

  RecordInfo info() const { return records.info(at); }
  HeadersPtr headers() const { return records.headers.empty() ? nullptr : records.headers[at]; }
  /// Of the value that was made last.
  RecordId output_id() const {
    RecordId id = records.ids[at];
    id.n = output_number(id.n, outputs - 1);
    return id;
  }
  template <class T, class Value>
  void append_to(Batch<T>& batch, Value&& value) const {
    batch.append_columns(records.time(at), output_id(), headers());
    batch.values.push_back(std::forward<Value>(value));
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
  template <class Value>
  void push(Value&& value, const Delivery& delivery) {
    delivery.append_to(batch_, std::forward<Value>(value));
  }
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
  /// A source of the stream.
  struct Origin {
    std::uint32_t source = 0;  ///< the node's number
    std::shared_ptr<SourceSwitch> by_hand;
    std::size_t port = 0;     ///< this port's number there
    std::uint64_t heard = 0;  ///< how many seeks this port has heard of
    // What the source was told last of what this port holds.
    bool holds = false;
    std::vector<int> full = {};
  };
  explicit HandlerPortBase(std::vector<Origin> origins);
  virtual ~HandlerPortBase() = default;
  /// Takes the records of a batch.
  virtual void take(BatchBase& batch, HandlerOperator& op) = 0;
  virtual std::size_t held() const = 0;
  virtual EventTime oldest_held() const = 0;
  /// Whether deliver() has something to do.
  virtual bool has_work() const = 0;
  /// Drops what was sought away from and gives handlers what is held, until the source is paused. False:
  /// downstream is full.
  virtual bool deliver(HandlerOperator& op) = 0;
  virtual void deliver_published(HandlerOperator& op) = 0;
  /// No record will come any more.
  virtual void end(HandlerOperator& op) = 0;
  /// Tells the sources whether anything of theirs is held, and of which partitions more than `most`.
  void tell_held(std::size_t most);

 protected:
  /// All of it; of streams that were merged some may be paused, whose records are put aside.
  bool is_paused() const {
    return !origins_.empty() && std::all_of(origins_.begin(), origins_.end(),
                                            [](const Origin& o) { return o.by_hand->is_paused(); });
  }
  /// How many records are held, by source and partition.
  using HeldBy = std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t>;
  virtual void count_held(HeldBy& held) const = 0;
  /// Some partition is treated in its own way.
  bool differs_by_partition() const {
    return std::any_of(origins_.begin(), origins_.end(),
                       [](const Origin& o) { return o.by_hand->differs_by_partition(); });
  }
  /// Nothing is paused, sought or news. Asked before every message, so that a plain loop, which is compiled
  /// into the caller's.
  bool is_plain() const {
    for (const Origin& o : origins_) {
      if (!o.by_hand->is_plain(o.heard)) return false;
    }
    return true;
  }
  bool has_news_of_seeks() const {
    return std::any_of(origins_.begin(), origins_.end(),
                       [](const Origin& o) { return o.heard != o.by_hand->seeks(); });
  }
  /// Drops what is held of partitions that are sought, and says so.
  void hear_of_seeks(HandlerOperator& op);
  virtual void drop_sought(HandlerOperator& op) = 0;
  /// Of the record's own partition.
  bool is_paused(const RecordId& id) const {
    const Origin* origin = origin_of(id);
    return origin && origin->by_hand->is_paused(static_cast<int>(id.partition));
  }
  bool is_seeking(const RecordId& id) const {
    const Origin* origin = origin_of(id);
    return origin && origin->by_hand->is_seeking(static_cast<int>(id.partition));
  }

 private:
  const Origin* origin_of(const RecordId& id) const;
  std::vector<Origin> origins_;
};

struct PortPlanBase {
  virtual ~PortPlanBase() = default;
  virtual std::unique_ptr<HandlerPortBase> make() const = 0;
  virtual EdgeEnd make_edge(const EdgeEnv& env) const = 0;
  std::vector<Input> from;
  bool has_handlers = false;
  /// Spreads the messages by key over as many lanes as the parallelism says; empty: one lane.
  std::function<EdgeEnd(const EdgeEnv&)> exchange;

  std::vector<HandlerPortBase::Origin> origins() const;
};

/// One app.on(...).handle(...).
struct HandlerBinding {
  std::string name;
  bool named = false;
  bool is_checkpoint = false;  ///< not one of the user's handlers
  std::string location;
  ErrorPolicy errors;
  std::vector<PortPlanBase*> ports;
  std::vector<const Node*> publishes_to;  ///< sources of Proxies it writes to
  std::vector<const void*> writes_to;     ///< see SourceControl::echo_of
  std::vector<std::shared_ptr<OutputPlanBase>> outputs;
};

class HandlerOperator final : public Operator {
 public:
  HandlerOperator(const OperatorEnv& env, const Handlers& all, std::vector<const PortPlanBase*> ports,
                  std::vector<const OutputPlanBase*> outputs);

  void receive_message(int port, BatchBase& batch) override;
  void on_watermark(std::span<const EventTime> ports) override;
  bool has_pending() const override;
  void resume() override;
  /// Messages of a paused source hold the watermark.
  EventTime hold() const override;
  EventTime port_hold(std::size_t port) const override { return ports_[port]->oldest_held(); }
  bool abandons_held() const override { return true; }

  HandlerOutputBase& output(std::size_t port) { return *outputs_[port]; }
  /// Where handlers listen to this source; null when none does.
  HandlerPortBase* find_port(const Node& source) const;
  /// The port's published messages grew by one.
  void published(HandlerPortBase& port);
  /// Delivers what handlers published while they had a message.
  void deliver_published() {
    if (!published_.empty()) deliver_all_published();
  }
  /// Hands over what is collected for sinks. True: they have no room, stop.
  bool flush_at_times() { return ++since_flush_ >= lane().max_batch && flush_is_enough(); }
  /// Calls f once, with the next flush: at the latest when the handlers have no more messages.
  void at_flush(std::function<void()> f) { at_flush_.push_back(std::move(f)); }
  std::chrono::nanoseconds now() const { return lane().now(); }
  /// Inside a catch: applies the handler's error policy. A message counts once, however many handlers fail on
  /// it. `value` makes its JSON.
  void failed(const HandlerBinding& handler, Delivery& delivery, const std::function<std::string()>& value);
  bool stopped() const { return lane().failed(); }
  const Handlers& all() const { return all_; }

 private:
  /// A message may lead to this many others through Proxies.
  static constexpr std::size_t kMostPublished = 1'000'000;

  void pump();
  void flush();
  bool flush_is_enough();
  void deliver_all_published();
  void count_held();

  const Handlers& all_;
  std::vector<const PortPlanBase*> plans_;
  std::vector<std::unique_ptr<HandlerPortBase>> ports_;
  std::vector<std::unique_ptr<HandlerOutputBase>> outputs_;
  std::vector<HandlerPortBase*> published_;  ///< a FIFO
  std::vector<bool> ended_;                  ///< by port
  std::size_t since_flush_ = 0;
  std::vector<std::function<void()>> at_flush_;
};

template <class T>
class HandlerPort;

/// What a handler does with a message.
template <class T>
class Step {
 public:
  virtual ~Step() = default;
  virtual void run(const T& message, Delivery& delivery) = 0;
  /// HandlerPort::deliver_all with run(), compiled into the loop: one call for a batch of messages.
  virtual bool run_all(HandlerPort<T>& port, HandlerOperator& op, const HandlerBinding& handler) = 0;
};
template <class T, class F>
class StepOf final : public Step<T> {
 public:
  explicit StepOf(F f) : f_(std::move(f)) {}
  void run(const T& message, Delivery& delivery) override { f_(message, delivery); }
  bool run_all(HandlerPort<T>& port, HandlerOperator& op, const HandlerBinding& handler) override {
    return port.deliver_all(op, [&](const T& message, Delivery& delivery) {
      return HandlerPort<T>::run_guarded(handler, message, delivery, f_);
    });
  }

 private:
  F f_;
};
/// Of f(message, delivery).
template <class T, class F>
std::shared_ptr<Step<T>> make_step(F f) {
  return std::make_shared<StepOf<T, F>>(std::move(f));
}

template <class T>
struct PortPlan final : PortPlanBase {
  struct Listener {
    HandlerBinding* handler;
    std::shared_ptr<Step<T>> step;
    std::function<void(Delivery&)> end;  ///< empty where the end means nothing
    /// Whether the step has come to its end, so that the next may get the message; empty: always.
    std::function<bool()> is_done = {};
  };
  std::vector<Listener> checkpoints;  ///< they see a message before all handlers
  std::vector<Listener> listeners;    ///< in the order they were bound

  std::unique_ptr<HandlerPortBase> make() const override;
  EdgeEnd make_edge(const EdgeEnv& env) const override {
    return exchange ? exchange(env) : make_forward<T>(env);
  }
};

template <class T>
class HandlerPort final : public HandlerPortBase {
 public:
  explicit HandlerPort(const PortPlan<T>& plan) : HandlerPortBase(plan.origins()), plan_(plan) {}

  void take(BatchBase& base, HandlerOperator& op) override {
    auto& batch = static_cast<Batch<T>&>(base);
    if (!held_->empty()) {
      held_->records.append(batch);
    } else {
      std::swap(held_->records.values, batch.values);
      held_->records.take_columns(batch);
    }
    if (differs_by_partition()) drop_sought(op);
  }
  /// By a handler of the same domain; delivered before the next message.
  template <class Value>
  void publish(Value&& value, const Delivery& delivery) {
    delivery.op.counters.in += 1;
    const bool waits = is_paused() || held() > 0;
    delivery.append_to((waits ? *held_ : published_).records, std::forward<Value>(value));
    if (!waits) delivery.op.published(*this);
  }
  std::size_t held() const override {
    std::size_t sum = in_hand_->size() + held_->size() + (is_waiting_ ? 1 : 0);
    for (const auto& [partition, queue] : parked_) sum += queue.size();
    return sum;
  }
  EventTime oldest_held() const override {
    EventTime oldest = std::min(held_->oldest(), is_waiting_ ? current_.oldest() : kMaxTime);
    for (const auto& [partition, queue] : parked_) oldest = std::min(oldest, queue.oldest());
    return oldest;
  }
  bool has_work() const override {
    if (has_news_of_seeks()) return true;
    if (is_waiting_) return are_done();
    if (is_paused()) return false;
    return !held_->empty() || std::any_of(parked_.begin(), parked_.end(), [this](const auto& p) {
      return !p.second.empty() && !this->is_paused(p.second.first_id());
    });
  }
  bool deliver(HandlerOperator& op) override {
    for (;;) {
      if (is_simple() && deliver_simply(op)) return !has_work();
      if (is_waiting_ && has_news_of_seeks()) hear_of_seeks(op);
      if (is_waiting_ && !are_done()) break;
      Queue* queue = is_waiting_ ? nullptr : next_queue(op);
      if (!is_waiting_ && !queue) break;
      if (op.stopped()) {
        op.counters.skipped += held();
        drop_waiting();
        held_->clear();
        parked_.clear();
        break;
      }
      is_waiting_ ? handle_waiting(op) : handle_next(*queue, op);
      op.deliver_published();
      if (op.flush_at_times()) return !has_work();
    }
    return true;
  }
  void deliver_published(HandlerOperator& op) override {
    if (is_waiting_) {
      held_->take_first(published_);
    } else {
      handle_next(published_, op);
    }
  }
  void end(HandlerOperator& op) override {
    Batch<T> none;
    none.append_columns(kMinTime, {op.env().node_id, 0, 0, 0});
    for (const auto* listeners : {&plan_.checkpoints, &plan_.listeners}) {
      for (const auto& listener : *listeners) {
        if (!listener.end || op.stopped()) continue;
        Delivery delivery{none, 0, op};
        delivery.diverted = true;  // no record, so nothing to count
        try {
          listener.end(delivery);
        } catch (...) {
          op.failed(*listener.handler, delivery, [] { return std::string(); });
        }
      }
    }
    op.deliver_published();
  }

  // For steps
  /// Gives run(message, delivery) one message after the other as long as no message needs more than that, or
  /// until it returns false. True: downstream is full.
  template <class Run>
  bool deliver_all(HandlerOperator& op, Run&& run) {
    std::size_t made = 0;
    std::size_t forwarded = 0;
    bool is_full = false;
    bool goes_on = !op.stopped();
    // Out of the way of what handlers publish meanwhile, which comes behind all of it.
    std::swap(held_, in_hand_);
    const Batch<T>& records = in_hand_->records;
    const std::size_t end = records.size();
    while (goes_on && !is_full && in_hand_->at < end && is_plain()) {
      Delivery delivery{records, in_hand_->at++, op};
      goes_on = run(records.values[delivery.at], delivery);
      made += delivery.outputs;
      if (!delivery.diverted) ++forwarded;
      op.deliver_published();
      is_full = op.flush_at_times();
    }
    take_back();
    op.counters.out += made;
    op.counters.forwarded += forwarded;
    return is_full;
  }
  /// run(message, delivery) with the handler's error policy. False: the run has failed.
  template <class Run>
  static bool run_guarded(const HandlerBinding& handler, const T& message, Delivery& delivery, Run&& run) {
    try {
      run(message, delivery);
    } catch (...) {
      delivery.op.failed(handler, delivery, [&] { return json_text(message); });
      return !delivery.op.stopped();
    }
    return true;
  }

 protected:
  void count_held(HeldBy& held) const override {
    held_->count(held);
    for (const auto& [partition, queue] : parked_) queue.count(held);
    if (is_waiting_) current_.count(held);
  }
  void drop_sought(HandlerOperator& op) override {
    const auto is_sought = [this](const RecordId& id) { return this->is_seeking(id); };
    std::size_t dropped = held_->drop(is_sought);
    for (auto& [partition, queue] : parked_) dropped += queue.drop(is_sought);
    std::erase_if(parked_, [](const auto& p) { return p.second.empty(); });
    if (is_waiting_ && is_sought(current_.first_id())) {
      drop_waiting();
      ++dropped;
    }
    op.counters.filtered += dropped;
  }

 private:
  /// Records from `at` on.
  struct Queue {
    Batch<T> records;
    std::size_t at = 0;

    std::size_t size() const { return records.size() - at; }
    bool empty() const { return size() == 0; }
    RecordId first_id() const { return records.ids[at]; }
    void clear() {
      records.clear();
      at = 0;
    }
    void pop() {
      if (++at == records.size()) clear();
    }
    void take_first(Queue& other) {
      records.append_columns(other.records, other.at);
      records.values.push_back(std::move(other.records.values[other.at]));
      other.pop();
    }
    void count(HeldBy& held) const {
      for (std::size_t i = at; i < records.size(); ++i)
        ++held[{records.ids[i].source, records.ids[i].partition}];
    }
    EventTime oldest() const {
      EventTime oldest = kMaxTime;
      for (std::size_t i = at; i < records.size(); ++i) oldest = std::min(oldest, records.time(i));
      return oldest;
    }
    template <class Which>
    std::size_t drop(Which&& which) {
      std::size_t kept = at;
      for (std::size_t i = at; i < records.size(); ++i) {
        if (which(records.ids[i])) continue;
        if (kept != i) records.values[kept] = std::move(records.values[i]);
        records.move_columns_down(i, kept++);
      }
      const std::size_t dropped = records.size() - kept;
      records.truncate(kept);
      if (empty()) clear();
      return dropped;
    }
  };

  /// No message needs more than to be given to the handlers: so it is most of the time.
  bool is_simple() const {
    return is_plain() && !is_waiting_ && parked_.empty() && plan_.checkpoints.empty();
  }
  /// deliver() as long as that is so. True: downstream is full.
  bool deliver_simply(HandlerOperator& op) {
    if (plan_.listeners.size() == 1) {
      const auto& only = plan_.listeners.front();
      return only.step->run_all(*this, op, *only.handler);
    }
    return deliver_all(
        op, [this](const T& message, Delivery& delivery) { return run(plan_.listeners, message, delivery); });
  }
  /// The rest of what deliver_all() had in hand.
  void take_back() {
    if (in_hand_->empty()) return in_hand_->clear();
    std::swap(held_, in_hand_);
    while (!in_hand_->empty()) held_->take_first(*in_hand_);
  }

  /// Where the next message is, if any may be handed out.
  Queue* next_queue(HandlerOperator& op) {
    if (has_news_of_seeks()) hear_of_seeks(op);
    if (is_paused()) return nullptr;
    Queue* parked = next_parked();
    return parked ? parked : next_held();
  }
  Queue* next_parked() {
    std::erase_if(parked_, [](const auto& p) { return p.second.empty(); });
    for (auto& [partition, queue] : parked_) {
      if (!is_paused(queue.first_id())) return &queue;
    }
    return nullptr;
  }
  /// What comes of a paused partition is put aside, and so is what comes behind that until it is through.
  Queue* next_held() {
    while (!held_->empty()) {
      const RecordId id = held_->first_id();
      const auto partition = std::pair(id.source, id.partition);
      if (!parked_.contains(partition) && !is_paused(id)) return held_;
      parked_[partition].take_first(*held_);
    }
    return nullptr;
  }
  /// Takes the message out before it is handled: handlers may publish into the same queue meanwhile.
  void handle_next(Queue& queue, HandlerOperator& op) {
    current_.take_first(queue);
    Delivery delivery{current_.records, 0, op};
    const bool goes_on = run(plan_.checkpoints, current_.records.values.front(), delivery);
    if (are_done()) return handle(delivery, goes_on);
    is_waiting_ = true;
    found_ = {delivery.downtime, delivery.diverted};
  }
  /// What a checkpoint has decided about by now.
  void handle_waiting(HandlerOperator& op) {
    is_waiting_ = false;
    Delivery delivery{current_.records, 0, op, 0, found_.diverted, found_.downtime};
    handle(delivery, !op.stopped());
  }
  void drop_waiting() {
    is_waiting_ = false;
    current_.clear();
  }
  bool are_done() const {
    return std::all_of(plan_.checkpoints.begin(), plan_.checkpoints.end(),
                       [](const auto& checkpoint) { return !checkpoint.is_done || checkpoint.is_done(); });
  }
  using Listeners = std::vector<typename PortPlan<T>::Listener>;
  /// False: the run has failed.
  bool run(const Listeners& listeners, const T& message, Delivery& delivery) {
    return std::all_of(listeners.begin(), listeners.end(), [&](const auto& listener) {
      return run_guarded(*listener.handler, message, delivery,
                         [&](const T& m, Delivery& d) { listener.step->run(m, d); });
    });
  }
  void handle(Delivery& delivery, bool goes_on) {
    if (goes_on) run(plan_.listeners, current_.records.values.front(), delivery);
    current_.clear();
    delivery.op.counters.out += delivery.outputs;
    if (!delivery.diverted) delivery.op.counters.forwarded += 1;
  }

  const PortPlan<T>& plan_;
  Queue current_;            ///< a message that was taken out to be handled, if there is one
  bool is_waiting_ = false;  ///< a checkpoint is still looking at it; nothing overtakes it
  /// What the checkpoints have found until then.
  struct {
    const Downtime* downtime = nullptr;
    bool diverted = false;
  } found_;
  Queue queues_[2];
  Queue* held_ = &queues_[0];     ///< read, but not handed out
  Queue* in_hand_ = &queues_[1];  ///< the same, while deliver_all() runs; in front of it
  /// The same by source and partition, of those that were paused by themselves; in front of held_->
  std::map<std::pair<std::uint32_t, std::uint32_t>, Queue> parked_;
  Queue published_;
};

template <class T>
std::unique_ptr<HandlerPortBase> PortPlan<T>::make() const {
  return std::make_unique<HandlerPort<T>>(*this);
}

/// All handlers of an App.
class Handlers : public std::enable_shared_from_this<Handlers> {
 public:
  /// The graph's nodes own the handlers, once they are complete.
  explicit Handlers(Graph& graph) : produce_pause(std::make_shared<ProducePause>(graph)), graph_(graph) {}
  /// The plan of a stream; made at the first call.
  template <class T>
  PortPlan<T>& port(const std::vector<Input>& from) {
    if (PortPlanBase* known = find_port(from)) return static_cast<PortPlan<T>&>(*known);
    return add_port<T>(from);
  }
  /// A plan of its own for a handler that runs in several lanes.
  template <class T>
  PortPlan<T>& parallel_port(const std::vector<Input>& from,
                             std::function<EdgeEnd(const EdgeEnv&)> exchange) {
    PortPlan<T>& made = add_port<T>(from);
    made.exchange = std::move(exchange);
    return made;
  }
  HandlerBinding& bind(std::string_view location, std::vector<PortPlanBase*> ports);
  /// Adds a node for every serial domain, and the sinks behind it. Once, however often it is called.
  void complete();
  /// The sources from which what handlers write there comes in the end, be it through Proxies or by way of
  /// what other handlers write to. From any thread, once it is complete.
  std::vector<std::shared_ptr<SourceSwitch>> sources_behind(const void* written) const;

  /// Sources that handlers were bound to directly, by implementation or cache, so that each is read once.
  std::vector<std::pair<const void*, std::shared_ptr<void>>> sources;
  const std::shared_ptr<ProducePause> produce_pause;  ///< of all topics

 private:
  template <class T>
  PortPlan<T>& add_port(const std::vector<Input>& from) {
    auto plan = std::make_unique<PortPlan<T>>();
    PortPlan<T>& made = *plan;
    made.from = from;
    ports_.push_back(std::move(plan));
    return made;
  }
  /// The one that is handled in one lane.
  PortPlanBase* find_port(const std::vector<Input>& from) const;
  void check_parallel(const PortPlanBase& port) const;
  void add_domain(const std::vector<PortPlanBase*>& ports);
  void add_sinks();

  Graph& graph_;
  std::vector<std::unique_ptr<PortPlanBase>> ports_;
  std::vector<std::unique_ptr<HandlerBinding>> bindings_;
  std::vector<std::pair<OutputPlanBase*, Input>> outputs_;  ///< of all domains
  bool completed_ = false;
};

}  // namespace slipstream::detail
