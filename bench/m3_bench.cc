#include "bench/in_memory.h"

/// M3: an interval join of two sources, bids with even indices and those with odd ones.
namespace slipstream::bench {
namespace {

void join(App& app, const std::vector<Bid>& bids, Answer& answer) {
  std::vector<Bid> sides[2];
  for (std::size_t i = 0; i < bids.size(); ++i) sides[i & 1].push_back(bids[i]);
  const auto source = [&](std::string_view name, std::vector<Bid> side) {
    return app.source(name, from(std::move(side)))
        .event_time([](const Bid& b) { return time_of(b); },
                    {.max_out_of_orderness = std::chrono::milliseconds(kOutOfOrderMs)})
        .key_by(&Bid::auction);
  };
  source("left", std::move(sides[0]))
      .interval_join(
          "pairs", source("right", std::move(sides[1])),
          {.lower = -std::chrono::milliseconds(kJoinMs), .upper = std::chrono::milliseconds(kJoinMs)},
          [](const Bid& left, const Bid& right) { return left.price * right.price; })
      .sink([&answer](std::uint64_t product) {
        ++answer.count;
        answer.checksum += product;
      });
}

const Registered m3("m3", [](Suite& suite) {
  compare_in_memory<by_hand::IntervalJoin>(suite, "m3", Task::m3, join, {});
});

}  // namespace
}  // namespace slipstream::bench
