#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "probe.h"
#include "runtime/engine.h"
#include "runtime/lane.h"
#include "runtime/stepped_executor.h"
#include "slipstream/detail/checked.h"
#include "slipstream/slipstream.h"
#include "waiting.h"

/// Checked builds notice when the runtime or an operator breaks its word. Here operators do so on purpose.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* kUnchecked = "only builds with SLIPSTREAM_CHECKED look: ./dev test --preset dev";

struct Event {
  int key = 0;
  EventTime at;
};

std::vector<Event> events(int n) {
  std::vector<Event> all;
  for (int i = 0; i < n; ++i) all.push_back({i, EventTime(std::chrono::seconds(i))});
  return all;
}

void one_by_one(App& app) {
  app.tune([](RuntimeConfig& c) {
    c.parallelism = c.threads = 2;
    c.batch_max_records = 1;
  });
}

/// Makes every record an hour older, whatever watermark it has let through.
class Backdate final : public detail::TypedOperator<Event> {
 public:
  using TypedOperator::TypedOperator;
  detail::OutputPort<Event> out;

 protected:
  void process(detail::Batch<Event>& batch) override {
    for (EventTime& time : batch.times) time -= 1h;
    counters.forwarded += batch.size();
    counters.out += batch.size();
    out.emit(batch);
  }
};

/// Calls f(lane, number of the record) before it lets a record through.
template <class F>
class Misdeed final : public detail::TypedOperator<Event> {
 public:
  Misdeed(const detail::OperatorEnv& env, F f) : TypedOperator(env), f_(std::move(f)) {}
  detail::OutputPort<Event> out;

 protected:
  void process(detail::Batch<Event>& batch) override {
    for (const Event& event : batch.values) f_(static_cast<runtime::Lane&>(lane()), event.key);
    counters.forwarded += batch.size();
    counters.out += batch.size();
    out.emit(batch);
  }

 private:
  F f_;
};

TEST(Checked, ARecordBehindTheWatermarkThatDoesNotSaySoIsADefect) {
  if (!detail::kChecked) GTEST_SKIP() << kUnchecked;
  App app;
  one_by_one(app);
  auto source = app.source(from(events(1000))).event_time(&Event::at);
  detail::Node& node = source.add("map", detail::Role::chained, "backdate", Here::current());
  node.make = [](const detail::OperatorEnv& env) { return std::make_unique<Backdate>(env); };
  node.as_receiver = [](detail::Operator& op) -> void* {
    return static_cast<detail::Receiver<Event>*>(&static_cast<Backdate&>(op));
  };
  detail::connect_single<Backdate>(node);
  probe<Event>(Stream<Event>(source.graph(), {{&node, 0}}), "behind", &Event::key, {}).sink([](const Event&) {
  });
  const absl::Status status = run_to_end(app).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("a defect in slipstream: 'behind' lane "));
  EXPECT_THAT(std::string(status.message()), HasSubstr(" came as on time behind the watermark "));
}

TEST(Checked, AKeyInAnotherLaneThanItsOwnIsADefect) {
  if (!detail::kChecked) GTEST_SKIP() << kUnchecked;
  App app;
  one_by_one(app);
  app.source(from(events(1000))).key_by(&Event::key).count("count").sink([](const auto&) {});
  // Send by another key than the one the operator goes by.
  const auto wrong = std::make_shared<const std::function<int(const Event&)>>([](const Event&) { return 7; });
  for (auto& node : app.graph()->nodes) {
    if (node->name != "count") continue;
    node->make_edge = [wrong](int, const detail::EdgeEnv& env) {
      return detail::make_exchange<Event>(env, wrong);
    };
  }
  const absl::Status status = run_to_end(app).status;
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("a defect in slipstream: shard "));
  EXPECT_THAT(std::string(status.message()), HasSubstr(" came to another lane than its own"));
}

/// A source with event time and a probe of one lane behind it, that does something to its own lane.
template <class F>
absl::Status run_with_misdeed(App& app, F misdeed, std::function<void(runtime::Engine&)> before = {}) {
  auto source = app.source("events", from(events(100))).event_time(&Event::at);
  detail::Node& node = source.add("map", detail::Role::chained, "misdeed", Here::current());
  node.make = [misdeed](const detail::OperatorEnv& env) {
    return std::make_unique<Misdeed<F>>(env, misdeed);
  };
  node.as_receiver = [](detail::Operator& op) -> void* {
    return static_cast<detail::Receiver<Event>*>(&static_cast<Misdeed<F>&>(op));
  };
  detail::connect_single<Misdeed<F>>(node);
  probe<Event>(Stream<Event>(source.graph(), {{&node, 0}}), "behind", &Event::key, {}).sink([](const Event&) {
  });
  RuntimeConfig config;
  config.parallelism = 1;
  config.batch_max_records = 1;
  runtime::SteppedExecutor executor(7);
  runtime::Engine engine(*app.graph(), config, {}, executor);
  if (absl::Status status = engine.open(); !status.ok()) return status;
  if (before) before(engine);
  engine.start();
  while (executor.step()) {
  }
  return engine.close();
}

TEST(Checked, TwoThreadsInALaneAreADefect) {
  if (!detail::kChecked) GTEST_SKIP() << kUnchecked;
  App app;
  const absl::Status status = run_with_misdeed(app, [](runtime::Lane& lane, int record) {
    if (record == 50) std::thread([&lane] { lane.run(); }).join();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("a defect in slipstream: 'events' lane 0: two threads run it"));
}

TEST(Checked, AWatermarkThatIsTakenBackIsADefect) {
  if (!detail::kChecked) GTEST_SKIP() << kUnchecked;
  App app;
  const absl::Status status = run_with_misdeed(app, [](runtime::Lane& lane, int record) {
    if (record == 50) lane.edges().front()->channels.front().send_watermark(EventTime(1s));
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("a defect in slipstream: 'behind' lane 0: channel 0 "
                                                       "took its watermark back"));
}

TEST(Checked, CreditThatIsNotGivenBackIsADefect) {
  if (!detail::kChecked) GTEST_SKIP() << kUnchecked;
  App app;
  const absl::Status status = run_with_misdeed(
      app, [](runtime::Lane&, int) {},
      [](runtime::Engine& engine) { EXPECT_EQ(engine.budget().reserve(64), 64u); });
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("a defect in slipstream: 64 bytes of credit were not given back"));
}

TEST(Checked, NothingIsWrongWithARunThatKeepsItsWord) {
  App app;
  one_by_one(app);
  auto source = app.source(from(events(1000))).event_time(&Event::at, {.max_out_of_orderness = 5s});
  source.key_by(&Event::key).window(tumbling(10s)).count("windows").sink([](const auto&) {});
  probe<Event>(source, "probe", &Event::key, {}).sink([](const Event&) {});
  EXPECT_EQ(run_to_end(app).status, absl::OkStatus());
}

}  // namespace
}  // namespace slipstream::test
