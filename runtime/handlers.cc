#include <algorithm>
#include <iterator>
#include <map>
#include <numeric>

#include "slipstream/detail/handler_operator.h"

namespace slipstream::detail {

// ---------------------------------------------------------------- ports

std::vector<HandlerPortBase::Origin> PortPlanBase::origins() const {
  std::vector<HandlerPortBase::Origin> found;
  for (const Node* source : sources_of(from)) found.push_back({source->id, source->source_switch});
  return found;
}

HandlerPortBase::HandlerPortBase(std::vector<Origin> origins) : origins_(std::move(origins)) {
  for (Origin& origin : origins_) origin.port = origin.by_hand->add_port();
}

const HandlerPortBase::Origin* HandlerPortBase::origin_of(const RecordId& id) const {
  const auto it = std::find_if(origins_.begin(), origins_.end(),
                               [&](const Origin& origin) { return origin.source == id.source; });
  return it == origins_.end() ? nullptr : &*it;
}

void HandlerPortBase::hear_of_seeks(HandlerOperator& op) {
  for (Origin& origin : origins_) origin.heard = origin.by_hand->seeks();
  drop_sought(op);
  for (const Origin& origin : origins_) origin.by_hand->heard(origin.port, origin.heard);
}

void HandlerPortBase::tell_held(std::size_t most) {
  const std::size_t all = held();
  const bool is_told = std::any_of(origins_.begin(), origins_.end(), [](const Origin& o) { return o.holds; });
  if (all == 0 && !is_told) return;
  HeldBy by_partition;
  if (all > most || (all > 0 && origins_.size() > 1)) count_held(by_partition);
  // What an operator made, or a handler published, has no source here by its id: it may be of any.
  const bool of_any = (all > 0 && origins_.size() == 1) ||
                      std::any_of(by_partition.begin(), by_partition.end(), [this](const auto& held) {
                        return !origin_of({held.first.first, held.first.second, 0, 0});
                      });
  for (Origin& origin : origins_) {
    bool holds = of_any;
    std::vector<int> full;
    for (const auto& [key, n] : by_partition) {
      if (key.first != origin.source) continue;
      holds = true;
      if (n > most) full.push_back(static_cast<int>(key.second));
    }
    if (holds == origin.holds && full == origin.full) continue;
    origin.holds = holds;
    origin.full = full;
    origin.by_hand->holds(origin.port, holds, std::move(full));
  }
}

// ---------------------------------------------------------------- the operator

HandlerOperator::HandlerOperator(const OperatorEnv& env, const Handlers& all,
                                 std::vector<const PortPlanBase*> ports,
                                 std::vector<const OutputPlanBase*> outputs)
    : Operator(env), all_(all), plans_(std::move(ports)), ended_(plans_.size()) {
  for (const PortPlanBase* plan : plans_) ports_.push_back(plan->make());
  for (const OutputPlanBase* plan : outputs) outputs_.push_back(plan->make());
}

void HandlerOperator::receive_message(int port, BatchBase& batch) {
  BusyScope busy(*this);
  counters.in += batch.ids.size();
  ports_[static_cast<std::size_t>(port)]->take(batch, *this);
  pump();
}

void HandlerOperator::on_watermark(std::span<const EventTime> ports) {
  BusyScope busy(*this);
  for (std::size_t p = 0; p < ports.size(); ++p) {
    if (ports[p] != kMaxTime || ended_[p]) continue;
    ended_[p] = true;
    ports_[p]->end(*this);
  }
  flush();
  count_held();
}

bool HandlerOperator::has_pending() const {
  return std::any_of(ports_.begin(), ports_.end(), [](const auto& port) { return port->has_work(); });
}

void HandlerOperator::resume() {
  BusyScope busy(*this);
  pump();
}

EventTime HandlerOperator::hold() const {
  EventTime oldest = kMaxTime;
  for (const auto& port : ports_) oldest = std::min(oldest, port->oldest_held());
  return oldest;
}

void HandlerOperator::pump() {
  for (;;) {
    const auto next =
        std::find_if(ports_.begin(), ports_.end(), [](const auto& port) { return port->has_work(); });
    if (next == ports_.end() || !(*next)->deliver(*this)) break;
  }
  flush();
  count_held();
}

void HandlerOperator::count_held() {
  std::size_t held = 0;
  for (const auto& port : ports_) {
    held += port->held();
    port->tell_held(lane().max_batch);
  }
  counters.held.set(held);
  counters.held_peak.set(std::max<std::uint64_t>(counters.held_peak.get(), held));
}

void HandlerOperator::flush() {
  since_flush_ = 0;
  for (auto& output : outputs_) output->flush();
  for (const auto& f : at_flush_) f();
  at_flush_.clear();
}

bool HandlerOperator::flush_is_enough() {
  flush();
  return lane().should_pause();
}

HandlerPortBase* HandlerOperator::find_port(const Node& source) const {
  for (std::size_t p = 0; p < plans_.size(); ++p) {
    if (plans_[p]->from.size() == 1 && plans_[p]->from.front().from == &source) return ports_[p].get();
  }
  return nullptr;
}

void HandlerOperator::published(HandlerPortBase& port) { published_.push_back(&port); }

void HandlerOperator::deliver_all_published() {
  for (std::size_t i = 0; i < published_.size(); ++i) {
    if (stopped()) break;
    if (i == kMostPublished) {
      lane().fail(*this, {env_.node_id, 0, 0, 0},
                  "one message led to more than " + std::to_string(kMostPublished) +
                      " others through Proxies: do handlers feed each other in a circle?");
      break;
    }
    published_[i]->deliver_published(*this);
  }
  published_.clear();
}

void HandlerOperator::failed(const HandlerBinding& handler, Delivery& delivery,
                             const std::function<std::string()>& value) {
  std::string cause = describe_current_exception();
  if (handler.name != env_.node) cause = handler.name + ": " + cause;
  const bool first = !std::exchange(delivery.diverted, true);
  switch (handler.errors.action) {
    case ErrorPolicy::Action::fail:
      lane().fail(*this, delivery.info().id, cause);
      if (first) counters.skipped += 1;
      return;
    case ErrorPolicy::Action::skip:
      if (first) counters.skipped += 1;
      return;
    case ErrorPolicy::Action::dead_letter: {
      DeadLetter letter;
      letter.id = delivery.info().id;
      letter.time = delivery.info().time;
      letter.error = std::move(cause);
      letter.value = value();
      letter.headers = delivery.headers();
      if (first) counters.dead_lettered += 1;
      lane().dead_letter(*this, std::move(letter));
      return;
    }
  }
}

// ---------------------------------------------------------------- from plans to nodes

HandlerBinding& Handlers::bind(std::string_view location, std::vector<PortPlanBase*> ports) {
  auto binding = std::make_unique<HandlerBinding>();
  binding->location = location.substr(location.find_last_of('/') + 1);  // npos + 1 is 0
  binding->name = "handler at " + binding->location;
  if (completed_) {
    graph_.mistakes.push_back(binding->name + " comes too late: the App's graph has been looked at or run");
  }
  for (PortPlanBase* port : ports) port->has_handlers = true;
  binding->ports = std::move(ports);
  bindings_.push_back(std::move(binding));
  return *bindings_.back();
}

PortPlanBase* Handlers::find_port(const std::vector<Input>& from) const {
  const auto same = [&](const auto& plan) {
    return !plan->exchange &&
           std::equal(plan->from.begin(), plan->from.end(), from.begin(), from.end(),
                      [](const Input& a, const Input& b) { return a.from == b.from && a.port == b.port; });
  };
  const auto it = std::find_if(ports_.begin(), ports_.end(), same);
  return it == ports_.end() ? nullptr : it->get();
}

void Handlers::complete() {
  if (std::exchange(completed_, true)) return;
  // A domain is a set of ports; each binding joins those it listens to and those it publishes to.
  std::vector<std::size_t> domain_of(ports_.size());
  std::iota(domain_of.begin(), domain_of.end(), 0);
  const auto join = [&](std::size_t a, std::size_t b) {
    const std::size_t from = std::max(domain_of[a], domain_of[b]), to = std::min(domain_of[a], domain_of[b]);
    std::replace(domain_of.begin(), domain_of.end(), from, to);
  };
  const auto index_of = [&](const PortPlanBase* port) {
    return static_cast<std::size_t>(
        std::find_if(ports_.begin(), ports_.end(), [&](const auto& p) { return p.get() == port; }) -
        ports_.begin());
  };
  for (const auto& binding : bindings_) {
    const std::size_t first = index_of(binding->ports.front());
    for (const PortPlanBase* port : binding->ports) join(first, index_of(port));
    for (const Node* proxy : binding->publishes_to) {
      if (const PortPlanBase* port = find_port({{const_cast<Node*>(proxy), 0}})) join(first, index_of(port));
    }
  }
  for (const auto& port : ports_) {
    if (port->exchange && port->has_handlers) check_parallel(*port);
  }
  for (std::size_t domain = 0; domain < ports_.size(); ++domain) {
    std::vector<PortPlanBase*> ports;
    for (std::size_t p = 0; p < ports_.size(); ++p) {
      if (domain_of[p] == domain && ports_[p]->has_handlers) ports.push_back(ports_[p].get());
    }
    if (!ports.empty()) add_domain(ports);
  }
  add_sinks();
}

std::vector<std::shared_ptr<SourceSwitch>> Handlers::sources_behind(const void* written) const {
  const auto add = [](auto& all, auto one) {
    if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(std::move(one));
  };
  const auto has = [](const auto& all, const void* one) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  std::vector<std::shared_ptr<SourceSwitch>> found;
  std::vector<const void*> through{written};  // also sources of Proxies
  for (std::size_t i = 0; i < through.size(); ++i) {
    for (const auto& binding : bindings_) {
      if (!has(binding->writes_to, through[i]) && !has(binding->publishes_to, through[i])) continue;
      for (const PortPlanBase* port : binding->ports) {
        for (const Node* source : sources_of(port->from)) {
          if (!source->source) continue;  // dead letters
          const void* echo = source->is_proxy ? source : source->source->echo_of();
          echo ? add(through, echo) : add(found, source->source_switch);
        }
      }
    }
  }
  return found;
}

/// What is dealt with in one lane can't be handled in several.
void Handlers::check_parallel(const PortPlanBase& port) const {
  std::string name;
  for (const auto& binding : bindings_) {
    if (binding->ports.front() == &port) name = binding->name;
  }
  const PortPlanBase* serial = find_port(port.from);
  for (const auto& binding : bindings_) {
    if (binding->is_checkpoint &&
        std::find(binding->ports.begin(), binding->ports.end(), serial) != binding->ports.end()) {
      graph_.mistakes.push_back(name + ": parallel_by() of what " + binding->name +
                                " keeps in step; a checkpoint sees one message after the other");
    }
    for (const Node* proxy : binding->publishes_to) {
      if (port.from.front().from != proxy) continue;
      graph_.mistakes.push_back(name + ": parallel_by() of Proxy '" + proxy->name + "', to which " +
                                binding->name +
                                " publishes; what handlers publish is handled in their own lane");
    }
  }
}

void Handlers::add_domain(const std::vector<PortPlanBase*>& ports) {
  std::vector<const HandlerBinding*> handlers;
  for (const auto& binding : bindings_) {
    if (std::find(ports.begin(), ports.end(), binding->ports.front()) != ports.end())
      handlers.push_back(binding.get());
  }
  // A checkpoint gives its name only to a node that has no handlers.
  std::vector<const HandlerBinding*> named_after;
  std::copy_if(handlers.begin(), handlers.end(), std::back_inserter(named_after),
               [](const HandlerBinding* handler) { return !handler->is_checkpoint; });
  if (named_after.empty()) named_after = handlers;
  std::string name;
  for (const HandlerBinding* handler : named_after) name += (name.empty() ? "" : " + ") + handler->name;
  const Role role = ports.front()->exchange ? Role::keyed : Role::serial;
  Node& node = graph_.add("handler", role, name, std::source_location::current());
  node.location = named_after.front()->location;
  node.named = named_after.size() == 1 && named_after.front()->named;

  std::vector<const PortPlanBase*> plans(ports.begin(), ports.end());
  std::vector<const OutputPlanBase*> outputs;
  for (const HandlerBinding* handler : handlers) {
    for (const auto& output : handler->outputs) {
      output->port = outputs.size();
      outputs.push_back(output.get());
    }
    if (handler->errors.action == ErrorPolicy::Action::dead_letter)
      node.errors.action = handler->errors.action;
    if (handler->errors.retries > 0) {
      graph_.mistakes.push_back(handler->name +
                                ": a handler can't retry; what it did before it failed, it would do again");
    }
  }
  for (const PortPlanBase* plan : plans) node.inputs.push_back(plan->from);
  node.outputs = outputs.size();
  node.make = [self = shared_from_this(), plans, outputs](const OperatorEnv& env) {
    return std::make_unique<HandlerOperator>(env, *self, plans, outputs);
  };
  node.connect = [outputs](Operator& op, int port, void* receiver) {
    const auto p = static_cast<std::size_t>(port);
    outputs[p]->connect(static_cast<HandlerOperator&>(op).output(p), receiver);
  };
  node.make_edge = [plans](int port, const EdgeEnv& env) {
    return plans[static_cast<std::size_t>(port)]->make_edge(env);
  };
  for (const HandlerBinding* handler : handlers) {
    for (const auto& output : handler->outputs) {
      outputs_.push_back({output.get(), {&node, static_cast<int>(output->port)}});
    }
  }
}

/// A sink that several handlers write to is one node.
void Handlers::add_sinks() {
  std::vector<const void*> added;
  for (const auto& [plan, output] : outputs_) {
    if (std::find(added.begin(), added.end(), plan->sink) != added.end()) continue;
    added.push_back(plan->sink);
    std::vector<Input> from;
    for (const auto& [other, input] : outputs_) {
      if (other->sink == plan->sink) from.push_back(input);
    }
    plan->attach(std::move(from));
  }
}

}  // namespace slipstream::detail
