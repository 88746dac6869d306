#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "operator_conformance.h"
#include "slipstream/generator.h"
#include "slipstream/json.h"

/// What the error policies do, at every operator that calls a user function: a record is atomic, others go
/// on, and order and watermarks hold while records wait for a retry.
namespace slipstream::conformance {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StrEq;

/// Makes a user function throw on chosen records, each a stated number of times.
class Trip {
 public:
  void set(const Event& e, int failures) { left_[e.text] = failures; }
  bool fails_on(const Event& e) const { return left_.contains(e.text); }
  void operator()(const Event& e) {
    auto it = left_.find(e.text);
    if (it == left_.end() || it->second == 0) return;
    --it->second;
    throw std::runtime_error("tripped over " + e.text);
  }

 private:
  std::map<std::string, int> left_;
};
using SharedTrip = std::shared_ptr<Trip>;

/// What must stay in order.
enum class Order { none, key, partition };

struct Case {
  std::string name;
  Order order;
  /// Applies the operator, named "it", with the policy, and adds the output "out".
  std::function<void(Pipeline&, const SharedTrip&, const ErrorPolicy&)> build;
};

std::string show_event(const Event& e, const RecordInfo& info) {
  return text_of(info.time, e.key, e.value, e.text);
}
void out_events(Pipeline& p, const Stream<Event>& stream) { p.out("out", stream, &Event::key, show_event); }

struct Sum {
  std::int64_t count = 0, sum = 0;
};
SLIPSTREAM_FIELDS(Sum, count, sum)

/// Changes its state before it throws. The trip is reached through the record: aggregates carry no captures.
struct Careless {
  std::int64_t count = 0, sum = 0;
  static inline SharedTrip trip;
  void add(const Event& e) {
    ++count;
    (*trip)(e);
    sum += e.value;
  }
  void merge(const Careless& o) {
    count += o.count;
    sum += o.sum;
  }
};
SLIPSTREAM_FIELDS(Careless, count, sum)
/// The same without merge().
struct CarelessAlone {
  Careless all;
  void add(const Event& e) { all.add(e); }
};
SLIPSTREAM_FIELDS(CarelessAlone, all)
std::string show_sum(const Careless& c) { return text_of(c.count, c.sum); }
std::string show_sum(const CarelessAlone& c) { return show_sum(c.all); }

template <class State, class W>
void out_windows(Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy, W window) {
  Careless::trip = trip;
  using Result = Windowed<std::int64_t, State>;
  p.out("out",
        p.sources[0].key_by(&Event::key).window(window).template aggregate<State>("it").on_error(policy),
        &Result::key, [](const Result& w, const RecordInfo&) {
          return text_of(w.window.start, w.window.end) + show_sum(w.value);
        });
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"map", Order::partition,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         out_events(
             p,
             p.sources[0].map([trip](const Event& e) { return (*trip)(e), e; }).named("it").on_error(policy));
       }},
      {"filter", Order::partition,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         out_events(p, p.sources[0]
                           .filter([trip](const Event& e) { return (*trip)(e), e.value % 4 != 0; })
                           .named("it")
                           .on_error(policy));
       }},
      {"flat_map of vectors", Order::partition,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         auto many = [trip](const Event& e) {
           return (*trip)(e), std::vector<Event>(static_cast<std::size_t>(e.value % 9), e);
         };
         out_events(p, p.sources[0].flat_map(many).named("it").on_error(policy));
       }},
      {"flat_map of generators", Order::partition,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         auto many = [trip](const Event& e) -> Generator<Event> {
           for (int i = 0; i < 5; ++i) {
             if (i == 2) (*trip)(e);
             co_yield e;
           }
         };
         out_events(p, p.sources[0].flat_map(many).named("it").on_error(policy));
       }},
      {"split", Order::partition,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         auto [odd, even] =
             p.sources[0].split([trip](const Event& e) { return (*trip)(e), e.value % 2 == 1; });
         out_events(p, odd.named("it").on_error(policy));
         p.out("even", even, &Event::key, show_event);
       }},
      {"map behind the exchange", Order::none,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         auto sums = p.sources[0]
                         .key_by(&Event::key)
                         .process<Sum, Event>(
                             "sums", [](const Event& e, Sum& sum, ProcessContext<std::int64_t, Event>& ctx) {
                               Event out = e;
                               out.value = ++sum.count;
                               ctx.emit(out);
                             });
         out_events(p,
                    sums.map([trip](const Event& e) { return (*trip)(e), e; }).named("it").on_error(policy));
       }},
      {"running aggregate", Order::key,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         Careless::trip = trip;
         using K = Keyed<std::int64_t, Careless>;
         p.out("out", p.sources[0].key_by(&Event::key).aggregate<Careless>("it").on_error(policy), &K::key,
               [](const K& k, const RecordInfo& info) {
                 return text_of(info.time, k.value.count, k.value.sum);
               });
       }},
      {"tumbling window", Order::none,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         out_windows<Careless>(p, trip, policy, tumbling(10s));
       }},
      {"hopping window", Order::none,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         out_windows<Careless>(p, trip, policy, hopping(10s, 4s));
       }},
      {"hopping window without merge", Order::none,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         out_windows<CarelessAlone>(p, trip, policy, hopping(10s, 4s));
       }},
      {"sliding window", Order::none,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         out_windows<Careless>(p, trip, policy, sliding(10s));
       }},
      {"session window", Order::none,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         out_windows<Careless>(p, trip, policy, session(3s));
       }},
      {"process", Order::key,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         auto out = p.sources[0]
                        .key_by(&Event::key)
                        .process<Sum, Event>(
                            "it", [trip](const Event& e, Sum& sum, ProcessContext<std::int64_t, Event>& ctx) {
                              ++sum.count;
                              sum.sum += e.value;
                              Event made = e;
                              made.value = sum.sum;
                              ctx.emit(made);
                              if (sum.count == 9) ctx.forget();
                              (*trip)(e);
                              ctx.emit(made);
                            });
         out_events(p, out.on_error(policy));
       }},
      {"as-of join", Order::none,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         auto pair = [trip](const Event& l, const Event* r) {
           (*trip)(l);
           return Event{l.key, r ? r->value : -1, l.at, l.text + (r ? r->text : "none")};
         };
         auto rights = p.sources[0].map([](const Event& e) {
           return Event{e.key, e.value, e.at, "right " + e.text};
         });
         out_events(p, p.sources[0]
                           .key_by(&Event::key)
                           .as_of_join("it", rights.key_by(&Event::key), {.tolerance = 9s}, pair)
                           .on_error(policy));
       }},
      // Whichever of a record's two copies comes second fails, and the other finds no partner then.
      {"interval join", Order::none,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         auto with_itself = [trip](const Event& l, const Event& r) -> std::optional<Event> {
           if (l.text != r.text) return std::nullopt;
           (*trip)(l);
           return l;
         };
         auto by_key = p.sources[0].key_by(&Event::key);
         out_events(p, by_key.interval_join("it", by_key, {-9s, 9s}, with_itself).on_error(policy));
       }},
      {"sink", Order::partition,
       [](Pipeline& p, const SharedTrip& trip, const ErrorPolicy& policy) {
         p.out("out", p.sources[0], &Event::key,
               [trip](const Event& e, const RecordInfo& info) { return (*trip)(e), show_event(e, info); });
         for (const auto& node : p.app.graph()->nodes) {
           if (node->name != "out out") continue;
           node->errors = policy;
           node->name = "it";
         }
       }},
  };
  return all;
}

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

