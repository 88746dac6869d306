#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "mistaken.h"
#include "slipstream/testing.h"

/// What a wrongly described program is told before it runs. Line numbers are those of this file.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;

const auto kFirst = [](const Row& l, const Row*) { return l.key; };
const auto kPair = [](const Row& l, const Row&) { return l.key; };

std::string here(int line) { return "mistakes_test.cc:" + std::to_string(line); }

TEST(Mistakes, NothingToRun) {
  EXPECT_EQ(complaint([](App&) {}), "there is nothing to run: no source was added to the App");
}

TEST(Mistakes, NoParallelism) {
  EXPECT_EQ(complaint([](App& app) {
              app.source(no_rows()).sink(kNothing);
              app.tune([](RuntimeConfig& c) { c.parallelism = 0; });
            }),
            "the parallelism must be at least 1");
}

TEST(Mistakes, ACircleOfDependencies) {
  EXPECT_EQ(complaint([](App& app) {
              auto a = app.source("a", no_rows()).event_time(&Row::at);
              auto b = app.source("b", no_rows()).event_time(&Row::at).depends_on(a);
              auto c = app.source("c", no_rows()).event_time(&Row::at).depends_on(b);
              a.depends_on(c);
            }),
            "depends_on() makes a circle: source 'a' would wait for itself");
}

TEST(Mistakes, ADependencyOnItself) {
  EXPECT_EQ(complaint([](App& app) {
              auto a = app.source("a", no_rows()).event_time(&Row::at);
              a.depends_on(a.map([](const Row& r) { return r; }));
            }),
            "depends_on() makes a circle: source 'a' would wait for itself");
}

TEST(Mistakes, DeadLettersNobodyReads) {
  EXPECT_EQ(complaint([](App& app) {
              app.source("rows", no_rows()).on_error(ErrorPolicy::dead_letter()).sink(kNothing);
            }),
            "'rows' diverts records to dead letters, but nothing reads App::dead_letters(); give it a sink");
}

TEST(Mistakes, ConfiguringANodeThatIsNotThere) {
  EXPECT_EQ(complaint([](App& app) {
              app.source("rows", no_rows()).sink(kNothing);
              app.tune([](RuntimeConfig& c) { c.nodes["row"].parallelism = 2; });
            }),
            "the configuration speaks of node 'row', which the program doesn't have");
}

TEST(Mistakes, StreamsOfTwoApps) {
  App other;
  auto stranger = other.source(no_rows()).event_time(&Row::at);
  EXPECT_EQ(complaint([&](App& app) { app.source(no_rows()).merge(stranger).sink(kNothing); }),
            "merge() of streams that belong to different Apps");
  EXPECT_EQ(complaint([&](App& app) {
              app.source(no_rows()).event_time(&Row::at).depends_on(stranger).sink(kNothing);
            }),
            "depends_on() of a stream of another App");
  EXPECT_EQ(complaint([&](App& app) {
              app.source(no_rows())
                  .event_time(&Row::at)
                  .key_by(&Row::key)
                  .as_of_join("join", stranger.key_by(&Row::key), {}, kFirst)
                  .sink(kNothing);
            }),
            "join: the right side belongs to another App");
}

TEST(Mistakes, NegativeTimes) {
  EXPECT_EQ(
      complaint([](App& app) {
        app.source("rows", no_rows()).event_time(&Row::at, {.max_out_of_orderness = -1s}).sink(kNothing);
      }),
      "rows: max_out_of_orderness is negative");
  EXPECT_EQ(complaint([](App& app) {
              auto a = app.source("a", no_rows()).event_time(&Row::at);
              app.source("b", no_rows()).event_time(&Row::at).depends_on(a, {.max_lag = -1s}).sink(kNothing);
            }),
            "b: max_lag is negative");
  EXPECT_EQ(complaint([](App& app) {
              auto a = app.source("a", no_rows()).event_time(&Row::at).key_by(&Row::key);
              a.as_of_join("join", a, {.tolerance = -1s}, kFirst).sink(kNothing);
            }),
            "join: the tolerance is negative");
}

