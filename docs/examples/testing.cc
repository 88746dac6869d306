// A test with a virtual clock, no threads and no broker: docs/testing.md shows this program piece by piece.
#include "slipstream/testing.h"

#include <cstdio>
#include <cstdlib>

#include "slipstream/slipstream.h"
using namespace slipstream;
using namespace std::chrono_literals;

struct Sale {
  std::string shop;
  int euros;
  EventTime at;
};
SLIPSTREAM_FIELDS(Sale, shop, euros, at)

struct Revenue {
  int euros = 0;
  void add(const Sale& s) { euros += s.euros; }
};
SLIPSTREAM_FIELDS(Revenue, euros)

/// The program under test: a function from streams to streams, so that main() and tests can share it.
auto revenue_per_minute(const Stream<Sale>& sales) {
  return sales.key_by(&Sale::shop).window(tumbling(1min)).aggregate<Revenue>("revenue per minute");
}

void expect(bool holds, const char* what) {
  std::printf("%s: %s\n", holds ? "ok" : "FAILED", what);
  if (!holds) std::exit(1);
}

int main() {
  App app;
  auto sales = app.source(from<Sale>({})).event_time(&Sale::at, {.max_out_of_orderness = 5s});
  auto revenue = revenue_per_minute(sales);

  TestDriver driver(app, {.seed = 7, .parallelism = 3});
  auto results = driver.watch(revenue);
  auto late = driver.watch(revenue.late());

  driver.push(sales, {"ams", 5, EventTime(10s)});
  driver.push(sales, {"ams", 3, EventTime(64s)});  // the watermark is now 59 s
  expect(driver.run().ok(), "the run goes on");
  expect(results->values.empty(), "the first minute may still get records");

  driver.push(sales, {"ams", 2, EventTime(59s)});  // just in time
  driver.advance_watermark(sales, EventTime(60s));
  expect(driver.run().ok(), "the run goes on");
  expect(results->values.size() == 1 && results->values[0].value.euros == 7,
         "the first minute is complete: 7 euros");

  driver.push(sales, {"ams", 9, EventTime(58s)});
  expect(driver.run().ok() && late->values.size() == 1, "a late sale goes to late()");

  driver.finish(sales);
  expect(driver.run_to_end().ok() && results->values.size() == 2, "the end completes the second minute");
}