void expect_same(const Lines& expected, const Lines& got, Order order) {
  if (order == Order::none) return expect_same_set(expected, got);
  const auto grouped = [order](const Lines& lines) {
    std::map<std::int64_t, std::vector<std::string>> groups;
    for (const Line& line : lines)
      groups[order == Order::key ? line.key : line.id.partition].push_back(line.text);
    return groups;
  };
  const auto e = grouped(expected), g = grouped(got);
  ASSERT_EQ(g.size(), e.size());
  for (const auto& [group, texts] : e) {
    ASSERT_TRUE(g.contains(group));
    const auto& actual = g.at(group);
    for (std::size_t i = 0; i < std::min(texts.size(), actual.size()); ++i) {
      ASSERT_EQ(actual[i], texts[i]) << "output " << i
                                     << (order == Order::key ? " of key " : " of partition ") << group;
    }
    ASSERT_EQ(actual.size(), texts.size());
  }
}

class ErrorPolicyConformance : public testing::TestWithParam<Case> {
 protected:
  /// A key has one partition, so the order of its records is known; nothing is late.
  static constexpr Shape kShape{.max_records = 60, .keys = 3, .key_in_one_partition = true};

  Program program(const SharedTrip& trip, const ErrorPolicy& policy, bool letters = false) const {
    return [=](Pipeline& p) {
      GetParam().build(p, trip, policy);
      if (!letters) return;
      p.out(
          "letters", p.app.dead_letters(), [](const DeadLetter&) { return std::int64_t{0}; },
          [](const DeadLetter& d, const RecordInfo& info) {
            return d.node + " " + d.source + " " + text_of(d.id, info.id, d.time, d.error, event_of(d)) +
                   d.key;
          });
    };
  }
  /// What the letter's JSON says of the event, but its value: a node in front may have changed that.
  static std::string event_of(const DeadLetter& letter) {
    Event e;
    EXPECT_TRUE(json<Event>().make_decoder()(letter.value, e).ok()) << letter.value;
    return text_of(e.key, e.at, e.text);
  }
  Lines without_trips(const Input& input) const {
    return run_simulated(program(std::make_shared<Trip>(), {}), input, {Settings{}}).at("out");
  }
  /// The records that fail; some in a row.
  static std::vector<Arrival> choose(const Input& input, std::mt19937_64& random) {
    std::vector<Arrival> bad;
    for (const Arrival& a : arrivals(input, 0)) {
      if (random() % 8 == 0 || (!bad.empty() && bad.back().id.offset + 1 == a.id.offset && random() % 3 == 0))
        bad.push_back(a);
    }
    return bad;
  }
  static Input without(Input input, const std::vector<Arrival>& bad) {
    for (const Arrival& a : bad) {
      std::erase_if(input.sources[0][a.id.partition], [&](const Event& e) { return e.text == a.event.text; });
    }
    return input;
  }
  /// One run to the end, or several with snapshots between; what fails `failures` times is set anew.
  template <class Body>
  void sweep(Body body, std::size_t runs = 48) {
    for (std::uint64_t seed = 1; seed <= scaled(runs); ++seed) {
      std::mt19937_64 random(seed);
      Input input = make_input(kShape, random);
      input.bound = 60s;  // leaving records out must not make others late
      std::vector<Settings> settings{settings_for(seed + 8 * seed)};
      if (seed % 2 == 0)
        settings = {settings_for(seed), settings_for(random() % 1000), settings_for(random() % 1000)};
      std::string trace = "seed " + std::to_string(seed) + ": ";
      for (const Settings& s : settings) trace += describe(s) + "; ";
      SCOPED_TRACE(trace);
      body(input, choose(input, random), settings);
      if (HasFailure()) return;
    }
  }
};

