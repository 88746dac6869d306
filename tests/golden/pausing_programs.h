#pragma once
#include "replay.h"
#include "slipstream/proxy.h"

/// Pauses, and the channels between handlers.
namespace slipstream::test {

inline AsyncGenerator<int> noting(Replay& r, std::vector<int> values) {
  for (const int v : values) {
    co_await sleep(std::chrono::milliseconds(10));
    r.note("taken", v);
    co_yield v;
  }
}
inline std::string pausing(const Case& c, bool notes_the_pause, std::chrono::milliseconds resume) {
  Replay r(c);
  auto source = r.app.source(from(noting(r, c.numbers())));
  r.app.on(source).handle([&](int n) {
    r.note("handled", n);
    if (n != 2) return;
    source.pause();
    if (notes_the_pause) r.note("PAUSE sent");
  });
  r.at(resume, [&] {
    r.note("RESUME sent");
    source.resume();
  });
  return r.observed();
}

inline AsyncGenerator<int> listening(Replay& r, std::vector<int> values) {
  for (const int v : values) {
    co_await sleep(std::chrono::milliseconds(10));
    Signal told = co_yield v;
    r.note_json("received", told == Signal::none    ? "null"
                            : told == Signal::pause ? "\"PAUSE\""
                                                    : "\"RESUME\"");
    while (told == Signal::pause) {
      co_await sleep(std::chrono::milliseconds(50));
      told = co_yield nothing;
    }
  }
}
inline std::string pausing_an_aware_generator(const Case& c) {
  Replay r(c);
  auto source = r.app.source(from(listening(r, c.numbers())));
  r.app.on(source).handle([&](int n) {
    r.note("handled", n);
    if (n == 2) source.pause();
  });
  r.at(std::chrono::milliseconds(200), [&] { source.resume(); });
  return r.observed();
}

inline std::string proxied(const Case& c, Source<std::string> messages) {
  Replay r(c);
  const auto proxy = r.app.proxy<std::string>("proxy");
  r.app.on(messages)
      .handle([](const std::string& m) { return "Proxied " + m + "!"; })
      .to(proxy, r.sink("first"));
  r.app.on(proxy).handle([](const std::string& m) { return m; }).to(r.sink("second"));
  return r.observed(std::chrono::milliseconds(500));
}
inline std::string documented_proxy(const Case& c) {
  Replay r(c);
  const auto proxy = r.app.proxy<std::string>("proxy");
  std::vector<std::string> printed;
  r.app.on(from(c.texts())).handle([](const std::string& m) { return "Proxied " + m + "!"; }).to(proxy);
  r.app.on(proxy).handle([](const std::string& m) { return m; }).to([&](const std::string& m) {
    printed.push_back(m);
  });
  const std::string end = r.run(std::chrono::milliseconds(500));
  return object({{"end", end}, {"trace", r.trace()}, {"documented_output", json_of(printed)}});
}

inline Programs pausing_programs() {
  using namespace std::chrono_literals;
  return {{"pausing_a_plain_iterable", [](const Case& c) { return pausing(c, true, 150ms); }},
          {"pausing_mid_generator_plain", [](const Case& c) { return pausing(c, false, 150ms); }},
          {"pausing_an_aware_generator", pausing_an_aware_generator},
          {"proxy", [](const Case& c) { return proxied(c, from(every(10ms, c.texts()))); }},
          {"proxy_documented_example", documented_proxy}};
}

}  // namespace slipstream::test
