#pragma once
#include <memory>
#include <string>

#include "docs/examples/flights/display.h"
#include "docs/examples/flights/flights.h"
#include "slipstream/http_endpoint.h"
#include "slipstream/proxy.h"

/// The run on a web page.
namespace flights {

/// What a carrier's or a day's flights come to so far.
struct Tally {
  Time day;                 ///< the last one
  std::int64_t on_day = 0;  ///< flights
  std::int64_t flights = 0;
  std::int64_t departed = 0;
  std::int64_t delay_sum = 0;  ///< minutes

  void add(const CarrierDay& row);
};
SLIPSTREAM_FIELDS(Tally, day, on_day, flights, departed, delay_sum)

/// Progress, as the page is told of it.
struct FeedNews {
  std::int64_t total = 0, sent = 0, read = 0, out_of_order = 0;
  std::string watermark;
};
SLIPSTREAM_FIELDS(FeedNews, total, sent, read, out_of_order, watermark)
struct News {
  double seconds = 0;
  FeedNews flights, weather;
  std::int64_t carrier_days = 0, joined = 0, late = 0, held = 0;
  int waiting = 0;
  std::string waits_for;
  bool has_ended = false;
};
SLIPSTREAM_FIELDS(News, seconds, flights, weather, carrier_days, joined, late, held, waiting, waits_for,
                  has_ended)

/// Sends a run's counts to whoever looks at the page.
class Live {
 public:
  /// Adds to `app` what the page needs, served at `port`.
  Live(slipstream::App& app, const Program& program, int port);
  /// From one thread, while the app runs and afterwards. Once the run has nothing left to do but this, says
  /// so and lets it end.
  void show(const Progress& progress);
  /// Of the page, while the app runs.
  std::string url() const { return endpoint_.url(); }

 private:
  const slipstream::http::Endpoint endpoint_;
  const slipstream::Proxy<News> news_;
  bool has_ended_ = false;
};

/// HTML with all it needs inside.
extern const char* const kPage;

}  // namespace flights
