// What one can keep in a cache, beside the operators that keep it themselves: docs/recipes.md shows this
// program piece by piece. It runs in a TestDriver, whose seconds take no time.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/async_source.h"
#include "slipstream/cache.h"
#include "slipstream/handler.h"
#include "slipstream/slipstream.h"
#include "slipstream/testing.h"
#include "slipstream/timer.h"
using namespace slipstream;
using namespace std::chrono_literals;

struct Emoji {
  std::string emoji;
  EventTime at;
};
SLIPSTREAM_FIELDS(Emoji, emoji, at)

std::vector<Emoji> emojis() {
  const auto at = [](Duration d) { return EventTime(d); };
  return {{"🏆", at(0s)},     {"📞", at(500ms)}, {"🐟", at(1s)}, {"👌", at(2s)},
          {"🏆", at(3500ms)}, {"📞", at(4s)},    {"🐟", at(5s)}, {"👌", at(5500ms)}};
}

/// One after the other, with a pause before each.
template <class T>
AsyncGenerator<T> slowly(std::vector<T> all, Duration pause) {
  for (T& one : all) {
    co_await slipstream::sleep(pause);
    co_yield std::move(one);
  }
}

/// What a handler throws fails the run.
void must(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(std::string(status.message()));
}

using Counts = std::map<std::string, int>;

struct Counted {
  EventTime from;
  Counts counts;
};
auto print(const char* what) {
  return [what](const Counted& c) {
    std::printf("%s %.1f:", what, static_cast<double>(c.from.time_since_epoch().count()) / 1e6);
    for (const auto& [emoji, n] : c.counts) std::printf(" %s%d", emoji.c_str(), n);
    std::printf("\n");
  };
}

// Counts by emoji, and every three seconds all of them.
void count_and_tell(App& app) {
  auto counts = app.cache<std::string, int>("counts");
  app.on(from(slowly(emojis(), 700ms)))
      .handle([counts](const Emoji& e) { return std::pair(e.emoji, counts.get_or(e.emoji, 0).value() + 1); })
      .to(counts);
  app.on(timer(3s, {.count = 2})).handle([counts](EventTime) {
    std::printf("every 3 s:");
    for (const auto& [emoji, n] : counts.scan()) std::printf(" %s%d", emoji.c_str(), n);
    std::printf("\n");
  });
}

using Windows = Cache<EventTime, Counts>;  // by their starts

// Hands out and forgets the windows that have ended by now.
Generator<Counted> close(Windows open, Duration size, EventTime now) {
  for (const auto& [start, counts] : open.scan()) {
    if (start + size > now) break;
    Counted closed{start, counts};
    co_yield closed;
    must(open.remove(start));
  }
}
void add(const Windows& open, EventTime start, const Emoji& e) {
  Counts counts = open.get_or(start, {}).value();
  ++counts[e.emoji];
  must(open.put(start, counts));
}
EventTime start_of(EventTime time, Duration size) { return time - time.time_since_epoch() % size; }

Generator<Counted> tumble(Windows open, Emoji e) {
  for (const Counted& closed : close(open, 2s, e.at)) co_yield closed;
  add(open, start_of(e.at, 2s), e);
}
void tumbling_windows(App& app) {
  auto open = app.cache<EventTime, Counts>("tumbling");
  app.on(from(emojis())).handle([open](const Emoji& e) { return tumble(open, e); }).to(print("tumbling"));
}

Generator<Counted> hop(Windows open, Emoji e) {
  for (const Counted& closed : close(open, 4s, e.at)) co_yield closed;
  for (EventTime start = start_of(e.at, 2s); start > e.at - 4s; start -= 2s) add(open, start, e);
}
void hopping_windows(App& app) {
  auto open = app.cache<EventTime, Counts>("hopping");
  app.on(from(emojis())).handle([open](const Emoji& e) { return hop(open, e); }).to(print("hopping"));
}

// The last three seconds, both ends included, at each emoji.
void sliding_windows(App& app) {
  using Key = std::pair<EventTime, std::string>;
  auto recent = app.cache<Key, int>("sliding");
  app.on(from(emojis()))
      .handle([recent](const Emoji& e) {
        must(recent.put({e.at, e.emoji}, recent.get_or({e.at, e.emoji}, 0).value() + 1));
        must(recent.remove_range({kMinTime, ""}, {e.at - 3s, ""}));
        Counted now{e.at, {}};
        for (const auto& [key, n] : recent.scan()) now.counts[key.second] += n;
        return now;
      })
      .to(print("sliding"));
}

struct Visit {
  EventTime last;
  Counts counts;
};
SLIPSTREAM_FIELDS(Visit, last, counts)

