#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "fakes.h"
#include "slipstream/async_source.h"
#include "slipstream/handler.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"
#include "slipstream/testing.h"
#include "waiting.h"

/// The handler door: app.on(...).handle(...).to(...).
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

std::vector<int> numbers(int from, int to) {
  std::vector<int> all;
  for (int i = from; i < to; ++i) all.push_back(i);
  return all;
}
auto into(std::vector<int>& all) {
  return [&all](int n) { all.push_back(n); };
}
const auto kSame = [](int n) { return n; };

/// Runs the App in virtual time.
struct Simulated {
  explicit Simulated(App& app, RuntimeConfig config = {}, std::uint64_t seed = 1)
      : run(app.graph(), config, seed, LogHook{}) {
    EXPECT_TRUE(run.open().ok()) << run.status();
    run.run_until_idle();
  }
  detail::SimulatedRun run;
};

// ---------------------------------------------------------------- who gets what, and when

TEST(Handlers, TakeFromManySourcesAndGiveToManySinks) {
  App app;
  std::vector<int> x, y;
  app.on(from(std::vector<int>{1, 2}), from(std::vector<int>{10}))
      .handle([](int n) { return n + 1; })
      .to(into(x), into(y));
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(x, testing::UnorderedElementsAre(2, 3, 11));
  EXPECT_EQ(x, y);
}

/// Counts its copies; what was moved from has no text left.
struct Parcel {
  std::string text;
  int copies = 0;
  explicit Parcel(std::string what) : text(std::move(what)) {}
  Parcel(const Parcel& other) : text(other.text), copies(other.copies + 1) {}
  Parcel(Parcel&& other) noexcept : text(std::exchange(other.text, "")), copies(other.copies) {}
  Parcel& operator=(Parcel other) noexcept {
    std::swap(text, other.text);
    copies = other.copies;
    return *this;
  }
};

/// What two Proxies' handlers got of what f made of one message, as text and number of copies.
template <class F>
std::vector<std::string> delivered_to_two(F f) {
  App app;
  std::vector<std::string> got;
  const auto note = [&got](std::string sink) {
    return [&got, sink](const Parcel& p) { got.push_back(sink + p.text + std::to_string(p.copies)); };
  };
  auto first = app.proxy<Parcel>("first"), last = app.proxy<Parcel>("last");
  app.on(from(std::vector<int>{1})).handle(f).to(first, last);
  app.on(first).handle(note("first: "));
  app.on(last).handle(note("last: "));
  const Simulated simulated(app);
  return got;
}

TEST(Handlers, MoveWhatTheyReturnIntoTheLastSinkOnly) {
  EXPECT_THAT(delivered_to_two([](int) { return Parcel("a "); }), ElementsAre("first: a 1", "last: a 0"));
  EXPECT_THAT(delivered_to_two([](int) { return std::optional<Parcel>(std::in_place, "a "); }),
              ElementsAre("first: a 1", "last: a 0"));
}

TEST(Handlers, LeaveToTheUserWhatTheyReturnAReferenceTo) {
  Parcel mine("a ");
  EXPECT_THAT(delivered_to_two([&](int) -> Parcel& { return mine; }), ElementsAre("first: a 1", "last: a 1"));
  EXPECT_EQ(mine.text, "a ");
  std::optional<Parcel> some(std::in_place, "b ");
  EXPECT_THAT(delivered_to_two([&](int) -> std::optional<Parcel>& { return some; }),
              ElementsAre("first: b 1", "last: b 1"));
  EXPECT_EQ(some->text, "b ");
  std::vector<Parcel> all;
  all.emplace_back("c ");
  EXPECT_THAT(delivered_to_two([&](int) { return std::span<Parcel>(all); }),
              ElementsAre("first: c 1", "last: c 1"));
  EXPECT_EQ(all.front().text, "c ");
}

TEST(Handlers, TakeMessagesOfDifferentTypes) {
  App app;
  std::vector<std::string> out;
  const auto text = [](const auto& m) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(m)>, int>)
      return std::to_string(m);
    else
      return m;
  };
  app.on(from(std::vector<int>{1}), from(std::vector<std::string>{"a"}))
      .handle(text)
      .to([&](const std::string& s) { out.push_back(s); });
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(out, testing::UnorderedElementsAre("1", "a"));
}

