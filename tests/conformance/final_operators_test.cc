#include <map>
#include <optional>
#include <set>

#include "window_conformance.h"

/// Operators whose set of results depends on nothing but the records and their lateness.
namespace slipstream::conformance {
namespace {

constexpr Tumbling kWindow = tumbling(10s, 3s);

// ---------------------------------------------------------------- tumbling windows

/// Which window, the slow way: try them all.
EventTime start_of(EventTime t, const Tumbling& w) {
  EventTime start = EventTime(w.offset) - 1000 * w.size;
  while (start + w.size <= t) start += w.size;
  return start;
}

struct WindowModel {
  std::map<std::pair<std::int64_t, EventTime>, Summary> windows;
  Lines late;
};
WindowModel model_windows(const std::vector<Arrival>& all, const Tumbling& w) {
  WindowModel model;
  for (const Arrival& a : all) {
    const EventTime start = start_of(a.event.at, w);
    if (start + w.size <= a.watermark) {
      model.late.push_back(late_line(a));
    } else {
      model.windows[{a.event.key, start}].add(a.event);
    }
  }
  return model;
}
Lines lines_of(const std::map<std::pair<std::int64_t, EventTime>, Summary>& windows, const Tumbling& w) {
  Lines lines;
  for (const auto& [at, summary] : windows) {
    const auto& [key, start] = at;
    lines.push_back({key, {}, start + w.size - 1us, text_of(start, start + w.size) + show(summary)});
  }
  return lines;
}

const Program kTumbling = [](Pipeline& p) {
  auto windows = p.sources[0].key_by(&Event::key).window(kWindow).aggregate<Summary>("windows");
  out_windows<Summary>(p, "windows", windows);
  p.out("late", windows.late(), &Event::key, show_event);
};
const Check kCheckTumbling = [](const Input& input, const Outcome& got) {
  const WindowModel model = model_windows(arrivals(input, 0), kWindow);
  expect_same_set(lines_of(model.windows, kWindow), got.at("windows"));
  expect_same_set(model.late, got.at("late"));
};

TEST(TumblingAggregateConformance, IsFinalWithoutLateRecords) {
  sweep_simulated(kTumbling, {}, kCheckTumbling);
}
TEST(TumblingAggregateConformance, IsFinalWithLateRecords) {
  sweep_simulated(kTumbling, {.beyond_bound = 25s}, kCheckTumbling);
}
TEST(TumblingAggregateConformance, IsFinalOnThreadsAndStepped) {
  sweep_for_real(kTumbling, {.beyond_bound = 25s}, kCheckTumbling);
}

TEST(Threads, MoreThanTheMachineHasAreNoReasonToPrint) {
  testing::internal::CaptureStderr();
  std::mt19937_64 random(1);
  const Input input = make_input({}, random);
  kCheckTumbling(input, run_for_real(kTumbling, input, {.parallelism = 64}, Executor::tbb));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(TumblingCountConformance, CountsRecordsOfKeyAndWindow) {
  sweep_simulated(
      [](Pipeline& p) {
        out_windows<std::int64_t>(p, "counts",
                                  p.sources[0].key_by(&Event::key).window(kWindow).count("counts"));
      },
      {.beyond_bound = 25s},
      [](const Input& input, const Outcome& got) {
        Lines expected;
        for (const auto& [at, summary] : model_windows(arrivals(input, 0), kWindow).windows) {
          expected.push_back(
              {at.first, {}, at.second + 10s - 1us, text_of(at.second, at.second + 10s, summary.count)});
        }
        expect_same_set(expected, got.at("counts"));
      },
      48);
}

/// A window over merged sources waits for the slower one, and lateness stays a matter of the own partition.
TEST(TumblingAggregateConformance, IsFinalOverMergedAndExpandedStreams) {
  const Program program = [](Pipeline& p) {
    auto twice = p.sources[1].flat_map([](const Event& e) {
      Event other = e;
      other.key += 1;
      return std::vector<Event>{e, other};
    });
    auto windows =
        p.sources[0].merge(twice).key_by(&Event::key).window(kWindow).aggregate<Summary>("windows");
    out_windows<Summary>(p, "windows", windows);
  };
  sweep_simulated(program, {.sources = 2, .max_records = 60, .beyond_bound = 15s},
                  [](const Input& input, const Outcome& got) {
                    std::vector<Arrival> all = arrivals(input, 0);
                    for (const Arrival& a : arrivals(input, 1)) {
                      all.push_back(a);
                      all.push_back(a);
                      all.back().event.key += 1;
                    }
                    expect_same_set(lines_of(model_windows(all, kWindow).windows, kWindow),
                                    got.at("windows"));
                  });
}

/// Results of windows are records again: every lane sends to every lane, and none may close too early.
const Program kWindowsOfWindows = [](Pipeline& p) {
  auto first = p.sources[0]
                   .key_by(&Event::key)
                   .window(tumbling(5s))
                   .aggregate<Summary>("first")
                   .map([](const Windowed<std::int64_t, Summary>& w, const RecordInfo& info) {
                     return Event{w.key % 3, w.value.sum, info.time, "from " + std::to_string(w.key)};
                   });
  auto second = first.key_by(&Event::key).window(tumbling(20s)).aggregate<Summary>("second");
  out_windows<Summary>(p, "windows", second);
  p.out("late", second.late(), &Event::key, show_event);
};
const Check kCheckWindowsOfWindows = [](const Input& input, const Outcome& got) {
  std::vector<Arrival> results;
  for (const auto& [at, summary] : model_windows(arrivals(input, 0), tumbling(5s)).windows) {
    const auto& [key, start] = at;
    results.push_back(
        {{key % 3, summary.sum, start + 5s - 1us, "from " + std::to_string(key)}, {}, kMinTime});
  }
  expect_same_set(lines_of(model_windows(results, tumbling(20s)).windows, tumbling(20s)), got.at("windows"));
  expect_same_set({}, got.at("late"));
};
TEST(TumblingAggregateConformance, IsFinalBehindAnotherWindow) {
  sweep_simulated(kWindowsOfWindows, {.beyond_bound = 10s}, kCheckWindowsOfWindows);
}
TEST(TumblingAggregateConformance, IsFinalBehindAnotherWindowOnThreadsAndStepped) {
  sweep_for_real(kWindowsOfWindows, {.beyond_bound = 10s}, kCheckWindowsOfWindows);
}

// ---------------------------------------------------------------- as-of join

Line joined_line(const Arrival& left, const Event* right) {
  return {left.event.key, left.id, left.event.at,
          text_of(left.id, left.event.value, left.event.text) +
              (right ? text_of(right->at, right->value, right->text) : "none")};
}
struct Joined {
  std::int64_t key;
  std::string text;
};
Joined join_pair(const Event& l, const Event* r) {
  return {l.key, text_of(l.value, l.text) + (r ? text_of(r->at, r->value, r->text) : "none")};
}
void out_joined(Pipeline& p, const Stream<Joined>& joined) {
  p.out("joined", joined, &Joined::key,
        [](const Joined& j, const RecordInfo& info) { return text_of(info.id) + j.text; });
}

/// Looks at every right record for every left one.
Lines model_join(const std::vector<Arrival>& lefts, const std::vector<Arrival>& rights, Duration tolerance) {
  Lines lines;
  for (const Arrival& left : lefts) {
    if (left.late) continue;
    const Arrival* best = nullptr;
    for (const Arrival& right : rights) {
      if (right.late || right.event.key != left.event.key || right.event.at > left.event.at) continue;
      if (!best || std::pair(best->event.at, best->id) < std::pair(right.event.at, right.id)) best = &right;
    }
    if (best && tolerance != Duration::max() && left.event.at - best->event.at > tolerance) best = nullptr;
    lines.push_back(joined_line(left, best ? &best->event : nullptr));
  }
  return lines;
}

Program join_program(Duration tolerance, std::optional<Duration> max_lag = {}) {
  return [=](Pipeline& p) {
    auto left = p.sources[0];
    if (max_lag) left.depends_on(p.sources[1], {.max_lag = *max_lag});
    auto joined =
        left.key_by(&Event::key)
            .as_of_join("join", p.sources[1].key_by(&Event::key), {.tolerance = tolerance}, join_pair);
    out_joined(p, joined);
    p.out("late", joined.late(), &Event::key, show_event);
  };
}
/// The last line of each record.
Lines last_by_id(const Lines& lines) {
  std::map<RecordId, Line> last;
  std::map<RecordId, int> count;
  for (const Line& line : lines) {
    last.insert_or_assign(line.id, line);
    EXPECT_LE(++count[line.id], 2) << to_string(line.id) << ": a guess and perhaps a correction";
  }
  Lines all;
  for (auto& [id, line] : last) all.push_back(std::move(line));
  return all;
}
Program speculative_join_program(Duration tolerance) {
  return [=](Pipeline& p) {
    auto joined =
        p.sources[0]
            .key_by(&Event::key)
            .as_of_join("join", p.sources[1].key_by(&Event::key),
                        {.tolerance = tolerance, .emit = AsOfOptions::Emit::speculative}, join_pair);
    out_joined(p, joined);
    p.out("late", joined.late(), &Event::key, show_event);
  };
}
Check check_join(Duration tolerance) {
  return [=](const Input& input, const Outcome& got) {
    const auto lefts = arrivals(input, 0), rights = arrivals(input, 1);
    expect_same_set(model_join(lefts, rights, tolerance), got.at("joined"));
    Lines late;
    for (const Arrival& a : lefts) {
      if (a.late) late.push_back(late_line(a));
    }
    expect_same_set(late, got.at("late"));
  };
}
constexpr Shape kJoinShape{.sources = 2, .max_records = 80, .keys = 4};
constexpr Shape kLateJoinShape{.sources = 2, .max_records = 80, .keys = 4, .beyond_bound = 6s};

TEST(AsOfJoinConformance, IsFinalWithoutTolerance) {
  sweep_simulated(join_program(Duration::max()), kJoinShape, check_join(Duration::max()));
}
TEST(AsOfJoinConformance, IsFinalWithTolerance) {
  sweep_simulated(join_program(4s), kJoinShape, check_join(4s));
}
TEST(AsOfJoinConformance, IsFinalWithToleranceZero) {
  sweep_simulated(join_program(0s), kJoinShape, check_join(0s), 48);
}
TEST(AsOfJoinConformance, IsFinalWithLateRecords) {
  sweep_simulated(join_program(9s), kLateJoinShape, check_join(9s));
}
TEST(AsOfJoinConformance, IsFinalWhenTheLeftSideDependsOnTheRight) {
  sweep_simulated(join_program(9s, 2s), kLateJoinShape, check_join(9s));
}
TEST(AsOfJoinConformance, IsFinalOnThreadsAndStepped) {
  sweep_for_real(join_program(9s), kLateJoinShape, check_join(9s));
  sweep_for_real(join_program(9s, 2s), kLateJoinShape, check_join(9s));
}

Check check_speculative_join(Duration tolerance) {
  return [=](const Input& input, const Outcome& got) {
    Outcome last = got;
    last.outputs["joined"] = last_by_id(got.at("joined"));
    check_join(tolerance)(input, last);
  };
}
TEST(SpeculativeAsOfJoinConformance, EndsWithTheFinalResults) {
  sweep_simulated(speculative_join_program(Duration::max()), kJoinShape,
                  check_speculative_join(Duration::max()));
  sweep_simulated(speculative_join_program(4s), kLateJoinShape, check_speculative_join(4s));
}
TEST(SpeculativeAsOfJoinConformance, EndsWithTheFinalResultsOnThreadsAndStepped) {
  sweep_for_real(speculative_join_program(9s), kLateJoinShape, check_speculative_join(9s));
}

TEST(AsOfJoinConformance, CountsLateRecordsOfBothSides) {
  sweep_simulated(
      join_program(9s), kLateJoinShape,
      [](const Input& input, const Outcome& got) {
        std::uint64_t late = 0;
        for (std::size_t s : {0u, 1u}) {
          for (const Arrival& a : arrivals(input, s)) late += a.late;
        }
        if (got.metrics.node("source 0")->in + got.metrics.node("source 1")->in <
            arrivals(input, 0).size() + arrivals(input, 1).size()) {
          return;  // the last of several runs
        }
        EXPECT_EQ(got.metrics.node("join")->late, late);
      },
      48);
}

/// The right side is made by a window: its watermark comes from all lanes of that window.
const Program kJoinWithWindows = [](Pipeline& p) {
  auto sums = p.sources[1]
                  .key_by(&Event::key)
                  .window(tumbling(5s))
                  .aggregate<Summary>("sums")
                  .map([](const Windowed<std::int64_t, Summary>& w, const RecordInfo& info) {
                    return Event{w.key, w.value.sum, info.time, "a sum"};
                  });
  out_joined(p, p.sources[0].key_by(&Event::key).as_of_join("join", sums.key_by(&Event::key), {}, join_pair));
};
const Check kCheckJoinWithWindows = [](const Input& input, const Outcome& got) {
  std::vector<Arrival> rights;
  for (const auto& [at, summary] : model_windows(arrivals(input, 1), tumbling(5s)).windows) {
    rights.push_back({{at.first, summary.sum, at.second + 5s - 1us, "a sum"}, {}, kMinTime});
  }
  expect_same_set(model_join(arrivals(input, 0), rights, Duration::max()), got.at("joined"));
};
TEST(AsOfJoinConformance, IsFinalWithWindowsOnTheRight) {
  sweep_simulated(kJoinWithWindows, kLateJoinShape, kCheckJoinWithWindows);
}
TEST(AsOfJoinConformance, IsFinalWithWindowsOnTheRightOnThreadsAndStepped) {
  sweep_for_real(kJoinWithWindows, kLateJoinShape, kCheckJoinWithWindows);
}

// ---------------------------------------------------------------- interval join

struct Pair {
  std::int64_t key;
  std::string text;
};
Pair pair_of(const Event& l, const Event& r) {
  return {l.key, text_of(l.at, l.value, l.text, r.at, r.value, r.text)};
}
void out_pairs(Pipeline& p, const Stream<Pair>& pairs) {
  p.out("pairs", pairs, &Pair::key, [](const Pair& pair, const RecordInfo&) { return pair.text; });
}

/// Looks at every right record for every left one.
Lines model_interval_join(const std::vector<Arrival>& lefts, const std::vector<Arrival>& rights,
                          Interval interval) {
  Lines lines;
  for (const Arrival& l : lefts) {
    for (const Arrival& r : rights) {
      if (l.late || r.late || l.event.key != r.event.key) continue;
      const Duration apart = r.event.at - l.event.at;
      if (apart < interval.lower || apart > interval.upper) continue;
      lines.push_back({l.event.key, {}, std::max(l.event.at, r.event.at), pair_of(l.event, r.event).text});
    }
  }
  return lines;
}
Program interval_join_program(Interval interval) {
  return [=](Pipeline& p) {
    auto pairs = p.sources[0]
                     .key_by(&Event::key)
                     .interval_join("join", p.sources[1].key_by(&Event::key), interval, pair_of);
    out_pairs(p, pairs);
    p.out("late", pairs.late(), &Event::key, show_event);
  };
}
Check check_interval_join(Interval interval) {
  return [=](const Input& input, const Outcome& got) {
    const auto lefts = arrivals(input, 0), rights = arrivals(input, 1);
    expect_same_set(model_interval_join(lefts, rights, interval), got.at("pairs"));
    Lines late;
    for (const Arrival& a : lefts) {
      if (a.late) late.push_back(late_line(a));
    }
    expect_same_set(late, got.at("late"));
  };
}
constexpr Interval kAround{-3s, 2s};

TEST(IntervalJoinConformance, IsFinalWithoutLateRecords) {
  sweep_simulated(interval_join_program(kAround), kJoinShape, check_interval_join(kAround));
}
TEST(IntervalJoinConformance, IsFinalWithLateRecords) {
  sweep_simulated(interval_join_program(kAround), kLateJoinShape, check_interval_join(kAround));
}
TEST(IntervalJoinConformance, IsFinalWhereverTheIntervalLies) {
  for (const Interval interval :
       {Interval{}, Interval{2s, 7s}, Interval{-7s, -2s}, Interval{0s, 30s}, Interval{-30s, -30s},
        Interval{-Duration::max(), 0s}, Interval{Duration::min(), Duration::max()}}) {
    SCOPED_TRACE(text_of(interval.lower.count(), interval.upper.count()));
    sweep_simulated(interval_join_program(interval), kLateJoinShape, check_interval_join(interval), 48);
  }
}
/// A hot key: one record makes more pairs than a batch holds.
TEST(IntervalJoinConformance, IsFinalWithOneKey) {
  const Interval all{-1000s, 1000s};
  sweep_simulated(interval_join_program(all), {.sources = 2, .max_records = 40, .keys = 1},
                  check_interval_join(all), 96);
}
TEST(IntervalJoinConformance, IsFinalOnThreadsAndStepped) {
  sweep_for_real(interval_join_program(kAround), kLateJoinShape, check_interval_join(kAround));
}
TEST(IntervalJoinConformance, IsFinalWithAStreamAndItself) {
  const Interval before{-4s, -1us};
  const Program program = [=](Pipeline& p) {
    auto by_key = p.sources[0].key_by(&Event::key);
    out_pairs(p, by_key.interval_join("join", by_key, before, pair_of));
  };
  const Check check = [=](const Input& input, const Outcome& got) {
    const auto all = arrivals(input, 0);
    expect_same_set(model_interval_join(all, all, before), got.at("pairs"));
  };
  sweep_simulated(program, {.beyond_bound = 6s}, check, 96);
}
TEST(IntervalJoinConformance, IsFinalBehindAnotherJoinAndBeforeAWindow) {
  const Program program = [](Pipeline& p) {
    auto near = [](const Event& l, const Event& r) {
      return l.value < r.value ? std::optional(Event{l.key, r.value - l.value, std::max(l.at, r.at), r.text})
                               : std::nullopt;
    };
    auto by_key = p.sources[1].key_by(&Event::key);
    auto first = p.sources[0].key_by(&Event::key).interval_join("first", by_key, kAround, near);
    auto second = first.key_by(&Event::key).interval_join("second", by_key, kAround, near);
    out_windows<Summary>(p, "windows",
                         second.key_by(&Event::key).window(kWindow).aggregate<Summary>("windows"));
  };
  const auto joined = [](const std::vector<Arrival>& lefts, const std::vector<Arrival>& rights) {
    std::vector<Arrival> all;
    for (const Arrival& l : lefts) {
      for (const Arrival& r : rights) {
        const Duration apart = r.event.at - l.event.at;
        if (l.late || r.late || l.event.key != r.event.key || l.event.value >= r.event.value ||
            apart < kAround.lower || apart > kAround.upper) {
          continue;
        }
        all.push_back(
            {{l.event.key, r.event.value - l.event.value, std::max(l.event.at, r.event.at), r.event.text},
             {},
             kMinTime});
      }
    }
    return all;
  };
  const Check check = [=](const Input& input, const Outcome& got) {
    const auto rights = arrivals(input, 1);
    const auto second = joined(joined(arrivals(input, 0), rights), rights);
    expect_same_set(lines_of(model_windows(second, kWindow).windows, kWindow), got.at("windows"));
  };
  sweep_simulated(program, kLateJoinShape, check, 96);
  sweep_for_real(program, kLateJoinShape, check, 8);
}
/// So that operators behind the join, which break ties by ids, are final too.
TEST(IntervalJoinConformance, GivesEachPairAnIdOfItsOwnThatIsTheSameInEveryRun) {
  const Program program = [](Pipeline& p) {
    auto by_key = p.sources[1].key_by(&Event::key);
    p.out("ids", p.sources[0].key_by(&Event::key).interval_join("join", by_key, {-30s, 30s}, pair_of),
          &Pair::key, [](const Pair& pair, const RecordInfo& info) { return text_of(info.id) + pair.text; });
  };
  std::mt19937_64 random(7);
  const Input input = make_input(kJoinShape, random);
  const Lines first = run_simulated(program, input, {settings_for(1)}).at("ids");
  std::set<RecordId> ids;
  for (const Line& line : first) ids.insert(line.id);
  EXPECT_EQ(ids.size(), first.size());
  EXPECT_GT(ids.size(), 500u);
  for (std::uint64_t seed = 2; seed < 18; ++seed) {
    SCOPED_TRACE(describe(settings_for(seed)));
    expect_same_set(first,
                    run_simulated(program, input, {settings_for(seed), settings_for(seed + 40)}).at("ids"));
  }
}
TEST(IntervalJoinConformance, CountsLateRecordsOfBothSides) {
  sweep_simulated(
      interval_join_program(kAround), kLateJoinShape,
      [](const Input& input, const Outcome& got) {
        std::uint64_t late = 0;
        for (std::size_t s : {0u, 1u}) {
          for (const Arrival& a : arrivals(input, s)) late += a.late;
        }
        if (got.metrics.node("source 0")->in + got.metrics.node("source 1")->in <
            arrivals(input, 0).size() + arrivals(input, 1).size()) {
          return;  // the last of several runs
        }
        EXPECT_EQ(got.metrics.node("join")->late, late);
      },
      48);
}

// ---------------------------------------------------------------- process with timers

/// A tumbling window written by hand.
struct Waiting {
  std::vector<Event> events;
};
SLIPSTREAM_FIELDS(Waiting, events)

const Program kWindowByTimers = [](Pipeline& p) {
  using Out = Windowed<std::int64_t, Summary>;
  auto windows =
      p.sources[0]
          .key_by(&Event::key)
          .process<Waiting, Out>(
              "windows",
              [](const Event& e, Waiting& state, ProcessContext<std::int64_t, Out>& ctx) {
                state.events.push_back(e);
                ctx.set_timer(detail::window_start(e.at, kWindow) + kWindow.size);
                ctx.set_timer(detail::window_start(e.at, kWindow) + kWindow.size);  // twice is once
                ctx.set_timer(e.at + 1us);
                ctx.cancel_timer(e.at + 1us);
              },
              [](EventTime end, Waiting& state, ProcessContext<std::int64_t, Out>& ctx) {
                Summary summary;
                std::erase_if(state.events, [&](const Event& e) {
                  if (e.at >= end) return false;
                  summary.add(e);
                  return true;
                });
                if (summary.count > 0) ctx.emit({ctx.key(), {end - kWindow.size, end}, summary});
                if (state.events.empty()) ctx.forget();
              });
  out_windows<Summary>(p, "windows", windows);
};
const Check kCheckWindowByTimers = [](const Input& input, const Outcome& got) {
  Lines expected = lines_of(model_windows(arrivals(input, 0), kWindow).windows, kWindow);
  for (Line& line : expected) line.time += 1us;  // a timer's outputs carry its time
  expect_same_set(expected, got.at("windows"));
};
TEST(ProcessConformance, TimersFireWhenTheWatermarkReachesThem) {
  sweep_simulated(kWindowByTimers, {}, kCheckWindowByTimers);
}
TEST(ProcessConformance, TimersFireWhenTheWatermarkReachesThemOnThreadsAndStepped) {
  sweep_for_real(kWindowByTimers, {}, kCheckWindowByTimers);
}

}  // namespace
}  // namespace slipstream::conformance
