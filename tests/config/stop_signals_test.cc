#include "runtime/stop_signals.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <future>

namespace slipstream {
namespace {

TEST(StopSignals, TellsOfTheFirstSignal) {
  std::promise<void> stopped;
  const auto signals = StopSignals::install([&] { stopped.set_value(); });
  ASSERT_TRUE(signals.ok()) << signals.status();
  EXPECT_FALSE((*signals)->stopped());
  raise(SIGTERM);
  stopped.get_future().wait();
  EXPECT_TRUE((*signals)->stopped());
  pollfd entry{(*signals)->fd(), POLLIN, 0};
  EXPECT_EQ(poll(&entry, 1, -1), 1);
}

TEST(StopSignals, EndsTheProcessAtTheSecondSignal) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        const auto signals = StopSignals::install();
        raise(SIGINT);
        raise(SIGINT);
      },
      testing::ExitedWithCode(130), "interrupted twice: ending without draining");
}

TEST(StopSignals, GivesTheSignalsBack) {
  for (int i = 0; i < 2; ++i) {
    const auto signals = StopSignals::install([] { FAIL() << "nobody signalled"; });
    ASSERT_TRUE(signals.ok());
  }
  struct sigaction now {};
  sigaction(SIGINT, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
}

TEST(StopSignals, ExistOnce) {
  const auto first = StopSignals::install();
  const auto second = StopSignals::install();
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(second.status().message(), "another part of this program handles SIGINT and SIGTERM already");
}

}  // namespace
}  // namespace slipstream
