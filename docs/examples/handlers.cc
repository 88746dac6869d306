// Sources, handlers and sinks: docs/handlers.md shows this program piece by piece.
#include "slipstream/handler.h"

#include <atomic>
#include <cstdio>

#include "slipstream/async_source.h"
#include "slipstream/proxy.h"
#include "slipstream/slipstream.h"
#include "slipstream/timer.h"
using namespace slipstream;
using namespace std::chrono_literals;

Pipe<int, double> mean_of_two(Incoming<int> in) {
  while (auto first = co_await in) {
    if (auto second = co_await in) co_yield (*first + *second) / 2.0;
  }
}

AsyncGenerator<std::string> news() {
  for (const char* text : {"one", "two", "three"}) {
    co_await slipstream::sleep(10ms);
    co_yield std::string(text);
  }
}

int main() {
  App app;
  const auto print = [](const std::string& s) { std::printf("%s\n", s.c_str()); };

  // A value for each message; two sinks.
  int shouted = 0;
  const auto emoji = from<std::string>({"🏆", "📞"});
  app.on(emoji)
      .handle([](const std::string& m) { return "Hello " + m + "!"; })
      .to(print, [&](const std::string&) { ++shouted; });

  // The same source again, and another one with it: a generator makes any number of values.
  const auto fish = from<std::string>({"🐟"});
  app.on(emoji, fish)
      .handle([](const std::string& m) -> Generator<std::string> {
        if (m == "📞") co_return;
        co_yield "once " + m;
        co_yield "twice " + m;
      })
      .to(print);

  std::atomic<int> letters = 0;
  app.on(from<std::string>({"one", "two", "one", "three"}))
      .parallel_by([](const std::string& word) { return word; })
      .handle([&](const std::string& word) { letters += static_cast<int>(word.size()); });

  app.on(from<int>({1, 2, 3, 5})).pipe(mean_of_two).pipe(accumulate<double>).handle([](double sum) {
    std::printf("sum of means %.1f\n", sum);
  });

  auto proxy = app.proxy<std::string>("proxy");
  app.on(from(news()))
      .handle([](const std::string& m, const HandlerContext& c) {
        return *c.values.get<std::string>("city") + " " + m;
      })
      .to(proxy);
  app.on(proxy).handle([&, n = 0](const std::string& m) mutable {
    std::printf("news from %s\n", m.c_str());
    if (++n == 3) proxy.close();  // or the run would wait for more
  });

  auto numbers = app.source("numbers", from<int>({1, 2, 3}));
  app.on(numbers).handle([&](int n) {
    std::printf("number %d\n", n);
    if (n == 2) numbers.pause("break");
  });
  app.on(timer(50ms, {.count = 1})).handle([&] {
    std::printf("the break is over\n");
    numbers.resume("break");
  });

  app.at_exit([&] { std::printf("shouted %d times\n", shouted); });
  app.at_exit([&] { std::printf("%d letters\n", letters.load()); });
  return app.main(Values{}.set<std::string>("city", "Delft"));
}
