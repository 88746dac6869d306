#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "fakes.h"
#include "slipstream/json.h"
#include "slipstream/testing.h"
#include "waiting.h"

/// Sinks that are full for a while or deliver late, and what may be committed meanwhile.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::Each;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<std::string> numbers(int from, int to) {
  std::vector<std::string> all;
  for (int i = from; i < to; ++i) all.push_back(std::to_string(i));
  return all;
}

TEST(FullSink, GetsTheRestWhenItHasRoom) {
  for (const bool blocking : {false, true}) {
    auto journal = std::make_shared<Journal>();
    auto source = std::make_shared<FakeSource>(FakeSource::Options{}, journal);
    auto sink = std::make_shared<FakeSink>(FakeSink::Options{.room = 7}, journal);
    for (const std::string& n : numbers(0, 1'000)) source->push(n);
    App app;
    app.source(decoded(source, text())).sink(encoded(sink, text()), {.blocking = blocking});
    auto run = app.start();
    ASSERT_TRUE(run.ok()) << run.status();
    for (std::size_t taken = 7; taken < 1'000; taken += 31) {
      ASSERT_TRUE(eventually([&] { return sink->taken() == taken; }));
      sink->make_room(31);
    }
    EXPECT_TRUE(end_of(**run).ok());
    EXPECT_EQ(sink->values(), numbers(0, 1'000)) << "each once, in order";
  }
}

// Asking again costs an encoding of all that is pending, so it waits for the sink's call whatever else
// happens.
TEST(FullSink, IsLeftAloneUntilItCalls) {
  auto journal = std::make_shared<Journal>();
  auto source = std::make_shared<FakeSource>(FakeSource::Options{.finished = false}, journal);
  auto sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "out", .room = 7}, journal);
  App app;
  app.source(decoded(source, text())).sink(encoded(sink, text()));
  RuntimeConfig config;
  config.batch_max_records = 10;
  detail::SimulatedRun run(app.graph(), config, 1, {});
  ASSERT_TRUE(run.open().ok());
  for (int i = 0; i < 10; ++i) {
    for (const std::string& n : numbers(i * 10, i * 10 + 10)) source->push(n);
    run.advance_time(1s);
  }
  EXPECT_EQ(sink->values(), numbers(0, 7));
  EXPECT_EQ(journal->count("out is full"), 1u);
  sink->make_room(1);
  run.advance_time(1s);
  EXPECT_EQ(sink->values(), numbers(0, 8));
  EXPECT_EQ(journal->count("out is full"), 2u);
  sink->make_room(SIZE_MAX / 2);
  source->finish();
  run.run_until_idle();
  EXPECT_TRUE(run.status().ok()) << run.status();
  EXPECT_EQ(sink->values(), numbers(0, 100));
  EXPECT_EQ(journal->count("out is full"), 2u);
}

// ---------------------------------------------------------------- sinks that fail for a while

/// Ten numbers on their way to a sink that refuses what `refuse` says.
struct Refusing {
  std::shared_ptr<Journal> journal = std::make_shared<Journal>();
  std::shared_ptr<FakeSource> source =
      std::make_shared<FakeSource>(FakeSource::Options{.name = "in"}, journal);
  std::shared_ptr<FakeSink> sink;
  int offers = 0;
  App app;
  RuntimeConfig config;
  std::unique_ptr<detail::SimulatedRun> run;

  Refusing(ErrorPolicy errors, std::function<absl::Status(std::string_view first)> refuse) {
    FakeSink::Options options{.name = "out"};
    options.on_offer = [this, refuse](std::span<const OutRecord> records) {
      ++offers;
      return refuse(*records[0].value);
    };
    sink = std::make_shared<FakeSink>(options, journal);
    for (const std::string& n : numbers(0, 10)) source->push(n);
    app.source("in", decoded(source, text())).sink(encoded(sink, text()), {.errors = errors});
  }
  void open() {
    run = std::make_unique<detail::SimulatedRun>(app.graph(), config, 1, LogHook{});
    ASSERT_TRUE(run->open().ok());
    run->run_until_idle();
  }
  NodeMetrics out() const { return *run->metrics().node("out"); }
};

TEST(RefusingSink, IsOfferedTheSameRecordsAgainAfterTheBackoff) {
  int left = 3;
  Refusing r(ErrorPolicy::retry(3, 1s), [&](std::string_view first) {
    EXPECT_EQ(first, "0");
    return left-- > 0 ? absl::UnavailableError("busy") : absl::OkStatus();
  });
  r.open();
  EXPECT_EQ(r.offers, 1);
  r.run->advance_time(1s - 1us);
  EXPECT_EQ(r.offers, 1);
  r.run->advance_time(1us);
  EXPECT_EQ(r.offers, 2);
  r.run->advance_time(2s - 1us);
  EXPECT_EQ(r.offers, 2);
  r.run->advance_time(1us);
  EXPECT_EQ(r.offers, 3);
  r.run->advance_time(4s - 1us);
  EXPECT_EQ(r.offers, 3);
  EXPECT_EQ(r.sink->taken(), 0u);
  r.run->advance_time(1us);
  EXPECT_EQ(r.offers, 4);
  EXPECT_TRUE(r.run->status().ok()) << r.run->status();
  EXPECT_EQ(r.sink->values(), numbers(0, 10)) << "each once, in order";
  EXPECT_EQ(r.out().forwarded, 10u);
  EXPECT_EQ(r.run->metrics().in_flight_bytes, 0u);
}

TEST(RefusingSink, HoldsUpWhatIsInFrontOfIt) {
  bool busy = true;
  Refusing r(ErrorPolicy::retry(100, 1min), [&](std::string_view) {
    return busy ? absl::ResourceExhaustedError("busy") : absl::OkStatus();
  });
  r.config.memory_budget = 1;
  r.open();
  r.run->advance_time(10min);
  EXPECT_LE(r.source->read_so_far(), 2);
  const int offers = r.offers;
  r.sink->make_room(0);  // a call isn't the end of the backoff
  r.run->run_until_idle();
  EXPECT_EQ(r.offers, offers);
  busy = false;
  r.run->advance_time(1min);
  EXPECT_TRUE(r.run->status().ok()) << r.run->status();
  EXPECT_EQ(r.sink->values(), numbers(0, 10));
}

TEST(RefusingSink, LosesOnlyTheRecordThatIsGivenUp) {
  Refusing r(ErrorPolicy::retry(2, 1s, ErrorPolicy::Action::skip), [&](std::string_view first) {
    return first == "5" ? absl::DeadlineExceededError("no answer") : absl::OkStatus();
  });
  r.config.batch_max_records = 1;
  r.open();
  EXPECT_EQ(r.sink->values(), numbers(0, 5));
  r.run->advance_time(1s + 2s);
  EXPECT_TRUE(r.run->status().ok()) << r.run->status();
  EXPECT_EQ(r.sink->values(), (std::vector<std::string>{"0", "1", "2", "3", "4", "6", "7", "8", "9"}));
  EXPECT_EQ(r.offers, 9 + 3);
  EXPECT_EQ(r.out().skipped, 1u);
  EXPECT_EQ(r.out().in, r.out().forwarded + r.out().skipped);
}

// Nobody knows which record of a batch it was, so it's the first, and the next gets as many tries.
TEST(RefusingSink, GivesUpRecordByRecord) {
  Refusing r(ErrorPolicy::retry(1, 1s, ErrorPolicy::Action::skip), [](std::string_view first) {
    return first < "3" ? absl::UnavailableError("gone") : absl::OkStatus();
  });
  r.open();
  EXPECT_EQ(r.offers, 1);
  for (int i = 1; i <= 3; ++i) {
    r.run->advance_time(1s);
    EXPECT_EQ(r.offers, 1 + 2 * i);
  }
  EXPECT_EQ(r.sink->values(), numbers(3, 10));
  EXPECT_EQ(r.out().skipped, 3u);
  EXPECT_TRUE(r.run->status().ok()) << r.run->status();
}

TEST(RefusingSink, SendsToTheDeadLettersWhatItGivesUp) {
  Refusing r(ErrorPolicy::dead_letter(), [](std::string_view first) {
    return first == "5" ? absl::InvalidArgumentError("five is too much") : absl::OkStatus();
  });
  r.config.batch_max_records = 1;
  std::vector<std::string> letters;
  r.app.dead_letters().sink([&](const DeadLetter& l) {
    letters.push_back(l.node + ": " + std::to_string(l.id.offset) + ": " + l.error);
  });
  r.open();
  EXPECT_TRUE(r.run->status().ok()) << r.run->status();
  EXPECT_THAT(letters, testing::ElementsAre("out: 5: five is too much"));
  EXPECT_EQ(r.out().dead_lettered, 1u);
  EXPECT_EQ(r.out().forwarded, 9u);
}

TEST(RefusingSink, EndsTheRunUnlessToldOtherwise) {
  Refusing r({}, [](std::string_view) { return absl::UnavailableError("gone"); });
  r.open();
  EXPECT_EQ(r.offers, 1);
  EXPECT_EQ(r.run->status().message(), "out: in partition 0 offset 0: gone");
  EXPECT_EQ(r.run->metrics().in_flight_bytes, 0u);
}

TEST(RefusingSink, EndsTheRunWhenItsRetriesAreUsedUp) {
  Refusing r(ErrorPolicy::retry(2, 1s), [](std::string_view) { return absl::UnavailableError("gone"); });
  r.open();
  r.run->advance_time(1s);
  EXPECT_TRUE(r.run->status().ok());
  r.run->advance_time(2s);
  EXPECT_EQ(r.offers, 3);
  EXPECT_EQ(r.run->status().message(), "out: in partition 0 offset 0: gone");
  EXPECT_EQ(r.run->metrics().in_flight_bytes, 0u);
}

TEST(RefusingSink, IsNotAskedAgainAboutWhatDoesNotPass) {
  using Code = absl::StatusCode;
  for (const Code code :
       {Code::kInvalidArgument, Code::kPermissionDenied, Code::kInternal, Code::kNotFound}) {
    Refusing r(ErrorPolicy::retry(5, 1s), [&](std::string_view) { return absl::Status(code, "no"); });
    r.open();
    EXPECT_EQ(r.offers, 1) << absl::StatusCodeToString(code);
    EXPECT_FALSE(r.run->status().ok());
  }
  for (const Code code :
       {Code::kUnavailable, Code::kDeadlineExceeded, Code::kResourceExhausted, Code::kAborted}) {
    Refusing r(ErrorPolicy::retry(5, 1s), [&](std::string_view) { return absl::Status(code, "no"); });
    r.open();
    r.run->advance_time(1h);
    EXPECT_EQ(r.offers, 6) << absl::StatusCodeToString(code);
  }
}

TEST(RefusingSink, IsWaitedForByAStopAsLongAsByOthers) {
  for (const bool recovers : {true, false}) {
    bool busy = true;
    Refusing r(ErrorPolicy::retry(100, 1s),
               [&](std::string_view) { return busy ? absl::UnavailableError("busy") : absl::OkStatus(); });
    r.open();
    r.run->stop();
    r.run->advance_time(5s);
    EXPECT_TRUE(r.run->status().ok());
    busy = !recovers;
    r.run->advance_time(5s);
    EXPECT_EQ(r.run->status().code(), recovers ? absl::StatusCode::kOk : absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ(r.sink->taken(), recovers ? 10u : 0u);
    EXPECT_EQ(r.run->metrics().in_flight_bytes, 0u);
  }
}

TEST(FunctionSink, HasAPolicyOfItsOwn) {
  App app;
  std::vector<int> seen;
  int tries = 0;
  app.source(from(std::vector<int>{1, 2, 3}))
      .sink(
          [&](int n) {
            if (n == 2 && ++tries <= 3) throw std::runtime_error("no");
            seen.push_back(n);
          },
          {.name = "out", .errors = ErrorPolicy::retry(2, 0s, ErrorPolicy::Action::skip)});
  const Ended end = run_to_end(app);
  EXPECT_TRUE(end.status.ok()) << end.status;
  EXPECT_EQ(seen, (std::vector<int>{1, 3}));
  EXPECT_EQ(end.metrics.node("out")->skipped, 1u);
}

TEST(LateDelivery, IsWaitedFor) {
  auto journal = std::make_shared<Journal>();
  auto source = std::make_shared<FakeSource>(FakeSource::Options{}, journal);
  auto sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "out", .delivers = false}, journal);
  for (const std::string& n : numbers(0, 100)) source->push(n);
  App app;
  app.source(decoded(source, text())).sink(encoded(sink, text()));
  auto run = app.start();
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_TRUE(journal->wait_for("out flush"));
  EXPECT_EQ(sink->taken(), 100u);
  EXPECT_FALSE((*run)->is_done());
  sink->deliver(99);
  EXPECT_FALSE((*run)->is_done());
  sink->deliver(1);
  EXPECT_TRUE(end_of(**run).ok());
  EXPECT_EQ(journal->count("out flush"), 1u);
  EXPECT_EQ(journal->count("out finish"), 1u);
}

// ---------------------------------------------------------------- commits

/// A committing source and a late sink under the seeded executor.
struct Committing {
  std::shared_ptr<Journal> journal = std::make_shared<Journal>();
  std::shared_ptr<FakeSource> source;
  std::shared_ptr<FakeSink> sink;
  std::map<int, std::int64_t> committed;
  App app;
  RuntimeConfig config;
  std::unique_ptr<detail::SimulatedRun> run;
  std::function<void()> on_commit = [] {};

  explicit Committing(int partitions = 1) {
    FakeSource::Options options{.name = "in", .partitions = partitions, .commits = true, .finished = false};
    options.on_commit = [this](std::span<const PartitionOffset> offsets) {
      for (const PartitionOffset& o : offsets) committed[o.partition] = o.next_offset;
      on_commit();
      return absl::OkStatus();
    };
    source = std::make_shared<FakeSource>(options, journal);
    sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "out", .delivers = false}, journal);
    config.commit_interval = 1s;
    config.parallelism = 2;
    config.batch_max_records = 8;
  }
  Stream<std::string> rows() { return app.source("in", decoded(source, text())); }
  void open(std::uint64_t seed = 1) {
    run = std::make_unique<detail::SimulatedRun>(app.graph(), config, seed, LogHook{});
    ASSERT_TRUE(run->open().ok());
  }
};