TEST(Handlers, ReturnNothingAValueAnOptionalOrMany) {
  App app;
  const auto source = from(std::vector<int>{1, 2, 3});
  std::vector<int> optional, list, generated;
  int seen = 0, called = 0;
  app.on(source).handle([&](int) { ++seen; });
  app.on(source).handle([&] { ++called; });
  app.on(source).handle([](int n) { return n % 2 ? std::optional(n) : std::nullopt; }).to(into(optional));
  app.on(source)
      .handle([](int n) { return std::vector<int>(static_cast<std::size_t>(n), n); })
      .to(into(list));
  app.on(source)
      .handle([](int n) -> Generator<int> {
        for (int i = 0; i < n; ++i) co_yield i;
      })
      .to(into(generated));
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(called, 3);
  EXPECT_THAT(optional, ElementsAre(1, 3));
  EXPECT_THAT(list, ElementsAre(1, 2, 2, 3, 3, 3));
  EXPECT_THAT(generated, ElementsAre(0, 0, 1, 0, 1, 2));
}

TEST(Handlers, KnowTheRecordAndTheValuesOfTheRun) {
  App app;
  std::vector<std::string> out;
  app.on(from(std::vector<int>{7}))
      .handle([](int n, const HandlerContext& c) {
        return *c.values.get<std::string>("env") + std::to_string(n) + "@" +
               std::to_string(c.record.id.offset);
      })
      .to([&](const std::string& s, const HandlerContext& c) {
        out.push_back(s + (c.values.get<int>("env") ? "!" : ""));
      });
  ASSERT_TRUE(app.run(Values{}.set("env", std::string("DEV"))).ok());
  EXPECT_THAT(out, ElementsAre("DEV7@0"));
}

TEST(Handlers, ListenToStreams) {
  App app;
  std::vector<int> out;
  auto even = app.source(from(numbers(0, 6))).filter([](int n) { return n % 2 == 0; });
  app.on(even).handle(kSame).to(into(out));
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(out, ElementsAre(0, 2, 4));
}

/// Binds handlers at random and compares every sink with a model that goes through the messages one by one.
TEST(Handlers, OfADomainSeeEveryMessageInBindingOrder) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    RuntimeConfig config;
    config.parallelism = 1 + static_cast<int>(random() % 8);
    config.batch_max_records = std::size_t{1} << (random() % 13);
    config.memory_budget = random() % 2 ? 1 : std::size_t{64} << 20;
    App app;
    std::vector<std::pair<int, int>> got;  // handler, message
    std::vector<Source<int>> sources;
    std::vector<std::vector<int>> listeners(3);
    for (int s = 0; s < 3; ++s)
      sources.push_back(from(numbers(s * 1000, s * 1000 + static_cast<int>(random() % 300))));
    // The first handler listens to all, so that they are one domain.
    for (int h = 0; h < 6; ++h) {
      const auto note = [&got, h](int n) { got.emplace_back(h, n); };
      if (h == 0) {
        app.on(sources[0], sources[1], sources[2]).handle(note);
        for (auto& l : listeners) l.push_back(h);
        continue;
      }
      const auto s = random() % 3;
      app.on(sources[s]).handle(kSame).to(note);
      listeners[s].push_back(h);
    }
    Simulated simulated(app, config, seed);
    ASSERT_TRUE(simulated.run.run_to_end());
    ASSERT_TRUE(simulated.run.status().ok()) << simulated.run.status();
    std::size_t at = 0;
    std::vector<int> next{0, 1000, 2000};
    while (at < got.size()) {
      const auto s = static_cast<std::size_t>(got[at].second / 1000);
      const int message = next[s]++;
      for (const int h : listeners[s]) {
        ASSERT_LT(at, got.size()) << "seed " << seed;
        ASSERT_EQ(got[at++], std::pair(h, message)) << "seed " << seed;
      }
    }
    std::uint64_t read = 0, handled = 0;
    for (const PartitionMetrics& p : simulated.run.metrics().partitions) read += p.records;
    for (const NodeMetrics& n : simulated.run.metrics().nodes) {
      if (n.kind != "handler") continue;
      EXPECT_EQ(n.in, n.forwarded) << "seed " << seed;
      handled += n.in;
    }
    EXPECT_EQ(handled, read) << "seed " << seed;
    EXPECT_EQ(next[0] + next[1] + next[2] - 3000, static_cast<int>(read)) << "seed " << seed;
  }
}

