#include <slipstream/time.h>

#include <iostream>
#ifdef SLIPSTREAM_HTTP
#include <slipstream/http.h>
#include <slipstream/http_endpoint.h>
#endif
#ifdef SLIPSTREAM_REDIS
#include <slipstream/redis.h>
#endif

int main() {
  using slipstream::Duration;
  using slipstream::EventTime;
  const EventTime watermark = slipstream::bounded_watermark(EventTime(Duration(5)), Duration(2));
  std::cout << watermark.time_since_epoch().count() << '\n';
  // What connectors link comes along.
#ifdef SLIPSTREAM_HTTP
  std::cout << slipstream::http::raw_events("http://127.0.0.1/")->name() << '\n';
  std::cout << slipstream::http::Endpoint().raw_events("counts")->name() << '\n';
#endif
#ifdef SLIPSTREAM_REDIS
  std::cout << slipstream::redis::raw_sink()->name() << '\n';
#endif
  return watermark == EventTime(Duration(3)) ? 0 : 1;
}
