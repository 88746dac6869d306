#include "runtime/lane.h"

#include <algorithm>
#include <cassert>

#include "runtime/engine.h"
#include "slipstream/detail/checked.h"

namespace slipstream::runtime {
namespace {

constexpr int kSteps = 64;                    // a slice: long enough to amortise, short enough to be fair
constexpr std::int64_t kMaxOutstanding = 16;  // batches a lane may have under way per receiving lane

std::int64_t count(EventTime t) { return t.time_since_epoch().count(); }
EventTime to_time(std::int64_t c) { return EventTime(Duration(c)); }

thread_local bool is_in_a_lane = false;
struct InLane {
  const bool before = std::exchange(is_in_a_lane, true);  // a handler may run another App
  ~InLane() { is_in_a_lane = before; }
};

std::chrono::nanoseconds wall() { return std::chrono::steady_clock::now().time_since_epoch(); }

/// The record's own headers, and what is known of it beside its value.
HeadersPtr headers_of(const DeadLetter& letter) {
  auto headers = letter.headers ? std::make_shared<Headers>(*letter.headers) : std::make_shared<Headers>();
  headers->push_back({"slipstream.node", letter.node});
  headers->push_back({"slipstream.source", letter.source});
  headers->push_back({"slipstream.partition", std::to_string(letter.id.partition)});
  headers->push_back({"slipstream.offset", std::to_string(letter.id.offset)});
  const std::string time = letter.time == kMinTime ? "" : detail::json_text(letter.time);
  if (time.size() > 2)
    headers->push_back({"slipstream.time", time.substr(1, time.size() - 2)});  // without its quotes
  headers->push_back({"slipstream.error", letter.error});
  return headers;
}

}  // namespace

// ---------------------------------------------------------------- channels

std::uint64_t OutEdge::queue_bytes() const {
  std::uint64_t bytes = 0;
  for (const OutChannel& channel : channels) bytes += channel.to().queue_bytes();
  return bytes;
}

void OutChannel::number(detail::Message* message) {
  message->channel = number_;
  message->sequence = next_sequence_++;
}

void OutChannel::send(std::unique_ptr<detail::BatchBase> batch) {
  last_ = nullptr;
  number(batch.get());
  const std::size_t bytes = batch->bytes;
  to_->push(batch.release(), bytes);
}

void OutChannel::send_watermark(EventTime watermark) {
  // The last message is still in the inbox: raise its watermark instead of sending another.
  if (last_) {
    std::int64_t before = last_->watermark.load(std::memory_order_relaxed);
    while (before != Control::kTaken) {
      if (last_->watermark.compare_exchange_weak(before, count(watermark), std::memory_order_acq_rel)) return;
    }
  }
  Control& control = free_control();
  control.end = Control::End::none;
  control.watermark.store(count(watermark), std::memory_order_release);
  number(&control);
  last_ = &control;
  to_->push(&control, 0);
}

void OutChannel::send_end(Control::End end, EventTime watermark) {
  Control& control = free_control();
  control.end = end;
  // kTaken is the smallest time: a stopped channel that never had a watermark ends with the next one.
  control.watermark.store(std::max(count(watermark), Control::kTaken + 1), std::memory_order_release);
  number(&control);
  last_ = nullptr;
  to_->push(&control, 0);
}

Control& OutChannel::free_control() {
  for (auto& control : controls_) {
    if (control->watermark.load(std::memory_order_acquire) == Control::kTaken) return *control;
  }
  controls_.push_back(std::make_unique<Control>());
  return *controls_.back();
}

// ---------------------------------------------------------------- set-up

Lane::Lane(Engine& engine, Stage& stage, std::uint32_t index)
    : engine_(engine),
      stage_(stage),
      index_(index),
      ports_(std::max<std::size_t>(1, stage.node->inputs.size()), kMinTime),
      port_holds_(ports_.size(), kMaxTime) {
  max_batch = engine.batch_max_records();
  auto own = engine.config().nodes.find(stage.node->name);
  has_own_batch_ = own != engine.config().nodes.end() && own->second.batch_max_records;
  if (has_own_batch_) max_batch = *own->second.batch_max_records;
}

Lane::~Lane() {
  while (detail::Message* message = inbox_.pop()) {
    if (message->kind == detail::Message::Kind::batch) delete message;
  }
}

detail::Operator& Lane::add_operator(const detail::Node& node) {
  detail::OperatorEnv env;
  env.lane = this;
  env.node = node.name;
  env.node_id = node.id;
  env.index = index_;
  env.lanes = static_cast<std::uint32_t>(stage_.lanes.size());
  env.shards = static_cast<std::uint32_t>(engine_.config().shards);
  env.errors = node.errors;
  env.max_future = engine_.config().max_future;
  // A node is made after those that feed it, so in the order of their numbers each is before those behind it.
  const auto at =
      std::find_if(nodes_.begin(), nodes_.end(), [&](const detail::Node* n) { return n->id > node.id; }) -
      nodes_.begin();
  nodes_.insert(nodes_.begin() + at, &node);
  detail::Operator& op = **operators_.insert(operators_.begin() + at, node.make(env));
  if (node.sink) sink_ = dynamic_cast<detail::SinkOperator*>(&op);
  return op;
}

detail::Operator* Lane::find_operator(const detail::Node& node) const {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i] == &node) return operators_[i].get();
  }
  return nullptr;
}

