#include <slipstream/log.h>
#include <slipstream/time.h>

#include <iostream>

int main() {
  using slipstream::EventTime;
  if (!slipstream::is_late(EventTime(slipstream::Duration(1)), EventTime(slipstream::Duration(2)))) return 1;
  std::cout << slipstream::to_string(slipstream::LogLevel::info) << '\n';
}