TEST(Handlers, OfADomainNeverRunAtOnceAndOfSeveralDomainsDo) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::atomic<int> inside{0}, most{0}, handled{0};
  const auto guarded = [&](int n) {
    most = std::max<int>(most, ++inside);
    ++handled;
    --inside;
    return n;
  };
  for (int s = 0; s < 4; ++s) app.on(from(numbers(0, 5000))).handle(guarded).to(proxy);
  app.on(proxy).handle(guarded);
  app.tune([](RuntimeConfig& c) { c.parallelism = c.threads = 4; });
  proxy.close();
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_EQ(most, 1);
  EXPECT_EQ(handled, 2 * 4 * 5000);

  App two;
  std::atomic<int> waiting{0};
  const auto meet = [&](int) {  // returns only when both are inside
    ++waiting;
    while (waiting < 2) std::this_thread::yield();
  };
  two.on(from(numbers(0, 1))).handle(meet);
  two.on(from(numbers(0, 1))).handle(meet);
  two.tune([](RuntimeConfig& c) { c.parallelism = c.threads = 2; });
  EXPECT_TRUE(run_to_end(two).status.ok());
}

TEST(Handlers, FeedConnectorsInOrder) {
  App app;
  auto journal = std::make_shared<Journal>();
  auto sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "out", .room = 3}, journal);
  app.on(from(numbers(0, 3)))
      .handle([](int n) {
        return std::vector<std::string>{std::to_string(n) + "a", std::to_string(n) + "b"};
      })
      .to(encoded(sink, text()));
  Simulated s(app);
  EXPECT_THAT(sink->values(), ElementsAre("0a", "0b", "1a"));
  sink->make_room(100);
  ASSERT_TRUE(s.run.run_to_end());
  EXPECT_THAT(sink->values(), ElementsAre("0a", "0b", "1a", "1b", "2a", "2b"));
}

TEST(Handlers, FeedConnectorsWithWhatConvertsToTheirType) {
  App app;
  auto journal = std::make_shared<Journal>();
  auto sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "out"}, journal);
  app.on(from(numbers(0, 3)))
      .handle([](int n) { return n == 1 ? "a text that is too long to be kept inside" : "short"; })
      .to(encoded(sink, text()));
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(sink->values(), ElementsAre("short", "a text that is too long to be kept inside", "short"));
}

TEST(Handlers, ShareASink) {
  App app;
  auto journal = std::make_shared<Journal>();
  auto sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "out"}, journal);
  const auto out = encoded(sink, text());
  const auto as_text = [](int n) { return std::to_string(n); };
  app.on(from(numbers(0, 2))).handle(as_text).to(out, out);
  app.on(from(numbers(5, 6))).handle(as_text).to(out);
  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  EXPECT_THAT(sink->values(), testing::UnorderedElementsAre("0", "0", "1", "1", "5"));
}

TEST(Handlers, OutliveTheAppInItsRun) {
  std::atomic<int> seen{0};
  std::unique_ptr<slipstream::Run> run;
  {
    App app;
    app.on(from(numbers(0, 1000))).handle([&](int) { ++seen; });
    auto started = app.start();
    ASSERT_TRUE(started.ok()) << started.status();
    run = *std::move(started);
  }
  EXPECT_TRUE(end_of(*run).ok());
  EXPECT_EQ(seen, 1000);
}

TEST(Handlers, GiveTheirOutputsIdsOfTheirOwn) {
  App app;
  std::vector<RecordId> ids;
  const auto proxy = app.proxy<int>("proxy");
  app.on(from(numbers(5, 7))).handle([](int n) { return std::vector<int>{n, n}; }).to(proxy);
  app.on(proxy).handle([&](int, const RecordInfo& info) { ids.push_back(info.id); });
  Simulated s(app);
  ASSERT_EQ(ids.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(ids[i].offset, static_cast<std::int64_t>(i / 2));
    EXPECT_EQ(ids[i].n, i % 2);
  }
}

