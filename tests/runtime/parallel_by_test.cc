#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "slipstream/checkpoint.h"
#include "slipstream/handler.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"
#include "slipstream/testing.h"
#include "waiting.h"

/// Handlers that run in several lanes: app.on(...).parallel_by(key).handle(...).
namespace slipstream::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Visit {
  int page = 0;
  int n = 0;
};

std::vector<Visit> visits(std::uint32_t seed, int count) {
  std::mt19937 random(seed);
  std::vector<Visit> all;
  for (int i = 0; i < count; ++i) all.push_back({static_cast<int>(random() % 7), i});
  return all;
}

/// What sinks in several threads got.
template <class T>
class Collected {
 public:
  auto sink() {
    return [this](const T& value) {
      const std::lock_guard lock(mutex_);
      all_.push_back(value);
    };
  }
  const std::vector<T>& all() const { return all_; }

 private:
  std::mutex mutex_;
  std::vector<T> all_;
};

TEST(ParallelBy, HasTwoThreadsInTheHandlerAtOnce) {
  App app;
  app.tune([](RuntimeConfig& c) { c.parallelism = c.threads = 2; });
  Meeting meeting(2);
  std::atomic<int> failures{0};
  std::atomic<bool> been[2] = {};
  std::vector<int> numbers(1000);
  for (int i = 0; i < 1000; ++i) numbers[static_cast<std::size_t>(i)] = i;
  // Which lane has which key is the hash's business: whoever comes first waits for a second thread.
  std::mutex mutex;
  std::map<std::thread::id, int> threads;
  app.on(from(numbers)).parallel_by([](int n) { return n; }).handle([&](int) {
    int which = 0;
    {
      const std::lock_guard lock(mutex);
      which = threads.emplace(std::this_thread::get_id(), static_cast<int>(threads.size())).first->second;
    }
    if (which < 2 && !been[which].exchange(true) && !meeting.arrive_and_wait()) ++failures;
  });
  const Ended end = run_to_end(app);
  EXPECT_TRUE(end.status.ok()) << end.status;
  EXPECT_EQ(failures, 0) << "two threads never were in the handler together";
}

TEST(ParallelBy, KeepsTheOrderOfEachKeyAndLosesNothing) {
  for (std::uint32_t seed = 1; seed <= 60; ++seed) {
    const std::vector<Visit> all = visits(seed, 300);
    std::map<int, std::vector<int>> expected;
    for (const Visit& v : all) {
      if (v.n % 3 != 0) expected[v.page].push_back(10 * v.n);
    }
    App app;
    Collected<Visit> out;
    app.on(from(all))
        .parallel_by(&Visit::page)
        .handle([](const Visit& v) {
          return v.n % 3 == 0 ? std::nullopt : std::optional(Visit{v.page, 10 * v.n});
        })
        .to(out.sink());
    RuntimeConfig config;
    config.parallelism = 1 + static_cast<int>(seed % 8);
    config.batch_max_records = std::size_t{1} << (seed % 13);
    detail::SimulatedRun run(app.graph(), config, seed, LogHook{});
    ASSERT_TRUE(run.open().ok()) << run.status();
    run.run_until_idle();
    ASSERT_TRUE(run.status().ok()) << run.status();
    std::map<int, std::vector<int>> got;
    for (const Visit& v : out.all()) got[v.page].push_back(v.n);
    EXPECT_EQ(got, expected) << "seed " << seed;
  }
}

TEST(ParallelBy, SharesASourceWithHandlersOfADomain) {
  App app;
  app.tune([](RuntimeConfig& c) { c.parallelism = 4; });
  const auto source = from(visits(1, 100));
  Collected<int> apart;
  std::vector<int> in_order;
  app.on(source).handle([&](const Visit& v) { in_order.push_back(v.n); });
  app.on(source).parallel_by(&Visit::page).handle([](const Visit& v) { return v.n; }).to(apart.sink());
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_TRUE(std::is_sorted(in_order.begin(), in_order.end()));
  EXPECT_EQ(in_order.size(), 100u);
  EXPECT_THAT(apart.all(), testing::UnorderedElementsAreArray(in_order));
}