OutEdge& Lane::add_edge(Stage& to, int port) {
  auto edge = std::make_unique<OutEdge>();
  edge->to = &to;
  edge->port = port;
  for (auto& lane : to.lanes) edge->channels.emplace_back(*lane, lane->add_in_channel(port));
  detail::EdgeEnv env;
  env.lane = this;
  env.edge = static_cast<int>(edges_.size());
  env.lanes = static_cast<std::uint32_t>(to.lanes.size());
  env.shards = static_cast<std::uint32_t>(engine_.config().shards);
  edge->end = to.node->make_edge(port, env);
  edges_.push_back(std::move(edge));
  return *edges_.back();
}

std::uint32_t Lane::add_in_channel(int port) {
  in_.push_back({port});
  return static_cast<std::uint32_t>(in_.size() - 1);
}

// ---------------------------------------------------------------- services

void Lane::push(detail::Message* message, std::size_t bytes) {
  queue_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  inbox_.push(message);
  notify();
}

bool Lane::should_pause() const {
  // Once one operator was told to stop, so are those before it: they would fill it up otherwise.
  is_cut_short_ = is_cut_short_ || is_full();
  return is_cut_short_;
}

bool Lane::is_full() const {
  const std::int64_t under_way = outstanding_.load();
  if (under_way == 0) return false;
  std::int64_t allowed = 0;
  for (const auto& edge : edges_)
    allowed += kMaxOutstanding * static_cast<std::int64_t>(edge->channels.size());
  return under_way >= allowed || engine_.budget().is_over();
}

/// As !is_full(), but leaves word that this lane wants to know when there is room.
bool Lane::has_room() {
  if (!is_full()) {
    wants_room_.store(false, std::memory_order_relaxed);
    return true;
  }
  wants_room_.store(true);
  if (is_full()) return false;  // whoever makes room from here on sees wants_room_
  wants_room_.store(false);
  return true;
}

bool Lane::wait_for_idle() {
  wants_idle_.store(true);
  if (outstanding_.load() > 0) return true;  // whoever takes the last from here on sees wants_idle_
  wants_idle_.store(false);
  return false;
}

void Lane::send(int edge, std::uint32_t lane, std::unique_ptr<detail::BatchBase> batch) {
  // What the batch in work is charged with goes over to what it became; only growth is new credit.
  const std::size_t carried = std::min(charge_, batch->bytes);
  charge_ -= carried;
  if (batch->bytes > carried) engine_.budget().take(batch->bytes - carried);
  batch->sender = this;
  batch->read_at = read_at_;
  outstanding_.fetch_add(1);
  edges_[static_cast<std::size_t>(edge)]->channels[lane].send(std::move(batch));
}

void Lane::on_batch_consumed() {
  const bool is_last = outstanding_.fetch_sub(1) == 1;
  if (wants_room_.load() || (is_last && wants_idle_.load())) notify();
}

void Lane::fail(const detail::Operator& op, const RecordId& id, std::string_view cause,
                absl::StatusCode code) {
  engine_.fail(op, id, cause, code);
}

