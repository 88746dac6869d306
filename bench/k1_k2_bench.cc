#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/bare_kafka.h"
#include "bench/k2_by_hand.h"
#include "bench/kafka_broker.h"
#include "bench/suite.h"
#include "bench/tasks_by_hand.h"
#include "slipstream/json.h"
#include "slipstream/kafka.h"
#include "slipstream/slipstream.h"

/// K1 and K2, Kafka to Kafka: M2's windows, and a map, beside the bare client with the same calls, settings,
/// parsing and formatting. On a real broker; quick runs use the embedded one.
namespace slipstream::bench {
namespace {

constexpr int kPartitions = 4;

struct WindowOut {
  std::uint64_t auction = 0;
  std::int64_t window = 0;
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
};
SLIPSTREAM_FIELDS(WindowOut, auction, window, count, sum)

/// A broker and its topics.
struct Place {
  std::string brokers;
  std::uint64_t bids = 0;
  std::string in = "bids", out = "results";
};

/// From the first record that is decoded to when `work` returns: the client's start takes its time.
template <class F>
Pass timed_from_first(std::optional<std::chrono::steady_clock::time_point>& first, F&& work) {
  first.reset();
  work();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - first.value();
  return {took.count(), {}, {}};
}
std::optional<std::chrono::steady_clock::time_point> first_record;

/// json<Bid>() that notes when it is first used.
Codec<Bid> noting_json() {
  Codec<Bid> codec = json<Bid>();
  codec.make_decoder = [make = codec.make_decoder] {
    return [decode = make()](std::string_view text, Bid& bid) {
      if (!first_record) [[unlikely]]
        first_record = std::chrono::steady_clock::now();
      return decode(text, bid);
    };
  };
  return codec;
}

/// Writes the bids, as the workload says, where nothing else has written yet.
void fill(const Place& place) {
  auto producer =
      kafka::Producer::connect({.brokers = place.brokers, .settings = {{"compression.type", "lz4"}}});
  check_ok(producer.status());
  const auto encode = json<Bid>().make_encoder();
  for (std::uint64_t i = 0; i < place.bids; ++i) {
    const Bid bid = make_bid(i);
    std::string value;
    check_ok(encode(bid, value));
    const std::string key = std::to_string(bid.auction);
    check_ok(producer->produce(
        place.in, {.partition = static_cast<int>(bid.auction % kPartitions), .key = key, .value = value}));
  }
  check_ok(producer->flush());
}

using Offsets = std::vector<std::int64_t>;
Offsets ends_of(const Place& place) {
  auto admin = kafka::Admin::connect({.brokers = place.brokers});
  check_ok(admin.status());
  const auto marks = admin->watermarks(place.out);
  check_ok(marks.status());
  Offsets ends;
  for (const auto& mark : *marks) ends.push_back(mark.high);
  return ends;
}

/// Runs `work` and reads what it wrote, which isn't timed.
template <class Out, class Add>
Pass checked(const Place& place, const Add& add, const std::function<void()>& work) {
  const Offsets before = ends_of(place);
  Pass pass = timed_from_first(first_record, work);
  const auto decode = json<Out>().make_decoder();
  bare::Reader(place.brokers, place.out, kPartitions, {.from = before})
      .read([&](int, std::string_view, std::string_view value) {
        Out out;
        check_ok(decode(value, out));
        ++pass.answer.count;
        pass.answer.checksum += add(out);
      });
  return pass;
}

std::uint64_t sum_of(const WindowOut& out) {
  return checksum_of_window(out.auction, out.window, {out.count, out.sum});
}

SourceStream<Bid> bids_of(App& app, const Place& place) {
  return app.source(kafka::source("bids", noting_json(), {.brokers = place.brokers, .until_end = true}));
}
template <class Out>
Sink<Out> results_of(const Place& place) {
  return kafka::sink(place.out, json<Out>(),
                     {.brokers = place.brokers, .settings = {{"compression.type", "lz4"}}});
}

Pass k1(const Place& place) {
  return checked<WindowOut>(
      place, [](const WindowOut& o) { return sum_of(o); },
      [&] {
        App app;
        bids_of(app, place)
            .event_time([](const Bid& b) { return time_of(b); },
                        {.max_out_of_orderness = std::chrono::milliseconds(kOutOfOrderMs)})
            .key_by(&Bid::auction)
            .window(tumbling(std::chrono::milliseconds(kWindowMs)))
            .aggregate<Total>("totals")
            .map([](const Windowed<std::uint64_t, Total>& r) {
              return WindowOut{
                  r.key,
                  std::chrono::floor<std::chrono::milliseconds>(r.window.start).time_since_epoch().count(),
                  r.value.count, r.value.sum};
            })
            .sink(results_of<WindowOut>(place));
        check_ok(app.run());
      });
}

Pass k2(const Place& place) {
  return checked<Converted>(
      place, [](const Converted& c) { return checksum_of_converted(c); },
      [&] {
        App app;
        bids_of(app, place).map(convert).sink(results_of<Converted>(place));
        check_ok(app.run());
      });
}

/// M2 by hand over partitions, each with a clock of its own.
class Windows {
 public:
  template <class Emit>
  void add(int partition, const Bid& bid, const Emit& emit) {
    std::int64_t& largest = largest_[static_cast<std::size_t>(partition)];
    largest = std::max(largest, bid.ts);
    Total& total = windows_[bid.ts / kWindowMs * kWindowMs][bid.auction];
    total.add(bid);
    if (++seen_ % 1024 == 0) close(*std::min_element(largest_.begin(), largest_.end()) - kOutOfOrderMs, emit);
  }
  template <class Emit>
  void close(std::int64_t watermark, const Emit& emit) {
    while (!windows_.empty() && windows_.begin()->first + kWindowMs <= watermark) {
      const std::int64_t start = windows_.begin()->first;
      windows_.begin()->second.for_each([&](std::uint64_t auction, const Total& total) {
        emit(WindowOut{auction, start, total.count, total.sum});
      });
      windows_.erase(windows_.begin());
    }
  }