TEST(ParallelBy, GivesConnectorsSinksAndGeneratorsTheirDue) {
  App app;
  app.tune([](RuntimeConfig& c) { c.parallelism = 3; });
  std::vector<int> seen;
  auto out = app.on(from(visits(2, 50)))
                 .parallel_by(&Visit::page)
                 .handle([](const Visit& v) -> Generator<int> {
                   co_yield v.n;
                   co_yield -v.n;
                 })
                 .named("both");
  Collected<int> all;
  out.to(all.sink());
  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  EXPECT_EQ(all.all().size(), 100u);
  const auto node = std::find_if(end.metrics.nodes.begin(), end.metrics.nodes.end(),
                                 [](const NodeMetrics& n) { return n.name == "both"; });
  ASSERT_NE(node, end.metrics.nodes.end());
  EXPECT_EQ(node->in, 50u);
  EXPECT_EQ(node->out, 100u);
}

TEST(ParallelBy, FollowsTheErrorPolicy) {
  App app;
  app.tune([](RuntimeConfig& c) { c.parallelism = 4; });
  Collected<int> out;
  std::vector<DeadLetter> letters;
  app.on(from(visits(3, 40)))
      .parallel_by(&Visit::page)
      .handle([](const Visit& v) {
        if (v.n == 17) throw std::runtime_error("seventeen");
        return v.n;
      })
      .to(out.sink())
      .on_error(ErrorPolicy::dead_letter());
  app.dead_letters().sink([&](const DeadLetter& letter) { letters.push_back(letter); });
  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  EXPECT_EQ(out.all().size(), 39u);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].error, "seventeen");
  EXPECT_EQ(letters[0].id.offset, 17);
}

TEST(ParallelBy, TakesAKeyThatThrowsForAnErrorOfTheHandler) {
  App app;
  app.tune([](RuntimeConfig& c) { c.parallelism = 4; });
  Collected<int> out;
  app.on(from(visits(4, 40)))
      .parallel_by([](const Visit& v) {
        if (v.n == 17) throw std::runtime_error("no key");
        return v.page;
      })
      .handle([](const Visit& v) { return v.n; })
      .to(out.sink())
      .on_error(ErrorPolicy::skip());
  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  EXPECT_EQ(out.all().size(), 39u);
  EXPECT_THAT(out.all(), testing::Not(testing::Contains(17)));
}

absl::Status mistake(const std::function<void(App&)>& describe) {
  App app;
  describe(app);
  return app.run();
}

TEST(ParallelBy, RefusesWhatIsDealtWithInOneLane) {
  EXPECT_THAT(std::string(mistake([](App& app) {
                            auto proxy = app.proxy<int>("numbers");
                            app.on(from(std::vector<int>{1})).handle([](int n) { return n; }).to(proxy);
                            app.on(proxy).parallel_by([](int n) { return n; }).handle([](int) {});
                          }).message()),
              AllOf(HasSubstr("parallel_by() of Proxy 'numbers', to which handler at parallel_by_test.cc:"),
                    HasSubstr("publishes; what handlers publish is handled in their own lane")));
  EXPECT_THAT(std::string(mistake([](App& app) {
                            app.on(from(std::vector<int>{1}))
                                .pipe(accumulate<int>)
                                .parallel_by([](int n) { return n; })
                                .handle([](int) {});
                          }).message()),
              HasSubstr("parallel_by() behind pipe(): a pipe takes one message after the other"));
  EXPECT_THAT(
      std::string(mistake([](App& app) {
                    const auto now = [](int) { return EventTime{}; };
                    auto a = app.source("a", from(std::vector<int>{1}));
                    auto b = app.source("b", from(std::vector<int>{1}));
                    auto checkpoint =
                        app.checkpoint("step", a, {dependency("b", b, {.marker = now})}, {.marker = now});
                    app.on(checkpoint).parallel_by([](int n) { return n; }).handle([](int) {});
                  }).message()),
      HasSubstr("parallel_by() of what checkpoint 'step' keeps in step; a checkpoint sees one message after "
                "the other"));
  EXPECT_THAT(std::string(mistake([](App& app) {
                            const auto now = [](int) { return EventTime{}; };
                            auto a = app.source("a", from(std::vector<int>{1}));
                            auto b = app.source("b", from(std::vector<int>{1}));
                            auto checkpoint = app.checkpoint("step", a, {dependency("b", b, {.marker = now})},
                                                             {.marker = now});
                            app.on(b).parallel_by([](int n) { return n; }).handle([](int) {});
                            app.on(checkpoint).handle([](int) {});
                          }).message()),
              HasSubstr("parallel_by() of what checkpoint 'step' keeps in step"));
}

}  // namespace
}  // namespace slipstream::test
