#include <gmock/gmock.h>

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "window_conformance.h"

/// Hopping, sliding and session windows: their set of results depends on nothing but the records and their
/// lateness, and at its exact instants event time is what the definitions say.
namespace slipstream::conformance {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A Summary that can't be merged.
struct Plain {
  Summary all;
  void add(const Event& e) { all.add(e); }
};
SLIPSTREAM_FIELDS(Plain, all)
std::string show_value(const Plain& p) { return show(p.all); }

struct Model {
  Lines windows;
  Lines late;
};
using ModelOf = std::function<Model(const std::vector<Arrival>&)>;

Line window_line(std::int64_t key, TimeRange window, const Summary& summary) {
  return {key, {}, window.end - 1us, text_of(window.start, window.end) + show(summary)};
}

template <class State, class W>
Program windows_program(W window) {
  return [=](Pipeline& p) {
    auto windows = p.sources[0].key_by(&Event::key).window(window).template aggregate<State>("windows");
    using Result = Windowed<std::int64_t, State>;
    p.out("windows", windows, &Result::key, [](const Result& w, const RecordInfo&) {
      return text_of(w.window.start, w.window.end) + show_value(w.value);
    });
    p.out("late", windows.late(), &Event::key, show_event);
  };
}
Check check(const ModelOf& model) {
  return [=](const Input& input, const Outcome& got) {
    const Model expected = model(arrivals(input, 0));
    expect_same_set(expected.windows, got.at("windows"));
    expect_same_set(expected.late, got.at("late"));
  };
}

// ---------------------------------------------------------------- hopping

/// Tries each window there may be.
ModelOf model_of(const Hopping& w) {
  return [=](const std::vector<Arrival>& all) {
    Model model;
    std::map<std::pair<std::int64_t, EventTime>, Summary> windows;
    for (const Arrival& a : all) {
      bool is_late = true;
      for (EventTime start = EventTime(w.offset) - 100 * w.hop; start <= a.event.at; start += w.hop) {
        if (start + w.size <= a.event.at || start + w.size <= a.watermark) continue;
        windows[{a.event.key, start}].add(a.event);
        is_late = false;
      }
      if (is_late) model.late.push_back(late_line(a));
    }
    for (const auto& [at, summary] : windows)
      model.windows.push_back(window_line(at.first, {at.second, at.second + w.size}, summary));
    return model;
  };
}

TEST(HoppingConformance, IsFinalHoweverSizeAndHopRelate) {
  for (const Hopping w : {hopping(10s, 5s), hopping(10s, 3s, 1s), hopping(9s, 1s), hopping(7s, 7s, 2s),
                          hopping(40s, 30s, 29s), hopping(1s, 1s)}) {
    SCOPED_TRACE(text_of(w.size.count(), w.hop.count(), w.offset.count()));
    sweep_simulated(windows_program<Summary>(w), {.beyond_bound = 25s}, check(model_of(w)), 72);
    if (w.hop > 1us)
      sweep_simulated(windows_program<Plain>(w), {.beyond_bound = 25s}, check(model_of(w)), 48);
  }
}
TEST(HoppingConformance, IsFinalWithoutLateRecords) {
  sweep_simulated(windows_program<Summary>(hopping(20s, 4s)), {}, check(model_of(hopping(20s, 4s))));
}
TEST(HoppingConformance, IsFinalOnThreadsAndStepped) {
  const Hopping w = hopping(10s, 4s);
  sweep_for_real(windows_program<Summary>(w), {.beyond_bound = 25s}, check(model_of(w)));
  sweep_for_real(windows_program<Plain>(w), {.beyond_bound = 25s}, check(model_of(w)), 8);
}

// ---------------------------------------------------------------- sliding

/// Adds up the window of each record by itself.
ModelOf model_of(const Sliding& w) {
  return [=](const std::vector<Arrival>& all) {
    Model model;
    std::map<std::pair<std::int64_t, EventTime>, Summary> windows;
    for (const Arrival& a : all) {
      if (a.late) {
        model.late.push_back(late_line(a));
        continue;
      }
      Summary& summary = windows[{a.event.key, a.event.at}];
      summary = {};
      for (const Arrival& b : all) {
        if (!b.late && b.event.key == a.event.key && b.event.at <= a.event.at &&
            b.event.at >= a.event.at - w.size) {
          summary.add(b.event);
        }
      }
    }
    for (const auto& [at, summary] : windows)
      model.windows.push_back(window_line(at.first, {at.second - w.size, at.second + 1us}, summary));
    return model;
  };
}

TEST(SlidingConformance, IsFinalWithoutLateRecords) {
  sweep_simulated(windows_program<Summary>(sliding(5s)), {}, check(model_of(sliding(5s))));
}
TEST(SlidingConformance, IsFinalWithLateRecords) {
  for (const Sliding w : {sliding(5s), sliding(1us), sliding(40s)}) {
    SCOPED_TRACE(text_of(w.size.count()));
    sweep_simulated(windows_program<Summary>(w), {.beyond_bound = 10s}, check(model_of(w)), 96);
  }
}
TEST(SlidingConformance, IsFinalWithOneKey) {
  sweep_simulated(windows_program<Summary>(sliding(12s)), {.keys = 1}, check(model_of(sliding(12s))), 96);
}
TEST(SlidingConformance, IsFinalOnThreadsAndStepped) {
  sweep_for_real(windows_program<Summary>(sliding(5s)), {.max_records = 40, .beyond_bound = 10s},
                 check(model_of(sliding(5s))));
}

// ---------------------------------------------------------------- session

/// Sorts each key's records and cuts where there is a gap.
ModelOf model_of(const Session& w) {
  return [=](const std::vector<Arrival>& all) {
    Model model;
    std::map<std::int64_t, std::multimap<EventTime, Event>> by_key;
    for (const Arrival& a : all) {
      if (a.late) {
        model.late.push_back(late_line(a));
      } else {
        by_key[a.event.key].emplace(a.event.at, a.event);
      }
    }
    for (const auto& [key, records] : by_key) {
      Summary summary;
      TimeRange window{};
      for (const auto& [at, event] : records) {
        if (summary.count > 0 && at >= window.end) {
          model.windows.push_back(window_line(key, window, summary));
          summary = {};
        }
        if (summary.count == 0) window.start = at;
        window.end = at + w.gap;
        summary.add(event);
      }
      model.windows.push_back(window_line(key, window, summary));
    }
    return model;
  };
}

TEST(SessionConformance, IsFinalWithoutLateRecords) {
  sweep_simulated(windows_program<Summary>(session(3s)), {}, check(model_of(session(3s))));
}
TEST(SessionConformance, IsFinalWithLateRecords) {
  for (const Session w : {session(1us), session(2s), session(6s), session(1000s)}) {
    SCOPED_TRACE(text_of(w.gap.count()));
    sweep_simulated(windows_program<Summary>(w), {.keys = 20, .beyond_bound = 10s}, check(model_of(w)), 96);
  }
}
TEST(SessionConformance, IsFinalOnThreadsAndStepped) {
  sweep_for_real(windows_program<Summary>(session(3s)), {.keys = 20, .beyond_bound = 10s},
                 check(model_of(session(3s))));
}

/// Results of sessions are records of other windows.
TEST(SessionConformance, IsFinalBehindSlidingWindowsAndBeforeHoppingOnes) {
  const auto as_event = [](const Windowed<std::int64_t, Summary>& w, const RecordInfo& info) {
    return Event{w.key % 3, w.value.sum, info.time, "from " + std::to_string(w.key)};
  };
  const Program program = [=](Pipeline& p) {
    auto first =
        p.sources[0].key_by(&Event::key).window(sliding(4s)).aggregate<Summary>("first").map(as_event);
    auto second = first.key_by(&Event::key).window(session(3s)).aggregate<Summary>("second").map(as_event);
    auto third = second.key_by(&Event::key).window(hopping(20s, 5s)).aggregate<Summary>("third");
    out_windows<Summary>(p, "windows", third);
    p.out("late", third.late(), &Event::key, show_event);
  };
  // The models' lines say key, window and sum; that is all the next one asks for.
  const auto again = [](const Lines& lines) {
    std::vector<Arrival> all;
    for (const Line& line : lines) {
      std::istringstream in(line.text);
      std::int64_t start = 0, end = 0, count = 0, sum = 0;
      in >> start >> end >> count >> sum;
      all.push_back({{line.key % 3, sum, EventTime(Duration(end - 1)), "from " + std::to_string(line.key)},
                     {},
                     kMinTime});
    }
    return all;
  };
  const Check check_all = [=](const Input& input, const Outcome& got) {
    const Lines first = model_of(sliding(4s))(arrivals(input, 0)).windows;
    const Lines second = model_of(session(3s))(again(first)).windows;
    expect_same_set(model_of(hopping(20s, 5s))(again(second)).windows, got.at("windows"));
    expect_same_set({}, got.at("late"));
  };
  sweep_simulated(program, {.beyond_bound = 10s}, check_all, 96);
}

TEST(WindowCountConformance, CountsRecordsOfAnyWindow) {
  const Program program = [](Pipeline& p) {
    auto by_key = p.sources[0].key_by(&Event::key);
    out_windows<std::int64_t>(p, "hopping", by_key.window(hopping(10s, 5s)).count("hopping"));
    out_windows<std::int64_t>(p, "sliding", by_key.window(sliding(5s)).count("sliding"));
    out_windows<std::int64_t>(p, "session", by_key.window(session(3s)).count("session"));
  };
  const auto counts = [](const Lines& lines) {
    Lines counts;
    for (const Line& line : lines) {
      std::istringstream in(line.text);
      std::int64_t start = 0, end = 0, count = 0;
      in >> start >> end >> count;
      counts.push_back({line.key, {}, line.time, text_of(start, end, count)});
    }
    return counts;
  };
  sweep_simulated(
      program, {.beyond_bound = 10s},
      [=](const Input& input, const Outcome& got) {
        const auto all = arrivals(input, 0);
        expect_same_set(counts(model_of(hopping(10s, 5s))(all).windows), got.at("hopping"));
        expect_same_set(counts(model_of(sliding(5s))(all).windows), got.at("sliding"));
        expect_same_set(counts(model_of(session(3s))(all).windows), got.at("session"));
      },
      48);
}

// ---------------------------------------------------------------- exact instants

constexpr EventTime at(Duration t) { return EventTime(t); }
Event event(std::string text, Duration time, std::int64_t key = 1) {
  return {key, 1, at(time), std::move(text)};
}
using Counted = Windowed<std::int64_t, std::int64_t>;

template <class W>
void count_windows(Bench& b, W window) {
  auto counts = b.source().key_by(&Event::key).window(window).count("counts");
  b.pipeline.out("out", counts, &Counted::key, [](const Counted& w, const RecordInfo&) {
    return std::to_string(w.value) + " in " + show(w.window.start) + ".." + show(w.window.end);
  });
  b.pipeline.out("late", counts.late(), &Event::key,
                 [](const Event& e, const RecordInfo&) { return e.text; });
}
std::uint64_t state_bytes(Bench& b) { return b.driver().metrics().node("counts")->state_bytes; }
void advance_to(Bench& b, Duration watermark) {
  b.driver().advance_watermark(b.source(), at(watermark));
  ASSERT_TRUE(b.driver().run().ok());
}

TEST(HoppingBoundary, EachWindowClosesAtItsEnd) {
  Bench b;
  count_windows(b, hopping(4us, 2us));
  b.push(event("a", 5us));  // in 2..6 and 4..8
  advance_to(b, 6us - 1us);
  EXPECT_THAT(b.take("out"), IsEmpty());
  advance_to(b, 6us);
  EXPECT_THAT(b.take("out"), ElementsAre("1 in 2..6"));
  b.push(event("b", 6us));
  advance_to(b, 8us - 1us);
  EXPECT_THAT(b.take("out"), IsEmpty());
  advance_to(b, 8us);
  EXPECT_THAT(b.take("out"), ElementsAre("2 in 4..8"));
  advance_to(b, 100us);
  EXPECT_THAT(b.take("out"), ElementsAre("1 in 6..10"));
  EXPECT_EQ(state_bytes(b), 0u);
}
TEST(HoppingBoundary, ARecordLateForSomeWindowsCountsInTheOthersOnly) {
  Bench b({.partitions = 2});
  count_windows(b, hopping(4us, 2us));
  b.push(event("in time", 5us), 1);  // this partition holds both windows open
  b.driver().advance_watermark(b.source(), at(6us), 0);
  b.push(event("late for 2..6", 5us), 0);
  b.driver().advance_watermark(b.source(), at(8us), 0);
  b.push(event("late", 5us), 0);
  b.driver().finish(b.source());
  ASSERT_TRUE(b.driver().run_to_end().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("1 in 2..6", "2 in 4..8"));
  EXPECT_THAT(b.take("late"), ElementsAre("late"));
}

TEST(SlidingBoundary, BothEndsBelongToTheWindow) {
  Bench b({}, 100us);
  count_windows(b, sliding(5us));
  for (Duration t : {20us, 14us, 15us, 20us, 21us}) b.push(event("a", t));
  b.driver().finish(b.source());
  ASSERT_TRUE(b.driver().run_to_end().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("1 in 9..15", "2 in 10..16", "3 in 15..21", "3 in 16..22"));
}
TEST(SlidingBoundary, ClosesWhenTheWatermarkHasPassedTheRecord) {
  Bench b;
  count_windows(b, sliding(5us));
  b.push(event("a", 10us));
  advance_to(b, 10us);
  EXPECT_THAT(b.take("out"), IsEmpty()) << "another may come at that instant";
  advance_to(b, 11us);
  EXPECT_THAT(b.take("out"), ElementsAre("1 in 5..11"));
  b.push(event("late", 10us));
  b.push(event("b", 15us));
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.take("late"), ElementsAre("late"));
  advance_to(b, 20us);
  EXPECT_THAT(b.take("out"), ElementsAre("2 in 10..16"));
  EXPECT_GT(state_bytes(b), 0u) << "a record at 20 us would still see the one at 15";
  advance_to(b, 21us);
  EXPECT_EQ(state_bytes(b), 0u);
}

