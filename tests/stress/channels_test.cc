#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "slipstream/detail/checked.h"
#include "slipstream/slipstream.h"
#include "tests/runtime/waiting.h"

/// Every channel is FIFO with contiguous sequence numbers: lanes check the numbers of all they take, and a
/// gap ends the run as a defect.
namespace slipstream::test {
namespace {

/// A record is a batch here, and travels through two channels. In checked builds, slower ones, a hundredth.
constexpr std::int64_t kBatches = detail::kChecked ? 1'000'000 : 100'000'000;

class Channels : public testing::TestWithParam<int> {};

TEST_P(Channels, KeepEveryBatchInOrder) {
  constexpr std::int64_t kRecords = kBatches / 2 / 4;  // a quarter for each number of threads
  const int threads = GetParam();
  App app;
  app.tune([threads](RuntimeConfig& c) {
    c.parallelism = c.threads = threads;
    c.batch_max_records = 1;
    c.batch_max_bytes = 1;
  });
  std::int64_t left = kRecords;
  std::int64_t arrived = 0;
  std::int64_t sum = 0;
  app.source(generate([&]() -> std::optional<std::int64_t> {
       return left > 0 ? std::optional(--left) : std::nullopt;
     }))
      .key_by([](std::int64_t n) { return n % 64; })
      .process<std::int64_t, std::int64_t>("pass on",
                                           [](const std::int64_t& n, std::int64_t& seen, auto& context) {
                                             ++seen;
                                             context.emit(n);
                                           })
      .sink([&](const std::int64_t& n) {
        ++arrived;
        sum += n;
      });
  auto run = app.start();
  ASSERT_EQ(run.status(), absl::OkStatus());
  EXPECT_EQ((*run)->wait(), absl::OkStatus());
  EXPECT_EQ(arrived, kRecords);
  EXPECT_EQ(sum, kRecords * (kRecords - 1) / 2);
  EXPECT_EQ((*run)->metrics().in_flight_bytes, 0u);
}
INSTANTIATE_TEST_SUITE_P(Threads, Channels, testing::Values(1, 2, 4, 8), testing::PrintToStringParamName());

}  // namespace
}  // namespace slipstream::test