// ---------------------------------------------------------------- pauses

TEST(Pause, TakesEffectBetweenTwoMessagesOfABatch) {
  for (const std::size_t batch : {1u, 4u, 4096u}) {
    App app;
    auto source = app.source("numbers", from(numbers(0, 10)));
    std::vector<int> first, second;
    app.on(source).handle([&](int n) {
      first.push_back(n);
      if (n == 3) source.pause("enough");
    });
    app.on(source).handle([&](int n) { second.push_back(n); });
    RuntimeConfig config;
    config.batch_max_records = batch;
    if (batch == 1) config.memory_budget = 1;
    Simulated s(app, config);
    EXPECT_EQ(first, numbers(0, 4)) << "batches of " << batch;
    EXPECT_EQ(second, numbers(0, 4)) << "the message itself goes on to the other handlers";
    EXPECT_FALSE(s.run.run_to_end());
    EXPECT_EQ(s.run.metrics().partitions[0].gates.size(), batch == 1 ? 1u : 0u) << "else all is read already";
    source.resume("enough");
    EXPECT_TRUE(s.run.run_to_end());
    EXPECT_TRUE(s.run.status().ok()) << s.run.status();
    EXPECT_EQ(first, numbers(0, 10));
    EXPECT_EQ(second, numbers(0, 10));
  }
}

TEST(Pause, OfOneSourceLeavesOthersOfItsDomainAlone) {
  App app;
  auto a = app.source("a", from(numbers(0, 5)));
  auto b = app.source("b", from(numbers(100, 105)));
  std::vector<int> out;
  app.on(a, b).handle(kSame).to(into(out));
  a.pause();
  Simulated s(app);
  EXPECT_EQ(out, numbers(100, 105));
  a.resume();
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_EQ(out.size(), 10u);
}

TEST(Pause, LastsUntilEveryReasonIsGone) {
  App app;
  auto source = app.source("numbers", from(numbers(0, 5)));
  std::vector<int> out;
  app.on(source).handle(kSame).to(into(out));
  source.pause("one");
  source.pause("one");
  source.pause("two");
  source.resume("none of them");
  Simulated s(app);
  EXPECT_THAT(s.run.metrics().partitions[0].gates, ElementsAre("one", "two"));
  source.resume("one");
  s.run.run_until_idle();
  EXPECT_TRUE(out.empty());
  source.resume("two");
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_EQ(out, numbers(0, 5));
}

