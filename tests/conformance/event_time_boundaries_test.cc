#include <gmock/gmock.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "operator_conformance.h"

/// Event time at its exact instants. One definition holds everywhere: a watermark W says that every record
/// with a time < W was seen.
namespace slipstream::conformance {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StrEq;
using testing::UnorderedElementsAre;

constexpr EventTime at(Duration t) { return EventTime(t); }
Event event(std::string text, Duration time, std::int64_t key = 1) {
  return {key, 1, at(time), std::move(text)};
}
std::string only_text(const Event& e, const RecordInfo&) { return e.text; }

using Counted = Windowed<std::int64_t, std::int64_t>;
std::string show_count(const Counted& w, const RecordInfo&) {
  return std::to_string(w.key) + ": " + std::to_string(w.value) + " in " +
         std::to_string(w.window.start.time_since_epoch() / 1s) + ".." +
         std::to_string(w.window.end.time_since_epoch() / 1s);
}
void count_windows(Bench& b, Tumbling window = tumbling(10s)) {
  auto counts = b.source().key_by(&Event::key).window(window).count("counts");
  b.pipeline.out("out", counts, &Counted::key, show_count);
  b.pipeline.out("late", counts.late(), &Event::key, only_text);
}

TEST(WindowBoundary, ClosesWhenTheWatermarkReachesItsEnd) {
  struct Row {
    Tumbling window;
    Duration record;
    Duration watermark;
    std::vector<std::string> expected;
  };
  const std::vector<Row> table{
      {tumbling(10s), 0s, 10s - 1us, {}},
      {tumbling(10s), 0s, 10s, {"1: 1 in 0..10"}},
      {tumbling(10s), 0s, 10s + 1us, {"1: 1 in 0..10"}},
      {tumbling(10s), 10s - 1us, 10s, {"1: 1 in 0..10"}},
      {tumbling(10s), 10s, 10s, {}},
      {tumbling(10s), 10s, 20s - 1us, {}},
      {tumbling(10s), 10s, 20s, {"1: 1 in 10..20"}},
      {tumbling(10s, 3s), 3s - 1us, 3s, {"1: 1 in -7..3"}},
      {tumbling(10s, 3s), 3s, 13s - 1us, {}},
      {tumbling(10s, 3s), 3s, 13s, {"1: 1 in 3..13"}},
      {tumbling(1us), 10s, 10s, {}},
      {tumbling(1us), 10s, 10s + 1us, {"1: 1 in 10..10"}},
  };
  for (std::size_t i = 0; i < table.size(); ++i) {
    SCOPED_TRACE("row " + std::to_string(i));
    Bench b({.parallelism = 2});
    count_windows(b, table[i].window);
    b.push(event("a", table[i].record));
    b.driver().advance_watermark(b.source(), at(table[i].watermark));
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_EQ(b.take("out"), table[i].expected);
  }
}

TEST(WindowBoundary, TheLastWindowEndsWithTheTimesThereAre) {
  constexpr Tumbling kDay = tumbling(24h);
  static_assert(detail::window_of(kMaxTime, kDay).start < kMaxTime - 1h);
  static_assert(detail::window_of(kMaxTime, kDay).end == kMaxTime);
  Bench b({}, 1h);
  std::vector<Counted> windows;
  b.source().key_by(&Event::key).window(kDay).count("counts").sink([&](const Counted& w) {
    windows.push_back(w);
  });
  b.push(event("a", kMaxTime.time_since_epoch()));
  b.push(event("b", kMaxTime.time_since_epoch() - 1us));
  b.driver().finish(b.source());
  ASSERT_EQ(b.driver().run_to_end(), absl::OkStatus());
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_EQ(windows[0].window, detail::window_of(kMaxTime, kDay));
  EXPECT_EQ(windows[0].value, 2);
}

TEST(WindowBoundary, RecordIsLateWhenItsPartitionsWatermarkReachedTheEnd) {
  for (const auto& [watermark, late] :
       {std::pair<Duration, bool>{10s - 1us, false}, {10s, true}, {10s + 1us, true}}) {
    Bench b({.partitions = 2});
    count_windows(b);
    b.driver().advance_watermark(b.source(), at(watermark), 0);
    b.push(event("a", 9s), 0);
    b.push(event("other partition", 9s), 1);
    b.driver().finish(b.source());
    ASSERT_TRUE(b.driver().run_to_end().ok());
    EXPECT_EQ(b.take("late"), late ? std::vector<std::string>{"a"} : std::vector<std::string>{});
    EXPECT_THAT(b.take("out"), ElementsAre(late ? "1: 1 in 0..10" : "1: 2 in 0..10"));
    EXPECT_EQ(b.driver().metrics().node("counts")->late, late ? 1u : 0u);
  }
}

TEST(WindowBoundary, RecordBehindAStatedWatermarkIsLateEvenIfItIsTheNewest) {
  Bench b;
  count_windows(b);
  b.push(event("a", 5s));
  b.driver().advance_watermark(b.source(), at(60s));
  b.push(event("newer than a", 7s));
  b.driver().finish(b.source());
  ASSERT_TRUE(b.driver().run_to_end().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("1: 1 in 0..10"));
  EXPECT_THAT(b.take("late"), ElementsAre("newer than a"));
}

TEST(WindowBoundary, RepeatedAndFallingWatermarksSayNothing) {
  Bench b({.parallelism = 3});
  count_windows(b);
  b.push(event("a", 5s));
  for (Duration w : {10s, 10s, 3s, 10s}) {
    b.driver().advance_watermark(b.source(), at(w));
    ASSERT_TRUE(b.driver().run().ok());
  }
  b.push(event("b", 15s));
  b.driver().advance_watermark(b.source(), at(3s));
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("1: 1 in 0..10"));
  EXPECT_EQ(b.driver().metrics().node("counts")->watermark, at(15s));
}