TEST_P(ErrorPolicyConformance, SkippedRecordsLeaveNothing) {
  sweep([&](const Input& input, const std::vector<Arrival>& bad, const std::vector<Settings>& settings) {
    auto trip = std::make_shared<Trip>();
    for (const Arrival& a : bad) trip->set(a.event, 1000);
    const Outcome got = run_simulated(program(trip, ErrorPolicy::skip()), input, settings);
    if (GetParam().name == "as-of join" || GetParam().name == "map behind the exchange") {
      // A record that fails here has been a right row or a count before.
      Lines expected;
      for (const Line& line : without_trips(input)) {
        const auto is_this = [&](const Arrival& a) { return line.id == a.id; };
        if (std::none_of(bad.begin(), bad.end(), is_this)) expected.push_back(line);
      }
      expect_same(expected, got.at("out"), GetParam().order);
    } else {
      expect_same(without_trips(without(input, bad)), got.at("out"), GetParam().order);
    }
    if (settings.size() == 1) {
      EXPECT_EQ(got.metrics.node("it")->skipped, bad.size());
    }
  });
}

TEST_P(ErrorPolicyConformance, DivertedRecordsArriveAsDeadLetters) {
  sweep([&](const Input& input, const std::vector<Arrival>& bad, const std::vector<Settings>& settings) {
    auto trip = std::make_shared<Trip>();
    for (const Arrival& a : bad) trip->set(a.event, 1000);
    const Outcome got = run_simulated(program(trip, ErrorPolicy::dead_letter(), true), input, settings);
    const Outcome skipped = run_simulated(program(trip, ErrorPolicy::skip()), input, {Settings{}});
    expect_same(skipped.at("out"), got.at("out"), GetParam().order);
    Lines expected;
    for (const Arrival& a : bad) {
      const std::string event = text_of(a.event.key, a.event.at, a.event.text);
      expected.push_back(
          {0, a.id, a.event.at,
           "it source 0 " + text_of(a.id, a.id, a.event.at, "tripped over " + a.event.text, event)});
    }
    expect_same_set(expected, got.at("letters"));
    if (settings.size() == 1) {
      EXPECT_EQ(got.metrics.node("it")->dead_lettered, bad.size());
    }
  });
}