TEST(Commit, WaitsForDelivery) {
  Committing c;
  c.rows().sink(encoded(c.sink, text()));
  c.open();
  for (const std::string& n : numbers(0, 100)) c.source->push(n);
  c.run->advance_time(2s);
  EXPECT_EQ(c.sink->taken(), 100u);
  EXPECT_THAT(c.committed, IsEmpty());
  c.sink->deliver(99);
  c.run->advance_time(2s);
  EXPECT_THAT(c.committed, IsEmpty());
  c.sink->deliver(1);
  c.run->advance_time(2s);
  EXPECT_EQ(c.committed[0], 100);
}

TEST(Commit, LetsSourcesGoOnAfterwards) {
  Committing c;
  c.rows().sink(encoded(c.sink, text()));
  c.open();
  for (int round = 1; round <= 5; ++round) {
    for (const std::string& n : numbers(0, 100)) c.source->push(n);
    c.run->advance_time(2s);
    c.sink->deliver();
    c.run->advance_time(2s);
    c.sink->deliver();
    c.run->advance_time(2s);
    EXPECT_EQ(c.committed[0], round * 100);
  }
}

TEST(Commit, HappensAtTheEndOfARun) {
  Committing c;
  c.rows().sink(encoded(c.sink, text()));
  c.open();
  for (const std::string& n : numbers(0, 10)) c.source->push(n);
  c.source->finish();
  c.run->run_until_idle();
  EXPECT_THAT(c.committed, IsEmpty());
  c.sink->deliver();
  c.run->run_until_idle();
  EXPECT_TRUE(c.run->status().ok());
  EXPECT_EQ(c.committed[0], 10);
  const auto entries = c.journal->entries();
  const auto at = [&](const char* e) {
    return std::find(entries.begin(), entries.end(), e) - entries.begin();
  };
  EXPECT_LT(at("out finish"), at("in commit 0:10"))
      << "a file has its name before what is in it counts as done";
  EXPECT_LT(at("in commit 0:10"), at("in close"));
}

