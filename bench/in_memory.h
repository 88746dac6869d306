#pragma once
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bench/suite.h"
#include "bench/tasks_by_hand.h"
#include "slipstream/slipstream.h"

/// M1 to M3: programs as users write them, with their bids in memory, beside loops of one and two threads.
namespace slipstream::bench {

/// Adds the task's streams to the App; results go into the answer.
using Program = std::function<void(App&, const std::vector<Bid>&, Answer&)>;

/// Runs the program in a fresh App, by `run`. Making the App, which copies the bids, isn't timed; starting it
/// is.
inline Pass run_app(
    const Program& program, const std::vector<Bid>& bids, int threads,
    const std::function<absl::Status(App&)>& run = [](App& app) { return app.run(); }) {
  App app;
  Answer answer;
  app.set("runtime.parallelism", std::to_string(threads));
  app.set("runtime.threads", std::to_string(threads));
  program(app, bids, answer);
  return timed([&] {
    check_ok(run(app));
    return answer;
  });
}

template <template <template <class> class> class Loop>
void compare_in_memory(Suite& suite, const std::string& name, Task task, const Program& program,
                       std::optional<double> two_to_one) {
  const std::size_t count = suite.size(10'000'000, 100'000);
  const std::vector<Bid> bids = make_bids(count);
  const std::span<const Bid> view = bids;
  const Work plain = [&] {
    return timed([&] { return by_hand::in_one_thread<Loop<by_hand::PlainTable>>(view); });
  };
  const Work one = [&] { return timed([&] { return by_hand::in_one_thread<Loop<by_hand::Table>>(view); }); };
  const Work two = [&] { return timed([&] { return by_hand::in_two_threads<Loop<by_hand::Table>>(view); }); };
  const auto ours = [&](int threads) { return [&, threads] { return run_app(program, bids, threads); }; };
  const auto items = static_cast<double>(count);
  const Answer answer = expected(task, count);
  suite.compare({name + ": 2 threads, to the same by hand", items, ours(2), two, answer, 0.8, true});
  suite.compare({name + ": 1 thread, to the same by hand", items, ours(1), one, answer, {}, true});
  suite.compare({name + ": 2 threads, to a plain loop", items, ours(2), plain, answer});
  suite.compare({name + ": by hand, to a plain loop", items, two, plain, answer, two_to_one});
}

}  // namespace slipstream::bench