TEST(WindowBoundary, EachWindowIsEmittedByItself) {
  Bench b({.parallelism = 2});
  count_windows(b);
  for (Duration t : {5s, 15s, 25s, 26s}) b.push(event("a", t));
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("1: 1 in 0..10", "1: 1 in 10..20"));
  b.driver().finish(b.source());
  ASSERT_TRUE(b.driver().run_to_end().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("1: 2 in 20..30"));
}

TEST(Watermark, IsTheLargestTimeMinusTheBound) {
  for (const auto& [newest, closed] : {std::pair<Duration, bool>{15s - 1us, false}, {15s, true}}) {
    Bench b({}, 5s);
    count_windows(b);
    b.push(event("a", 5s));
    b.push(event("b", newest));
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_EQ(b.take("out").size(), closed ? 1u : 0u);
  }
}

TEST(Watermark, WaitsForThePartitionThatIsBehindUntilItFinishes) {
  Bench b({.parallelism = 2, .partitions = 3});
  count_windows(b);
  b.push(event("a", 5s), 0);
  b.push(event("b", 65s), 0);
  b.push(event("c", 7s), 1);
  b.driver().finish(b.source(), 2);  // without ever having had a record
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.take("out"), IsEmpty());
  b.driver().finish(b.source(), 1);
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("1: 2 in 0..10"));
}

TEST(Watermark, WaitsForAPartitionThatHasHadNothing) {
  Bench b({.parallelism = 2, .partitions = 2});
  count_windows(b);
  b.push(event("a", 5s), 0);
  b.push(event("b", 65s), 0);
  ASSERT_TRUE(b.driver().advance_time(1h).ok());
  EXPECT_THAT(b.take("out"), IsEmpty());
}

/// A partition that never had a record doesn't hold the others when the user says so, whichever lane reads
/// it; what it brings later is late where the others have gone on.
TEST(Watermark, LeavesEmptyPartitionsAsideWhenQuietOnesShallAdvance) {
  for (int parallelism : {1, 2, 4}) {
    SCOPED_TRACE("parallelism " + std::to_string(parallelism));
    Bench b({.parallelism = parallelism, .partitions = 4});
    b.source().event_time(&Event::at, {.when_quiet = WhenQuiet::advance(10s)});
    count_windows(b);
    b.push(event("a", 5s), 0);
    b.push(event("b", 15s), 0);
    b.push(event("c", 16s), 1);
    ASSERT_TRUE(b.driver().advance_time(9s).ok());
    EXPECT_THAT(b.take("out"), IsEmpty());
    ASSERT_TRUE(b.driver().advance_time(2s).ok());
    EXPECT_THAT(b.take("out"), ElementsAre("1: 1 in 0..10", "1: 2 in 10..20"));  // 15 s and 10 s of quiet
    b.push(event("late", 6s), 3);
    b.push(event("d", 60s), 3);
    b.driver().finish(b.source());
    ASSERT_TRUE(b.driver().run_to_end().ok());
    EXPECT_THAT(b.take("late"), ElementsAre("late"));
    EXPECT_THAT(b.take("out"), ElementsAre("1: 1 in 60..70"));
  }
}