 private:
  std::array<std::int64_t, kPartitions> largest_{};
  std::map<std::int64_t, by_hand::Table<Total>> windows_;
  std::uint64_t seen_ = 0;
};

Pass k1_bare(const Place& place) {
  return checked<WindowOut>(
      place, [](const WindowOut& o) { return sum_of(o); },
      [&] {
        bare::Reader reader(place.brokers, place.in, kPartitions);
        bare::Writer writer(place.brokers, place.out);
        const auto decode = noting_json().make_decoder();
        const auto encode = json<WindowOut>().make_encoder();
        std::string text;
        const auto emit = [&](const WindowOut& out) {
          text.clear();
          check_ok(encode(out, text));
          writer.write({}, text);
        };
        Windows windows;
        reader.read(
            [&](int partition, std::string_view, std::string_view value) {
              Bid bid;
              check_ok(decode(value, bid));
              windows.add(partition, bid, emit);
            },
            [&] { writer.poll(); });
        windows.close(INT64_MAX, emit);
        writer.flush();
      });
}

Pass k2_bare(const Place& place) {
  return checked<Converted>(
      place, [](const Converted& c) { return checksum_of_converted(c); },
      [&] {
        bare::Reader reader(place.brokers, place.in, kPartitions);
        bare::Writer writer(place.brokers, place.out);
        by_hand::convert_all(reader, writer, noting_json(), [] {});
      });
}

Answer expected_of_k2(std::uint64_t bids) {
  Answer answer{bids, 0};
  for (std::uint64_t i = 0; i < bids; ++i) answer.checksum += checksum_of_converted(convert(make_bid(i)));
  return answer;
}

/// With the topics filled, on a broker that fits the run.
void with_topics(const Suite& suite, const std::function<void(const Place&)>& run) {
  Place place{.brokers = {}, .bids = suite.size<std::uint64_t>(1'000'000, 100'000)};
  const Broker broker(suite, {{place.in, kPartitions}, {place.out, kPartitions}});
  place.brokers = broker.address();
  fill(place);
  run(place);
}

const Registered k1_bench("k1", [](Suite& suite) {
  with_topics(suite, [&](const Place& place) {
    suite.compare({"k1: Kafka, windows, Kafka", static_cast<double>(place.bids), [&] { return k1(place); },
                   [&] { return k1_bare(place); }, expected(Task::m2, place.bids), 0.9});
  });
});
const Registered k2_bench("k2", [](Suite& suite) {
  with_topics(suite, [&](const Place& place) {
    suite.compare({"k2: Kafka, map, Kafka", static_cast<double>(place.bids), [&] { return k2(place); },
                   [&] { return k2_bare(place); }, expected_of_k2(place.bids), 0.9});
  });
});

}  // namespace
}  // namespace slipstream::bench
