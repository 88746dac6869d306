#include <slipstream/file.h>
#include <slipstream/slipstream.h>

using namespace slipstream;
using namespace std::chrono_literals;

struct Visit {
  std::string page;
  EventTime at;
};
SLIPSTREAM_FIELDS(Visit, page, at)

int main(int argc, char** argv) {
  App app{argc, argv};
  app.source(stdin_jsonl<Visit>())
      .event_time(&Visit::at, {.max_out_of_orderness = 10s})
      .key_by(&Visit::page)
      .window(tumbling(1min))
      .count("visits per minute")
      .sink(stdout_jsonl<Windowed<std::string, std::int64_t>>());
  return app.main();
}