TEST(SessionBoundary, RecordsLessThanTheGapApartBelongTogether) {
  Bench b({}, 100us);
  count_windows(b, session(5us));
  for (Duration t : {20us, 10us, 14us, 30us, 25us, 39us, 35us - 1us}) b.push(event("a", t));
  b.driver().finish(b.source());
  ASSERT_TRUE(b.driver().run_to_end().ok());
  EXPECT_THAT(b.take("out"),
              ElementsAre("2 in 10..19", "1 in 20..25", "1 in 25..30", "2 in 30..39", "1 in 39..44"));
}
TEST(SessionBoundary, OneRecordMakesTwoSessionsOne) {
  Bench b({}, 100us);
  count_windows(b, session(5us));
  for (Duration t : {10us, 18us}) b.push(event("a", t));
  ASSERT_TRUE(b.driver().run().ok());
  b.push(event("between", 14us));
  b.driver().finish(b.source());
  ASSERT_TRUE(b.driver().run_to_end().ok());
  EXPECT_THAT(b.take("out"), ElementsAre("3 in 10..23"));
}
TEST(SessionBoundary, ClosesWhenNoRecordCanProlongIt) {
  Bench b;
  count_windows(b, session(5us));
  b.push(event("a", 10us));
  advance_to(b, 14us);
  b.push(event("b", 14us));
  ASSERT_TRUE(b.driver().run().ok());
  advance_to(b, 19us - 1us);
  EXPECT_THAT(b.take("out"), IsEmpty());
  advance_to(b, 19us);
  EXPECT_THAT(b.take("out"), ElementsAre("2 in 10..19"));
  b.push(event("late", 18us));
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.take("late"), ElementsAre("late"));
  EXPECT_EQ(state_bytes(b), 0u);
}

