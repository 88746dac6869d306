#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "fakes.h"
#include "mistaken.h"
#include "slipstream/app.h"
#include "slipstream/testing.h"

/// What an App makes of several connectors, and of one that is used several times.
namespace slipstream::test {
namespace {

class Nowhere final : public RawSink {
 public:
  std::string name() const override { return "nowhere"; }
  absl::Status open(const SinkEnv&) override { return absl::OkStatus(); }
  absl::StatusOr<std::size_t> write(std::span<const OutRecord> records) override { return records.size(); }
  absl::StatusOr<std::uint64_t> delivered() override { return 0; }
};

TEST(ConnectorUse, OneSourceIsReadOnce) {
  const auto numbers = from<int>({1, 2, 3});
  const std::string said = complaint([&](App& app) {
    app.source(numbers).sink([](int) {});
    app.source("again", numbers).sink([](int) {});
  });
  EXPECT_EQ(said,
            "the source 'in-memory records' is used twice, at connectors_test.cc:28 and "
            "connectors_test.cc:29: "
            "call App::source once and use its stream twice, or make two sources");
}

TEST(ConnectorUse, OneSinkIsWrittenToOnce) {
  const auto sink = encoded(std::make_shared<Nowhere>(), text());
  const std::string said = complaint([&](App& app) {
    const auto words = app.source(from<std::string>({"a"}));
    words.sink(sink);
    words.sink(sink);
  });
  EXPECT_EQ(said,
            "the sink 'nowhere' is used twice, at connectors_test.cc:41 and connectors_test.cc:42: "
            "merge() the "
            "streams in front of it, or make two sinks");
}

// However many there are: half of the budget is for what connectors hold.
TEST(ConnectorUse, AllShareOneMemoryBudget) {
  for (const std::size_t each : std::vector<std::size_t>{1, 2, 5}) {
    auto journal = std::make_shared<Journal>();
    std::vector<std::shared_ptr<FakeSource>> sources;
    std::vector<std::shared_ptr<FakeSink>> sinks;
    App app;
    app.tune([](RuntimeConfig& c) { c.memory_budget = 80 << 20; });
    for (std::size_t i = 0; i < each; ++i) {
      sources.push_back(std::make_shared<FakeSource>(FakeSource::Options{}, journal));
      sinks.push_back(std::make_shared<FakeSink>(FakeSink::Options{}, journal));
      app.source(decoded(sources.back(), text())).sink(encoded(sinks.back(), text()));
    }
    ASSERT_EQ(app.run(), absl::OkStatus());
    for (const auto& source : sources) EXPECT_EQ(source->env().memory_budget, (20 << 20) / each);
    for (const auto& sink : sinks) EXPECT_EQ(sink->env().memory_budget, (20 << 20) / each);
  }
}

TEST(ConnectorUse, SourcesWithoutANameHaveNamesOfTheirOwn) {
  App app;
  app.source(from<int>({1})).sink([](int) {});
  app.source(from<int>({1, 2})).sink([](int) {});
  app.source("mine", from<int>({1, 2, 3})).sink([](int) {});
  TestDriver driver(app);
  ASSERT_EQ(driver.run_to_end(), absl::OkStatus());
  const auto snapshot = driver.snapshot();
  ASSERT_EQ(snapshot.status(), absl::OkStatus());
  std::vector<std::string> sources;
  for (const auto& [name, clocks] : snapshot->sources) {
    sources.push_back(name + " next " + std::to_string(clocks.at(0).next_offset));
  }
  EXPECT_EQ(sources, (std::vector<std::string>{"in-memory records next 1", "in-memory records 2 next 2",
                                               "mine next 3"}));
}

}  // namespace
}  // namespace slipstream::test