TEST(Watermark, ReachesLanesThatGetNoRecords) {
  Bench b({.parallelism = 8});
  count_windows(b);
  b.push(event("a", 5s));
  b.push(event("b", 15s));  // the same key: seven of eight lanes see no record
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_EQ(b.driver().metrics().node("counts")->watermark, at(15s));
  EXPECT_EQ(b.driver().metrics().node("out out")->watermark, at(15s));
}

/// The linger of a trickling partition must not outlast the work it waits behind.
TEST(Watermark, PushedRecordsAreReadWithoutTimePassing) {
  Bench b({.partitions = 4});
  count_windows(b);
  for (int round = 1; round <= 5; ++round) {
    for (int p = 0; p < 4; ++p) b.push(event("a", 10s * round), p);
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_EQ(b.driver().metrics().node("counts")->in, 4u * static_cast<unsigned>(round));
  }
}

// ---------------------------------------------------------------- as-of join

void join(Bench& b, Duration tolerance = Duration::max(), AsOfOptions::Emit emit = AsOfOptions::Emit::final) {
  auto pair = [](const Event& l, const Event* r) {
    return Event{l.key, l.value, l.at, l.text + " with " + (r ? r->text : "nothing")};
  };
  auto joined =
      b.source(0)
          .key_by(&Event::key)
          .as_of_join("join", b.source(1).key_by(&Event::key), {.tolerance = tolerance, .emit = emit}, pair);
  b.pipeline.out("out", joined, &Event::key, only_text);
  b.pipeline.out("late", joined.late(), &Event::key, only_text);
}
void push_right(Bench& b, std::string text, Duration time, int partition = 0) {
  b.driver().push(b.source(1), event(std::move(text), time), partition);
}

TEST(AsOfBoundary, LeftRowWaitsUntilTheRightWatermarkHasPassedIt) {
  for (const auto& [watermark, resolved] :
       {std::pair<Duration, bool>{10s - 1us, false}, {10s, false}, {10s + 1us, true}}) {
    for (bool left_first : {true, false}) {
      Bench b({.parallelism = 2}, 0s, 2);
      join(b);
      push_right(b, "right", 7s);
      if (left_first) b.push(event("left", 10s));
      b.driver().advance_watermark(b.source(0), at(60s));
      ASSERT_TRUE(b.driver().run().ok());
      b.driver().advance_watermark(b.source(1), at(watermark));
      ASSERT_TRUE(b.driver().run().ok());
      if (left_first) {
        EXPECT_EQ(b.take("out"),
                  resolved ? std::vector<std::string>{"left with right"} : std::vector<std::string>{});
        EXPECT_EQ(b.driver().metrics().node("join")->held, resolved ? 0u : 1u);
      } else {
        b.push(event("left", 70s));
        ASSERT_TRUE(b.driver().run().ok());
        EXPECT_THAT(b.take("out"), IsEmpty());
      }
      b.driver().finish(b.source(1));
      ASSERT_TRUE(b.driver().run().ok());
      EXPECT_EQ(b.take("out").size(), left_first && resolved ? 0u : 1u);
      EXPECT_EQ(b.driver().metrics().node("join")->held, 0u);
    }
  }
}

