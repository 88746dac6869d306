#include <map>
#include <set>
#include <tuple>

#include "operator_conformance.h"

/// Operators whose outputs for a key are those of a loop over the key's records in the order they came.
namespace slipstream::conformance {
namespace {

/// Depends on the order of the records.
struct Chain {
  std::int64_t count = 0;
  std::uint64_t hash = 0;
  void add(const Event& e) {
    ++count;
    hash = detail::hash_integer(hash ^ static_cast<std::uint64_t>(e.value)) ^ detail::hash_bytes(e.text);
  }
};
SLIPSTREAM_FIELDS(Chain, count, hash)
std::string show_chain(const Chain& c) { return text_of(c.count) + std::to_string(c.hash); }

/// Every record has exactly one output; a partition's records of one key stay in order; and the key's outputs
/// are what `next` makes of its records in the order of the outputs.
template <class State, class Next>
void expect_key_ordered(const std::vector<Arrival>& records, const Lines& lines, Next next) {
  std::map<RecordId, const Arrival*> by_id;
  for (const Arrival& a : records) by_id[a.id] = &a;
  std::set<RecordId> seen;
  std::map<std::int64_t, State> states;
  for (const Line& line : lines) {
    ASSERT_TRUE(by_id.contains(line.id)) << "an output of no record: " << line.text;
    ASSERT_TRUE(seen.insert(line.id).second) << "twice: " << line.text;
    const Arrival& a = *by_id[line.id];
    ASSERT_EQ(line.key, a.event.key);
    ASSERT_EQ(line.time, a.event.at);
    ASSERT_EQ(line.text, next(states[line.key], a.event)) << "key " << line.key << " at " << show(line.id);
  }
  EXPECT_EQ(seen.size(), records.size());
  expect_partition_order(lines, [](const Line& line) { return line.key; });
}

template <class Value>
void out_keyed(Pipeline& p, const Stream<Keyed<std::int64_t, Value>>& stream,
               std::string (*show_value)(const Value&)) {
  using K = Keyed<std::int64_t, Value>;
  p.out("out", stream, &K::key, [=](const K& k, const RecordInfo&) { return show_value(k.value); });
}

constexpr Shape kShape{.beyond_bound = 5s};

const Program kAggregate = [](Pipeline& p) {
  out_keyed<Chain>(p, p.sources[0].key_by(&Event::key).aggregate<Chain>("aggregate"), show_chain);
};
const Check kCheckAggregate = [](const Input& input, const Outcome& got) {
  expect_key_ordered<Chain>(arrivals(input, 0), got.at("out"), [](Chain& chain, const Event& e) {
    chain.add(e);
    return show_chain(chain);
  });
};
TEST(RunningAggregateConformance, IsKeyOrdered) { sweep_simulated(kAggregate, kShape, kCheckAggregate); }
TEST(RunningAggregateConformance, IsKeyOrderedOnThreadsAndStepped) {
  sweep_for_real(kAggregate, kShape, kCheckAggregate);
}

TEST(RunningCountConformance, IsKeyOrdered) {
  sweep_simulated(
      [](Pipeline& p) {
        out_keyed<std::int64_t>(p, p.sources[0].key_by(&Event::key).count("count"),
                                [](const std::int64_t& n) { return text_of(n); });
      },
      kShape,
      [](const Input& input, const Outcome& got) {
        expect_key_ordered<std::int64_t>(arrivals(input, 0), got.at("out"),
                                         [](std::int64_t& n, const Event&) { return text_of(++n); });
      },
      48);
}

Event longer(const Event& so_far, const Event& e) {
  return {so_far.key, so_far.value * 31 % 1009 + e.value, e.at,
          so_far.text.substr(so_far.text.size() / 2) + e.text};
}
TEST(ReduceConformance, IsKeyOrdered) {
  sweep_simulated(
      [](Pipeline& p) {
        using K = Keyed<std::int64_t, Event>;
        p.out("out", p.sources[0].key_by(&Event::key).reduce("reduce", longer), &K::key,
              [](const K& k, const RecordInfo&) { return text_of(k.value.value, k.value.text); });
      },
      kShape,
      [](const Input& input, const Outcome& got) {
        expect_key_ordered<std::optional<Event>>(arrivals(input, 0), got.at("out"),
                                                 [](std::optional<Event>& state, const Event& e) {
                                                   state = state ? longer(*state, e) : e;
                                                   return text_of(state->value, state->text);
                                                 });
      },
      96);
}

struct Seen {
  std::int64_t count = 0;
  std::string last;
};
SLIPSTREAM_FIELDS(Seen, count, last)

/// Emits the text before, twice for every third record, nothing for every fifth, and forgets after ten.
template <class Emit, class Forget>
void remember(const Event& e, Seen& state, Emit emit, Forget forget) {
  ++state.count;
  if (state.count % 5 != 0) emit(text_of(state.count, state.last));
  if (state.count % 3 == 0) emit("again " + state.last);
  state.last = e.text;
  if (state.count == 10) forget();
}
const Program kProcess = [](Pipeline& p) {
  using Out = Keyed<std::int64_t, std::string>;
  auto texts = p.sources[0]
                   .key_by(&Event::key)
                   .process<Seen, Out>(
                       "process", [](const Event& e, Seen& state, ProcessContext<std::int64_t, Out>& ctx) {
                         remember(
                             e, state,
                             [&](std::string text) {
                               ctx.emit({ctx.key(), std::move(text)});
                             },
                             [&] { ctx.forget(); });
                       });
  p.out("out", texts, &Out::key, [](const Out& o, const RecordInfo&) { return o.value; });
};
/// Keys live in one partition here, so that the order of a key's records is known beforehand.
const Check kCheckProcess = [](const Input& input, const Outcome& got) {
  std::map<std::int64_t, Seen> states;
  std::map<std::int64_t, std::vector<std::pair<RecordId, std::string>>> expected, actual;
  for (const Arrival& a : arrivals(input, 0)) {
    std::uint32_t n = 0;
    remember(
        a.event, states[a.event.key],
        [&](std::string text) {
          RecordId id = a.id;
          id.n = n++;
          expected[a.event.key].emplace_back(id, std::move(text));
        },
        [&] { states.erase(a.event.key); });
  }
  for (const Line& line : got.at("out")) actual[line.key].emplace_back(line.id, line.text);
  EXPECT_TRUE(expected == actual);
};
constexpr Shape kKeysInOnePartition{.beyond_bound = 5s, .key_in_one_partition = true};
TEST(ProcessConformance, IsKeyOrdered) { sweep_simulated(kProcess, kKeysInOnePartition, kCheckProcess); }
TEST(ProcessConformance, IsKeyOrderedOnThreadsAndStepped) {
  sweep_for_real(kProcess, kKeysInOnePartition, kCheckProcess);
}

/// Behind a second key_by the order holds per (lane before, key); with one key per key before, per key.
TEST(RunningAggregateConformance, KeepsOrderThroughASecondKeyBy) {
  const Program program = [](Pipeline& p) {
    using K = Keyed<std::int64_t, Chain>;
    auto again = p.sources[0].key_by(&Event::key).aggregate<Chain>("first").key_by([](const K& k) {
      return std::to_string(k.key);
    });
    auto last =
        again.process<Chain, K>("second", [](const K& k, Chain& seen, ProcessContext<std::string, K>& ctx) {
          seen.count =
              std::max(seen.count + 1, k.value.count);  // counts up with the first: no output was overtaken
          ctx.emit({k.key, {seen.count, k.value.hash}});
        });
    out_keyed<Chain>(p, last, show_chain);
  };
  sweep_simulated(program, kShape, kCheckAggregate);
  sweep_for_real(program, kShape, kCheckAggregate);
}

}  // namespace
}  // namespace slipstream::conformance