TEST(Mistakes, NegativeRetries) {
  const auto with = [](ErrorPolicy policy) {
    return complaint([&](App& app) {
      app.source("rows", no_rows()).sink(kNothing, {.name = "nothing", .errors = policy});
    });
  };
  const std::string expected = "'nothing': retries and their backoff can't be negative";
  EXPECT_EQ(with(ErrorPolicy::retry(-1, 1s)), expected);
  EXPECT_EQ(with(ErrorPolicy::retry(1, -1s)), expected);
}

TEST(Mistakes, CountingBehindASpeculativeJoin) {
  const auto joined = [](App& app) {
    auto rows = app.source(no_rows()).event_time(&Row::at).key_by(&Row::key);
    return rows
        .as_of_join("join", rows, {.emit = AsOfOptions::Emit::speculative},
                    [](const Row& l, const Row*) { return l; })
        .map([](const Row& r) { return r; })
        .key_by(&Row::key);
  };
  const auto refusal = [](const std::string& what) {
    return what +
           " stands behind the speculative as-of join 'join' and would take each correction for another "
           "record: make the join final (leave out AsOfOptions::emit), or handle the corrections, which have "
           "the RecordId of what they replace, in process() or a sink";
  };
  EXPECT_EQ(complaint([&](App& app) { joined(app).count("n").sink(kNothing); }), refusal("aggregate 'n'"));
  EXPECT_EQ(complaint([&](App& app) { joined(app).window(tumbling(1s)).count("w").sink(kNothing); }),
            refusal("tumbling window 'w'"));
  EXPECT_EQ(complaint([&](App& app) {
              auto keyed = joined(app);
              keyed.as_of_join("second", keyed, {}, kFirst).sink(kNothing);
            }),
            refusal("as-of join 'second'"));
  EXPECT_EQ(complaint([&](App& app) {
              auto keyed = joined(app);
              keyed.interval_join("second", keyed, {}, kPair).sink(kNothing);
            }),
            refusal("interval join 'second'"));
  EXPECT_EQ(complaint([&](App& app) { joined(app).window(session(1s)).count("w").sink(kNothing); }),
            refusal("session window 'w'"));
  App app;
  joined(app)
      .process<int, Row>("own",
                         [](const Row& r, int&, ProcessContext<int, Row>& context) { context.emit(r); })
      .sink(kNothing);
  EXPECT_TRUE(app.run().ok());
}

template <class W>
std::string complaint_about(W window) {
  return complaint([&](App& app) {
    app.source(no_rows()).event_time(&Row::at).key_by(&Row::key).window(window).count("counts").sink(
        kNothing);
  });
}
TEST(Mistakes, WindowsOfNoSize) {
  for (const Tumbling window : {tumbling(0s), tumbling(-1s), tumbling(1s, -1s), tumbling(1s, 1s)}) {
    EXPECT_EQ(complaint_about(window), "counts: a tumbling window needs size > 0 and 0 <= offset < size");
  }
  for (const Hopping window : {hopping(1s, 0s), hopping(1s, -1s), hopping(1s, 2s), hopping(0s, 0s),
                               hopping(4s, 2s, -1s), hopping(4s, 2s, 2s)}) {
    EXPECT_EQ(complaint_about(window),
              "counts: a hopping window needs 0 < hop <= size and 0 <= offset < hop");
  }
  for (const Duration none : {0s, -1s}) {
    EXPECT_EQ(complaint_about(sliding(none)), "counts: a sliding window needs size > 0");
    EXPECT_EQ(complaint_about(session(none)), "counts: a session window needs gap > 0");
  }
}
TEST(Mistakes, AnIntervalThatEndsBeforeItBegins) {
  EXPECT_EQ(complaint([](App& app) {
              auto rows = app.source(no_rows()).event_time(&Row::at).key_by(&Row::key);
              rows.interval_join("join", rows, {.lower = 1s, .upper = -1s}, kPair).sink(kNothing);
            }),
            "join: the interval ends before it begins: lower > upper");
}