TEST(Pause, LosesNothingOverManyCyclesOnThreads) {
  App app;
  auto source = app.source("numbers", from(numbers(0, 50'000)));
  std::vector<int> out;
  std::atomic<bool> paused{false};
  std::atomic<int> handled_while_paused{0};
  app.on(source).handle([&](int n) {
    handled_while_paused += paused;
    out.push_back(n);
    if (n % 500 == 0) {
      source.pause();
      paused = true;
    }
  });
  app.tune([](RuntimeConfig& c) { c.parallelism = c.threads = 4; });
  auto run = app.start();
  ASSERT_TRUE(run.ok()) << run.status();
  for (int cycle = 0; cycle < 100; ++cycle) {
    ASSERT_TRUE(eventually([&] { return paused.load(); })) << "cycle " << cycle;
    paused = false;
    source.resume();
  }
  EXPECT_TRUE(end_of(**run).ok());
  EXPECT_EQ(out, numbers(0, 50'000));
  EXPECT_EQ(handled_while_paused, 0);
}

TEST(Pause, ThatComesAndGoesHoldsOnlySoMuch) {
  constexpr std::size_t kBatch = 16, kAtOnce = 100, kRounds = 20;
  App app;
  auto fake = std::make_shared<FakeSource>(FakeSource::Options{.name = "in", .finished = false},
                                           std::make_shared<Journal>());
  auto source = app.source(decoded(fake, text()));
  std::vector<std::string> out, in;
  app.on(source)
      .handle([&](const std::string& message) {
        out.push_back(message);
        source.pause("slow");
      })
      .named("it");
  RuntimeConfig config;
  config.batch_max_records = kBatch;
  Simulated s(app, config);
  for (std::size_t round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kAtOnce; ++i) {
      in.push_back(std::to_string(in.size()));
      fake->push(in.back());
    }
    source.resume("slow");
    s.run.run_until_idle();
    ASSERT_EQ(out.size(), round + 1);
    ASSERT_LE(s.run.metrics().node("it")->held, kBatch + kAtOnce);
  }
  EXPECT_THAT(s.run.metrics().partitions[0].gates, ElementsAre("slow", "held"));
  fake->finish();
  while (out.size() < in.size()) {
    const std::size_t before = out.size();
    source.resume("slow");
    s.run.run_until_idle();
    ASSERT_EQ(out.size(), before + 1);
  }
  source.resume("slow");
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_EQ(out, in);
}

TEST(Pause, OfOneSourceLeavesOthersMergedWithItAlone) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    App app;
    auto a = app.source("a", from(numbers(0, 5)));
    auto b = app.source("b", from(numbers(100, 105)));
    std::vector<int> out_a, out_b;
    app.on(a.merge(b))
        .handle([&](int n) {
          (n < 100 ? out_a : out_b).push_back(n);
          if (n == 100) b.pause();
        })
        .named("it");
    Simulated s(app, {}, seed);
    EXPECT_EQ(out_a, numbers(0, 5)) << "seed " << seed;
    EXPECT_EQ(out_b, numbers(100, 101)) << "seed " << seed;
    EXPECT_EQ(s.run.metrics().node("it")->held, 4u) << "seed " << seed;
    EXPECT_EQ(a.seek(0),
              absl::FailedPreconditionError("a partition 0 has ended: all of it was read and handled"))
        << "what is held of b doesn't keep it open; seed " << seed;
    b.resume();
    EXPECT_TRUE(s.run.run_to_end());
    EXPECT_EQ(out_b, numbers(100, 105));
  }
}

TEST(Pause, HoldsTheWatermark) {
  App app;
  auto source = app.source("numbers", from(numbers(0, 10))).event_time([](int n) {
    return EventTime(Duration(1s) * n);
  });
  std::vector<int> out;
  auto journal = std::make_shared<Journal>();
  auto sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "out"}, journal);
  app.on(source)
      .handle([&](int n) {
        if (n == 4) source.pause();
        return std::to_string(n);
      })
      .named("it")
      .to(encoded(sink, text()));
  Simulated s(app);
  EXPECT_EQ(s.run.metrics().node("it")->watermark, EventTime(5s));
  EXPECT_EQ(s.run.metrics().node("it")->held, 5u);
  source.resume();
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_EQ(sink->values().size(), 10u);
}

TEST(Pause, DoesNotKeepAStoppedRunFromEnding) {
  App app;
  auto journal = std::make_shared<Journal>();
  auto fake = std::make_shared<FakeSource>(
      FakeSource::Options{.name = "in", .commits = true, .finished = false}, journal);
  for (int i = 0; i < 10; ++i) fake->push(std::to_string(i));
  auto source = app.source(decoded(fake, text()));
  std::vector<std::string> out;
  app.on(source)
      .handle([&](const std::string& m) {
        out.push_back(m);
        if (m == "3") source.pause();
      })
      .named("it");
  RuntimeConfig config;
  config.commit_interval = 1h;
  Simulated s(app, config);
  s.run.stop();
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_TRUE(s.run.status().ok()) << s.run.status();
  EXPECT_EQ(out.size(), 4u);
  EXPECT_EQ(s.run.metrics().node("it")->held, 6u);
  for (const std::string& entry : journal->entries()) {
    EXPECT_EQ(entry.find("commit"), std::string::npos) << "what is held was not handled: " << entry;
  }
}

TEST(Stop, EndsASourceAsIfItHadNothingMore) {
  App app;
  auto endless = app.source("endless", generate([n = 0]() mutable { return std::optional(n++); }));
  std::vector<int> out;
  app.on(endless).handle([&](int n) {
    if (n == 100) endless.stop();
    out.push_back(n);
  });
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_GE(out.size(), 101u);
  EXPECT_EQ(out, numbers(0, static_cast<int>(out.size())));
}