TEST(AsOfBoundary, SpeculativelyALeftRowIsJoinedAtOnceAndAgainOnlyIfThatWasWrong) {
  for (const bool is_wrong : {false, true}) {
    Bench b({.parallelism = 2}, 0s, 2);
    join(b, Duration::max(), AsOfOptions::Emit::speculative);
    push_right(b, "old", 5s);
    ASSERT_TRUE(b.driver().run().ok());
    b.push(event("left", 10s));
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_THAT(b.take("out"), ElementsAre("left with old"));
    EXPECT_EQ(b.driver().metrics().node("join")->held, 1u);
    b.driver().advance_watermark(b.source(0), at(60s));
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_LE(b.driver().metrics().node("join")->watermark, at(10s)) << "a correction must not come late";

    if (is_wrong) push_right(b, "new", 9s);
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_THAT(b.take("out"), IsEmpty()) << "another one may still come";
    b.driver().advance_watermark(b.source(1), at(11s));
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_EQ(b.take("out"),
              is_wrong ? std::vector<std::string>{"left with new"} : std::vector<std::string>{});
    EXPECT_EQ(b.driver().metrics().node("join")->held, 0u);
    EXPECT_EQ(b.driver().metrics().node("join")->forwarded, 1u);
  }
}

TEST(AsOfBoundary, RightRecordAtTheLeftTimeMatchesEvenIfItComesWithTheWatermarkThere) {
  Bench b({.parallelism = 2}, 0s, 2);
  join(b);
  b.push(event("left", 10s));
  push_right(b, "old", 5s);
  b.driver().advance_watermark(b.source(1), at(10s));
  ASSERT_TRUE(b.driver().run().ok());
  push_right(b, "at the same time", 10s);
  b.driver().finish(b.source(1));
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("left with at the same time"));
}

TEST(AsOfBoundary, ToleranceIncludesItsEnd) {
  for (const auto& [age, matches] : {std::pair<Duration, bool>{4s, true}, {5s, true}, {5s + 1us, false}}) {
    Bench b({}, 0s, 2);
    join(b, 5s);
    push_right(b, "right", 10s - age);
    b.push(event("left", 10s));
    b.driver().finish(b.source(0));
    b.driver().finish(b.source(1));
    ASSERT_TRUE(b.driver().run_to_end().ok());
    EXPECT_THAT(b.take("out"), ElementsAre(matches ? "left with right" : "left with nothing"));
  }
}

TEST(AsOfBoundary, OfEquallyNewRightRecordsTheLargestIdWins) {
  for (bool swapped : {false, true}) {
    Bench b({.partitions = 2}, 5s, 2);
    join(b);
    const auto push_partition = [&](int partition) {
      push_right(b, "first of " + std::to_string(partition), 7s, partition);
      push_right(b, "second of " + std::to_string(partition), 7s, partition);
      push_right(b, "older of " + std::to_string(partition), 6s, partition);
    };
    push_partition(swapped ? 1 : 0);
    ASSERT_TRUE(b.driver().run().ok());
    push_partition(swapped ? 0 : 1);
    ASSERT_TRUE(b.driver().run().ok());
    b.push(event("left", 10s));
    for (std::size_t s : {0u, 1u}) b.driver().finish(b.source(s));
    ASSERT_TRUE(b.driver().run_to_end().ok());
    EXPECT_THAT(b.take("out"), ElementsAre("left with second of 1"));
  }
}

TEST(AsOfBoundary, RecordsBehindTheirOwnWatermarkAreLate) {
  Bench b({}, 0s, 2);
  join(b);
  b.driver().advance_watermark(b.source(0), at(10s));
  b.driver().advance_watermark(b.source(1), at(9s));
  push_right(b, "late", 9s - 1us);
  b.push(event("late", 10s - 1us));
  b.push(event("left", 10s));
  for (std::size_t s : {0u, 1u}) b.driver().finish(b.source(s));
  ASSERT_TRUE(b.driver().run_to_end().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("left with nothing"));
  EXPECT_THAT(b.take("late"), ElementsAre("late"));
  EXPECT_EQ(b.driver().metrics().node("join")->late, 2u);
}