TEST(Commit, DoesNotHappenAfterAFailure) {
  Committing c;
  c.rows()
      .map([](const std::string& s) {
        if (s == "50") throw std::runtime_error("boom");
        return s;
      })
      .sink(encoded(c.sink, text()));
  c.open();
  for (const std::string& n : numbers(0, 100)) c.source->push(n);
  c.run->advance_time(5s);
  c.sink->deliver();
  EXPECT_FALSE(c.run->status().ok());
  EXPECT_THAT(c.committed, IsEmpty());
}

// A record that waits for a retry is in no batch and no sink, and not done.
TEST(Commit, WaitsForRetries) {
  Committing c;
  std::map<std::string, int> attempts;
  c.config.parallelism = 1;
  auto tried = c.rows().map([&](const std::string& s) {
    if (s == "50" && ++attempts[s] <= 5) throw std::runtime_error("not yet");
    return s;
  });
  tried.on_error(ErrorPolicy::retry(10, 3s));
  tried.sink(encoded(c.sink, text()));
  c.open();
  for (const std::string& n : numbers(0, 100)) c.source->push(n);
  for (int i = 0; i < 20; ++i) {
    c.run->advance_time(1s);
    c.sink->deliver();
    EXPECT_LE(c.committed[0], static_cast<std::int64_t>(c.sink->delivered_so_far()));
  }
  EXPECT_EQ(attempts["50"], 3);
  c.run->advance_time(5min);
  c.sink->deliver();
  c.run->advance_time(5s);
  EXPECT_EQ(c.committed[0], 100);
}

