#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench/bare_kafka.h"
#include "bench/k2_by_hand.h"
#include "bench/kafka_broker.h"
#include "bench/open_loop.h"
#include "slipstream/json.h"
#include "slipstream/kafka.h"

/// K2 at a rate, from when a record was due to when a consumer at the end has it, beside the bare client with
/// the same calls and settings.
namespace slipstream::bench {
namespace {

using namespace std::chrono_literals;

/// With more of them, more requests of fewer records each make the broker the bottleneck of a small machine.
constexpr int kPartitions = 1;
constexpr const char* kIn = "bids";
constexpr const char* kOut = "results";

/// For those who want a record soon: it waits for company for a millisecond, not five, and the kernel doesn't
/// hold back a small packet until the one before it is acknowledged.
const kafka::Settings kSoon{{"socket.nagle.disable", "true"}};
const kafka::Settings kWritesSoon{
    {"socket.nagle.disable", "true"}, {"linger.ms", "1"}, {"compression.type", "lz4"}};

struct Load {
  std::string brokers;
  std::chrono::nanoseconds gap = 50us;  ///< 20,000 records/s
  std::size_t warm_up = 0;              ///< results that aren't timed: the clients find their brokers
  std::size_t timed = 0;
  std::size_t count() const { return warm_up + timed; }
};

/// Writes when it is time to, whatever becomes of the records, whose `ts` is when they were due.
Answer produce(const Load& load) {
  bare::Writer writer(load.brokers, kIn, kWritesSoon);
  const auto encode = json<Bid>().make_encoder();
  Answer expected{load.count(), 0};
  std::string value;
  const auto start = Clock::now();
  for (std::size_t i = 0; i < load.count(); ++i) {
    const Clock::time_point due = start + load.gap * static_cast<std::int64_t>(i);
    if (Clock::now() < due) {
      writer.poll();
      std::this_thread::sleep_until(due + 200us);  // fewer wakes than records: they share the machine
    }
    Bid bid = make_bid(i);
    bid.ts = nanoseconds(due);
    expected.checksum += checksum_of_converted(convert(bid));
    value.clear();
    check_ok(encode(bid, value));
    writer.write(std::to_string(bid.auction), value);
  }
  writer.flush();
  return expected;
}

/// Sends the load through what stands between the topics and adds how late its results were to `waits`; their
/// p99, in microseconds.
double send(const Suite& suite, const Load& load, std::vector<std::int64_t>& waits) {
  bare::Reader reader(load.brokers, kOut, kPartitions, {.follows = true, .settings = kSoon});
  auto expected = std::async(std::launch::async, [&] { return produce(load); });
  const auto decode = json<Converted>().make_decoder();
  Answer answer;
  std::vector<std::int64_t> late;
  late.reserve(load.count());
  auto last = Clock::now();
  reader.read(
      [&](int, std::string_view, std::string_view value) {
        last = Clock::now();
        Converted result;
        check_ok(decode(value, result));
        late.push_back(nanoseconds(last) - result.ts);
        answer.checksum += checksum_of_converted(result);
        if (++answer.count == load.count()) reader.stop();
      },
      [&] {
        if (Clock::now() > last + 30s) throw std::runtime_error("latency: k2: results don't come any more");
      });
  suite.check("latency: k2", answer, expected.get());
  late.erase(late.begin(), late.begin() + static_cast<std::ptrdiff_t>(load.warm_up));
  waits.insert(waits.end(), late.begin(), late.end());
  return static_cast<double>(quantile(late, 0.99)) / 1000;
}

double ours(const Suite& suite, const Load& load, std::vector<std::int64_t>& waits) {
  App app;
  app.source(kafka::source(kIn, json<Bid>(),
                           {.brokers = load.brokers, .start = kafka::Start::end(), .settings = kSoon}))
      .map(convert)
      .sink(kafka::sink(kOut, json<Converted>(), {.brokers = load.brokers, .settings = kWritesSoon}));
  const auto run = app.start();
  check_ok(run.status());
  const double p99 = send(suite, load, waits);
  (*run)->stop();
  check_ok((*run)->wait());
  return p99;
}

double bare_client(const Suite& suite, const Load& load, std::vector<std::int64_t>& waits) {
  bare::Reader reader(load.brokers, kIn, kPartitions, {.follows = true, .settings = kSoon});
  auto relayed = std::async(std::launch::async, [&] {
    bare::Writer writer(load.brokers, kOut, kWritesSoon);
    by_hand::convert_all(reader, writer, json<Bid>(), [&, left = load.count()]() mutable {
      if (--left == 0) reader.stop();
    });
  });
  const double p99 = send(suite, load, waits);
  relayed.get();
  return p99;
}

// More of the bench `latency`.
const Registered latency("latency", [](Suite& suite) {
  const Broker broker(suite, {{kIn, kPartitions}, {kOut, kPartitions}});
  const Load load{.brokers = broker.address(),
                  .warm_up = suite.size<std::size_t>(20'000, 0),
                  .timed = suite.size<std::size_t>(80'000, 1'000)};
  std::vector<std::int64_t> of_ours, of_bare, of_warm_up;
  // A new broker is slow: half a minute until what it runs is compiled.
  Load warm_up = load;
  warm_up.timed = 500'000;
  if (!suite.quick()) bare_client(suite, warm_up, of_warm_up);
  suite.compare({.name = "latency: k2 at 20 k/s, p99",
                 .ours = [&] { return ours(suite, load, of_ours); },
                 .limit = [&] { return bare_client(suite, load, of_bare); },
                 .target = 1 / 1.5});
  report_quantiles(suite, "k2 at 20 k/s", std::move(of_ours));
  report_quantiles(suite, "k2 at 20 k/s, bare client", std::move(of_bare));
});

}  // namespace
}  // namespace slipstream::bench
