#include "bench/in_memory.h"

/// M1: a running count and sum per key, emitted for every record.
namespace slipstream::bench {
namespace {

void running_totals(App& app, const std::vector<Bid>& bids, Answer& answer) {
  app.source(from(bids))
      .event_time([](const Bid& b) { return time_of(b); },
                  {.max_out_of_orderness = std::chrono::milliseconds(kOutOfOrderMs)})
      .key_by(&Bid::auction)
      .aggregate<Total>("totals")
      .sink([&answer](const Keyed<std::uint64_t, Total>& total) {
        ++answer.count;
        answer.checksum += total.value.sum;
      });
}

const Registered m1("m1", [](Suite& suite) {
  compare_in_memory<by_hand::RunningTotals>(suite, "m1", Task::m1, running_totals, 2.0);
});

}  // namespace
}  // namespace slipstream::bench