// Programs are lambdas outside of the macros, or all their lines would be that of the macro.
TEST(Mistakes, TwoNodesOfOneName) {
  const int line = __LINE__ + 3;
  const auto program = [](App& app) {
    auto rows = app.source(no_rows()).event_time(&Row::at).key_by(&Row::key);
    rows.count("counts").sink(kNothing);
    rows.window(tumbling(1s)).count("counts").sink(kNothing);
  };
  EXPECT_EQ(complaint(program), "two nodes are named 'counts': " + here(line) + " and " + here(line + 1));
}

TEST(Mistakes, AnEmptyName) {
  const int line = __LINE__ + 1;
  const auto count = [](App& app) { app.source(no_rows()).key_by(&Row::key).count("").sink(kNothing); };
  EXPECT_EQ(complaint(count), here(line) + ": aggregate has an empty name");
  const auto filter = [](App& app) {
    app.source(no_rows()).filter([](const Row&) { return true; }).named("").sink(kNothing);
  };
  EXPECT_EQ(complaint(filter), here(line + 3) + ": filter has an empty name");
}

TEST(Mistakes, EventTimeThatNobodyStated) {
  const int line = __LINE__ + 2;
  const auto window = [](App& app) {
    app.source(no_rows()).key_by(&Row::key).window(tumbling(1s)).count("counts").sink(kNothing);
  };
  EXPECT_EQ(
      complaint(window),
      "tumbling window 'counts' needs event time: call event_time(...) behind the source at " + here(line));
  const auto process = [](App& app) {
    app.source(no_rows())
        .key_by(&Row::key)
        .process<int, int>(
            "timers", [](const Row&, int&, auto&) {}, [](EventTime, int&, auto&) {})
        .sink(kNothing);
  };
  EXPECT_EQ(complaint(process),
            "process 'timers' needs event time: call event_time(...) behind the source at " + here(line + 6));
}

// Each source that feeds a node, also through others, and on either side of a join.
TEST(Mistakes, EventTimeThatOneOfTwoSourcesLacks) {
  const int line = __LINE__ + 3;
  const auto merged = [](App& app) {
    auto timed = app.source(no_rows()).event_time(&Row::at);
    auto untimed = app.source(no_rows()).filter([](const Row&) { return true; });
    timed.merge(untimed).key_by(&Row::key).window(tumbling(1s)).count("counts").sink(kNothing);
  };
  EXPECT_EQ(
      complaint(merged),
      "tumbling window 'counts' needs event time: call event_time(...) behind the source at " + here(line));
  const auto joined = [](App& app) {
    auto left = app.source(no_rows()).event_time(&Row::at).key_by(&Row::key);
    auto right = app.source(no_rows()).key_by(&Row::key);
    left.as_of_join("join", right, {}, kFirst).sink(kNothing);
  };
  EXPECT_EQ(
      complaint(joined),
      "as-of join 'join' needs event time: call event_time(...) behind the source at " + here(line + 8));
  const auto near = [](App& app) {
    auto left = app.source(no_rows()).event_time(&Row::at).key_by(&Row::key);
    auto right = app.source(no_rows()).key_by(&Row::key);
    left.interval_join("join", right, {}, kPair).sink(kNothing);
  };
  EXPECT_EQ(
      complaint(near),
      "interval join 'join' needs event time: call event_time(...) behind the source at " + here(line + 16));
}

TEST(Mistakes, ADependencyWithoutEventTime) {
  const int line = __LINE__ + 3;
  const auto of_an_untimed = [](App& app) {
    auto a = app.source(no_rows());
    app.source(no_rows()).event_time(&Row::at).depends_on(a).sink(kNothing);
  };
  EXPECT_EQ(complaint(of_an_untimed),
            "depends_on() at " + here(line) + " needs event_time(...) on both sources");
  const auto by_an_untimed = [](App& app) {
    auto a = app.source(no_rows()).event_time(&Row::at);
    app.source(no_rows()).depends_on(a).sink(kNothing);
  };
  EXPECT_EQ(complaint(by_an_untimed),
            "depends_on() at " + here(line + 6) + " needs event_time(...) on both sources");
}

