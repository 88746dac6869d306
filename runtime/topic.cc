#include <string>
#include <utility>

#include "slipstream/detail/graph.h"
#include "slipstream/detail/produce_pause.h"
#include "slipstream/detail/source_switch.h"
#include "slipstream/detail/topic_records.h"
#include "slipstream/detail/units.h"

namespace slipstream::detail {
namespace {

constexpr const char* kProduce = "produce";

class DrySink final : public RawSink {
 public:
  explicit DrySink(std::string topic) : topic_(std::move(topic)) {}
  std::string name() const override { return "kafka topic " + topic_; }
  absl::Status open(const SinkEnv& env) override {
    log_ = env.log;
    return absl::OkStatus();
  }
  absl::StatusOr<std::size_t> write(std::span<const OutRecord> records) override {
    for (std::size_t i = 0; i < records.size(); ++i)
      log_(LogLevel::warning, "kafka", "skipped sending a message to topic " + topic_ + " (dry)");
    taken_ += records.size();
    return records.size();
  }
  absl::StatusOr<std::uint64_t> delivered() override { return taken_; }

 private:
  const std::string topic_;
  LogHook log_;
  std::uint64_t taken_ = 0;
};

class PausingSink final : public RawSink {
 public:
  PausingSink(std::string topic, std::shared_ptr<RawSink> sink, std::shared_ptr<ProducePause> pause)
      : topic_(std::move(topic)), sink_(std::move(sink)), pause_(std::move(pause)) {}
  std::string name() const override { return sink_->name(); }
  absl::Status open(const SinkEnv& env) override {
    log_ = env.log;
    return sink_->open(env);
  }
  absl::StatusOr<std::size_t> write(std::span<const OutRecord> records) override {
    return sink_->write(records);
  }
  absl::StatusOr<std::uint64_t> delivered() override { return sink_->delivered(); }
  absl::Status flush() override { return sink_->flush(); }
  absl::Status finish() override { return sink_->finish(); }
  absl::Status close() override { return sink_->close(); }
  void retrying(const Retry& retry) override {
    if (retry.number == 0) return pause_->end();
    if (retry.number == 1) pause_->begin();
    log_(LogLevel::warning, "kafka",
         "offering messages to topic " + topic_ + " again (" + std::to_string(retry.number) + "/" +
             std::to_string(retry.of) + ") after " +
             format_duration(std::chrono::duration_cast<Duration>(retry.wait)) + ": " +
             std::string(retry.why.message()));
  }

 private:
  const std::string topic_;
  const std::shared_ptr<RawSink> sink_;
  const std::shared_ptr<ProducePause> pause_;
  LogHook log_;
};

}  // namespace

template <class F>
void ProducePause::for_each_source(const F& f) const {
  for (const auto& node : graph_.nodes) {
    if (node->source_switch && !node->is_proxy) f(*node->source_switch);
  }
}

void ProducePause::begin() {
  const MutexLock lock(mutex_);
  if (waiting_++ == 0) for_each_source([](SourceSwitch& source) { source.pause(kProduce); });
}

void ProducePause::end() {
  const MutexLock lock(mutex_);
  if (--waiting_ == 0) for_each_source([](SourceSwitch& source) { source.resume(kProduce); });
}

absl::Status await_topic_run(const SourceSwitch& by_hand, const std::string& topic,
                             std::chrono::milliseconds timeout) {
  if (by_hand.await_run(timeout)) return absl::OkStatus();
  return absl::DeadlineExceededError("topic '" + topic + "' can't be sought: it wasn't opened within " +
                                     format_duration(timeout) +
                                     "; does the App run, and does a handler listen to it?");
}

std::shared_ptr<RawSink> dry_sink(std::string topic) { return std::make_shared<DrySink>(std::move(topic)); }

std::shared_ptr<RawSink> pausing_sink(std::string topic, std::shared_ptr<RawSink> sink,
                                      std::shared_ptr<ProducePause> pause) {
  return std::make_shared<PausingSink>(std::move(topic), std::move(sink), std::move(pause));
}

}  // namespace slipstream::detail
