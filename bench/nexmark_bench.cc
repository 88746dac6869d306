#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "bench/nexmark/all.h"
#include "bench/nexmark/generator.h"
#include "bench/suite.h"
#include "bench/workload.h"

/// Nexmark's queries: events per second and core, as others publish them.
namespace slipstream::bench {
namespace {

using nexmark::Event;
using Partitions = std::vector<std::vector<Event>>;

/// Depends on every byte of a row.
std::uint64_t digest(std::uint64_t seen, std::uint64_t value) {
  seen = (seen ^ value) * 0x9E3779B97F4A7C15u;
  return seen ^ (seen >> 32);
}
std::uint64_t digest(std::uint64_t seen, EventTime value) {
  return digest(seen, static_cast<std::uint64_t>(value.time_since_epoch().count()));
}
std::uint64_t digest(std::uint64_t seen, const std::string& value) {
  seen = digest(seen, value.size());
  for (std::size_t at = 0; at < value.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, value.data() + at, std::min<std::size_t>(8, value.size() - at));
    seen = digest(seen, word);
  }
  return seen;
}
template <HasFields Row>
std::uint64_t digest(std::uint64_t seen, const Row& row) {
  with_fields<Row>([&](const auto&... field) { ((seen = digest(seen, row.*field.member)), ...); });
  return seen;
}
template <class Row>
void add(Answer& answer, const Row& row) {
  ++answer.count;
  answer.checksum += digest(0, row);
}

/// What others publish, in thousands per second and core: the better of the two results of Flink on
/// github.com/nexmark/nexmark, see docs/benchmarks.md.
double published(const std::string& query) {
  static const std::map<std::string, double> all{
      {"q0", 379},   {"q1", 395},  {"q2", 414},   {"q3", 219},   {"q4", 34.3},  {"q5", 74.5}, {"q7", 22.9},
      {"q8", 162},   {"q9", 14.2}, {"q11", 46.1}, {"q12", 194},  {"q13", 188},  {"q14", 259}, {"q15", 168},
      {"q16", 45.2}, {"q17", 161}, {"q18", 65.4}, {"q19", 44.0}, {"q20", 19.0}, {"q21", 147}, {"q22", 212}};
  const auto found = all.find(query);
  return found == all.end() ? 0 : found->second;
}

struct Plan {
  std::string query;
  const std::vector<Event>* events;
  std::size_t partitions;
  int threads;
  Answer expected;
  std::function<void(App&, const Source<Event>&, Answer&)> program;
};

/// Events per second of a core, once; the seconds that passed are added to `passed`. Nobody waits in these
/// programs, so the time of all threads is what they took of the cores.
double once(Suite& suite, const Plan& plan, double& passed) {
  Partitions partitions(plan.partitions);
  for (std::size_t n = 0; n < plan.events->size(); ++n)
    partitions[n % plan.partitions].push_back((*plan.events)[n]);
  App app;
  app.set("runtime.parallelism", std::to_string(plan.threads));
  app.set("runtime.threads", std::to_string(plan.threads));
  Answer answer;
  plan.program(app, from_partitions(std::move(partitions)), answer);
  const double started = cpu_seconds();
  const Pass pass = timed([&] {
    check_ok(app.run());
    return answer;
  });
  const double took = cpu_seconds() - started;
  suite.check("nexmark " + plan.query, pass.answer, plan.expected);
  passed += pass.seconds;
  return static_cast<double>(plan.events->size()) / took;
}

void measure(Suite& suite, Plan plan, bool is_ordered) {
  for (const int threads : {1, 2}) {
    plan.threads = threads;
    plan.partitions = is_ordered ? 1 : static_cast<std::size_t>(threads);
    double passed = 0;
    std::vector<double> rates{once(suite, plan, passed)};
    while (!suite.quick() && (passed < 1 || rates.size() < 3)) rates.push_back(once(suite, plan, passed));
    std::sort(rates.begin(), rates.end());
    suite.report({"nexmark " + plan.query + (threads == 1 ? ", 1 thread" : ", 2 threads"),
                  rates[rates.size() / 2] / 1000, "thousand events/s per core", published(plan.query)});
  }
}

/// Which window of the clock a bid falls in is chance; that each is counted once is not.
void measure_q12(Suite& suite, const std::vector<Event>& events) {
  Answer expected;
  for (const Event& e : events) {
    const auto* bid = std::get_if<nexmark::Bid>(&e);
    if (!bid) continue;
    ++expected.count;
    expected.checksum += mix64(bid->bidder);
  }
  const auto now = [] { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); };
  measure(suite,
          {"q12", &events, 1, 1, expected,
           [now](App& app, const Source<Event>& source, Answer& answer) {
             nexmark::q12(app, nexmark::events_when_they_come(app, source, now))
                 .sink([&answer](const nexmark::BidderRow& row) {
                   answer.count += row.bids;
                   answer.checksum += row.bids * mix64(row.bidder);
                 });
           }},
          false);
}

const Registered registered("nexmark", [](Suite& suite) {
  const std::vector<Event> events = nexmark::Generator().events(suite.size<std::size_t>(1'000'000, 20'000));
  nexmark::for_each_query([&]<class Row>(const nexmark::Query<Row>& query) {
    Answer expected;
    query.naive(events, [&](const Row& row) { add(expected, row); });
    measure(suite,
            {query.name, &events, 1, 1, expected,
             [program = query.program](App& app, const Source<Event>& source, Answer& answer) {
               program(app, nexmark::events_of(app, source)).sink([&answer](const Row& row) {
                 add(answer, row);
               });
             }},
            query.is_ordered);
  });
  measure_q12(suite, events);
});

}  // namespace
}  // namespace slipstream::bench
