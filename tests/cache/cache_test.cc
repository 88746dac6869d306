#include "slipstream/cache.h"

#include "tests/cache/cache_testing.h"

namespace slipstream {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;
using ::testing::Pair;

TEST(Cache, FindsWhatWasPut) {
  const TestFolder folder;
  const auto cache = open_cache<std::string, int>(folder / "db");
  ASSERT_TRUE(cache.put("a", 1).ok());
  EXPECT_THAT(cache.get("a").value(), Optional(1));
  EXPECT_EQ(cache.get("b").value(), std::nullopt);
}

}  // namespace
}  // namespace slipstream
