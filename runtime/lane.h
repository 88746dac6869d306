#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/executor.h"
#include "runtime/inbox.h"
#include "runtime/latencies.h"
#include "slipstream/detail/graph.h"
#include "slipstream/detail/operator.h"
#include "slipstream/detail/typed_sink.h"

namespace slipstream::runtime {

class Engine;
struct Stage;

/// A watermark on its way, or the news that a channel has ended. Belongs to the sender, who may raise the
/// watermark until the receiver has taken the message out of its inbox.
struct Control final : detail::Message {
  enum class End : std::uint8_t { none, finished, stopped };
  static constexpr std::int64_t kTaken = INT64_MIN;

  Control() : Message(Kind::control) {}
  std::atomic<std::int64_t> watermark{kTaken};  ///< kTaken: not in any inbox
  End end = End::none;
};

/// One way from a lane's edge to one receiving lane. FIFO; sequence numbers are contiguous.
class OutChannel {
 public:
  OutChannel(class Lane& to, std::uint32_t number) : to_(&to), number_(number) {}
  void send(std::unique_ptr<detail::BatchBase> batch);
  void send_watermark(EventTime watermark);
  void send_end(Control::End end, EventTime watermark);
  Lane& to() const { return *to_; }

 private:
  Control& free_control();
  void number(detail::Message* message);

  Lane* to_;
  std::uint32_t number_;  ///< at the receiver
  std::uint64_t next_sequence_ = 0;
  Control* last_ = nullptr;  ///< the last message, when it was a watermark
  std::vector<std::unique_ptr<Control>> controls_;
};

struct OutEdge {
  Stage* to = nullptr;
  int port = 0;
  detail::EdgeEnd end;
  std::vector<OutChannel> channels;  ///< one for each lane of `to`
  detail::Counter blocked;  ///< nanoseconds in which this one held its lane up, as far as one can tell

  std::uint64_t queue_bytes() const;
};

/// A serial actor: an inbox, a chain of operators that only this lane touches, and edges into other lanes.
///
/// run() is called by an executor after notify(). Work is taken in the order: discard (after a failure),
/// timers, pending output, watermark, next message. A lane that sent much which isn't consumed yet takes
/// nothing new and sleeps until some of it is.
class Lane : public detail::LaneServices {
 public:
  Lane(Engine& engine, Stage& stage, std::uint32_t index);
  ~Lane() override;

  /// "Look again": cheap, from any thread.
  void notify();
  /// One slice; by the executor.
  void run() noexcept;

  // Set-up, before the first run.
  detail::Operator& add_operator(const detail::Node& node);
  detail::Operator* find_operator(const detail::Node& node) const;
  OutEdge& add_edge(Stage& to, int port);
  std::uint32_t add_in_channel(int port);
  void set_dead_letter_edge(detail::Receiver<DeadLetter>* edge) { dead_letters_ = edge; }

  // LaneServices
  bool should_pause() const override;
  void send(int edge, std::uint32_t lane, std::unique_ptr<detail::BatchBase> batch) override;
  void fail(const detail::Operator& op, const RecordId& id, std::string_view cause,
            absl::StatusCode code) override;
  void dead_letter(const detail::Operator& op, DeadLetter letter) override;
  std::chrono::nanoseconds now() const override;
  void wake_at(std::chrono::nanoseconds when) override;
  bool failed() const override;
  detail::Operator* charge_time_to(detail::Operator* op) override;

  /// From then on it counts how long records were under way that end in it. Before the first run.
  void measure_latencies() {
    if (edges_.size() == (dead_letters_ ? 1u : 0u)) latencies_ = std::make_unique<Latencies>();
  }
  const Latencies* latencies() const { return latencies_.get(); }

  /// Gives back every credit and drops what is queued. By run() after a failure, and by the engine when
  /// nothing runs any more.
  void discard();
  /// From any thread.
  void push(detail::Message* message, std::size_t bytes);
  void on_batch_consumed();  ///< one of those this lane sent
  void on_room() {           ///< the budget has room again
    if (wants_room_.load()) notify();
  }
  void on_sink_wake();
  EventTime watermark() const { return EventTime(Duration(sent_watermark_.load(std::memory_order_relaxed))); }
  std::uint64_t queue_bytes() const { return queue_bytes_.load(std::memory_order_relaxed); }
  bool is_done() const { return done_.load(std::memory_order_acquire); }
  /// During a commit: a source lane that reads nothing more, a sink lane whose records are delivered.
  bool is_settled() const { return settled_.load(); }
  /// The edge that leads to the fullest queue; null when there is none.
  OutEdge* fullest_edge() const;
  bool is_blocked() const { return wants_room_.load(std::memory_order_relaxed); }
  /// Its connector took no more when it was offered the last records.
  bool waits_for_sink() const { return waits_for_sink_.load(std::memory_order_relaxed); }
  std::chrono::nanoseconds waiting() const { return std::chrono::nanoseconds(waiting_.get()); }
  std::chrono::nanoseconds blocked() const { return std::chrono::nanoseconds(blocked_.get()); }