template <class W>
class WindowOf : public testing::Test {};
struct HoppingCase {
  static constexpr auto kWindow = hopping(50s, 10s);
};
struct SlidingCase {
  static constexpr auto kWindow = sliding(50s);
};
struct SessionCase {
  static constexpr auto kWindow = session(50s);
};
using WindowCases = testing::Types<HoppingCase, SlidingCase, SessionCase>;
TYPED_TEST_SUITE(WindowOf, WindowCases);

TYPED_TEST(WindowOf, StateFollowsTheWatermarkAndEndsAtZero) {
  Bench b({.parallelism = 2});
  count_windows(b, TypeParam::kWindow);
  std::uint64_t peak = 0;
  for (int i = 0; i < 20000; ++i) {
    b.push(event("a", 1s * i, i / 100));  // keys come and go
    if (i % 100 != 99) continue;
    ASSERT_TRUE(b.driver().run().ok());
    peak = std::max(peak, state_bytes(b));
  }
  EXPECT_LT(peak, 60'000u);
  EXPECT_GT(state_bytes(b), 0u);
  advance_to(b, 30000s);
  EXPECT_EQ(state_bytes(b), 0u);
}

TYPED_TEST(WindowOf, TheLastWindowEndsWithTheTimesThereAre) {
  Bench b({}, 1h);
  count_windows(b, TypeParam::kWindow);
  b.push(event("a", kMaxTime.time_since_epoch()));
  b.push(event("b", kMaxTime.time_since_epoch() - 1us));
  b.driver().finish(b.source());
  ASSERT_EQ(b.driver().run_to_end(), absl::OkStatus());
  const std::vector<std::string> out = b.take("out");
  ASSERT_FALSE(out.empty());
  EXPECT_THAT(out.back(), HasSubstr("2 in ")) << "both are in the last window";
}

/// A merge belongs to no record that a policy could decide about.
struct Stubborn {
  std::int64_t count = 0;
  void add(const Event&) { ++count; }
  void merge(const Stubborn&) { throw std::runtime_error("won't merge"); }
};
SLIPSTREAM_FIELDS(Stubborn, count)

TYPED_TEST(WindowOf, AMergeThatThrowsFailsTheRunOrTheRecordThatMadeItNecessary) {
  Bench b({}, 100s);
  b.source()
      .key_by(&Event::key)
      .window(TypeParam::kWindow)
      .template aggregate<Stubborn>("it")
      .on_error(ErrorPolicy::skip())
      .sink([](const auto&) {});
  for (Duration t : {0s, 60s, 30s}) b.push(event("a", t));
  b.driver().finish(b.source());
  const absl::Status status = b.driver().run_to_end();
  if (std::is_same_v<TypeParam, SessionCase>) {
    EXPECT_EQ(status, absl::OkStatus());
    EXPECT_EQ(b.driver().metrics().node("it")->skipped, 1u);
  } else {
    EXPECT_THAT(std::string(status.message()), HasSubstr("merge: won't merge"));
  }
}

}  // namespace
}  // namespace slipstream::conformance
