#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

#include "slipstream/slipstream.h"
#include "slipstream/testing.h"

/// Operators that stop in the middle, or never would.
namespace slipstream {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct Order {
  int id = 0;
  std::vector<int> tags;
};

TEST(FlatMap, CutShortInARecordGoesOnThereWhateverArrivesMeanwhile) {
  std::vector<Order> orders;
  std::vector<int> expected;
  for (int id = 0; id < 100; ++id) {
    Order order{id, {}};
    for (int k = 0; k < 200; ++k) order.tags.push_back(1000 * id + k);
    expected.insert(expected.end(), order.tags.begin(), order.tags.end());
    orders.push_back(std::move(order));
  }
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    App app;
    auto [even, odd] = app.source(from(orders)).split([](const Order& order) { return order.id % 2 == 0; });
    auto tags = even.merge(odd).flat_map(&Order::tags);
    TestDriver driver(app, {.seed = seed, .parallelism = 2, .batch_max_records = 8});
    auto seen = driver.watch(tags);
    ASSERT_EQ(driver.run_to_end(), absl::OkStatus());
    std::vector<int> got = seen->values;
    std::sort(got.begin(), got.end());
    EXPECT_EQ(got, expected);
  }
}

TEST(FlatMap, OfAViewThatThrowsLeavesNothingOfItsRecord) {
  App app;
  auto numbers = app.source(from(std::vector<int>{10, 6000, 10}))
                     .flat_map([](int k) {
                       return std::views::iota(0, k) | std::views::transform([](int i) {
                                if (i == 5000) throw std::runtime_error("bad element");
                                return i;
                              });
                     })
                     .on_error(ErrorPolicy::skip());
  TestDriver driver(app, {.seed = 1});
  auto seen = driver.watch(numbers);
  ASSERT_EQ(driver.run_to_end(), absl::OkStatus());
  EXPECT_EQ(seen->values.size(), 20u);
}

struct Step {
  int number = 0;
  EventTime at;
};
SLIPSTREAM_FIELDS(Step, number, at)

/// 100,000 rights and then two lefts that meet them all; `f` is asked for each pair.
template <class F>
struct MeetAll {
  explicit MeetAll(F f)
      : pairs(lefts.key_by(key).interval_join("join", rights.key_by(key), {-1s, 0s}, std::move(f))) {}
  absl::Status run(TestDriver& driver) const {
    for (int i = 0; i < 100'000; ++i) driver.push(rights, {i, EventTime(1s)});
    driver.skip_to(lefts, 0, 0);
    if (absl::Status status = driver.run(); !status.ok()) return status;
    for (int i = 0; i < 2; ++i) driver.push(lefts, {i, EventTime(2s)});
    driver.finish(rights);
    driver.finish(lefts);
    return driver.run_to_end();
  }
  static int key(const Step&) { return 1; }

  App app;
  SourceStream<Step> rights = app.source("rights", from(std::vector<Step>{})).event_time(&Step::at);
  SourceStream<Step> lefts = app.source("lefts", from(std::vector<Step>{})).event_time(&Step::at);
  Stream<int> pairs;
};

TEST(IntervalJoin, CutShortInARecordGoesOnThere) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(seed);
    std::vector<int> times(100'000);
    MeetAll all([](const Step&, const Step& r) { return r.number; });
    all.pairs.sink([&](int number) { ++times[static_cast<std::size_t>(number)]; });
    TestDriver driver(all.app, {.seed = seed, .batch_max_records = 8, .memory_budget = 10'000});
    ASSERT_EQ(all.run(driver), absl::OkStatus());
    EXPECT_EQ(std::count(times.begin(), times.end(), 2), 100'000);
  }
}

TEST(IntervalJoin, ThatFailsTooLateFailsTheRun) {
  for (const int at : {10'000, 90'000}) {
    MeetAll all([at](const Step& l, const Step& r) {
      if (l.number == 0 && r.number == at) throw std::runtime_error("no more");
      return r.number;
    });
    auto pairs = all.pairs.on_error(ErrorPolicy::skip());
    TestDriver driver(all.app, {.seed = 1});
    auto seen = driver.watch(pairs);
    const absl::Status status = all.run(driver);
    if (at < 65536) {
      EXPECT_EQ(status, absl::OkStatus());
      EXPECT_EQ(seen->values.size(), 100'000u) << "of the other left record";
    } else {
      EXPECT_THAT(std::string(status.message()),
                  HasSubstr("failed after 65536 of its pairs were sent; they can't be taken back"));
    }
  }
}

TEST(Keys, AllNaNsAreOneAndSoAreBothZeros) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  App app;
  auto counts = app.source(from(std::vector<double>{nan, 0.0, nan, -0.0, nan}))
                    .key_by([](const double& d) { return d; })
                    .count("count");
  TestDriver driver(app, {.seed = 1});
  auto seen = driver.watch(counts);
  ASSERT_EQ(driver.run_to_end(), absl::OkStatus());
  std::vector<std::int64_t> totals;
  for (const auto& count : seen->values) totals.push_back(count.value);
  std::sort(totals.begin(), totals.end());
  EXPECT_EQ(totals, (std::vector<std::int64_t>{1, 1, 2, 2, 3}));
}

struct Visit {
  int page = 0;
  EventTime at;
};
using Context = ProcessContext<int, int>;

/// One record sets a timer; what happens then is the test's.
template <class OnTimer>
Stream<int> ticks(App& app, OnTimer on_timer) {
  return app.source(from(std::vector<Visit>{{1, EventTime(1s)}}))
      .event_time(&Visit::at)
      .key_by(&Visit::page)
      .process<int, int>(
          "tick", [](const Visit& v, int&, Context& c) { c.set_timer(v.at + 1min); }, on_timer);
}

TEST(Timers, ThatSetTheNextOneForEverFailTheRunWhenTheInputEnds) {
  App app;
  ticks(app, [](EventTime at, int&, Context& c) { c.set_timer(at + 1min); });
  TestDriver driver(app, {.seed = 1});
  EXPECT_THAT(
      std::string(driver.run_to_end().message()),
      HasSubstr("on_timer goes on setting timers after the end of the input; set none when watermark() is "
                "kMaxTime"));
}

TEST(Timers, MaySetAFewMoreWhenTheInputEnds) {
  App app;
  auto counts = ticks(app, [](EventTime at, int& n, Context& c) {
    c.emit(++n);
    if (n < 5) c.set_timer(at + 1min);
  });
  TestDriver driver(app, {.seed = 1});
  auto seen = driver.watch(counts);
  ASSERT_EQ(driver.run_to_end(), absl::OkStatus());
  EXPECT_EQ(seen->values, (std::vector<int>{1, 2, 3, 4, 5}));
}

}  // namespace
}  // namespace slipstream