  Stage& stage() const { return stage_; }
  std::uint32_t index() const { return index_; }
  const std::vector<std::unique_ptr<detail::Operator>>& operators() const { return operators_; }
  const std::vector<std::unique_ptr<OutEdge>>& edges() const { return edges_; }
  void* executor_data = nullptr;  ///< for the executor

 protected:
  /// One unit of work; false when there is nothing to do until the next notify().
  virtual bool step();
  bool finish_pending();
  bool is_full() const;
  bool has_room();
  /// As has_under_way(), but leaves word that this lane wants to know when nothing is under way any more.
  bool wait_for_idle();
  bool has_under_way() const { return outstanding_.load(std::memory_order_relaxed) > 0; }
  /// Sends the output watermark on if it has moved.
  void broadcast(EventTime watermark);
  void end(Control::End how);
  EventTime least_hold() const;
  bool has_other_holds() const;
  bool holds_records() const;
  detail::Operator& head() const { return *operators_.front(); }

  Engine& engine_;
  Stage& stage_;
  const std::uint32_t index_;
  std::vector<std::unique_ptr<detail::Operator>> operators_;  ///< head first, each before those behind it
  std::vector<const detail::Node*> nodes_;                    ///< of the operators
  std::vector<std::unique_ptr<OutEdge>> edges_;
  std::size_t charge_ = 0;  ///< bytes of the batch being processed that are still to be given back
  bool in_message_ = false;
  std::int64_t read_at_ = 0;           ///< of the records being processed; 0: nobody asks
  std::uint64_t records_ = 0;          ///< of them
  mutable bool is_cut_short_ = false;  ///< should_pause() said so since operators last went on
  std::atomic<bool> settled_{false};

 private:
  struct InChannel {
    int port = 0;
    EventTime watermark = kMinTime;
    Control::End end = Control::End::none;
    std::uint64_t next_sequence = 0;
  };
  enum class SinkState { open, flushing, done };

  bool run_slice();
  bool timers_due() const;
  void run_timers();
  void begin_message(detail::BatchBase& batch);
  void end_message();
  void handle_control(Control& control);
  void advance_watermark();
  bool try_end();
  bool is_delivered();
  void mark_done();
  void begin_idle(std::chrono::nanoseconds at);
  void account_idle(std::chrono::nanoseconds at);
  void check_channel(InChannel& channel, const detail::Message& message);
  void check_watermark_truth(const InChannel& channel, const detail::BatchBase& batch);
  void report_defect(std::string_view what) const;
  void drop(detail::Message* message);

  Inbox inbox_;
  std::atomic<std::uint64_t> notified_{0};
  std::atomic<std::int64_t> outstanding_{0};
  std::atomic<bool> wants_room_{false};
  std::atomic<bool> wants_idle_{false};
  std::atomic<bool> waits_for_sink_{false};
  std::atomic<bool> timer_due_{false};
  std::atomic<std::uint64_t> queue_bytes_{0};
  std::atomic<std::int64_t> sent_watermark_{kMinTime.time_since_epoch().count()};
  std::atomic<bool> done_{false};
  std::atomic<bool> is_running_{false};  ///< in checked builds

  std::vector<InChannel> in_;
  std::vector<EventTime> ports_;  ///< by input port, as told to the head
  bool watermark_dirty_ = false;
  std::vector<EventTime> port_holds_;  ///< the head's when its ports' watermarks were last looked at
  bool in_watermark_ = false;
  bool ended_ = false;
  SinkState sink_state_ = SinkState::open;
  std::unique_ptr<detail::BatchBase> message_;  ///< being processed
  detail::Receiver<DeadLetter>* dead_letters_ = nullptr;
  bool has_own_batch_ = false;  ///< the configuration speaks of this node
  std::unique_ptr<Latencies> latencies_;
  detail::SinkOperator* sink_ = nullptr;  ///< the head, where it feeds a connector
  detail::Operator* busy_ = nullptr;
  std::chrono::nanoseconds busy_since_{0};
  std::chrono::nanoseconds next_wake_{std::chrono::nanoseconds::max()};
  std::chrono::nanoseconds idle_since_{0};
  bool idle_blocked_ = false;
  OutEdge* blocking_ = nullptr;  ///< then: the edge that leads to the fullest queue
  bool was_idle_ = false;
  detail::Counter waiting_, blocked_;
};

/// The lanes of one head node and what is chained behind it.
struct Stage {
  detail::Node* node = nullptr;
  std::vector<std::unique_ptr<Lane>> lanes;
};

}  // namespace slipstream::runtime
