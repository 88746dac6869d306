#include "slipstream/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipstream {
namespace {

TEST(StderrLog, WritesOneLinePerMessageFromItsLevelOn) {
  testing::internal::CaptureStderr();
  const LogHook log = stderr_log(LogLevel::info);
  log(LogLevel::debug, "kafka", "left out");
  log(LogLevel::warning, "kafka", "broker\nis \x1b[31mgone");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_THAT(text, testing::MatchesRegex("[0-9:.]+Z warning kafka: broker.nis .x1b.31mgone\n"));
}

TEST(LogLevel, HasNames) {
  EXPECT_EQ(to_string(LogLevel::debug), "debug");
  EXPECT_EQ(to_string(LogLevel::info), "info");
  EXPECT_EQ(to_string(LogLevel::warning), "warning");
  EXPECT_EQ(to_string(LogLevel::error), "error");
}

}  // namespace
}  // namespace slipstream