void Lane::dead_letter(const detail::Operator& op, DeadLetter letter) {
  if (!dead_letters_) {
    engine_.fail(op, letter.id,
                 letter.error + " (a record behind dead_letters() can't be diverted there again)");
    return;
  }
  letter.node = op.env().node;
  letter.source = engine_.node_name(letter.id.source);
  detail::Batch<DeadLetter> one;
  // It may be older than what this lane has said of the time already.
  one.append_columns(letter.time, letter.id, headers_of(letter),
                     is_late(letter.time, watermark()) ? watermark() : kMinTime);
  one.values.push_back(std::move(letter));
  dead_letters_->receive(one);
}

std::chrono::nanoseconds Lane::now() const { return engine_.executor().now(); }

void Lane::wake_at(std::chrono::nanoseconds when) {
  // A wake that has come but wasn't acted on yet doesn't stand for a later one.
  if (when >= next_wake_ && next_wake_ > now()) return;
  next_wake_ = when;
  engine_.executor().call_at(when, [this] {
    timer_due_.store(true);
    notify();
  });
}

bool Lane::failed() const { return engine_.has_failed(); }

detail::Operator* Lane::charge_time_to(detail::Operator* op) {
  const auto now = wall();
  if (busy_) busy_->counters.busy += static_cast<std::uint64_t>((now - busy_since_).count());
  busy_since_ = now;
  return std::exchange(busy_, op);
}

// ---------------------------------------------------------------- running

void Lane::notify() {
  if (notified_.fetch_add(1, std::memory_order_acq_rel) == 0) engine_.executor().schedule(*this);
}

void Lane::run() noexcept {
  const InLane in_lane;
  const std::uint64_t seen = notified_.load(std::memory_order_acquire);
  bool more = false;
  if (detail::kChecked && is_running_.exchange(true)) report_defect("two threads run it");
  wants_idle_.store(false, std::memory_order_relaxed);
  account_idle(wall());
  try {
    more = run_slice();
  } catch (...) {
    engine_.fail(head(), std::nullopt, detail::describe_current_exception());
    more = true;  // once more, to discard
  }
  was_idle_ = !more;
  if (was_idle_) begin_idle(wall());
  if (detail::kChecked) is_running_.store(false);  // before the executor may run it again
  if (more) {
    engine_.executor().yield(*this);
  } else if (notified_.fetch_sub(seen, std::memory_order_acq_rel) != seen) {
    engine_.executor().yield(*this);
  }
}

void Lane::begin_idle(std::chrono::nanoseconds at) {
  idle_since_ = at;
  waits_for_sink_.store(sink_ && head().has_pending(), std::memory_order_relaxed);
  idle_blocked_ = is_blocked() || waits_for_sink();
  blocking_ = idle_blocked_ ? fullest_edge() : nullptr;
}

void Lane::account_idle(std::chrono::nanoseconds at) {
  if (!was_idle_) return;
  const auto passed = static_cast<std::uint64_t>((at - idle_since_).count());
  (idle_blocked_ ? blocked_ : waiting_) += passed;
  if (blocking_) blocking_->blocked += passed;
}

OutEdge* Lane::fullest_edge() const {
  OutEdge* fullest = nullptr;
  for (const auto& edge : edges_) {
    if (!fullest || edge->queue_bytes() >= fullest->queue_bytes()) fullest = edge.get();
  }
  return fullest;
}

bool Lane::run_slice() {
  if (!has_own_batch_) max_batch = engine_.batch_max_records();
  for (int i = 0; i < kSteps; ++i) {
    if (engine_.has_failed()) {
      discard();
      return false;
    }
    if (done_.load(std::memory_order_relaxed)) return false;
    if (timers_due()) run_timers();
    if (!step() && !timers_due()) return false;
  }
  return true;
}

/// Retries come behind what an operator couldn't send yet.
bool Lane::timers_due() const {
  if (!timer_due_.load(std::memory_order_relaxed)) return false;
  return std::none_of(operators_.begin(), operators_.end(), [](const auto& op) { return op->has_pending(); });
}

void Lane::run_timers() {
  timer_due_.store(false);
  next_wake_ = std::chrono::nanoseconds::max();
  for (auto& op : operators_) op->on_timer();
  watermark_dirty_ = true;  // a hold may be gone
}

/// After a failure: nothing is processed any more, every credit is given back.
void Lane::discard() {
  message_.reset();
  if (charge_ > 0) engine_.give_back(std::exchange(charge_, 0));
  in_message_ = false;
  while (detail::Message* message = inbox_.pop()) drop(message);
  mark_done();
}

