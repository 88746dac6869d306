#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "fakes.h"
#include "slipstream/async_source.h"
#include "slipstream/generator.h"
#include "waiting.h"

/// Whatever fails ends the run, says where and why, hangs nothing and leaves everything closed once.
namespace slipstream::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Strings = SourceStream<std::string>;
constexpr const char* kBad = "137";

/// Fails on the one bad record.
const std::string& check(const std::string& s) {
  if (s == kBad) throw std::runtime_error("boom");
  return s;
}
EventTime time_of(const std::string& s) { return EventTime(std::chrono::seconds(std::stoi(s))); }
struct Tally {
  std::int64_t n = 0;
  void add(const std::string& s) {
    check(s);
    ++n;
  }
};
SLIPSTREAM_FIELDS(Tally, n)

struct Position {
  const char* name;
  std::function<void(App&, const Strings&)> build;
  std::string expected;
};
void PrintTo(const Position& position, std::ostream* out) { *out << position.name; }

const std::string kWhere = "rows partition 0 offset 137: boom";
const auto kNothing = [](const auto&) {};

const Position kPositions[] = {
    {"EventTime",
     [](App&, const Strings& s) {
       s.event_time([](const std::string& r) { return time_of(check(r)); }).sink(kNothing);
     },
     "rows: rows partition 0 offset 137: event_time: boom"},
    {"Map", [](App&, const Strings& s) { s.map(check).named("node").sink(kNothing); }, "node: " + kWhere},
    {"Filter",
     [](App&, const Strings& s) {
       s.filter([](const std::string& r) { return !check(r).empty(); }).named("node").sink(kNothing);
     },
     "node: " + kWhere},
    {"FlatMap",
     [](App&, const Strings& s) {
       s.flat_map([](const std::string& r) {
          return std::vector<std::string>{check(r), r};
        })
           .named("node")
           .sink(kNothing);
     },
     "node: " + kWhere},
    {"Generator",
     [](App&, const Strings& s) {
       s.flat_map([](const std::string& r) -> Generator<std::string> {
          co_yield r;
          co_yield check(r);
        })
           .named("node")
           .sink(kNothing);
     },
     "node: " + kWhere},
    {"Split",
     [](App&, const Strings& s) {
       auto [a, b] = s.split([](const std::string& r) { return check(r).size() > 1; });
       a.named("node").sink(kNothing);
       b.sink(kNothing);
     },
     "node: " + kWhere},
    {"KeyBy", [](App&, const Strings& s) { s.key_by(check).count("node").sink(kNothing); },
     "node: " + kWhere},
    {"RunningAggregate",
     [](App&, const Strings& s) { s.key_by(&std::string::size).aggregate<Tally>("node").sink(kNothing); },
     "node: " + kWhere},
    {"Reduce",
     [](App&, const Strings& s) {
       s.key_by(&std::string::size)
           .reduce("node", [](const std::string&, const std::string& b) { return check(b); })
           .sink(kNothing);
     },
     "node: " + kWhere},
    {"WindowKey",
     [](App&, const Strings& s) {
       s.event_time(time_of)
           .key_by(check)
           .window(tumbling(std::chrono::seconds(10)))
           .count("node")
           .sink(kNothing);
     },
     "node: " + kWhere},
    {"WindowAggregate",
     [](App&, const Strings& s) {
       s.event_time(time_of)
           .key_by(&std::string::size)
           .window(tumbling(std::chrono::seconds(10)))
           .aggregate<Tally>("node")
           .sink(kNothing);
     },
     "node: " + kWhere},
    {"Process",
     [](App&, const Strings& s) {
       s.key_by(&std::string::size)
           .process<int, int>("node",
                              [](const std::string& r, int&, ProcessContext<std::size_t, int>&) { check(r); })
           .sink(kNothing);
     },
     "node: " + kWhere},
    {"Join",
     [](App&, const Strings& s) {
       auto t = s.event_time(time_of);
       t.key_by(&std::string::size)
           .as_of_join("node", t.key_by(&std::string::size), {},
                       [](const std::string& l, const std::string*) { return check(l); })
           .sink(kNothing);
     },
     "node: " + kWhere},
    {"JoinsRightKey",
     [](App&, const Strings& s) {
       auto t = s.event_time(time_of);
       t.key_by([](const std::string& r) { return r; })
           .as_of_join("node", t.key_by(check), {},
                       [](const std::string& l, const std::string*) { return l; })
           .sink(kNothing);
     },
     "node: " + kWhere},
    {"CallableSink",
     [](App&, const Strings& s) { s.sink([](const std::string& r) { check(r); }, {.name = "node"}); },
     "node: " + kWhere},
    {"BlockingSink",
     [](App&, const Strings& s) {
       s.sink([](const std::string& r) { check(r); }, {.name = "node", .blocking = true});
     },
     "node: " + kWhere},
    {"Encoder",
     [](App&, const Strings& s) {
       Codec<std::string> codec = text();
       codec.make_encoder = [] {
         return [](const std::string& r, std::string& out) {
           out += check(r);
           return absl::OkStatus();
         };
       };
       s.sink(encoded(std::make_shared<FakeSink>(FakeSink::Options{}, std::make_shared<Journal>()), codec),
              {.name = "node"});
     },
     "node: " + kWhere},
    {"SinkKey",
     [](App&, const Strings& s) {
       s.sink(
           encoded<std::string>(std::make_shared<FakeSink>(FakeSink::Options{}, std::make_shared<Journal>()),
                                text(), [](const std::string& r, std::string& key) { key = check(r); }),
           {.name = "node"});
     },
     "node: " + kWhere},
    {"DeadLetterSink",
     [](App& app, const Strings& s) {
       s.map(check).on_error(ErrorPolicy::dead_letter()).sink(kNothing);
       app.dead_letters().sink([](const DeadLetter& l) { throw std::runtime_error(l.error + " again"); },
                               {.name = "node"});
     },
     "node: " + kWhere + " again"},
    {"NotAStdException",
     [](App&, const Strings& s) {
       s.map([](const std::string& r) -> std::string {
          if (r == kBad) throw 42;
          return r;
        })
           .named("node")
           .sink(kNothing);
     },
     "node: rows partition 0 offset 137: an exception that isn't a std::exception"},
    {"AfterRetries",
     [](App&, const Strings& s) {
       s.map(check).named("node").on_error(ErrorPolicy::retry(3, Duration(1))).sink(kNothing);
     },
     "node: " + kWhere},
};