TEST(AsOfBoundary, RightRowsAreForgottenWhenNoLeftRecordCanNeedThem) {
  Bench b({}, 0s, 2);
  join(b, 100s);
  std::uint64_t peak = 0;
  for (int i = 0; i < 20000; ++i) {
    push_right(b, "r" + std::to_string(i), 1s * i);
    if (i >= 50) b.push(event("l", 1s * (i - 50) + 500ms));
    if (i % 100 != 0) continue;
    ASSERT_TRUE(b.driver().run().ok());
    peak = std::max(peak, b.driver().metrics().node("join")->state_bytes);
  }
  EXPECT_LT(peak, 200'000u);  // all rows would take more than a megabyte
  b.driver().finish(b.source(1));
  ASSERT_TRUE(b.driver().run().ok());
  const std::vector<std::string> out = b.take("out");
  ASSERT_EQ(out.size(), 19950u);
  for (std::size_t i = 0; i < out.size(); ++i) ASSERT_EQ(out[i], "l with r" + std::to_string(i));
}

// ---------------------------------------------------------------- interval join

void interval_join(Bench& b, Interval interval) {
  auto pair = [](const Event& l, const Event& r) {
    return Event{l.key, l.value, l.at, l.text + " with " + r.text};
  };
  auto joined =
      b.source(0).key_by(&Event::key).interval_join("join", b.source(1).key_by(&Event::key), interval, pair);
  b.pipeline.out("out", joined, &Event::key,
                 [](const Event& e, const RecordInfo& info) { return e.text + " at " + show(info.time); });
  b.pipeline.out("late", joined.late(), &Event::key, only_text);
}
std::uint64_t state_bytes(Bench& b) { return b.driver().metrics().node("join")->state_bytes; }

TEST(IntervalBoundary, BothEndsBelongToIt) {
  struct Row {
    Interval interval;
    Duration right;
    bool matches;
  };
  const std::vector<Row> table{
      {{-5s, 3s}, 15s - 1us, false}, {{-5s, 3s}, 15s, true},       {{-5s, 3s}, 23s, true},
      {{-5s, 3s}, 23s + 1us, false}, {{}, 20s - 1us, false},       {{}, 20s, true},
      {{}, 20s + 1us, false},        {{1s, 2s}, 20s, false},       {{1s, 2s}, 21s, true},
      {{1s, 2s}, 22s, true},         {{1s, 2s}, 22s + 1us, false}, {{-2s, -1s}, 18s - 1us, false},
      {{-2s, -1s}, 18s, true},       {{-2s, -1s}, 19s, true},      {{-2s, -1s}, 19s + 1us, false},
  };
  for (std::size_t i = 0; i < table.size(); ++i) {
    for (bool left_first : {true, false}) {
      SCOPED_TRACE("row " + std::to_string(i) + (left_first ? ", left first" : ", right first"));
      const Row& row = table[i];
      Bench b({.parallelism = 2}, 10s, 2);
      interval_join(b, row.interval);
      if (left_first) b.push(event("left", 20s));
      if (!left_first) push_right(b, "right", row.right);
      ASSERT_TRUE(b.driver().run().ok());
      if (!left_first) b.push(event("left", 20s));
      if (left_first) push_right(b, "right", row.right);
      ASSERT_TRUE(b.driver().run().ok());
      const std::string pair = "left with right at " + show(at(std::max(row.right, Duration(20s)))) + " ";
      EXPECT_EQ(b.take("out"), row.matches ? std::vector<std::string>{pair.substr(0, pair.size() - 1)}
                                           : std::vector<std::string>{});
    }
  }
}

TEST(IntervalBoundary, RowsStayAsLongAsAPartnerMayComeAndNoLonger) {
  for (const auto& [watermark, is_kept] : {std::pair<Duration, bool>{23s, true}, {23s + 1us, false}}) {
    Bench b({}, 0s, 2);
    interval_join(b, {-5s, 3s});
    b.push(event("left", 20s));
    b.driver().advance_watermark(b.source(1), at(watermark));
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_EQ(state_bytes(b) > 0, is_kept);
    push_right(b, "right", watermark);
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_EQ(b.take("out").size(), is_kept ? 1u : 0u);
  }
  for (const auto& [watermark, is_kept] : {std::pair<Duration, bool>{25s, true}, {25s + 1us, false}}) {
    Bench b({}, 0s, 2);
    interval_join(b, {-5s, 3s});
    push_right(b, "right", 20s);
    b.driver().advance_watermark(b.source(0), at(watermark));
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_EQ(state_bytes(b) > 0, is_kept);
    b.push(event("left", watermark));
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_EQ(b.take("out").size(), is_kept ? 1u : 0u);
  }
}

/// The own side's watermark says nothing about who may still come from the other.
TEST(IntervalBoundary, ASideThatIsAheadWaitsForTheOther) {
  Bench b({}, 0s, 2);
  interval_join(b, {-5s, 5s});
  for (int i = 0; i < 1000; ++i) b.push(event("left", 1s * i));
  ASSERT_TRUE(b.driver().run().ok());
  for (int i = 0; i < 1000; i += 100) push_right(b, "right", 1s * i);
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_EQ(b.take("out").size(), 6u + 9u * 11u);
}

TEST(IntervalBoundary, RecordsBehindTheirOwnWatermarkAreLate) {
  Bench b({}, 0s, 2);
  interval_join(b, {-5s, 5s});
  b.driver().advance_watermark(b.source(0), at(10s));
  b.driver().advance_watermark(b.source(1), at(10s));
  b.push(event("late left", 10s - 1us));
  b.push(event("left", 10s));
  push_right(b, "late right", 10s - 1us);
  push_right(b, "right", 10s);
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("left with right at 10000000"));
  EXPECT_THAT(b.take("late"), ElementsAre("late left"));
  EXPECT_EQ(b.driver().metrics().node("join")->late, 2u);
}