TEST_P(ErrorPolicyConformance, RetriesKeepTheOrderAndChangeNothing) {
  sweep([&](const Input& input, const std::vector<Arrival>& bad, const std::vector<Settings>& settings) {
    auto trip = std::make_shared<Trip>();
    for (const Arrival& a : bad) trip->set(a.event, 1 + static_cast<int>(a.id.offset % 3));
    const Outcome got = run_simulated(program(trip, ErrorPolicy::retry(3, 5ms)), input, settings);
    expect_same(without_trips(input), got.at("out"), GetParam().order);
    EXPECT_EQ(got.metrics.node("it")->held, 0u);
    EXPECT_EQ(got.metrics.node("it")->skipped, 0u);
  });
}

TEST_P(ErrorPolicyConformance, RecordsGivenUpFollowThePolicy) {
  sweep([&](const Input& input, const std::vector<Arrival>& bad, const std::vector<Settings>& settings) {
    auto trip = std::make_shared<Trip>();
    for (const Arrival& a : bad) trip->set(a.event, a.id.offset % 2 ? 1000 : 1);
    auto skipping = std::make_shared<Trip>();
    for (const Arrival& a : bad) {
      if (a.id.offset % 2) skipping->set(a.event, 1000);
    }
    const Outcome expected = run_simulated(program(skipping, ErrorPolicy::skip()), input, {Settings{}});
    const Outcome got =
        run_simulated(program(trip, ErrorPolicy::retry(2, 5ms, ErrorPolicy::Action::skip)), input, settings);
    expect_same(expected.at("out"), got.at("out"), GetParam().order);
  });
}

TEST_P(ErrorPolicyConformance, FailureNamesNodeRecordAndCause) {
  for (const ErrorPolicy& policy : {ErrorPolicy::fail(), ErrorPolicy::retry(2, 5ms)}) {
    for (std::size_t batch : {1u, 4096u}) {
      App app;
      Outcome outcome;
      Pipeline p(app, outcome);
      Input input;
      input.sources.resize(1);
      make_sources(p, input, false);
      auto trip = std::make_shared<Trip>();
      GetParam().build(p, trip, policy);
      TestDriver driver(app, {.parallelism = 3, .batch_max_records = batch, .partitions = 2});
      const Event bad{4, 8, EventTime(17s), "a bad record"};
      trip->set(bad, 1000);
      for (int i = 0; i < 5; ++i)
        driver.push(p.sources[0], {4, i + 1, EventTime(12s + 1s * i), "a good record"}, 1);
      driver.push(p.sources[0], bad, 1);
      driver.push(p.sources[0], {4, 3, EventTime(20s), "the one behind it"}, 1);
      driver.finish(p.sources[0]);
      const absl::Status status = driver.run_to_end();
      EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
      EXPECT_THAT(std::string(status.message()),
                  StrEq("it: pushed records partition 1 offset 5: tripped over a bad record"));
      EXPECT_EQ(driver.metrics().in_flight_bytes, 0u);
    }
  }
}

TEST_P(ErrorPolicyConformance, MoreWaitingRecordsThanAllowedFailTheRun) {
  App app;
  Outcome outcome;
  Pipeline p(app, outcome);
  Input input;
  input.sources.resize(1);
  make_sources(p, input, false);
  auto trip = std::make_shared<Trip>();
  ErrorPolicy policy = ErrorPolicy::retry(3, 1h);
  policy.max_held = 3;
  GetParam().build(p, trip, policy);
  TestDriver driver(app);
  for (int i = 0; i < 4; ++i) {
    const Event bad{1, 3, EventTime(10s + 1s * i), "record " + std::to_string(i)};
    trip->set(bad, 1);
    driver.push(p.sources[0], bad);
  }
  driver.advance_watermark(p.sources[0], EventTime(14s));
  const absl::Status status = driver.run();
  EXPECT_THAT(std::string(status.message()),
              StrEq("it: pushed records partition 0 offset 3: more than 3 records wait for a retry; "
                    "raise ErrorPolicy::max_held or give up on records sooner"));
}

