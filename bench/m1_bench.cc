#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "bench/in_memory.h"

/// M1: a running count and sum per key, emitted for every record. And what metrics cost of it.
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

/// Somebody reads the metrics a hundred times a second meanwhile.
absl::Status run_watched(App& app) {
  auto run = app.start();
  if (!run.ok()) return run.status();
  std::mutex mutex;
  std::condition_variable_any changed;
  std::jthread watcher([&](const std::stop_token& stop) {
    std::unique_lock lock(mutex);
    while (
        !changed.wait_for(lock, stop, std::chrono::milliseconds(10), [&] { return stop.stop_requested(); }))
      (*run)->metrics();
  });
  return (*run)->wait();
}

double nanoseconds_per_clock_read() {
  constexpr int kReads = 1'000'000;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 1; i < kReads; ++i) (void)std::chrono::steady_clock::now();
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / kReads;
}

const Registered metrics("metrics", [](Suite& suite) {
  const std::vector<Bid> bids = make_bids(suite.size(10'000'000, 100'000));
  const auto m1_with = [&](auto run) { return [&, run] { return run_app(running_totals, bids, 2, run); }; };
  const Work unread = m1_with([](App& app) { return app.run(); });
  suite.compare({"metrics: m1 with them read 100 times a second, to the same unread",
                 static_cast<double>(bids.size()), m1_with(run_watched), unread,
                 expected(Task::m1, bids.size()), 0.98});
  // They can't be turned off: the clock is what they cost while nobody reads them.
  set_counting(true);
  const Pass counted = unread();
  set_counting(false);
  const Pass timed = unread();
  suite.report({"metrics: clock reads, of m1's time",
                100 * static_cast<double>(counted.counts.clock_reads) * nanoseconds_per_clock_read() /
                    (timed.seconds * 1e9),
                "%"});
});

}  // namespace
}  // namespace slipstream::bench
