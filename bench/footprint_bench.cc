#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "bench/in_memory.h"

/// What a program takes before it does anything, and what a key takes.
namespace slipstream::bench {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// From making the App to its first result.
double start_seconds() {
  double seconds = 0;
  const auto start = Clock::now();
  App app;
  app.source(from(std::vector<int>{1}))
      .key_by([](int n) { return n; })
      .count("numbers")
      .sink([&](const Keyed<int, std::int64_t>&) { seconds = seconds_since(start); });
  check_ok(app.run());
  return seconds;
}

/// Of this process, in bytes.
double resident() {
  std::ifstream in("/proc/self/statm");
  double pages = 0;
  in >> pages >> pages;
  return pages * 4096;
}

/// What a running App adds to this process.
double app_bytes() {
  const double before = resident();
  double during = 0;
  App app;
  app.source(from(std::vector<int>{1})).sink([&](int) { during = resident(); });
  check_ok(app.run());
  return during - before;
}

/// What the running count and sum of a 64-bit key take, as the metrics say.
double bytes_per_key(std::size_t keys) {
  std::vector<Bid> bids(keys);
  for (std::size_t i = 0; i < keys; ++i) bids[i].auction = i;
  App app;
  app.source(from(std::move(bids))).key_by(&Bid::auction).aggregate<Total>("totals").sink([](const auto&) {});
  auto run = app.start();
  check_ok(run.status());
  check_ok((*run)->wait());
  double bytes = 0;
  for (const auto& node : (*run)->metrics().nodes) bytes += static_cast<double>(node.state_bytes);
  return bytes / static_cast<double>(keys);
}

double compile_seconds() {
  const auto start = Clock::now();
  const std::string command =
      "c++ -std=c++20 -I" SLIPSTREAM_SOURCE_DIR "/include -c -o /dev/null " SLIPSTREAM_SOURCE_DIR
      "/docs/examples/quickstart.cc";
  if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  return seconds_since(start);
}

const Registered footprint("footprint", [](Suite& suite) {
  suite.report({"footprint: App to first result", start_seconds() * 1000, "ms"});
  suite.report({"footprint: memory of a running App", app_bytes() / 1024, "KiB"});
  suite.report({"footprint: state of a key of 8 B, 16 B",
                bytes_per_key(suite.size<std::size_t>(1'000'000, 1000)), "B"});
  if (!suite.quick()) suite.report({"footprint: compiling the README's program", compile_seconds(), "s"});
});

}  // namespace
}  // namespace slipstream::bench