INSTANTIATE_TEST_SUITE_P(Operators, ErrorPolicyConformance, testing::ValuesIn(cases()), [](const auto& info) {
  std::string name = info.param.name;
  std::erase_if(name, [](char c) { return c == ' ' || c == '-'; });
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// ---------------------------------------------------------------- retries, step by step

Event event(std::int64_t key, std::string text, EventTime at = EventTime(10s)) {
  return {key, 1, at, std::move(text)};
}
std::string only_text(const Event& e, const RecordInfo&) { return e.text; }

TEST(Retry, WaitsForTheBackoffWhichDoubles) {
  Bench b;
  auto trip = std::make_shared<Trip>();
  trip->set(event(1, "bad"), 3);
  b.pipeline.out(
      "out",
      b.source().map([trip](const Event& e) { return (*trip)(e), e; }).on_error(ErrorPolicy::retry(3, 10ms)),
      &Event::key, only_text);
  b.push(event(1, "bad"));
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.texts("out"), IsEmpty());
  ASSERT_TRUE(b.driver().advance_time(69ms).ok());  // 10 + 20 + 40 is when the last attempt is due
  EXPECT_THAT(b.texts("out"), IsEmpty());
  ASSERT_TRUE(b.driver().advance_time(1ms).ok());
  EXPECT_THAT(b.texts("out"), ElementsAre("bad"));
}

TEST(Retry, HoldsBackItsPartitionAndNoOther) {
  for (std::size_t batch : {1u, 2u, 4096u}) {
    Bench b({.batch_max_records = batch, .partitions = 2});
    auto trip = std::make_shared<Trip>();
    trip->set(event(1, "b"), 1);
    b.pipeline.out("out",
                   b.source()
                       .map([trip](const Event& e) { return (*trip)(e), e; })
                       .on_error(ErrorPolicy::retry(1, 10ms)),
                   &Event::key, only_text);
    for (const char* text : {"a", "b", "c"}) b.push(event(1, text));
    b.push(event(1, "other"), 1);
    ASSERT_TRUE(b.driver().run().ok());
    b.push(event(1, "d"));
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_THAT(b.texts("out"), testing::UnorderedElementsAre("a", "other"));
    ASSERT_TRUE(b.driver().advance_time(10ms).ok());
    std::vector<std::string> texts = b.texts("out");
    std::erase(texts, "other");
    EXPECT_THAT(texts, ElementsAre("a", "b", "c", "d"));
  }
}

TEST(Retry, HoldsBackItsKeyAndNoOther) {
  for (std::size_t batch : {1u, 2u, 4096u}) {
    Bench b({.parallelism = 2, .batch_max_records = batch});
    auto trip = std::make_shared<Trip>();
    trip->set(event(1, "b"), 1);
    Careless::trip = trip;
    using K = Keyed<std::int64_t, Careless>;
    b.pipeline.out(
        "out",
        b.source().key_by(&Event::key).aggregate<Careless>("counts").on_error(ErrorPolicy::retry(1, 10ms)),
        &K::key, [](const K& k, const RecordInfo&) { return text_of(k.key, k.value.count); });
    for (const char* text : {"a", "b", "c"}) b.push(event(1, text));
    for (std::int64_t key : {2, 3, 4, 5}) b.push(event(key, "other"));
    ASSERT_TRUE(b.driver().run().ok());
    EXPECT_THAT(b.texts("out"), testing::UnorderedElementsAre("1 1 ", "2 1 ", "3 1 ", "4 1 ", "5 1 "));
    EXPECT_EQ(b.driver().metrics().node("counts")->held, 2u);
    ASSERT_TRUE(b.driver().advance_time(10ms).ok());
    EXPECT_THAT(b.texts("out"),
                testing::UnorderedElementsAre("1 1 ", "2 1 ", "3 1 ", "4 1 ", "5 1 ", "1 2 ", "1 3 "));
    EXPECT_EQ(b.driver().metrics().node("counts")->held, 0u);
    EXPECT_EQ(b.driver().metrics().node("counts")->held_peak, 2u);
  }
}

TEST(Retry, HoldsBackTheWatermarkAtTheNodeAndBehindIt) {
  Bench b({.parallelism = 2});
  auto trip = std::make_shared<Trip>();
  trip->set(event(1, "b"), 1);
  auto mapped =
      b.source().map([trip](const Event& e) { return (*trip)(e), e; }).on_error(ErrorPolicy::retry(1, 10ms));
  using W = Windowed<std::int64_t, std::int64_t>;
  b.pipeline.out("out", mapped.key_by(&Event::key).window(tumbling(10s)).count("counts"), &W::key,
                 [](const W& w, const RecordInfo&) { return text_of(w.window.start, w.value); });
  b.push(event(1, "a", EventTime(11s)));
  b.push(event(1, "b", EventTime(12s)));
  b.push(event(2, "c", EventTime(35s)));
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.texts("out"), IsEmpty());
  EXPECT_EQ(b.driver().metrics().node("source 0")->watermark, EventTime(12s));
  ASSERT_TRUE(b.driver().advance_time(10ms).ok());
  EXPECT_THAT(b.texts("out"), ElementsAre(text_of(EventTime(10s), std::int64_t{2})));
  EXPECT_EQ(b.driver().metrics().node("source 0")->watermark, EventTime(35s));
}

