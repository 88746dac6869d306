#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "slipstream/slipstream.h"
#include "slipstream/topic.h"
#include "tests/integration/kafka_testing.h"

/// Topics that are paused and sought while they are read.
namespace slipstream::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using TopicOnARealBroker = RealBroker;
using Number = Message<std::string, int>;

void produce_numbers(const std::string& brokers, const std::string& topic, int partition, int from, int to) {
  produce_values(brokers, topic, partition, numbered("", from, to));
}
std::vector<int> numbers(int from, int to) {
  std::vector<int> all;
  for (int i = from; i < to; ++i) all.push_back(i);
  return all;
}
std::vector<int> operator+(std::vector<int> a, const std::vector<int>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// An App that reads a topic, and what it got by partition. Everything else is the test's.
struct Reading {
  Reading(const std::string& brokers, const std::string& topic, int partitions, const std::string& group = "")
      : numbers(app.topic<std::string, int>(topic, json<int>(), {.brokers = brokers, .group = group})),
        got(static_cast<std::size_t>(partitions)) {
    app.log_to([this](LogLevel level, std::string_view, std::string_view message) {
      const std::lock_guard lock(mutex);
      if (level >= LogLevel::warning) warnings.emplace_back(message);
    });
    app.on(numbers).handle([this](const Number& m) {
      const std::lock_guard lock(mutex);
      got[static_cast<std::size_t>(m.partition)].push_back(m.value);
      ++handled;
    });
  }
  void start() {
    auto started = app.start();
    ASSERT_EQ(started.status(), absl::OkStatus());
    run = *std::move(started);
  }
  void stop() {
    numbers.stop();
    EXPECT_EQ(end_of(*run), absl::OkStatus());
  }
  std::vector<int> values(std::size_t partition) {
    const std::lock_guard lock(mutex);
    return got[partition];
  }
  bool await(int count) {
    return eventually([&] { return handled >= count; });
  }

  App app;
  Topic<std::string, int> numbers;
  std::mutex mutex;
  std::vector<std::vector<int>> got;
  std::vector<std::string> warnings;
  std::atomic<int> handled{0};
  std::unique_ptr<Run> run;
};

TEST_F(TopicOnARealBroker, IsPausedAHundredTimesWhileItIsWrittenWithoutLossOrRebalance) {
  constexpr int kPartitions = 3, kCycles = 100;
  const std::string topic = create_topic(kPartitions), group = "group of " + topic;
  Reading r(broker(), topic, kPartitions, group);
  r.start();
  std::atomic<bool> enough{false};
  std::atomic<int> written{0};
  std::thread writer([&] {
    auto producer = kafka::Producer::connect({.brokers = broker()});
    ASSERT_EQ(producer.status(), absl::OkStatus());
    for (int i = 0; !enough; ++i) {
      for (int p = 0; p < kPartitions; ++p) {
        const std::string value = std::to_string(i);
        ASSERT_EQ(producer->produce(topic, {.partition = p, .key = "k", .value = value}), absl::OkStatus());
      }
      if (i % 10 == 9) {
        ASSERT_EQ(producer->flush(), absl::OkStatus());
      }
      written = i + 1;
    }
    ASSERT_EQ(producer->flush(), absl::OkStatus());
  });
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    r.numbers.pause();
    const int at_pause = r.handled, written_at_pause = written;
    ASSERT_TRUE(eventually([&] { return written >= written_at_pause + 20; }));
    EXPECT_LE(r.handled, at_pause + 1) << "only what a handler had already may come after a pause";
    r.numbers.resume();
    const int before = r.handled;
    ASSERT_TRUE(r.await(before + 1));
  }
  enough = true;
  writer.join();
  ASSERT_TRUE(r.await(kPartitions * written));
  EXPECT_EQ(RawClient(broker()).members(group), 1);
  r.stop();
  for (std::size_t p = 0; p < kPartitions; ++p) EXPECT_EQ(r.values(p), numbers(0, written));
  EXPECT_THAT(r.warnings, IsEmpty()) << "a rebalance would be said";
}

TEST_F(TopicOnARealBroker, LeavesPartitionsPausedThatWereSoAtTheStart) {
  const std::string topic = create_topic(2);
  for (int p = 0; p < 2; ++p) produce_numbers(broker(), topic, p, 0, 100);
  Reading r(broker(), topic, 2);
  r.numbers.pause("not yet", 0);
  r.start();
  ASSERT_TRUE(r.await(100));
  EXPECT_THAT(r.values(0), IsEmpty());
  EXPECT_THAT(r.run->metrics().partitions[0].gates, ElementsAre("not yet"));
  r.numbers.resume("not yet", 0);
  ASSERT_TRUE(r.await(200));
  r.stop();
  EXPECT_EQ(r.values(0), numbers(0, 100));
  EXPECT_EQ(r.values(1), numbers(0, 100));
}

TEST_F(TopicOnARealBroker, GoesWhereItIsSought) {
  const std::string topic = create_topic(2);
  for (int p = 0; p < 2; ++p) produce_numbers(broker(), topic, p, 0, 100);
  Reading r(broker(), topic, 2);
  r.start();
  ASSERT_TRUE(r.await(200));
  ASSERT_EQ(r.numbers.seek(kBeginning), absl::OkStatus());
  ASSERT_TRUE(r.await(400));
  ASSERT_EQ(r.numbers.seek(90), absl::OkStatus());
  ASSERT_TRUE(r.await(420));
  ASSERT_EQ(r.numbers.seek({{1, 95}}), absl::OkStatus());
  ASSERT_TRUE(r.await(425));
  r.numbers.pause();
  const auto lags = [&](int lag) {
    const Metrics m = r.run->metrics();
    return m.partitions[0].lag == lag && m.partitions[1].lag == lag;
  };
  ASSERT_EQ(r.numbers.seek(0), absl::OkStatus());
  ASSERT_TRUE(eventually([&] { return lags(100); }));
  ASSERT_EQ(r.numbers.seek(kEnd), absl::OkStatus());
  ASSERT_TRUE(eventually([&] { return lags(0); }));
  r.numbers.resume();
  for (int p = 0; p < 2; ++p) produce_numbers(broker(), topic, p, 100, 101);
  ASSERT_TRUE(r.await(427));
  r.stop();
  const std::vector<int> all = numbers(0, 100);
  EXPECT_EQ(r.values(0), all + all + numbers(90, 101));
  EXPECT_EQ(r.values(1), all + all + numbers(90, 100) + numbers(95, 101));
}

}  // namespace
}  // namespace slipstream::test
