#include "slipstream/detail/nearest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace slipstream::detail {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string> kTopics = {"orders", "order-items", "prod.orders", "weather", "flights"};

TEST(NearestNames, FindsSlips) {
  EXPECT_THAT(nearest_names("wether", kTopics, 3), ElementsAre("weather"));    // left out
  EXPECT_THAT(nearest_names("flightss", kTopics, 3), ElementsAre("flights"));  // one too many
  EXPECT_THAT(nearest_names("fligths", kTopics, 3), ElementsAre("flights"));   // swapped
  EXPECT_THAT(nearest_names("WEATHER", kTopics, 3), ElementsAre("weather"));   // case
}

TEST(NearestNames, PutsTheNearestFirst) {
  EXPECT_THAT(nearest_names("order", kTopics, 3), ElementsAre("orders", "order-items", "prod.orders"));
  EXPECT_THAT(nearest_names("order", kTopics, 1), ElementsAre("orders"));
}

TEST(NearestNames, LeavesOutOtherWords) {
  EXPECT_THAT(nearest_names("clicks", kTopics, 3), IsEmpty());
  EXPECT_THAT(nearest_names("", kTopics, 3), IsEmpty());
  EXPECT_THAT(nearest_names("orders", {}, 3), IsEmpty());
}

TEST(DidYouMean, SpeaksASentence) {
  EXPECT_EQ(did_you_mean("wether", kTopics), "; did you mean 'weather'?");
  EXPECT_EQ(did_you_mean("order", kTopics, 2), "; did you mean 'orders' or 'order-items'?");
  EXPECT_EQ(did_you_mean("order", kTopics, 3), "; did you mean 'orders', 'order-items' or 'prod.orders'?");
  EXPECT_EQ(did_you_mean("clicks", kTopics), "");
}

}  // namespace
}  // namespace slipstream::detail
