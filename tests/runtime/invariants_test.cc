#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <vector>

#include "probe.h"
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