// Crash anywhere: nothing below a committed offset is missing from what was delivered.
TEST(Commit, IsNeverAheadOfWhatWasDelivered) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Committing c(2);
    c.config.commit_interval = std::chrono::milliseconds(random() % 50);
    c.config.memory_budget = 1 + random() % 2'000;
    auto [a, b] = c.rows().split([](const std::string& s) { return s.size() % 2 == 0; });
    a.merge(b).map([](const std::string& s) { return s; }).sink(encoded(c.sink, text()));
    std::int64_t commits = 0;
    std::int64_t missing = 0;
    c.on_commit = [&] {
      ++commits;
      std::map<int, std::int64_t> delivered;
      const auto values = c.sink->values();
      for (std::size_t i = 0; i < c.sink->delivered_so_far(); ++i) ++delivered[values[i][0] - '0'];
      for (const auto& [partition, offset] : c.committed)
        missing += std::max<std::int64_t>(0, offset - delivered[partition]);
    };
    c.open(seed);
    std::int64_t pushed = 0;
    for (int i = 0; i < 50; ++i) {
      for (std::uint64_t n = random() % 20; n > 0; --n, ++pushed) {
        const int partition = static_cast<int>(random() % 2);
        c.source->push(std::to_string(partition) + std::string(random() % 10, 'x'), partition);
      }
      c.run->advance_time(std::chrono::milliseconds(random() % 20));
      c.sink->deliver(random() % 20);
    }
    c.source->finish();
    while (c.sink->delivered_so_far() < static_cast<std::size_t>(pushed)) {
      c.run->advance_time(10ms);
      c.sink->deliver();
    }
    c.run->advance_time(1s);
    ASSERT_TRUE(c.run->status().ok()) << c.run->status();
    EXPECT_EQ(missing, 0);
    EXPECT_GT(commits, 0);
    EXPECT_EQ(c.committed[0] + c.committed[1], pushed);
  }
}

