// The operators that keep state for each key: docs/operators.md shows this program piece by piece.
#include <cstdio>

#include "slipstream/slipstream.h"
using namespace slipstream;
using namespace std::chrono_literals;

struct Sale {
  std::string shop;
  int euros;
  EventTime at;
};
SLIPSTREAM_FIELDS(Sale, shop, euros, at)

struct Rate {
  std::string shop;
  int percent;
  EventTime from;
};
SLIPSTREAM_FIELDS(Rate, shop, percent, from)

struct Revenue {
  int sales = 0, euros = 0;
  void add(const Sale& s) { ++sales, euros += s.euros; }
};
SLIPSTREAM_FIELDS(Revenue, sales, euros)

struct Last {
  EventTime at;
};
SLIPSTREAM_FIELDS(Last, at)

constexpr EventTime at(std::chrono::seconds s) { return EventTime(s); }

int main() {
  App app;
  auto rates =
      app.source("rates", from<Rate>({{"ams", 10, at(0s)}, {"ams", 20, at(60s)}})).event_time(&Rate::from);

  const std::vector<Sale> records = {
      {"ams", 5, at(10s)}, {"ber", 7, at(20s)}, {"ams", 3, at(75s)}, {"ams", 9, at(4s)}};
  auto sales = app.source("sales", from(records))
                   .event_time(&Sale::at, {.max_out_of_orderness = 10s})
                   .depends_on(rates, {.max_lag = 1h});

  auto by_shop = sales.key_by(&Sale::shop);

  auto counts = by_shop.count("sales so far");
  counts.sink([](const Keyed<std::string, std::int64_t>& k) {
    std::printf("count %s %d\n", k.key.c_str(), static_cast<int>(k.value));
  });

  auto so_far = by_shop.aggregate<Revenue>("revenue so far");
  so_far.sink([](const Keyed<std::string, Revenue>& k) {
    std::printf("aggregate %s %d euros in %d sales\n", k.key.c_str(), k.value.euros, k.value.sales);
  });

  auto largest =
      by_shop.reduce("largest sale", [](const Sale& a, const Sale& b) { return a.euros < b.euros ? b : a; });
  largest.sink(
      [](const Keyed<std::string, Sale>& k) { std::printf("reduce %s %d\n", k.key.c_str(), k.value.euros); });

  auto per_minute = by_shop.window(tumbling(1min)).aggregate<Revenue>("revenue per minute");
  per_minute.sink([](const Windowed<std::string, Revenue>& w) {
    const auto minute = w.window.start.time_since_epoch() / 1min;
    std::printf("window %s minute %d: %d euros\n", w.key.c_str(), static_cast<int>(minute), w.value.euros);
  });
  per_minute.late().sink(
      [](const Sale& s) { std::printf("window late: %s %d euros\n", s.shop.c_str(), s.euros); });

  auto taxed = by_shop.as_of_join("rate of the sale", rates.key_by(&Rate::shop), {.tolerance = 1h},
                                  [](const Sale& s, const Rate* rate) {
                                    return s.shop + " " + std::to_string(s.euros) + " at " +
                                           (rate ? std::to_string(rate->percent) + " %" : "no rate");
                                  });
  taxed.sink([](const std::string& line) { std::printf("join %s\n", line.c_str()); });
  taxed.late().sink([](const Sale& s) { std::printf("join late: %s %d euros\n", s.shop.c_str(), s.euros); });

  using Context = ProcessContext<std::string, std::string>;  // the key's type, the output's type
  auto quiet = by_shop.process<Last, std::string>(
      "quiet shops",
      [](const Sale& s, Last& last, Context& context) {
        context.cancel_timer(last.at + 90s);
        last.at = std::max(last.at, s.at);
        context.set_timer(last.at + 90s);
      },
      [](EventTime, Last&, Context& context) {
        context.emit(context.key() + " has sold nothing for 90 s");
        context.forget();
      });
  quiet.sink([](const std::string& line, const RecordInfo& info) {
    std::printf("process second %d: %s\n", static_cast<int>(info.time.time_since_epoch() / 1s), line.c_str());
  });

  return app.main();
}
