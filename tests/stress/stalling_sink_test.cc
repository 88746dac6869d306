#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>

#include "slipstream/detail/checked.h"
#include "slipstream/slipstream.h"
#include "tests/runtime/child.h"

/// Memory stays bounded behind a sink that can't keep up, and it is the credits that bound it.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;

struct Row {
  std::int32_t key = 0;
  char payload[96] = {};
};
static_assert(sizeof(Row) == 100);

constexpr std::size_t kOneRecord = sizeof(Row) + detail::kColumnBytes;
constexpr std::size_t kBudget = 32u << 20;
constexpr std::size_t kUnlimited = std::size_t{1} << 50;
constexpr std::int32_t kRows = detail::kChecked ? 1'000'000 : 10'000'000;
constexpr std::int32_t kStallEvery = 100'000;

/// In a process of its own: prints the most bytes that were in flight.
int run_rows(bool stalls, std::size_t budget) {
  App app;
  app.tune([budget](RuntimeConfig& c) {
    c.memory_budget = budget;
    c.parallelism = c.threads = 2;
    c.batch_max_records = 65'536;  // so large that credits are what bounds the batches under way
    c.batch_max_bytes = 8u << 20;
  });
  std::int32_t made = 0;
  std::int32_t taken = 0;
  app.source(generate([&]() -> std::optional<Row> {
       return made < kRows ? std::optional(Row{.key = made++}) : std::nullopt;
     }))
      .key_by(&Row::key)
      .process<std::int32_t, Row>("pass on",
                                  [](const Row& row, std::int32_t&, auto& context) {
                                    context.emit(row);
                                    context.forget();
                                  })
      .sink(
          [&](const Row&) {
            if (++taken % kStallEvery == 0 && stalls) std::this_thread::sleep_for(200ms);
          },
          {.name = "stalling", .blocking = true});
  auto run = app.start();
  if (!run.ok() || !(*run)->wait().ok() || taken != kRows) return 1;
  std::printf("peak %llu\n", static_cast<unsigned long long>((*run)->metrics().in_flight_peak));
  return 0;
}

struct Memory {
  std::size_t in_flight = 0;
  std::size_t resident = 0;
};

Memory measure(const std::string& argument) {
  Child child(argument);
  EXPECT_EQ(child.exit_code(), 0) << child.output();
  Memory memory;
  const std::string& text = child.output();
  const std::size_t at = text.find("peak ");
  EXPECT_NE(at, std::string::npos) << text;
  if (at != std::string::npos)
    std::from_chars(text.data() + at + 5, text.data() + text.size(), memory.in_flight);
  memory.resident = child.peak_bytes();
  std::printf("%s: in flight at most %zu MiB, resident at most %zu MiB\n", argument.c_str(),
              memory.in_flight >> 20, memory.resident >> 20);
  return memory;
}

bool within_budget(const Memory& memory) { return memory.in_flight <= kBudget + kOneRecord; }
bool within_resident(const Memory& memory, const Memory& fast) {
  return static_cast<double>(memory.resident) <= 1.1 * static_cast<double>(fast.resident + kBudget);
}

TEST(StallingSink, LeavesMemoryWithinTheBudget) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs so much memory that ours can't be told from it";
#endif
  if (Child::is_one()) {
    const std::string how = Child::argument();
    std::exit(run_rows(how.starts_with("stalling"), how.ends_with("without credits") ? kUnlimited : kBudget));
  }
  const Memory fast = measure("fast");
  const Memory stalling = measure("stalling");
  EXPECT_TRUE(within_budget(stalling));
  EXPECT_TRUE(within_resident(stalling, fast));

  // The same bounds don't hold without credits: they are what keeps them.
  const Memory unbounded = measure("stalling without credits");
  EXPECT_FALSE(within_budget(unbounded));
  EXPECT_FALSE(within_resident(unbounded, fast));
}

}  // namespace
}  // namespace slipstream::test