TEST(Retry, KeepsAWindowOpenForTheRecordThatWaitsInIt) {
  Bench b({.parallelism = 2});
  auto trip = std::make_shared<Trip>();
  trip->set(event(1, "b"), 1);
  Careless::trip = trip;
  using W = Windowed<std::int64_t, Careless>;
  b.pipeline.out("out",
                 b.source()
                     .key_by(&Event::key)
                     .window(tumbling(10s))
                     .aggregate<Careless>("sums")
                     .on_error(ErrorPolicy::retry(1, 10ms)),
                 &W::key,
                 [](const W& w, const RecordInfo&) { return text_of(w.window.start, w.value.count); });
  b.push(event(1, "a", EventTime(11s)));
  b.push(event(1, "b", EventTime(12s)));
  b.push(event(1, "c", EventTime(35s)));
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.texts("out"), IsEmpty());
  ASSERT_TRUE(b.driver().advance_time(10ms).ok());
  EXPECT_THAT(b.texts("out"), ElementsAre(text_of(EventTime(10s), std::int64_t{2})));
}

TEST(Retry, GivesUpAfterItsTriesAndGoesOnWithTheNextInLine) {
  Bench b;
  auto trip = std::make_shared<Trip>();
  trip->set(event(1, "a"), 3);
  trip->set(event(1, "b"), 2);
  b.pipeline.out("out",
                 b.source()
                     .map([trip](const Event& e) { return (*trip)(e), e; })
                     .on_error(ErrorPolicy::retry(2, 10ms, ErrorPolicy::Action::skip)),
                 &Event::key, only_text);
  for (const char* text : {"a", "b", "c"}) b.push(event(1, text));
  ASSERT_TRUE(b.driver().advance_time(30ms).ok());  // a: at 0, 10, 30 and given up; b fails at 30
  EXPECT_THAT(b.texts("out"), IsEmpty());
  ASSERT_TRUE(b.driver().advance_time(29ms).ok());
  EXPECT_THAT(b.texts("out"), IsEmpty());
  ASSERT_TRUE(b.driver().advance_time(1ms).ok());  // b: again at 40 and 60
  EXPECT_THAT(b.texts("out"), ElementsAre("b", "c"));
}

/// A record that comes back while an earlier one's many outputs are only half sent.
TEST(Retry, CountsItsTriesWhileOutputsWaitForRoom) {
  Bench b({.seed = 3, .partitions = 2, .memory_budget = 1000});
  auto trip = std::make_shared<Trip>();
  b.options.batch_max_records = 1;
  trip->set(event(1, "bad"), 3);
  auto many = [trip](const Event& e) {
    (*trip)(e);
    return std::vector<Event>(e.text == "many" ? 200 : 1, e);
  };
  b.pipeline.out(
      "out",
      b.source().flat_map(many).on_error(ErrorPolicy::retry(2, 10ms, ErrorPolicy::Action::skip)).named("it"),
      &Event::key, only_text);
  b.push(event(1, "bad"));
  b.push(event(1, "behind"));
  ASSERT_TRUE(b.driver().run().ok());
  for (int i = 0; i < 20; ++i) {
    b.push(event(1, "many"), 1);
    ASSERT_TRUE(b.driver().advance_time(3ms).ok());
  }
  const std::vector<std::string> texts = b.texts("out");
  EXPECT_EQ(std::count(texts.begin(), texts.end(), "many"), 4000);
  EXPECT_EQ(std::count(texts.begin(), texts.end(), "behind"), 1);
  EXPECT_EQ(b.driver().metrics().node("it")->skipped, 1u);
}