// ---------------------------------------------------------------- Proxies

TEST(ProxyTest, DeliversBeforeTheNextMessage) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::vector<int> order;
  app.on(from(numbers(1, 4))).handle([&](int n) { return order.push_back(n), n * 10; }).to(proxy);
  app.on(proxy).handle(kSame).to(into(order));
  Simulated s(app);
  EXPECT_THAT(order, ElementsAre(1, 10, 2, 20, 3, 30));
  EXPECT_FALSE(s.run.run_to_end()) << "anybody may still publish";
  proxy.publish(7);
  s.run.run_until_idle();
  EXPECT_EQ(order.back(), 7);
  proxy.close();
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_TRUE(s.run.status().ok());
}

TEST(ProxyTest, TakesFromAnyThread) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::vector<int> out;
  app.on(proxy).handle(kSame).to(into(out));
  proxy.publish(0);
  auto run = app.start();
  ASSERT_TRUE(run.ok()) << run.status();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) proxy.publish(1);
    });
  }
  for (auto& t : threads) t.join();
  proxy.close();
  EXPECT_TRUE(end_of(**run).ok());
  EXPECT_EQ(out.size(), 4001u);
}

TEST(ProxyTest, DropsWhatNobodyListensTo) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::vector<int> out;
  app.on(from(numbers(0, 3))).handle(kSame).to(proxy, into(out));
  proxy.close();
  EXPECT_TRUE(run_to_end(app).status.ok());
  EXPECT_EQ(out, numbers(0, 3));
}

TEST(ProxyTest, SaysWhenHandlersFeedEachOtherForEver) {
  App app;
  const auto proxy = app.proxy<int>("circle");
  app.on(proxy).handle([](int n) { return n + 1; }).named("again").to(proxy);
  proxy.publish(0);
  const Ended end = run_to_end(app);
  EXPECT_EQ(end.status.message(),
            "again: a result of 'again': one message led to more than 1000000 others through Proxies: do "
            "handlers feed "
            "each other in a circle?");
}

TEST(ProxyTest, KeepsWhatIsPublishedWhileItIsPaused) {
  App app;
  const auto proxy = app.proxy<int>("proxy");
  std::vector<int> out;
  app.on(from(numbers(0, 4))).handle(kSame).to(proxy);
  app.on(proxy).handle(kSame).to(into(out));
  proxy.stream().pause();
  Simulated s(app);
  EXPECT_TRUE(out.empty());
  proxy.stream().resume();
  proxy.close();
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_EQ(out, numbers(0, 4));
}

// ---------------------------------------------------------------- pipes

Pipe<int, std::vector<int>> pairs_and_rest(Incoming<int> in) {
  std::vector<int> held;
  while (auto m = co_await in) {
    held.push_back(*m);
    if (held.size() < 2) continue;
    co_yield held;
    held.clear();
  }
  co_yield held;  // the source has ended
}

TEST(PipeTest, YieldsTheRestWhenTheSourceEnds) {
  App app;
  std::vector<std::vector<int>> out;
  app.on(from(numbers(0, 5))).pipe(pairs_and_rest).handle([&](const std::vector<int>& v) {
    out.push_back(v);
  });
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(out, ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4)));
}

TEST(PipeTest, YieldsTheRestAlsoAfterAPauseAtTheEnd) {
  App app;
  std::vector<std::vector<int>> out;
  auto source = app.source(from(numbers(0, 5)));
  app.on(source).handle([&](int n) {
    if (n == 1) source.pause();
  });
  app.on(source).pipe(pairs_and_rest).handle([&](const std::vector<int>& v) { out.push_back(v); });
  Simulated s(app);
  EXPECT_EQ(out.size(), 1u);
  source.resume();
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_THAT(out, ElementsAre(ElementsAre(0, 1), ElementsAre(2, 3), ElementsAre(4)));
}

