#include <atomic>
#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/bare_kafka.h"
#include "bench/kafka_broker.h"
#include "bench/suite.h"
#include "slipstream/kafka.h"
#include "slipstream/slipstream.h"

/// What a paused topic of many partitions takes of a core, beside what the bare client takes for one.
namespace slipstream::bench {
namespace {

using namespace std::chrono_literals;

constexpr const char* kTopic = "paused";

struct Setting {
  std::string brokers;
  int partitions = 0;
  std::chrono::milliseconds settle{}, measure{};
  int records() const { return 10 * partitions; }
};

/// Ten records into each partition.
void fill(const Setting& setting) {
  auto producer = kafka::Producer::connect({.brokers = setting.brokers});
  check_ok(producer.status());
  for (int i = 0; i < setting.records(); ++i)
    check_ok(producer->produce(kTopic, {.partition = i % setting.partitions, .value = "a record"}));
  check_ok(producer->flush());
}

/// Percent of a core that this process takes, once it has become calm.
double busy(const Setting& setting) {
  std::this_thread::sleep_for(setting.settle);
  const double before = cpu_seconds();
  const auto started = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(setting.measure);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - started;
  return 100 * (cpu_seconds() - before) / passed.count();
}

void await(const std::atomic<int>& value, int wanted) {
  for (int now = value; now < wanted; now = value) value.wait(now);
}

void check_paused(int read, const Setting& setting) {
  if (read != setting.records()) throw std::runtime_error("footprint: a paused topic was read");
}

/// Each partition is read for a while, then paused, and has records that wait; in the end they are read.
double ours(const Setting& setting) {
  std::atomic<int> read{0};
  App app;
  const auto source =
      app.source(kafka::source(kTopic, text(), {.brokers = setting.brokers, .start = kafka::Start::end()}));
  source.sink([&](const std::string&) {
    ++read;
    read.notify_one();
  });
  const auto run = app.start();
  check_ok(run.status());
  fill(setting);
  await(read, setting.records());
  source.pause();
  fill(setting);
  const double percent = busy(setting);
  check_paused(read, setting);
  source.resume();
  await(read, 2 * setting.records());
  (*run)->stop();
  check_ok((*run)->wait());
  return percent;
}

double bare_client(const Setting& setting) {
  bare::Reader reader(setting.brokers, kTopic, setting.partitions, {.follows = true});
  int read = 0;
  const auto read_until = [&](int wanted) {
    reader.read([&](int, std::string_view, std::string_view) {
      if (++read == wanted) reader.stop();
    });
  };
  fill(setting);
  read_until(setting.records());
  reader.pause();
  fill(setting);
  auto percent = std::async(std::launch::async, [&] { return busy(setting); });
  reader.read([&](int, std::string_view, std::string_view) { ++read; },
              [&] {
                if (percent.wait_for(0s) == std::future_status::ready) reader.stop();
              });
  check_paused(read, setting);
  reader.resume();
  read_until(2 * setting.records());
  return percent.get();
}

// More of the bench `footprint`.
const Registered footprint("footprint", [](Suite& suite) {
  const int partitions = suite.size(1000, 8);
  const Broker broker(suite, {{kTopic, partitions}});
  const Setting setting{.brokers = broker.address(),
                        .partitions = partitions,
                        .settle = suite.size(2000ms, 0ms),
                        .measure = suite.size(5000ms, 20ms)};
  std::vector<double> of_ours, of_bare, above;
  for (int turn = 0; turn < suite.size(3, 1); ++turn) {
    of_bare.push_back(bare_client(setting));
    of_ours.push_back(ours(setting));
    above.push_back(of_ours.back() - of_bare.back());
  }
  const std::string name = "footprint: CPU, " + std::to_string(partitions) + " paused partitions";
  suite.report({name, median(of_ours), "% of a core"});
  suite.report({name + ", bare client", median(of_bare), "% of a core"});
  suite.report({name + ", above that", median(above), "% of a core"});
});

}  // namespace
}  // namespace slipstream::bench
