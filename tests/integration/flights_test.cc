#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/demo/demo_runs.h"
#include "tests/integration/real_broker.h"

namespace flights {
namespace {

namespace kafka = slipstream::kafka;

std::vector<std::string> demo_topics(kafka::Admin& admin) {
  std::vector<std::string> topics;
  const auto all = admin.list_topics();
  EXPECT_EQ(all.status(), absl::OkStatus());
  for (const std::string& topic : all.value()) {
    if (topic.starts_with("slipstream-demo-")) topics.push_back(topic);
  }
  return topics;
}

TEST(FlightsOnARealBroker, WriteTheExpectedFilesTwiceInARow) {
  const std::string broker = slipstream::test::real_broker();
  ASSERT_NE(broker, "") << "no real broker: leave this test out with ./dev test --no-broker";
  for (int i = 0; i < 2; ++i) {
    SCOPED_TRACE(i);
    DemoOptions options = fast(2);
    options.bootstrap = broker;
    options.out_folder = folder();
    const Shown shown = run(options);
    ASSERT_EQ(shown.status, absl::OkStatus()) << shown.text;
    expect_the_years_files(options.out_folder);
    std::filesystem::remove_all(options.out_folder);
  }
  auto admin = kafka::Admin::connect({.brokers = broker});
  ASSERT_EQ(admin.status(), absl::OkStatus());
  EXPECT_THAT(demo_topics(*admin), testing::IsEmpty());
}

TEST(FlightsOnARealBroker, KeepTheirTopicsWhenTold) {
  const std::string broker = slipstream::test::real_broker();
  ASSERT_NE(broker, "") << "no real broker: leave this test out with ./dev test --no-broker";
  auto admin = kafka::Admin::connect({.brokers = broker});
  ASSERT_EQ(admin.status(), absl::OkStatus());
  auto topics = Topics::on_broker({.brokers = broker}, /*keep=*/true);
  ASSERT_EQ(topics.status(), absl::OkStatus());
  const std::vector<std::string> names = {(*topics)->flights(), (*topics)->weather()};
  topics->reset();
  EXPECT_EQ(demo_topics(*admin), names);
  EXPECT_EQ(admin->delete_topics(names), absl::OkStatus());
}

}  // namespace
}  // namespace flights