TEST(PipeTest, ThatThrowsIsAnErrorOfItsHandler) {
  App app;
  std::vector<int> other;
  const auto source = from(numbers(0, 3));
  const auto broken = [](Incoming<int> in) -> Pipe<int, int> {
    while (auto m = co_await in) {
      if (*m == 1) throw std::runtime_error("no ones");
      co_yield *m;
    }
  };
  std::vector<int> out;
  app.on(source)
      .pipe(broken)
      .handle(kSame)
      .named("behind the pipe")
      .on_error(ErrorPolicy::skip())
      .to(into(out));
  app.on(source).handle(kSame).to(into(other));
  const Ended end = run_to_end(app);
  EXPECT_TRUE(end.status.ok()) << end.status;
  EXPECT_THAT(out, ElementsAre(0)) << "a pipe that has thrown is over";
  EXPECT_EQ(other, numbers(0, 3));
}

// ---------------------------------------------------------------- errors and the end

TEST(HandlerErrors, NameTheHandlerAndTheRecord) {
  App app;
  const auto source = from(numbers(0, 3));
  std::vector<int> other;
  app.on(source)
      .handle([](int n) { return 6 / (n == 1 ? throw std::domain_error("one") : 1); })
      .named("divide");
  app.on(source).handle(kSame).named("same").to(into(other));
  const Ended end = run_to_end(app);
  EXPECT_EQ(end.status.message(), "divide + same: in-memory records partition 0 offset 1: divide: one");
  EXPECT_EQ(other, numbers(0, 1)) << "nothing goes on behind a failure";
}

TEST(HandlerErrors, SkippedOrDivertedCountOnceAndLeaveTheOthersAlone) {
  App app;
  const auto source = from(numbers(0, 10));
  const auto odd = [](int n) { return n % 2 ? throw std::runtime_error("odd") : n; };
  std::vector<int> a, b, c;
  std::vector<std::string> letters;
  app.on(source).handle(odd).named("a").on_error(ErrorPolicy::skip()).to(into(a));
  app.on(source).handle(odd).named("b").on_error(ErrorPolicy::dead_letter()).to(into(b));
  app.on(source).handle(kSame).named("c").to(into(c));
  app.dead_letters().sink(
      [&](const DeadLetter& l) { letters.push_back(l.node + "|" + l.error + "|" + l.value); });
  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  EXPECT_THAT(a, ElementsAre(0, 2, 4, 6, 8));
  EXPECT_EQ(b, a);
  EXPECT_EQ(c, numbers(0, 10));
  EXPECT_EQ(letters.size(), 5u);
  EXPECT_EQ(letters[0], "a + b + c|b: odd|1");
  const NodeMetrics node = *end.metrics.node("a + b + c");
  EXPECT_EQ(node.in, 10u);
  EXPECT_EQ(node.forwarded, 5u);
  EXPECT_EQ(node.skipped + node.dead_lettered, 5u);
}

TEST(HandlerErrors, ARetryIsRefused) {
  App app;
  app.on(from(numbers(0, 1))).handle(kSame).named("it").on_error(ErrorPolicy::retry(1, 1s));
  EXPECT_EQ(app.run().message(),
            "it: a handler can't retry; what it did before it failed, it would do again");
}

TEST(HandlerErrors, AProxyOfAnotherAppIsRefused) {
  App app, other;
  const auto proxy = other.proxy<int>("theirs");
  app.on(from(numbers(0, 1))).handle(kSame).to(proxy);
  EXPECT_EQ(app.run().message(), "to() of a Proxy of another App");
  App listener;
  listener.on(proxy).handle(kSame);
  EXPECT_EQ(listener.run().message(), "on() of a stream of another App");
}

TEST(HandlerErrors, OneThatComesTooLateIsRefused) {
  App app;
  const auto source = from(numbers(0, 1));
  app.on(source).handle(kSame);
  EXPECT_NE(app.graph_dot(), "");
  app.on(source).handle(kSame).named("late");
  EXPECT_THAT(std::string(app.run().message()),
              testing::EndsWith("comes too late: the App's graph has been looked at or run"));
}

TEST(ExitHooks, RunInOrderWhenTheRunHasEnded) {
  App app;
  std::vector<std::string> order;
  app.on(from(numbers(0, 1))).handle([&](int) { order.push_back("handled"); });
  app.at_exit([&] { order.push_back("one"); });
  app.at_exit([&]() -> absl::Status {
    order.push_back("two");
    return absl::UnavailableError("gone");
  });
  app.at_exit([&] {
    order.push_back("three");
    throw std::runtime_error("not reported: something failed before");
  });
  EXPECT_EQ(app.run(), absl::UnavailableError("exit hook: gone"));
  EXPECT_THAT(order, ElementsAre("handled", "one", "two", "three"));
}