// ---------------------------------------------------------------- atomicity

TEST(RecordAtomicity, AFlatMapThatThrowsBehindALongOneLeavesOnlyThatOne) {
  for (std::size_t batch : {1u, 7u, 64u, 4096u}) {
    Bench b({.batch_max_records = batch});
    auto trip = std::make_shared<Trip>();
    trip->set(event(1, "bad"), 1);
    auto many = [trip](const Event& e) {
      (*trip)(e);
      return std::vector<Event>(e.text == "long" ? 10000 : 2, e);
    };
    b.pipeline.out("out", b.source().flat_map(many).on_error(ErrorPolicy::skip()), &Event::key, only_text);
    for (const char* text : {"long", "bad", "short"}) b.push(event(1, text));
    ASSERT_TRUE(b.driver().run().ok()) << b.driver().run();
    const std::vector<std::string> texts = b.texts("out");
    EXPECT_EQ(std::count(texts.begin(), texts.end(), "long"), 10000);
    EXPECT_EQ(std::count(texts.begin(), texts.end(), "bad"), 0);
    EXPECT_EQ(std::count(texts.begin(), texts.end(), "short"), 2);
  }
}

TEST(RecordAtomicity, AKeySelectorThatThrowsInAJoinLeavesOutOneRecord) {
  Bench b({.parallelism = 2}, 0s, 2);
  auto key = [](const Event& e) {
    if (e.text == "bad") throw std::runtime_error("no key");
    return e.key;
  };
  auto pairs = b.source(0).key_by(key).interval_join(
      "join", b.source(1).key_by(key), {-1h, 1h},
      [](const Event& l, const Event& r) { return l.text + " " + r.text; });
  b.pipeline.out(
      "out", pairs.on_error(ErrorPolicy::skip()), [](const std::string&) { return std::int64_t{1}; },
      [](const std::string& text, const RecordInfo&) { return text; });
  for (const char* text : {"a", "bad", "b"}) b.push(event(1, text));
  ASSERT_TRUE(b.driver().run().ok());
  for (const char* text : {"bad", "c", "bad", "d"}) b.driver().push(b.source(1), event(1, text));
  ASSERT_TRUE(b.driver().run().ok());
  EXPECT_THAT(b.texts("out"), testing::UnorderedElementsAre("a c", "b c", "a d", "b d"));
  EXPECT_EQ(b.driver().metrics().node("join")->skipped, 3u);
}

TEST(RecordAtomicity, ARecordThatFailsInItsSecondWindowIsInNone) {
  static int calls = 0;
  calls = 0;
  struct Third {
    std::int64_t count = 0;
    void add(const Event&) {
      ++count;
      if (++calls == 3 + 2) throw std::runtime_error("not this one");
    }
  };
  Bench b;
  using Result = Windowed<std::int64_t, Third>;
  b.pipeline.out("out",
                 b.source()
                     .key_by(&Event::key)
                     .window(hopping(30s, 10s))
                     .aggregate<Third>("it")
                     .on_error(ErrorPolicy::skip()),
                 &Result::key, [](const Result& w, const RecordInfo&) { return text_of(w.value.count); });
  for (int i = 0; i < 3; ++i) b.push(event(1, "a"));
  b.driver().finish(b.source());
  ASSERT_TRUE(b.driver().run_to_end().ok());
  EXPECT_THAT(b.texts("out"), ElementsAre("2 ", "2 ", "2 "));
  EXPECT_EQ(b.driver().metrics().node("it")->skipped, 1u);
}

TEST(RecordAtomicity, AGeneratorThatFailsTooLateFailsTheRun) {
  Bench b({.batch_max_records = 64});
  auto many = [](const Event& e) -> Generator<int> {
    for (int i = 0; i < 70000; ++i) co_yield i;
    throw std::runtime_error("no more");
  };
  int count = 0;
  b.source().flat_map(many).named("it").on_error(ErrorPolicy::skip()).sink([&count](int) { ++count; });
  b.push(event(1, "a"));
  EXPECT_THAT(std::string(b.driver().run().message()),
              HasSubstr("it: pushed records partition 0 offset 0: failed after 65536 of its outputs were "
                        "sent; they can't be taken back"));
}