// What is less than a second apart belongs together.
Generator<Counted> visit(Cache<EventTime, Visit> open, Emoji e) {
  EventTime start = e.at;
  Visit now;
  for (const auto& [began, before] : open.scan({.backwards = true})) {
    if (e.at - before.last < 1s) {
      start = began;
      now = before;
    } else {
      Counted closed{began, before.counts};
      co_yield closed;
      must(open.remove(began));
    }
  }
  now.last = e.at;
  ++now.counts[e.emoji];
  must(open.put(start, now));
}
void sessions(App& app) {
  auto open = app.cache<EventTime, Visit>("sessions");
  app.on(from(emojis())).handle([open](const Emoji& e) { return visit(open, e); }).to(print("session"));
}

// The same with operators. They take what comes out of order, end what is open when their source ends, and
// use all cores where there are several keys.
struct Tally {
  Counts counts;
  void add(const Emoji& e) { ++counts[e.emoji]; }
  void merge(const Tally& later) {
    for (const auto& [emoji, n] : later.counts) counts[emoji] += n;
  }
};
SLIPSTREAM_FIELDS(Tally, counts)

void with_operators(App& app) {
  auto emoji = app.source("emojis", from(emojis())).event_time(&Emoji::at);
  emoji.key_by(&Emoji::emoji).count("counts").sink([](const Keyed<std::string, std::int64_t>& k) {
    std::printf("operator: %s%d\n", k.key.c_str(), static_cast<int>(k.value));
  });
  auto all = emoji.key_by([](const Emoji&) { return true; });
  const auto counted = [](const Windowed<bool, Tally>& w) { return Counted{w.window.start, w.value.counts}; };
  const auto up_to = [](const Windowed<bool, Tally>& w) { return Counted{w.window.end, w.value.counts}; };
  all.window(tumbling(2s)).aggregate<Tally>("tumbling").map(counted).sink(print("operator: tumbling"));
  all.window(hopping(4s, 2s)).aggregate<Tally>("hopping").map(counted).sink(print("operator: hopping"));
  all.window(sliding(3s)).aggregate<Tally>("sliding").map(up_to).sink(print("operator: sliding"));
  all.window(session(1s)).aggregate<Tally>("session").map(counted).sink(print("operator: session"));
}

struct Activity {
  std::string what;
  EventTime at;
};
SLIPSTREAM_FIELDS(Activity, what, at)
struct Weather {
  std::string sky;
  EventTime at;
};
SLIPSTREAM_FIELDS(Weather, sky, at)

std::vector<Weather> weather() {
  return {{"🌞", EventTime(10h)}, {"⛅", EventTime(11h)}, {"🌦", EventTime(12h)}, {"🌧", EventTime(13h)}};
}
std::vector<Activity> activities() {
  return {{"getting up", EventTime(9h)},
          {"swimming", EventTime(10h)},
          {"walking home", EventTime(11h + 30min)},
          {"lunch", EventTime(13h + 10min)}};
}

// As of: the latest weather that isn't after the activity, of what is known by now.
void as_of(App& app) {
  auto skies = app.cache<EventTime, std::string>("skies");
  app.on(from(weather())).handle([](const Weather& w) { return std::pair(w.at, w.sky); }).to(skies);
  app.on(from(slowly(activities(), 1s)))
      .handle([skies](const Activity& a) {
        for (const auto& [at, sky] : skies.scan({.from = a.at, .backwards = true})) return a.what + " " + sky;
        return a.what + " ?";
      })
      .to([](const std::string& line) { std::printf("as of: %s\n", line.c_str()); });
}

// The operator waits until it knows the weather, and keeps no more of it than it needs.
void as_of_with_operator(App& app) {
  const auto anywhere = [](const auto&) { return true; };
  auto skies = app.source("weather", from(weather())).event_time(&Weather::at);
  app.source("activities", from(activities()))
      .event_time(&Activity::at)
      .key_by(anywhere)
      .as_of_join("skies", skies.key_by(anywhere), {},
                  [](const Activity& a, const Weather* w) { return a.what + " " + (w ? w->sky : "?"); })
      .sink([](const std::string& line) { std::printf("operator: as of: %s\n", line.c_str()); });
}

int main() {
  std::string folder = std::filesystem::temp_directory_path() / "slipstream_recipes_XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return 1;
  absl::Status status;
  int n = 0;
  for (const auto& describe : {count_and_tell, tumbling_windows, hopping_windows, sliding_windows, sessions,
                               with_operators, as_of, as_of_with_operator}) {
    App app;
    describe(app);
    TestDriver driver(app, {.state_dir = folder + "/" + std::to_string(n++)});
    status.Update(driver.run_to_end());
  }
  std::filesystem::remove_all(folder);
  if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