class Failure : public testing::TestWithParam<std::tuple<Position, int>> {};

TEST_P(Failure, NamesNodeRecordAndCause) {
  const auto& [position, parallelism] = GetParam();
  auto journal = std::make_shared<Journal>();
  auto source = std::make_shared<FakeSource>(FakeSource::Options{.name = "rows", .finished = false}, journal);
  for (int i = 0; i < 1'000; ++i) source->push(std::to_string(i));
  // A second source and sink that have nothing to do with it are closed too.
  auto other = std::make_shared<FakeSource>(FakeSource::Options{.name = "other", .finished = false}, journal);
  auto sink = std::make_shared<FakeSink>(FakeSink::Options{.name = "sink", .room = 5}, journal);
  for (int i = 0; i < 10; ++i) other->push("x");
  App app;
  app.tune([p = parallelism](RuntimeConfig& c) { c.parallelism = c.threads = p; });
  position.build(app, app.source("rows", decoded(source, text())));
  app.source("other", decoded(other, text())).sink(encoded(sink, text()));
  const Ended end = run_to_end(app);
  EXPECT_EQ(end.status.code(), absl::StatusCode::kAborted);
  // The fake source is called what its node is called, so that name isn't said twice.
  std::string expected = position.expected;
  if (expected.starts_with("rows: ")) expected = expected.substr(6);
  EXPECT_EQ(end.status.message(), expected);
  EXPECT_EQ(end.metrics.in_flight_bytes, 0u);
  EXPECT_THAT(journal->ends(),
              ElementsAre("rows open", "other open", "sink open", "sink close", "rows close", "other close"));
}

INSTANTIATE_TEST_SUITE_P(Positions, Failure,
                         testing::Combine(testing::ValuesIn(kPositions), testing::Values(1, 2)),
                         [](const auto& info) {
                           return std::string(std::get<0>(info.param).name) + "Parallelism" +
                                  std::to_string(std::get<1>(info.param));
                         });

TEST(Failure, InATimerNamesTheTimer) {
  App app;
  app.source("rows", from(std::vector<std::string>{"1", "2"}))
      .event_time(time_of)
      .key_by(&std::string::size)
      .process<int, int>(
          "node",
          [](const std::string& r, int&, ProcessContext<std::size_t, int>& c) { c.set_timer(time_of(r)); },
          [](EventTime, int&, ProcessContext<std::size_t, int>&) { throw std::runtime_error("boom"); })
      .sink(kNothing);
  const Ended end = run_to_end(app);
  EXPECT_EQ(end.status.message(), "node: a result of 'node': on_timer: boom");
}

TEST(Failure, OfARecordThatIsSkippedEndsNothing) {
  for (const int parallelism : {1, 2}) {
    App app;
    app.tune([=](RuntimeConfig& c) { c.parallelism = c.threads = parallelism; });
    std::vector<std::string> rows;
    for (int i = 0; i < 1'000; ++i) rows.push_back(std::to_string(i));
    std::int64_t results = 0;
    auto keyed = app.source(from(rows))
                     .key_by(check)
                     .process<int, int>("node", [](const std::string&, int&,
                                                   ProcessContext<std::string, int>& c) { c.emit(1); });
    keyed.on_error(ErrorPolicy::skip());
    keyed.sink([&](int) { ++results; });
    const Ended end = run_to_end(app);
    EXPECT_TRUE(end.status.ok()) << end.status;
    EXPECT_EQ(results, 999);
    EXPECT_EQ(end.metrics.node("node")->skipped, 1u);
  }
}

// A key that throws must not make the record before it undone.
TEST(Failure, OfAKeyChangesNoState) {
  App app;
  app.tune([](RuntimeConfig& c) { c.parallelism = 1; });
  auto counts = app.source(from(std::vector<std::string>{"1", "2", kBad, "3"}))
                    .key_by([](const std::string& s) { return check(s).size(); })
                    .count("node");
  counts.on_error(ErrorPolicy::skip());
  std::vector<std::int64_t> seen;
  counts.sink([&](const Keyed<std::size_t, std::int64_t>& k) { seen.push_back(k.value); });
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

// ---------------------------------------------------------------- connectors

class Connectors : public testing::Test {
 protected:
  std::shared_ptr<Journal> journal = std::make_shared<Journal>();
  FakeSource::Options in{.name = "in"};
  FakeSink::Options out{.name = "out"};
  std::shared_ptr<FakeSource> source;
  std::shared_ptr<FakeSink> sink;

  Ended run(int records = 100) {
    App app;
    source = std::make_shared<FakeSource>(in, journal);
    sink = std::make_shared<FakeSink>(out, journal);
    for (int i = 0; i < records; ++i) source->push(std::to_string(i));
    app.source("source", decoded(source, text())).sink(encoded(sink, text()), {.name = "sink"});
    return run_to_end(app);
  }
};

TEST_F(Connectors, AreOpenedAndClosedInOrder) {
  EXPECT_TRUE(run().status.ok());
  EXPECT_THAT(journal->ends(), ElementsAre("in open", "out open", "out finish", "out close", "in close"));
}

TEST_F(Connectors, ASourceThatCannotOpen) {
  in.open = absl::NotFoundError("no such topic");
  const Ended end = run();
  EXPECT_EQ(end.status, absl::NotFoundError("source: no such topic"));
  EXPECT_THAT(journal->ends(), ElementsAre("in open"));
}

TEST_F(Connectors, ASinkThatCannotOpen) {
  out.open = absl::PermissionDeniedError("read-only");
  const Ended end = run();
  EXPECT_EQ(end.status, absl::PermissionDeniedError("sink: read-only"));
  EXPECT_THAT(journal->ends(), ElementsAre("in open", "out open", "in close"));
}

TEST_F(Connectors, ASourceThatCannotRead) {
  in.on_read = [](int) { return absl::UnavailableError("gone"); };
  const Ended end = run();
  EXPECT_EQ(end.status, absl::UnavailableError("source: gone"));
  EXPECT_THAT(journal->ends(), ElementsAre("in open", "out open", "out close", "in close"));
}

TEST_F(Connectors, ASourceThatThrows) {
  in.on_read = [](int) -> absl::Status { throw std::runtime_error("oops"); };
  EXPECT_EQ(run().status, absl::InternalError("source: read: oops"));
}

TEST_F(Connectors, ASourceThatFailsFromAThreadOfItsOwn) {
  std::thread thread;
  in.finished = false;
  in.on_open = [&](const SourceEnv& env) {
    thread = std::thread([this, env] {
      while (source->read_so_far() < 100) std::this_thread::yield();
      env.fail(absl::UnauthenticatedError("the password has expired"));
    });
  };
  const Ended end = run();
  thread.join();
  EXPECT_EQ(end.status, absl::UnauthenticatedError("source: the password has expired"));
  EXPECT_THAT(journal->ends(), ElementsAre("in open", "out open", "out close", "in close"));
}

TEST_F(Connectors, ASourceThatFailsBeforeTheRunBegins) {
  in.on_open = [](const SourceEnv& env) { env.fail(absl::UnavailableError("no broker")); };
  EXPECT_EQ(run().status, absl::UnavailableError("source: no broker"));
}

TEST_F(Connectors, ASinkThatCannotWrite) {
  out.write = absl::DataLossError("disk full");
  const Ended end = run();
  EXPECT_EQ(end.status.message(), "sink: in partition 0 offset 0: disk full");
  EXPECT_EQ(end.metrics.in_flight_bytes, 0u);
  EXPECT_THAT(journal->ends(), ElementsAre("in open", "out open", "out close", "in close"));
}

TEST_F(Connectors, ASinkThatCannotFlush) {
  out.flush = absl::UnavailableError("no leader");
  EXPECT_EQ(run().status, absl::UnavailableError("sink: no leader"));
  EXPECT_EQ(journal->count("out finish"), 0u);
}

TEST_F(Connectors, ASinkThatCannotDeliver) {
  out.delivery = absl::UnavailableError("message too large");
  EXPECT_EQ(run().status, absl::UnavailableError("sink: message too large"));
  EXPECT_EQ(journal->count("out finish"), 0u);
}

TEST_F(Connectors, ASinkThatCannotFinish) {
  out.finish = absl::PermissionDeniedError("cannot rename");
  EXPECT_EQ(run().status, absl::PermissionDeniedError("sink: cannot rename"));
  EXPECT_THAT(journal->ends(), ElementsAre("in open", "out open", "out finish", "out close", "in close"));
}

TEST_F(Connectors, ThatCannotBeClosed) {
  out.close = absl::DataLossError("the last bytes are lost");
  in.close = absl::InternalError("said too late");
  EXPECT_EQ(run().status, absl::DataLossError("sink: the last bytes are lost"));
  EXPECT_THAT(journal->ends(), ElementsAre("in open", "out open", "out finish", "out close", "in close"));
}

TEST_F(Connectors, ASourceThatCannotCommit) {
  in.commits = true;
  in.on_commit = [](auto) { return absl::UnavailableError("the coordinator is gone"); };
  EXPECT_EQ(run().status, absl::UnavailableError("source: the coordinator is gone"));
}

// What a program reads from its own code names the record, too.
TEST(Failure, InARangeNamesTheElement) {
  App app;
  app.source("rows", from(std::views::iota(135) |
                          std::views::transform([](int n) { return check(std::to_string(n)); })))
      .sink(kNothing);
  EXPECT_EQ(run_to_end(app).status, absl::UnknownError("rows: the range failed at element 2: boom"));
}

TEST(Failure, InACallableNamesTheRecord) {
  App app;
  app.source("rows", generate([n = 135]() mutable { return std::optional(check(std::to_string(n++))); }))
      .sink(kNothing);
  EXPECT_EQ(run_to_end(app).status, absl::UnknownError("rows: the callable failed at record 2: boom"));
}

AsyncGenerator<std::string> rows_from(int n) {
  for (;; ++n) co_yield check(std::to_string(n));
}

TEST(Failure, InACoroutineNamesTheRecord) {
  App app;
  app.source("rows", from(rows_from(135))).sink(kNothing);
  EXPECT_EQ(run_to_end(app).status, absl::UnknownError("rows: the coroutine failed at record 2: boom"));
}

TEST(Failure, OfTheSecondSourceClosesTheFirst) {
  auto journal = std::make_shared<Journal>();
  auto good = std::make_shared<FakeSource>(FakeSource::Options{.name = "good"}, journal);
  auto bad = std::make_shared<FakeSource>(
      FakeSource::Options{.name = "bad", .open = absl::NotFoundError("no")}, journal);
  App app;
  app.source("good", decoded(good, text())).sink(kNothing);
  app.source("bad", decoded(bad, text())).sink(kNothing);
  EXPECT_EQ(run_to_end(app).status, absl::NotFoundError("bad: no"));
  EXPECT_THAT(journal->ends(), ElementsAre("good open", "bad open", "good close"));
}

TEST(App, RunsOnce) {
  App app;
  app.source(from(std::vector<std::string>{"a"})).sink(kNothing);
  EXPECT_TRUE(app.run().ok());
  EXPECT_EQ(app.run(), absl::FailedPreconditionError("an App runs once; make another one"));
  EXPECT_EQ(app.start().status(), absl::FailedPreconditionError("an App runs once; make another one"));
  EXPECT_EQ(app.start_stepped().status(),
            absl::FailedPreconditionError("an App runs once; make another one"));
}

TEST(Run, SaysTheSameThingEachTime) {
  App app;
  app.source("rows", from(std::vector<std::string>{kBad})).map(check).named("node").sink(kNothing);
  auto run = app.start();
  ASSERT_TRUE(run.ok());
  const absl::Status first = end_of(**run);
  EXPECT_THAT(std::string(first.message()), HasSubstr("boom"));
  EXPECT_EQ((*run)->wait(), first);
  EXPECT_TRUE((*run)->is_done());
}

}  // namespace
}  // namespace slipstream::test