TEST(ExitHooks, DoNotHideTheFailureOfTheRun) {
  App app;
  bool called = false;
  app.on(from(numbers(0, 1))).handle([](int) { throw std::runtime_error("first"); }).named("it");
  app.at_exit([&]() -> absl::Status {
    called = true;
    return absl::UnavailableError("second");
  });
  EXPECT_EQ(app.run().message(), "it: in-memory records partition 0 offset 0: first");
  EXPECT_TRUE(called);
}

TEST(ExitHooks, RunAlsoWhenASourceCanNotBeOpened) {
  App app;
  auto journal = std::make_shared<Journal>();
  auto fake = std::make_shared<FakeSource>(
      FakeSource::Options{.open = absl::UnavailableError("nobody there")}, journal);
  app.on(decoded(fake, text())).handle([](const std::string&) {});
  std::vector<std::string> order;
  app.at_exit([&] { order.push_back("one"); });
  app.at_exit([&]() -> absl::Status {
    order.push_back("two");
    return absl::InternalError("not reported");
  });
  EXPECT_THAT(std::string(app.run().message()), testing::HasSubstr("nobody there"));
  EXPECT_THAT(order, ElementsAre("one", "two"));
}

// ---------------------------------------------------------------- coroutines as sources

AsyncGenerator<int> ticking(int n) {
  for (int i = 0; i < n; ++i) {
    co_await sleep(1h);
    co_yield i;
  }
}

TEST(AsyncGeneratorTest, SleepsByTheRuntimesClock) {
  App app;
  app.on(from(ticking(3))).handle([&](int) {});
  Simulated s(app);
  const auto start = s.run.now();
  s.run.advance_time(90min);
  EXPECT_EQ(s.run.metrics().partitions[0].records, 1u);
  EXPECT_TRUE(s.run.run_to_end());
  EXPECT_EQ(s.run.now() - start, 3h);
}

TEST(AsyncGeneratorTest, HearsWhatItsSourceWasToldLast) {
  App app;
  std::vector<Signal> told;
  const auto listening = [&]() -> AsyncGenerator<int> {
    for (int i = 0; i < 3; ++i) told.push_back(co_yield i);
  };
  auto source = app.source(from(listening()));
  app.on(source).handle([&](int n) {
    if (n != 1) return;
    source.pause();
    source.resume();
  });
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(told, ElementsAre(Signal::none, Signal::resume, Signal::resume));
}

TEST(AsyncGeneratorTest, IsNotResumedAgainWhenItsSourceIsStopped) {
  App app;
  int resumed = 0;
  const auto endless = [&]() -> AsyncGenerator<int> {
    for (;;) {
      ++resumed;
      co_yield resumed;
    }
  };
  auto source = app.source(from(endless()));
  std::vector<int> out;
  app.on(source).handle([&](int n) {
    out.push_back(n);
    if (n == 3) source.stop();
  });
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(out, ElementsAre(1, 2, 3));
  EXPECT_EQ(resumed, 3);
}

TEST(ProxyTest, KeepsItsOrderThroughPausesInMidRun) {
  App app;
  const auto proxy = app.proxy<std::string>("proxy");
  std::vector<std::string> out;
  app.on(from(numbers(0, 100)))
      .handle([&](int n) {
        if (n % 10 == 0) proxy.stream().pause();
        if (n % 10 == 5) proxy.stream().resume();
        return std::to_string(n);
      })
      .named("numbers")
      .to(proxy);
  app.on(proxy).handle([](const std::string& s) { return s; }).to([&](const std::string& s) {
    out.push_back(s);
  });
  proxy.close();
  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  ASSERT_EQ(out.size(), 100u);
  for (int n = 0; n < 100; ++n) EXPECT_EQ(out[static_cast<std::size_t>(n)], std::to_string(n));
}

}  // namespace
}  // namespace slipstream::test