void Lane::drop(detail::Message* message) {
  if (message->kind == detail::Message::Kind::control) {
    static_cast<Control*>(message)->watermark.store(Control::kTaken, std::memory_order_release);
    return;
  }
  std::unique_ptr<detail::BatchBase> batch(static_cast<detail::BatchBase*>(message));
  queue_bytes_.fetch_sub(batch->bytes, std::memory_order_relaxed);
  engine_.give_back(batch->bytes);
  static_cast<Lane*>(batch->sender)->on_batch_consumed();
}

bool Lane::step() {
  if (!finish_pending()) return false;
  if (has_other_holds()) watermark_dirty_ = true;
  if (in_watermark_) {
    in_watermark_ = false;
    broadcast(std::min(head().output_watermark(ports_), least_hold()));
  }
  if (watermark_dirty_) {
    advance_watermark();
    return true;
  }
  if (!has_room()) return false;
  detail::Message* message = inbox_.pop();
  if (!message) {
    settled_ = stage_.node->sink && engine_.commit_phase() == CommitPhase::settling && is_delivered();
    return try_end();
  }
  settled_.store(false, std::memory_order_relaxed);
  InChannel& channel = in_[message->channel];
  check_channel(channel, *message);
  if (message->kind == detail::Message::Kind::control) {
    handle_control(static_cast<Control&>(*message));
  } else {
    begin_message(static_cast<detail::BatchBase&>(*message));
  }
  return true;
}

void Lane::check_channel(InChannel& channel, const detail::Message& message) {
  if (message.sequence != channel.next_sequence++) {
    report_defect("channel " + std::to_string(message.channel) + " brought message " +
                  std::to_string(message.sequence) + " instead of " +
                  std::to_string(channel.next_sequence - 1));
  }
  if (!detail::kChecked) return;
  if (channel.end != Control::End::none)
    report_defect("channel " + std::to_string(message.channel) + " goes on after its end");
  if (message.kind == detail::Message::Kind::batch) {
    check_watermark_truth(channel, static_cast<const detail::BatchBase&>(message));
  }
}

/// Behind a watermark comes nothing older but what says so in its stamp.
void Lane::check_watermark_truth(const InChannel& channel, const detail::BatchBase& batch) {
  for (std::size_t i = 0; i < batch.times.size(); ++i) {
    if (!is_late(batch.times[i], channel.watermark) || batch.is_late_record(i)) continue;
    report_defect("a record of " + std::to_string(count(batch.times[i])) +
                  " us came as on time behind the watermark " + std::to_string(count(channel.watermark)) +
                  " us");
    return;
  }
}

void Lane::report_defect(std::string_view what) const {
  engine_.fail_internal("'" + stage_.node->name + "' lane " + std::to_string(index_) + ": " +
                        std::string(what));
}

void Lane::begin_message(detail::BatchBase& batch) {
  message_.reset(&batch);
  sink_state_ = SinkState::open;
  queue_bytes_.fetch_sub(batch.bytes, std::memory_order_relaxed);
  charge_ = batch.bytes;
  in_message_ = true;
  read_at_ = batch.read_at;
  if (latencies_) records_ = batch.ids.size();
  head().receive_message(in_[batch.channel].port, batch);
}

void Lane::end_message() {
  in_message_ = false;
  const std::int64_t read_at = std::exchange(read_at_, 0);  // what comes of a watermark isn't of this message
  if (latencies_ && read_at > 0) latencies_->add(now() - std::chrono::nanoseconds(read_at), records_);
  if (charge_ > 0) engine_.give_back(std::exchange(charge_, 0));
  if (!message_) return;
  Lane* sender = static_cast<Lane*>(message_->sender);
  detail::SpentBatches::give_back(std::move(message_));
  sender->on_batch_consumed();
}

/// Lets operators that were cut short go on, the last of the chain first. False: they still have more.
bool Lane::finish_pending() {
  for (std::size_t i = operators_.size(); i-- > 0;) {
    detail::Operator& op = *operators_[i];
    if (!op.has_pending()) continue;
    if (sink_ && !sink_->is_ready()) return false;
    if (!has_room()) return false;
    is_cut_short_ = false;
    op.resume();
    if (op.has_pending()) {
      // Either there is no room now, or a sink is full and will wake us.
      if (!has_room() || sink_) return false;
    }
    i = operators_.size();  // what it emitted may have cut short one behind it
  }
  is_cut_short_ = false;
  if (in_message_) end_message();
  return true;
}

