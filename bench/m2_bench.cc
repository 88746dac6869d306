#include "bench/in_memory.h"

/// M2: count and sum per key and ten seconds of event time, emitted when the window closes.
namespace slipstream::bench {
namespace {

void window_totals(App& app, const std::vector<Bid>& bids, Answer& answer) {
  app.source(from(bids))
      .event_time([](const Bid& b) { return time_of(b); },
                  {.max_out_of_orderness = std::chrono::milliseconds(kOutOfOrderMs)})
      .key_by(&Bid::auction)
      .window(tumbling(std::chrono::milliseconds(kWindowMs)))
      .aggregate<Total>("totals")
      .sink([&answer](const Windowed<std::uint64_t, Total>& result) {
        const auto start =
            std::chrono::floor<std::chrono::milliseconds>(result.window.start).time_since_epoch().count();
        ++answer.count;
        answer.checksum += checksum_of_window(result.key, start, result.value);
      });
}

const Registered m2("m2", [](Suite& suite) {
  compare_in_memory<by_hand::WindowTotals>(suite, "m2", Task::m2, window_totals, 1.8);
});

}  // namespace
}  // namespace slipstream::bench