TEST(Commit, OfAGraphWithStateFollowsReading) {
  Committing c;
  std::vector<std::string> log;
  c.rows()
      .key_by(&std::string::size)
      .count("count")
      .map([](const auto& k) { return std::to_string(k.value); })
      .sink(encoded(c.sink, text()));
  c.run = std::make_unique<detail::SimulatedRun>(
      c.app.graph(), c.config, 1,
      [&](LogLevel, std::string_view, std::string_view message) { log.emplace_back(message); });
  ASSERT_TRUE(c.run->open().ok());
  for (const std::string& n : numbers(0, 100)) c.source->push(n);
  c.run->advance_time(2s);
  EXPECT_EQ(c.sink->delivered_so_far(), 0u);
  EXPECT_EQ(c.committed[0], 100) << "its state is lost with the process, delivered or not";
  EXPECT_THAT(log,
              testing::ElementsAre(
                  "keyed state lives in memory only: after a crash the run goes on at the committed offsets "
                  "without it (guarantee: none)"));
  for (const std::string& n : numbers(0, 10)) c.source->push(n);
  c.run->stop();
  c.run->run_until_idle();
  c.sink->deliver();
  c.run->run_until_idle();
  EXPECT_TRUE(c.run->status().ok());
  EXPECT_EQ(c.committed[0], c.source->read_so_far())
      << "what was read before the end is committed at the end";
}

