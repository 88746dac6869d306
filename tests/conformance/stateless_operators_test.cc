#include <map>
#include <optional>
#include <vector>

#include "operator_conformance.h"
#include "slipstream/generator.h"

/// Operators without state: what a partition's records become, in the partition's order.
namespace slipstream::conformance {
namespace {

std::string show_event(const Event& e, const RecordInfo& info) {
  return text_of(info.id, info.time, e.key, e.value, e.text);
}

void out_events(Pipeline& p, const std::string& name, const Stream<Event>& stream) {
  p.out(name, stream, &Event::key, show_event);
}

/// Outputs of the model: what one record becomes, and the n of each output.
using Expand = std::function<std::vector<std::pair<std::uint32_t, Event>>(const Event&)>;

using PartitionTexts = std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::string>>;
PartitionTexts by_partition(const Lines& lines) {
  PartitionTexts texts;
  for (const Line& line : lines) texts[{line.id.source, line.id.partition}].push_back(line.text);
  return texts;
}
PartitionTexts model(const Input& input, const Expand& expand) {
  PartitionTexts texts;
  for (std::size_t s = 0; s < input.sources.size(); ++s) {
    for (const Arrival& a : arrivals(input, s)) {
      for (const auto& [n, e] : expand(a.event)) {
        RecordId id = a.id;
        id.n = n;
        texts[{id.source, id.partition}].push_back(show_event(e, {a.event.at, id, nullptr}));
      }
    }
  }
  return texts;
}
void expect_outputs(const Input& input, const Lines& got, const Expand& expand) {
  const PartitionTexts expected = model(input, expand);
  const PartitionTexts actual = by_partition(got);
  EXPECT_EQ(actual.size(), expected.size());
  for (const auto& [partition, texts] : expected) {
    const auto it = actual.find(partition);
    ASSERT_TRUE(it != actual.end());
    ASSERT_EQ(it->second.size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) ASSERT_EQ(it->second[i], texts[i]) << "output " << i;
  }
}
Check check(Expand expand) {
  return [expand = std::move(expand)](const Input& input, const Outcome& got) {
    expect_outputs(input, got.at("out"), expand);
  };
}

Event changed(const Event& e) { return {e.key + 1, e.value * 2, e.at, e.text + "!"}; }
bool is_kept(const Event& e) { return e.value % 3 != 0; }
std::optional<Event> maybe(const Event& e) { return e.value % 2 ? std::optional(changed(e)) : std::nullopt; }
std::vector<Event> several(const Event& e) {
  return std::vector<Event>(static_cast<std::size_t>(e.value % 4), changed(e));
}
Generator<Event> lazily(const Event& e) {
  for (std::int64_t i = 0; i < e.value % 4; ++i) {
    Event made = e;
    made.value = i;
    co_yield made;
  }
}
std::vector<std::pair<std::uint32_t, Event>> numbered(const std::vector<Event>& events) {
  std::vector<std::pair<std::uint32_t, Event>> all;
  for (const Event& e : events) all.emplace_back(static_cast<std::uint32_t>(all.size()), e);
  return all;
}
std::vector<Event> listed(const Event& e) {
  std::vector<Event> all;
  for (std::int64_t i = 0; i < e.value % 4; ++i) all.push_back({e.key, i, e.at, e.text});
  return all;
}

TEST(MapConformance, KeepsPartitionOrder) {
  sweep_simulated([](Pipeline& p) { out_events(p, "out", p.sources[0].map(changed)); }, {.beyond_bound = 5s},
                  check([](const Event& e) { return numbered({changed(e)}); }), 96);
}
TEST(FilterConformance, KeepsPartitionOrder) {
  sweep_simulated([](Pipeline& p) { out_events(p, "out", p.sources[0].filter(is_kept)); },
                  {.beyond_bound = 5s},
                  check([](const Event& e) { return is_kept(e) ? numbered({e}) : numbered({}); }), 96);
}
TEST(FlatMapConformance, TakesOptionals) {
  sweep_simulated([](Pipeline& p) { out_events(p, "out", p.sources[0].flat_map(maybe)); },
                  {.beyond_bound = 5s},
                  check([](const Event& e) { return maybe(e) ? numbered({*maybe(e)}) : numbered({}); }), 96);
}
TEST(FlatMapConformance, TakesVectors) {
  sweep_simulated([](Pipeline& p) { out_events(p, "out", p.sources[0].flat_map(several)); },
                  {.beyond_bound = 5s}, check([](const Event& e) { return numbered(several(e)); }), 96);
}
TEST(FlatMapConformance, TakesGenerators) {
  sweep_simulated([](Pipeline& p) { out_events(p, "out", p.sources[0].flat_map(lazily)); },
                  {.beyond_bound = 5s}, check([](const Event& e) { return numbered(listed(e)); }), 96);
}

const Program kBranches = [](Pipeline& p) {
  auto [odd, even] = p.sources[0].merge(p.sources[1]).split([](const Event& e) { return e.value % 2 == 1; });
  out_events(p, "odd", odd);
  out_events(p, "even", even);
  out_events(p, "out", even.map(changed).merge(odd.filter(is_kept)).merge(p.sources[1].flat_map(several)));
};
const Check kCheckBranches = [](const Input& input, const Outcome& got) {
  const auto odd = [](const Event& e) { return e.value % 2 == 1; };
  expect_outputs(input, got.at("odd"), [&](const Event& e) { return odd(e) ? numbered({e}) : numbered({}); });
  expect_outputs(input, got.at("even"),
                 [&](const Event& e) { return odd(e) ? numbered({}) : numbered({e}); });
  Lines expected;
  for (std::size_t s : {0u, 1u}) {
    for (const Arrival& a : arrivals(input, s)) {
      const auto add = [&](const Event& e, std::uint32_t n) {
        RecordId id = a.id;
        id.n = n;
        expected.push_back({e.key, id, a.event.at, show_event(e, {a.event.at, id, nullptr})});
      };
      if (!odd(a.event)) add(changed(a.event), 0);
      if (odd(a.event) && is_kept(a.event)) add(a.event, 0);
      if (s == 1) {
        for (const auto& [n, e] : numbered(several(a.event))) add(e, n);
      }
    }
  }
  expect_same_set(expected, got.at("out"));
};
TEST(SplitAndMergeConformance, NeitherLoseNorDoubleNorMixUp) {
  sweep_simulated(kBranches, {.sources = 2, .beyond_bound = 5s}, kCheckBranches);
}
TEST(SplitAndMergeConformance, NeitherLoseNorDoubleNorMixUpOnThreadsAndStepped) {
  sweep_for_real(kBranches, {.sources = 2, .beyond_bound = 5s}, kCheckBranches);
}

/// Records that become far more than a batch holds, one flat_map behind the other, before and behind an
/// exchange.
template <class Many>
Program huge(Many many) {
  return [many](Pipeline& p) {
    auto expanded = p.sources[0].flat_map(many).flat_map([](const std::int64_t& v) {
      return v % 5000 == 0 ? std::vector<std::int64_t>{v, -v, v} : std::vector<std::int64_t>{v};
    });
    p.out(
        "out", expanded, [](std::int64_t v) { return v; },
        [](std::int64_t v, const RecordInfo& info) { return text_of(info.id.offset, v); });
    auto counts = expanded.key_by([](std::int64_t v) { return v % 16; })
                      .count("counts")
                      .filter([](const Keyed<std::int64_t, std::int64_t>& k) { return k.value % 100 == 0; });
    p.out("counts", counts, &Keyed<std::int64_t, std::int64_t>::key,
          [](const Keyed<std::int64_t, std::int64_t>& k, const RecordInfo&) { return text_of(k.value); });
  };
}
std::int64_t size_of(const Event& e) { return e.value % 4 == 0 ? 20000 : e.value % 4; }
const Check kCheckHuge = [](const Input& input, const Outcome& got) {
  PartitionTexts expected;
  std::map<std::int64_t, std::int64_t> counts;
  for (const Arrival& a : arrivals(input, 0)) {
    auto& texts = expected[{a.id.source, a.id.partition}];
    for (std::int64_t i = 0; i < size_of(a.event); ++i) {
      for (std::int64_t v :
           i % 5000 == 0 ? std::vector<std::int64_t>{i, -i, i} : std::vector<std::int64_t>{i}) {
        texts.push_back(text_of(a.id.offset, v));
        ++counts[v % 16];
      }
    }
  }
  EXPECT_TRUE(by_partition(got.at("out")) == expected);
  std::map<std::int64_t, std::vector<std::string>> expected_counts, actual_counts;
  for (const auto& [key, n] : counts) {
    for (std::int64_t i = 100; i <= n; i += 100) expected_counts[key].push_back(text_of(i));
  }
  for (const Line& line : got.at("counts")) actual_counts[line.key].push_back(line.text);
  EXPECT_TRUE(actual_counts == expected_counts);
};
constexpr Shape kFew{.max_partitions = 2, .max_records = 4};
TEST(FlatMapConformance, CutsHugeRangesIntoBatches) {
  const Program program = huge([](const Event& e) {
    std::vector<std::int64_t> all;
    for (std::int64_t i = 0; i < size_of(e); ++i) all.push_back(i);
    return all;
  });
  sweep_simulated(program, kFew, kCheckHuge, 48);
}
TEST(FlatMapConformance, TakesHugeGenerators) {
  const Program program = huge([](const Event& e) -> Generator<std::int64_t> {
    for (std::int64_t i = 0; i < size_of(e); ++i) co_yield i;
  });
  sweep_simulated(program, kFew, kCheckHuge, 48);
}

}  // namespace
}  // namespace slipstream::conformance
