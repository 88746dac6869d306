#include "slipstream/detail/exit_code.h"

#include <gtest/gtest.h>

namespace slipstream::detail {
namespace {

TEST(ExitCode, FollowsTheKindOfError) {
  EXPECT_EQ(exit_code(absl::OkStatus()), 0);
  EXPECT_EQ(exit_code(absl::DeadlineExceededError("")), 1);
  EXPECT_EQ(exit_code(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(exit_code(absl::NotFoundError("")), 2);
  EXPECT_EQ(exit_code(absl::DataLossError("")), 4);
  EXPECT_EQ(exit_code(absl::UnavailableError("")), 5);
  EXPECT_EQ(exit_code(absl::UnauthenticatedError("")), 5);
}

}  // namespace
}  // namespace slipstream::detail