void Lane::handle_control(Control& control) {
  InChannel& channel = in_[control.channel];
  const Control::End end = control.end;
  const std::int64_t watermark = control.watermark.exchange(Control::kTaken, std::memory_order_acq_rel);
  if (end == Control::End::finished) {
    channel.watermark = kMaxTime;
  } else {
    if (detail::kChecked && to_time(watermark) < channel.watermark && end == Control::End::none) {
      report_defect("channel " + std::to_string(control.channel) + " took its watermark back");
    }
    channel.watermark = std::max(channel.watermark, to_time(watermark));
  }
  if (end != Control::End::none) channel.end = end;
  watermark_dirty_ = true;
}

/// Tells the head about risen watermarks.
void Lane::advance_watermark() {
  watermark_dirty_ = false;
  std::vector<EventTime> least(ports_.size(), kMaxTime);
  for (const InChannel& channel : in_) {
    EventTime& port = least[static_cast<std::size_t>(channel.port)];
    port = std::min(port, channel.watermark);
  }
  bool moved = false;
  for (std::size_t p = 0; p < ports_.size(); ++p) {
    port_holds_[p] = head().port_hold(p);
    const EventTime now = std::min(least[p], port_holds_[p]);
    if (now <= ports_[p]) continue;
    ports_[p] = now;
    moved = true;
  }
  if (moved) head().on_watermark(ports_);
  in_watermark_ = true;  // holds further down may have changed even when no port moved
}

bool Lane::has_other_holds() const {
  for (std::size_t p = 0; p < port_holds_.size(); ++p) {
    if (head().port_hold(p) != port_holds_[p]) return true;
  }
  return false;
}

EventTime Lane::least_hold() const {
  EventTime least = kMaxTime;
  for (const auto& op : operators_) least = std::min(least, op->hold());
  return least;
}

bool Lane::holds_records() const { return least_hold() != kMaxTime; }

void Lane::broadcast(EventTime watermark) {
  if (count(watermark) <= sent_watermark_.load(std::memory_order_relaxed)) return;
  sent_watermark_.store(count(watermark), std::memory_order_relaxed);
  for (auto& edge : edges_) {
    for (OutChannel& channel : edge->channels) channel.send_watermark(watermark);
  }
}

/// When all channels have ended and nothing is left to do: end too.
bool Lane::try_end() {
  if (ended_ || watermark_dirty_ || in_watermark_) return false;
  bool stopped = false;
  for (const InChannel& channel : in_) {
    if (channel.end == Control::End::none) return false;
    stopped = stopped || channel.end == Control::End::stopped;
  }
  if (holds_records() && !(engine_.is_stopping() && head().abandons_held())) return false;
  if (!is_delivered()) return false;
  end(stopped ? Control::End::stopped : Control::End::finished);
  return false;
}

void Lane::on_sink_wake() {
  sink_->wake();
  notify();
}

/// For sinks: whether everything taken has arrived; asks for it once.
bool Lane::is_delivered() {
  if (!sink_) return true;
  RawSink& sink = *stage_.node->sink;
  if (sink_state_ == SinkState::open) {
    sink_state_ = SinkState::flushing;
    if (absl::Status s = sink.flush(); !s.ok()) engine_.fail_connector(stage_.node->name, s);
  }
  auto delivered = sink.delivered();
  if (!delivered.ok()) {
    engine_.fail_connector(stage_.node->name, delivered.status());
    return false;
  }
  return *delivered >= sink_->taken();
}

void Lane::end(Control::End how) {
  ended_ = true;
  if (how == Control::End::finished) {
    sent_watermark_.store(count(kMaxTime), std::memory_order_relaxed);
  }
  for (auto& edge : edges_) {
    for (OutChannel& channel : edge->channels) channel.send_end(how, watermark());
  }
  mark_done();
}

void Lane::mark_done() {
  if (!done_.exchange(true, std::memory_order_acq_rel)) engine_.on_lane_done();
}

}  // namespace slipstream::runtime

bool slipstream::detail::is_in_lane() { return runtime::is_in_a_lane; }
