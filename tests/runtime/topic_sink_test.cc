#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fakes.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"
#include "slipstream/testing.h"
#include "slipstream/topic.h"

/// What topics do while messages wait to be offered again.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

/// A topic's sink in front of a connector that refuses while it is told to, fed by a source of its own; and
/// another source.
struct Refusing {
  explicit Refusing(int topics = 1) {
    auto pause = std::make_shared<detail::ProducePause>(*app.graph());
    for (int t = 0; t < topics; ++t) {
      refuses.push_back(true);
      const std::string name = "t" + std::to_string(t);
      sinks.push_back(std::make_shared<FakeSink>(
          FakeSink::Options{.name = name,
                            .on_offer = [this, t](std::span<const OutRecord>) -> absl::Status {
                              if (refuses[static_cast<std::size_t>(t)]) return absl::UnavailableError("busy");
                              return absl::OkStatus();
                            }},
          std::make_shared<Journal>()));
      app.source("s" + std::to_string(t), from<std::string>({"a", "b"}))
          .sink(encoded(detail::pausing_sink(name, sinks.back(), pause), text()),
                {.errors = ErrorPolicy::retry(3, 1s, action)});
    }
    ticks = app.source("ticks", from(std::vector<int>{}));
    ticks->sink([this](int n) { ticked.push_back(n); });
    driver.emplace(app,
                   TestOptions{.log = [this](LogLevel level, std::string_view, std::string_view message) {
                     log.push_back(std::string(to_string(level)) + ": " + std::string(message));
                   }});
  }
  std::vector<std::string> gates() {
    for (const PartitionMetrics& p : driver->metrics().partitions) {
      if (p.source == "ticks") return p.gates;
    }
    return {"no such source"};
  }
  App app;
  ErrorPolicy::Action action = ErrorPolicy::Action::skip;
  std::vector<bool> refuses;
  std::vector<std::shared_ptr<FakeSink>> sinks;
  std::optional<SourceStream<int>> ticks;
  std::vector<int> ticked;
  std::vector<std::string> log;
  std::optional<TestDriver> driver;
};

TEST(TopicSink, PausesAllSourcesWhileItWaitsToTryAgain) {
  Refusing r;
  r.driver->push(*r.ticks, 1);
  ASSERT_EQ(r.driver->run(), absl::OkStatus());
  r.driver->push(*r.ticks, 2);
  ASSERT_TRUE(r.driver->run().ok());
  EXPECT_THAT(r.gates(), ElementsAre("produce"));
  r.refuses[0] = false;
  ASSERT_TRUE(r.driver->advance_time(1s).ok());
  EXPECT_THAT(r.gates(), IsEmpty());
  EXPECT_THAT(r.ticked, ElementsAre(1, 2));
  EXPECT_THAT(r.sinks[0]->values(), ElementsAre("a", "b"));
  EXPECT_THAT(r.log, ElementsAre("warning: offering messages to topic t0 again (1/3) after 1s: busy"));
}

TEST(TopicSink, LeavesProxiesAloneForWhatIsPublishedBelongsToTheMessageThatIsHandled) {
  App app;
  auto numbers = app.source("numbers", from<int>({1}));
  auto notes = app.proxy<int>("notes");
  detail::ProducePause pause(*numbers.graph());
  const auto is_paused = [](const auto& stream) {
    return stream.outputs().front().from->source_switch->is_paused();
  };
  pause.begin();
  EXPECT_TRUE(is_paused(numbers));
  EXPECT_FALSE(is_paused(notes.stream()));
  pause.end();
  EXPECT_FALSE(is_paused(numbers));
}

TEST(TopicSink, LetsSourcesGoOnWhenItHasGivenUp) {
  Refusing r;
  r.driver->push(*r.ticks, 1);
  ASSERT_TRUE(r.driver->advance_time(500ms).ok());
  EXPECT_THAT(r.gates(), ElementsAre("produce"));
  ASSERT_TRUE(r.driver->advance_time(1min).ok());
  EXPECT_THAT(r.gates(), IsEmpty());
  EXPECT_THAT(r.ticked, ElementsAre(1));
  EXPECT_EQ(r.log.size(), 6u) << "three tries for each of the two records";
}

TEST(TopicSink, PausesUntilTheLastOfSeveralIsThrough) {
  Refusing r(2);
  r.driver->push(*r.ticks, 1);
  r.driver->push(*r.ticks, 2);
  ASSERT_TRUE(r.driver->advance_time(500ms).ok());
  r.refuses[0] = false;
  ASSERT_TRUE(r.driver->advance_time(600ms).ok());
  EXPECT_THAT(r.sinks[0]->values(), ElementsAre("a", "b"));
  EXPECT_THAT(r.gates(), ElementsAre("produce"));
  r.refuses[1] = false;
  ASSERT_TRUE(r.driver->advance_time(2s).ok());
  EXPECT_THAT(r.gates(), IsEmpty());
  EXPECT_THAT(r.sinks[1]->values(), ElementsAre("a", "b"));
}

}  // namespace
}  // namespace slipstream::test