TEST(Mistakes, AGuaranteeThatStateInMemoryCanNotKeep) {
  const auto promise = [](App& app) {
    app.tune([](RuntimeConfig& c) { c.guarantee = Guarantee::at_least_once; });
  };
  EXPECT_EQ(complaint([&](App& app) {
              app.source(no_rows()).key_by(&Row::key).count("counts").sink(kNothing);
              promise(app);
            }),
            "runtime.guarantee = \"at_least_once\" can't be kept by a graph with keyed state, which lives in "
            "memory only "
            "in this version: set it to \"none\" or leave it out");
  App stateless;
  stateless.source(no_rows()).sink(kNothing);
  promise(stateless);
  EXPECT_TRUE(stateless.run().ok());
}

// ---------------------------------------------------------------- snapshots of other programs

/// A program that counts rows, with one row counted.
struct Counting {
  App app;
  SourceStream<Row> rows = app.source("rows", no_rows());
  TestDriver driver{app};
  explicit Counting(const std::string& name) {
    rows.key_by(&Row::key).count(name).sink(kNothing);
    driver.push(rows, {1, {}});
  }
};

TEST(Mistakes, ASnapshotOfAnotherProgram) {
  auto snapshot = Counting("counts").driver.snapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_TRUE(Counting("counts").driver.restore(*snapshot).ok());
  EXPECT_EQ(
      Counting("other counts").driver.restore(*snapshot),
      absl::FailedPreconditionError("the snapshot has state of 'counts', which the program doesn't have"));

  App app;
  auto rows = app.source("rows", no_rows());
  rows.key_by([](const Row& r) { return std::to_string(r.key); }).count("counts").sink(kNothing);
  TestDriver driver(app);
  EXPECT_EQ(
      driver.restore(*snapshot),
      absl::FailedPreconditionError(
          "the state of 'counts' has another layout: " + snapshot->nodes["counts"].schema +
          " in the snapshot, running string i64 waiting({key:i32,at:time<i64,1/1000000>}) in the program"));
}

TEST(Mistakes, ASnapshotWithOtherShardsOrAnotherHash) {
  auto snapshot = Counting("counts").driver.snapshot();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  detail::Snapshot shards = *snapshot, hash = *snapshot;
  shards.shards = 64;
  hash.hash = "md5";
  EXPECT_EQ(Counting("counts").driver.restore(shards),
            absl::FailedPreconditionError("the snapshot was made with hash slipstream-hash-1 and 64 shards; "
                                          "this run has slipstream-hash-1 and 128"));
  EXPECT_EQ(
      Counting("counts").driver.restore(hash),
      absl::FailedPreconditionError(
          "the snapshot was made with hash md5 and 128 shards; this run has slipstream-hash-1 and 128"));
}

TEST(Mistakes, PushingToASourceOnlyAfterTheFirstRun) {
  App app;
  auto rows = app.source("rows", no_rows());
  rows.sink(kNothing);
  TestDriver driver(app);
  ASSERT_TRUE(driver.run().ok());
  driver.push(rows, {1, {}});
  EXPECT_EQ(driver.run(),
            absl::FailedPreconditionError(
                "TestDriver: push to source 'rows' before the first run, if only skip_to(source, 0, 0)"));
}

TEST(Mistakes, AreSaidByEveryWayToRun) {
  App started, stepped;
  EXPECT_EQ(started.start().status().message(), "there is nothing to run: no source was added to the App");
  EXPECT_EQ(stepped.start_stepped().status().message(),
            "there is nothing to run: no source was added to the App");
}

}  // namespace
}  // namespace slipstream::test
