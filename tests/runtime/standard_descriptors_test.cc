#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "child.h"
#include "slipstream/slipstream.h"

namespace slipstream::test {
namespace {

int run_printing_program() {
  const char* const argv[] = {"program"};
  App app(1, argv);
  app.source("numbers", from<int>({1, 2})).sink([](int n) { std::printf("%d\n", n); });
  return app.main();
}

TEST(StandardOutput, IsTheProgramsOwn) {
  if (Child::is_one()) std::_Exit(run_printing_program());
  Child child;
  EXPECT_EQ(child.exit_code(), 0);
  EXPECT_THAT(child.output(), testing::EndsWith("1\n2\n"));
}

TEST(StandardOutput, ThatIsClosedIsAnErrorAndNoSilentLoss) {
  if (Child::is_one()) {
    std::fflush(stdout);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    std::_Exit(run_printing_program());
  }
  Child child;
  EXPECT_EQ(child.exit_code(), 1);
  EXPECT_THAT(child.output(),
              testing::EndsWith("program: what was written to standard output is not all there: "
                                "Bad file descriptor\n"));
}

TEST(StandardOutput, ThatIsFullIsAnError) {
  if (Child::is_one()) {
    if (std::freopen("/dev/full", "w", stdout) == nullptr) std::abort();
    std::_Exit(run_printing_program());
  }
  Child child;
  EXPECT_EQ(child.exit_code(), 1);
  EXPECT_THAT(child.output(),
              testing::EndsWith("program: what was written to standard output is not all there: "
                                "No space left on device\n"));
}

}  // namespace
}  // namespace slipstream::test
