// Small programs for everyday wishes: docs/recipes.md shows them.
#include <algorithm>
#include <cstdio>
#include <deque>
#include <string>

#include "slipstream/async_source.h"
#include "slipstream/handler.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"
#include "slipstream/timer.h"
using namespace slipstream;
using namespace std::chrono_literals;

// A range of your own, one element after the other.
Generator<int> countdown(int from) {
  for (; from > 0; --from) co_yield from;
}

// The largest of the last `size` messages.
template <std::size_t size>
Pipe<int, int> largest_of_last(Incoming<int> in) {
  std::deque<int> last;
  while (auto m = co_await in) {
    last.push_back(*m);
    if (last.size() > size) last.pop_front();
    co_yield *std::max_element(last.begin(), last.end());
  }
}

int main() {
  App app;

  app.on(timer(1ms, {.count = 1})).handle([] { std::printf("timer: a tick\n"); });

  app.on(from(countdown(3))).handle([](int n) { std::printf("iterable: %d\n", n); });

  const auto readings = from<int>({3, 1, 4, 1, 5});
  app.on(readings).pipe(pairwise<int>).handle([](const std::pair<int, int>& p) {
    std::printf("change: %d\n", p.second - p.first);
  });
  app.on(readings).pipe(largest_of_last<3>).handle([](int n) { std::printf("largest: %d\n", n); });

  // A chain of Proxies: what one handler makes the next one gets, before the next message.
  const auto words = app.proxy<std::string>("words");
  const auto loud = app.proxy<std::string>("loud");
  app.on(from<std::string>({"tea", "rain"})).handle([](const std::string& w) { return w; }).to(words);
  app.on(words).handle([](const std::string& w) { return w + "!"; }).to(loud);
  app.on(loud).handle([](const std::string& w) { std::printf("chain: %s\n", w.c_str()); });
  words.close();
  loud.close();

  // Somebody who is there for a while only.
  const Subscription guest =
      loud.subscribe([](const std::string& w) { std::printf("guest: %s\n", w.c_str()); });

  return app.main();
}
