#include "slipstream/detail/exit_code.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "slipstream/app.h"
#include "slipstream/generator.h"
#include "slipstream/sink.h"

namespace slipstream::detail {
namespace {

/// A connector that takes nothing.
class RefusingSink final : public RawSink {
 public:
  explicit RefusingSink(absl::Status why) : why_(std::move(why)) {}
  std::string name() const override { return "refusing"; }
  absl::Status open(const SinkEnv&) override { return absl::OkStatus(); }
  absl::StatusOr<std::size_t> write(std::span<const OutRecord>) override { return why_; }
  absl::StatusOr<std::uint64_t> delivered() override { return 0; }

 private:
  const absl::Status why_;
};

TEST(ExitCode, FollowsTheKindOfError) {
  EXPECT_EQ(exit_code(absl::OkStatus()), 0);
  EXPECT_EQ(exit_code(absl::DeadlineExceededError("")), 1);
  EXPECT_EQ(exit_code(absl::InvalidArgumentError("")), 2);
  EXPECT_EQ(exit_code(absl::NotFoundError("")), 2);
  EXPECT_EQ(exit_code(absl::FailedPreconditionError("")), 2);
  EXPECT_EQ(exit_code(absl::OutOfRangeError("")), 2);
  EXPECT_EQ(exit_code(absl::DataLossError("")), 4);
  EXPECT_EQ(exit_code(absl::ResourceExhaustedError("")), 4);
  EXPECT_EQ(exit_code(absl::UnavailableError("")), 5);
  EXPECT_EQ(exit_code(absl::UnauthenticatedError("")), 5);
}

TEST(ExitCode, OfAWriteIsTheConnectors) {
  App app;
  const auto sink = std::make_shared<RefusingSink>(absl::UnavailableError("the broker has gone"));
  app.source("numbers", from<std::string>({"1"})).sink(encoded(sink, text()), {.name = "out"});
  const absl::Status status = app.run();
  EXPECT_EQ(status,
            absl::UnavailableError("out: in-memory records partition 0 offset 0: the broker has gone"));
  EXPECT_EQ(exit_code(status), 5);
}

}  // namespace
}  // namespace slipstream::detail