TEST(IntervalBoundary, StateFollowsTheWatermarksAndEndsAtZero) {
  Bench b({.parallelism = 2}, 0s, 2);
  interval_join(b, {-50s, 50s});
  std::uint64_t peak = 0;
  std::size_t pairs = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto key = static_cast<std::int64_t>(i / 100);  // keys come and go
    b.push(event("l", 1s * i, key));
    b.driver().push(b.source(1), event("r", 1s * i, key));
    if (i % 100 != 99) continue;
    ASSERT_TRUE(b.driver().run().ok());
    pairs += b.take("out").size();
    peak = std::max(peak, state_bytes(b));
  }
  EXPECT_EQ(pairs, 200u * 7550u);  // of a hundred records on each side at most 50 s apart
  EXPECT_LT(peak, 200'000u);       // all rows would take three megabytes
  EXPECT_GT(state_bytes(b), 0u);
  b.driver().advance_watermark(b.source(0), at(30000s));
  b.driver().advance_watermark(b.source(1), at(30000s));
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_EQ(state_bytes(b), 0u);
}

// ---------------------------------------------------------------- timers

struct Nothing {
  std::int64_t unused = 0;
};
SLIPSTREAM_FIELDS(Nothing, unused)
using Context = ProcessContext<std::int64_t, Event>;

/// Sets a timer `after` behind each record; it emits its time.
Stream<Event> timers(Bench& b, Duration after) {
  return b.source()
      .key_by(&Event::key)
      .process<Nothing, Event>(
          "timers", [after](const Event& e, Nothing&, Context& ctx) { ctx.set_timer(e.at + after); },
          [](EventTime t, Nothing&, Context& ctx) {
            ctx.emit({ctx.key(), 1, t, "timer " + show(t)});
          });
}

TEST(TimerBoundary, FiresWhenTheWatermarkReachesIt) {
  for (const auto& [watermark, fires] :
       {std::pair<Duration, bool>{15s - 1us, false}, {15s, true}, {15s + 1us, true}}) {
    Bench b({.parallelism = 2});
    b.pipeline.out("out", timers(b, 5s), &Event::key, only_text);
    b.push(event("a", 10s));
    b.driver().advance_watermark(b.source(), at(watermark));
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_EQ(b.take("out"), fires ? std::vector<std::string>{"timer 15000000"} : std::vector<std::string>{});
  }
}

TEST(TimerBoundary, FireInTheOrderOfTheirTimes) {
  Bench b;
  b.pipeline.out("out", timers(b, 5s), &Event::key, only_text);
  b.driver().advance_watermark(b.source(), at(1s));
  for (Duration t : {4s, 2s, 3s, 2s}) b.push(event("a", t));
  b.driver().finish(b.source());
  ASSERT_TRUE(b.driver().run_to_end().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("timer 7000000", "timer 8000000", "timer 9000000"));
}