// Or a bad record at the end would be read, and diverted, again at each start.
TEST(Commit, IncludesBadRecordsAtTheEnd) {
  auto journal = std::make_shared<Journal>();
  auto source = std::make_shared<FakeSource>(FakeSource::Options{.name = "in", .commits = true}, journal);
  for (const char* value : {"1", "2", "x", "y"}) source->push(value);
  App app;
  std::vector<int> out;
  app.source(decoded(source, json<int>())).on_error(ErrorPolicy::skip()).sink([&](int n) {
    out.push_back(n);
  });
  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  EXPECT_THAT(out, testing::ElementsAre(1, 2));
  EXPECT_EQ(end.metrics.partitions[0].next_offset, 4);
  EXPECT_EQ(journal->count("in commit 0:4"), 1u);
}

// What blocks may take long for each record: a run that has failed must not wait for a whole batch.
TEST(BlockingSink, IsNotCalledAgainWhenTheRunHasFailed) {
  App app;
  int calls = 0;
  app.source(from(std::vector<int>(100)))
      .sink([&](int) { ++calls == 3 ? throw std::runtime_error("enough") : void(); },
            {.name = "slow", .blocking = true});
  const Ended end = run_to_end(app);
  EXPECT_EQ(end.status.message(), "slow: in-memory records partition 0 offset 2: enough");
  EXPECT_EQ(calls, 3);
  const NodeMetrics slow = *end.metrics.node("slow");
  EXPECT_EQ(slow.in, slow.forwarded + slow.skipped);
}

TEST(Commit, WorksOnThreadsWhileRecordsFlow) {
  auto journal = std::make_shared<Journal>();
  std::shared_ptr<FakeSink> sink;
  std::atomic<std::int64_t> commits{0}, ahead{0};
  FakeSource::Options options{.name = "in", .commits = true, .finished = false};
  options.on_commit = [&](std::span<const PartitionOffset> offsets) {
    ++commits;
    ahead += std::max<std::int64_t>(
        0, offsets[0].next_offset - static_cast<std::int64_t>(sink->delivered_so_far()));
    return absl::OkStatus();
  };
  auto source = std::make_shared<FakeSource>(options, journal);
  sink = std::make_shared<FakeSink>(FakeSink::Options{}, journal);
  App app;
  app.tune([](RuntimeConfig& c) {
    c.commit_interval = Duration(0);
    c.batch_max_records = 4;
    c.parallelism = c.threads = 2;
  });
  app.source(decoded(source, text())).sink(encoded(sink, text()));
  auto run = app.start();
  ASSERT_TRUE(run.ok()) << run.status();
  std::int64_t pushed = 0;
  for (std::int64_t goal = 10; goal <= 200; goal += 10) {
    while (commits < goal) {
      if (pushed - static_cast<std::int64_t>(sink->taken()) < 256) {
        source->push(std::to_string(pushed++));
      } else {
        std::this_thread::yield();
      }
    }
  }
  source->finish();
  EXPECT_TRUE(end_of(**run).ok());
  EXPECT_EQ(ahead, 0);
  EXPECT_EQ(static_cast<std::int64_t>(sink->taken()), pushed);
}

}  // namespace
}  // namespace slipstream::test