/// Emits, sets and cancels timers, changes and forgets its state, and throws: none of it happens.
TEST(RecordAtomicity, AProcessFunctionThatThrowsAtItsEndLeavesNothing) {
  for (int forget : {0, 1}) {
    Bench b({.parallelism = 2});
    auto out = b.source()
                   .key_by(&Event::key)
                   .process<Sum, Event>(
                       "it",
                       [forget](const Event& e, Sum& sum, ProcessContext<std::int64_t, Event>& ctx) {
                         ++sum.count;
                         ctx.set_timer(e.at + 5s);
                         if (e.text != "bad") return;
                         ctx.emit(e);
                         ctx.cancel_timer(EventTime(15s));
                         if (forget) ctx.forget();
                         throw std::runtime_error("no");
                       },
                       [](EventTime at, Sum& sum, ProcessContext<std::int64_t, Event>& ctx) {
                         ctx.emit({ctx.key(), sum.count, at, "timer"});
                       });
    b.pipeline.out("out", out.on_error(ErrorPolicy::skip()), &Event::key,
                   [](const Event& e, const RecordInfo& info) { return text_of(e.key, e.value, info.time); });
    b.push(event(1, "good", EventTime(10s)));
    b.push(event(1, "bad", EventTime(11s)));
    b.push(event(2, "bad", EventTime(12s)));
    b.driver().finish(b.source());
    ASSERT_TRUE(b.driver().run_to_end().ok());
    EXPECT_THAT(b.texts("out"), ElementsAre(text_of(std::int64_t{1}, std::int64_t{1}, EventTime(15s))));
  }
}

// ---------------------------------------------------------------- what has no record's policy

TEST(FailedRun, NamesTheTimerThatThrew) {
  Bench b;
  auto out =
      b.source()
          .key_by(&Event::key)
          .process<Sum, Event>(
              "it",
              [](const Event& e, Sum&, ProcessContext<std::int64_t, Event>& ctx) { ctx.set_timer(e.at); },
              [](EventTime, Sum&, ProcessContext<std::int64_t, Event>&) {
                throw std::runtime_error("too late");
              });
  b.pipeline.out("out", out.on_error(ErrorPolicy::skip()), &Event::key, only_text);
  b.push(event(1, "a"));
  b.driver().finish(b.source());
  EXPECT_THAT(std::string(b.driver().run_to_end().message()),
              StrEq("it: a result of 'it': on_timer: too late"));
}

TEST(FailedRun, NamesTheRecordWhoseKeySelectorThrew) {
  Bench b({.parallelism = 2});
  auto key = [](const Event& e) {
    if (e.text == "bad") throw std::runtime_error("no key");
    return e.key;
  };
  b.pipeline.out("out", b.source().key_by(key).count("it"), &Keyed<std::int64_t, std::int64_t>::key,
                 [](const auto&, const RecordInfo&) { return std::string(); });
  b.push(event(1, "a"));
  b.push(event(1, "bad"));
  EXPECT_THAT(std::string(b.driver().run().message()),
              StrEq("it: pushed records partition 0 offset 1: no key"));
  EXPECT_EQ(b.driver().metrics().in_flight_bytes, 0u);
}

TEST(FailedRun, SaysThatDeadLettersCannotBeDivertedAgain) {
  Bench b;
  auto bad = [](const auto&) -> int { throw std::runtime_error("no"); };
  b.pipeline.out(
      "out", b.source().map(bad).named("it").on_error(ErrorPolicy::dead_letter()),
      [](int) { return std::int64_t{0}; }, [](int, const RecordInfo&) { return std::string(); });
  b.pipeline.out(
      "letters", b.app.dead_letters().map(bad).named("letters").on_error(ErrorPolicy::dead_letter()),
      [](int) { return std::int64_t{0}; }, [](int, const RecordInfo&) { return std::string(); });
  b.push(event(1, "a"));
  EXPECT_THAT(std::string(b.driver().run().message()),
              HasSubstr("letters: pushed records partition 0 offset 0: no (a record behind dead_letters() "
                        "can't be diverted there again)"));
}

}  // namespace
}  // namespace slipstream::conformance
