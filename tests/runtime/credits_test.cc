#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fakes.h"
#include "slipstream/generator.h"
#include "slipstream/testing.h"
#include "waiting.h"

/// Credits: bytes in flight are bounded, and all are given back whatever happens.
namespace slipstream::test {
namespace {

struct Row {
  std::int64_t key = 0;
  EventTime at;
  char payload[84] = {};
};
// What the budget is charged for one of them.
constexpr std::size_t kRowBytes = sizeof(Row) + sizeof(EventTime) + sizeof(std::uint32_t);

Source<Row> rows(int partitions, int each) {
  std::vector<std::vector<Row>> all(static_cast<std::size_t>(partitions));
  for (auto& partition : all) {
    for (int i = 0; i < each; ++i) partition.push_back({i, EventTime(Duration(i))});
  }
  return from_partitions(std::move(all));
}

void tune(App& app, std::size_t budget, int parallelism = 2) {
  app.tune([=](RuntimeConfig& c) {
    c.memory_budget = budget;
    c.parallelism = c.threads = parallelism;
  });
}

struct Path {
  const char* name;
  bool ok;
  std::function<void(App&)> build;
};
void PrintTo(const Path& path, std::ostream* out) { *out << path.name; }

bool is_bad(const Row& row) { return row.key % 100 == 37; }
Row fail_on_bad(const Row& row) {
  if (is_bad(row)) throw std::runtime_error("bad row");
  return row;
}

class CreditPath : public testing::TestWithParam<Path> {};

TEST_P(CreditPath, GivesBackAllItTook) {
  App app;
  tune(app, 1 << 16);
  GetParam().build(app);
  const Ended end = run_to_end(app);
  EXPECT_EQ(end.status.ok(), GetParam().ok) << end.status;
  EXPECT_EQ(end.metrics.in_flight_bytes, 0u) << describe(end.metrics);
  for (const NodeMetrics& n : end.metrics.nodes) EXPECT_EQ(n.queue_bytes, 0u) << n.name;
}

const Path kPaths[] = {
    {"Normal", true,
     [](App& app) { app.source(rows(2, 20'000)).key_by(&Row::key).count("count").sink([](const auto&) {}); }},
    {"NothingReadsIt", true, [](App& app) { app.source(rows(2, 20'000)); }},
    {"Filtered", true,
     [](App& app) {
       app.source(rows(2, 20'000)).filter([](const Row&) { return false; }).sink([](const Row&) {});
     }},
    {"FannedOut", true,
     [](App& app) {
       auto s = app.source(rows(2, 20'000));
       for (int i = 0; i < 3; ++i)
         s.key_by(&Row::key).count("count " + std::to_string(i)).sink([](const auto&) {});
     }},
    {"Skipped", true,
     [](App& app) {
       app.source(rows(2, 20'000)).map(fail_on_bad).on_error(ErrorPolicy::skip()).sink([](const Row&) {});
     }},
    {"DeadLetters", true,
     [](App& app) {
       app.source(rows(2, 20'000)).map(fail_on_bad).on_error(ErrorPolicy::dead_letter()).sink([](const Row&) {
       });
       app.dead_letters().sink([](const DeadLetter&) {});
     }},
    {"Retried", true,
     [](App& app) {
       app.source(rows(2, 1'000))
           .map(fail_on_bad)
           .on_error(ErrorPolicy::retry(2, Duration(1), ErrorPolicy::Action::skip))
           .sink([](const Row&) {});
     }},
    {"FailedInAChain", false,
     [](App& app) { app.source(rows(2, 20'000)).map(fail_on_bad).sink([](const Row&) {}); }},
    {"FailedBehindAnExchange", false,
     [](App& app) {
       app.source(rows(2, 20'000))
           .key_by(&Row::key)
           .count("count")
           .map([](const Keyed<std::int64_t, std::int64_t>& k) {
             if (k.value == 2 && k.key == 10'000) throw std::runtime_error("late in the run");
             return k;
           })
           .sink([](const auto&) {});
     }},
    {"FailedInTheSink", false,
     [](App& app) {
       app.source(rows(2, 20'000)).key_by(&Row::key).count("count").sink([n = 0](const auto&) mutable {
         if (++n == 10'000) throw std::runtime_error("no more");
       });
     }},
    {"FailedInABlockingSink", false,
     [](App& app) {
       app.source(rows(2, 20'000))
           .key_by(&Row::key)
           .count("count")
           .sink(
               [n = 0](const auto&) mutable {
                 if (++n == 10'000) throw std::runtime_error("no more");
               },
               {.blocking = true});
     }},
    {"FailedInTheKey", false,
     [](App& app) {
       app.source(rows(2, 20'000))
           .key_by([](const Row& r) { return fail_on_bad(r).key; })
           .count("count")
           .sink([](const auto&) {});
     }},
    {"FailedInAGenerator", false,
     [](App& app) {
       app.source(generate([n = 0]() mutable -> std::optional<Row> {
            if (++n == 10'000) throw std::runtime_error("dry");
            return Row{n, {}};
          }))
           .sink([](const Row&) {});
     }},
    {"FailedInAConnector", false,
     [](App& app) {
       auto journal = std::make_shared<Journal>();
       auto source = std::make_shared<FakeSource>(FakeSource::Options{.on_read = [](int) -> absl::Status {
                                                    throw std::runtime_error("thrown by a connector");
                                                  }},
                                                  journal);
       app.source(decoded(source, text())).sink([](const std::string&) {});
     }},
};
INSTANTIATE_TEST_SUITE_P(Paths, CreditPath, testing::ValuesIn(kPaths),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Credits, AreGivenBackByARunThatIsStopped) {
  App app;
  tune(app, 1 << 16);
  std::atomic<int> seen{0};
  app.source(generate([n = 0]() mutable {
       return std::optional<Row>(Row{++n, {}});
     }))
      .key_by(&Row::key)
      .count("count")
      .sink([&](const auto&) { ++seen; });
  auto run = app.start();
  ASSERT_TRUE(run.ok());
  ASSERT_TRUE(eventually([&] { return seen > 10'000; }));
  (*run)->stop();
  EXPECT_TRUE(end_of(**run).ok());
  const Metrics m = (*run)->metrics();
  EXPECT_EQ(m.in_flight_bytes, 0u);
  EXPECT_EQ(m.node("count")->in, static_cast<std::uint64_t>(seen));
}

// What sources take is bounded by the budget, but for one record that each lane may always have under way, so
// that a sink that is stuck with all of the budget stops nobody else.
TEST(Credits, BoundTheBytesInFlight) {
  for (const std::size_t budget : {std::size_t{1}, 10 * kRowBytes, std::size_t{1} << 16}) {
    App app;
    tune(app, budget, 4);
    app.source(rows(4, 5'000))
        .key_by(&Row::key)
        .process<int, Row>("same", [](const Row& r, int&, auto& c) { c.emit(r); })
        .sink([](const Row&) {});
    const Ended end = run_to_end(app);
    ASSERT_TRUE(end.status.ok()) << end.status;
    EXPECT_EQ(end.metrics.node("same")->in, 20'000u);
    EXPECT_LE(end.metrics.in_flight_peak, budget + 8 * kRowBytes);
    EXPECT_GT(end.metrics.in_flight_peak, 0u);
  }
}

TEST(Credits, BoundWhatIsReadFromGeneratorsOfStrings) {
  constexpr std::size_t kBudget = 100'000;
  App app;
  tune(app, kBudget);
  app.source(generate([n = 0]() mutable -> std::optional<std::string> {
       if (++n > 2'000) return std::nullopt;
       return std::string(1'000, 'x');
     }))
      .sink([](const std::string&) {});
  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  EXPECT_LE(end.metrics.in_flight_peak, kBudget + 1'100);
}

TEST(Credits, OfOneByteLetTheSlowestThroughToo) {
  App app;
  tune(app, 1);
  std::atomic<int> seen{0};
  auto left = app.source("left", rows(2, 300)).event_time(&Row::at);
  auto right = app.source("right", rows(1, 300)).event_time(&Row::at);
  left.key_by(&Row::key)
      .as_of_join("join", right.key_by(&Row::key), {},
                  [](const Row& l, const Row* r) { return r ? r->key : -l.key; })
      .sink([&](std::int64_t) { ++seen; });
  const Ended end = run_to_end(app);
  EXPECT_TRUE(end.status.ok()) << end.status;
  EXPECT_EQ(seen, 600);
}

constexpr std::size_t kBatch = 256;
/// A lane may send one batch beyond the budget before it looks at it.
std::size_t one_batch_more(std::size_t record) { return kBatch * (record + 2 * sizeof(EventTime)); }

TEST(Credits, BoundARecordThatBecomesAMillion) {
  for (const bool lazily : {false, true}) {
    App app;
    tune(app, 1 << 16);
    app.tune([](RuntimeConfig& c) { c.batch_max_records = kBatch; });
    std::int64_t sum = 0;
    auto one = app.source(from(std::vector<int>{1'000'000}));
    auto made = lazily ? one.flat_map([](int n) -> Generator<std::int64_t> {
      for (std::int64_t i = 0; i < n; ++i) co_yield i;
    })
                       : one.flat_map([](int n) {
                           std::vector<std::int64_t> all(static_cast<std::size_t>(n), 1);
                           return all;
                         });
    made.sink([&](std::int64_t) { ++sum; });
    const Ended end = run_to_end(app);
    ASSERT_TRUE(end.status.ok()) << end.status;
    EXPECT_EQ(sum, 1'000'000);
    // Lazily made outputs are sent together while their record may still fail: 65,536 of them.
    const std::size_t at_once = lazily ? 65'536 * (8 + 12) : one_batch_more(8);
    EXPECT_LE(end.metrics.in_flight_peak, (std::size_t{1} << 16) + at_once);
  }
}

// A second expansion behind the first must not let the first run on while it is cut short itself.
TEST(Credits, BoundAMillionMadeByTwoNodesInARow) {
  App app;
  tune(app, 1 << 16);
  app.tune([](RuntimeConfig& c) { c.batch_max_records = kBatch; });
  std::int64_t sum = 0;
  app.source(from(std::vector<int>{1'000}))
      .flat_map([](int n) { return std::vector<int>(static_cast<std::size_t>(n), 1'000); })
      .flat_map([](int n) { return std::vector<std::int64_t>(static_cast<std::size_t>(n), 1); })
      .sink([&](std::int64_t) { ++sum; });
  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  EXPECT_EQ(sum, 1'000'000);
  EXPECT_LE(end.metrics.in_flight_peak, (std::size_t{1} << 16) + one_batch_more(8));
}

TEST(Credits, BoundAWatermarkThatClosesAMillionWindows) {
  App app;
  tune(app, 1 << 16);
  app.tune([](RuntimeConfig& c) { c.batch_max_records = kBatch; });
  std::int64_t results = 0;
  using Result = Windowed<std::int64_t, std::int64_t>;
  // All in one window of a microsecond each, all closed by the end of the input.
  app.source(generate([n = 0]() mutable -> std::optional<Row> {
       if (++n > 1'000'000) return std::nullopt;
       return Row{n % 1'000, EventTime(Duration(n))};
     }))
      .event_time(&Row::at, {.max_out_of_orderness = std::chrono::hours(1)})
      .key_by(&Row::key)
      .window(tumbling(Duration(1)))
      .count("count")
      .sink([&](const Result&) { ++results; });
  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  EXPECT_EQ(results, 1'000'000);
  EXPECT_LE(end.metrics.in_flight_peak, (std::size_t{1} << 16) + 2 * one_batch_more(sizeof(Result)));
}

}  // namespace
}  // namespace slipstream::test
