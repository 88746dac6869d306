#include <slipstream/time.h>

#include <iostream>

int main() {
  using slipstream::Duration;
  using slipstream::EventTime;
  const EventTime watermark = slipstream::bounded_watermark(EventTime(Duration(5)), Duration(2));
  std::cout << watermark.time_since_epoch().count() << '\n';
  return watermark == EventTime(Duration(3)) ? 0 : 1;
}