/// A timer for a time that has passed fires with the next watermark, but what it emits is late.
TEST(TimerBoundary, OutputOfATimerInThePastIsLate) {
  Bench b;
  auto counts = timers(b, -20s).key_by(&Event::key).window(tumbling(10s)).count("counts");
  b.pipeline.out("out", counts, &Counted::key, show_count);
  b.pipeline.out("late", counts.late(), &Event::key, only_text);
  b.push(event("a", 25s));
  ASSERT_TRUE(b.driver().run().ok());
  b.push(event("b", 26s));
  b.driver().finish(b.source());
  ASSERT_TRUE(b.driver().run_to_end().ok());
  EXPECT_THAT(b.take("late"), UnorderedElementsAre("timer 6000000"));
  EXPECT_THAT(b.take("out"), ElementsAre("1: 1 in 0..10"));
}

// ---------------------------------------------------------------- event times that can't be used

struct Dated {
  std::optional<EventTime> at;
  std::string text;
};
SLIPSTREAM_FIELDS(Dated, at, text)

struct DatedBench {
  explicit DatedBench(const ErrorPolicy& policy, EventTimeOptions options = {})
      : source(app.source("dated", from(std::vector<Dated>{}))
                   .event_time(
                       [](const Dated& d) {
                         if (d.text == "throws") throw std::runtime_error("no idea");
                         return d.at;
                       },
                       options)) {
    source.on_error(policy);
    source.sink([this](const Dated& d) { texts.push_back(d.text); });
    letters = app.dead_letters();
    letters->sink(
        [this](const DeadLetter& d) { errors.push_back(d.node + ": " + text_of(d.id.offset) + d.error); });
  }
  App app;
  SourceStream<Dated> source;
  std::optional<Stream<DeadLetter>> letters;
  std::vector<std::string> texts, errors;
};

const std::vector<std::pair<Dated, std::string>> kUnusable{
    {{std::nullopt, "none"}, "the record has no event time"},
    {{EventTime(-1us), "old"}, "the event time is before 1970"},
    {{kMaxTime - 1h, "future"}, "the event time is further in the future than max_future allows"},
    {{EventTime(12s), "throws"}, "event_time: no idea"},
};

TEST(UnusableEventTime, FailsTheRunAndSaysWhy) {
  for (const auto& [bad, cause] : kUnusable) {
    DatedBench b(ErrorPolicy::fail(), {.max_future = 1h});
    TestDriver driver(b.app);
    driver.push(b.source, {EventTime(10s), "good"});
    driver.push(b.source, bad);
    EXPECT_THAT(std::string(driver.run().message()),
                StrEq("dated: pushed records partition 0 offset 1: " + cause));
  }
}

TEST(UnusableEventTime, IsSkippedOrDivertedAndDoesNotMoveTheWatermark) {
  for (const ErrorPolicy& policy : {ErrorPolicy::skip(), ErrorPolicy::dead_letter()}) {
    const bool diverts = policy.action == ErrorPolicy::Action::dead_letter;
    DatedBench b(policy, {.max_future = 1h});
    TestDriver driver(b.app);
    driver.push(b.source, {EventTime(10s), "first"});
    std::vector<std::string> errors;
    for (const auto& [bad, cause] : kUnusable) {
      driver.push(b.source, bad);
      errors.push_back("dated: " + std::to_string(errors.size() + 1) + " " + cause);
    }
    driver.push(b.source, {EventTime(11s), "last"});
    ASSERT_TRUE(driver.run().ok());
    EXPECT_THAT(b.texts, ElementsAre("first", "last"));
    EXPECT_EQ(b.errors, diverts ? errors : std::vector<std::string>{});
    EXPECT_EQ(driver.metrics().node("dated")->watermark, EventTime(11s));
    EXPECT_EQ(driver.metrics().node("dated")->skipped, diverts ? 0u : 4u);
    EXPECT_EQ(driver.metrics().node("dated")->dead_lettered, diverts ? 4u : 0u);
    expect_conserved(b.app, driver.metrics());
  }
}

}  // namespace
}  // namespace slipstream::conformance
