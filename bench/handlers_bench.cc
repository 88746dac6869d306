#include <cstdint>
#include <functional>
#include <vector>

#include "bench/suite.h"
#include "slipstream/handler.h"
#include "slipstream/slipstream.h"

/// A plain handler and its sink, beside a loop that calls two std::functions.
namespace slipstream::bench {
namespace {

std::int64_t triple(std::int64_t n) { return 3 * n + 1; }

using Add = std::function<void(App&, const Source<std::int64_t>&, std::int64_t&)>;

Answer answer(std::int64_t sum) { return {0, static_cast<std::uint64_t>(sum)}; }

void run(Suite& suite) {
  std::vector<std::int64_t> messages(suite.size<std::size_t>(5'000'000, 10'000));
  std::int64_t expected = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    messages[i] = static_cast<std::int64_t>(i);
    expected += triple(messages[i]);
  }
  const auto with_app = [&](const Add& add) -> Work {
    return [&messages, add] {
      std::int64_t sum = 0;
      App app;
      add(app, from(messages), sum);
      return timed([&] { return app.run().ok() ? answer(sum) : Answer{1, 0}; });
    };
  };
  const Work loop = [&] {
    std::int64_t sum = 0;
    const std::function<std::int64_t(std::int64_t)> handler = triple;
    const std::function<void(std::int64_t)> sink = [&sum](std::int64_t n) { sum += n; };
    return timed([&] {
      for (const std::int64_t n : messages) sink(handler(n));
      return answer(sum);
    });
  };
  const auto sum_into = [](std::int64_t& sum) { return [&sum](std::int64_t n) { sum += n; }; };
  const auto items = static_cast<double>(messages.size());
  const Add plain = [&](App& app, const auto& source, std::int64_t& sum) {
    app.on(source).handle(triple).to(sum_into(sum));
  };
  const Add optional = [&](App& app, const auto& source, std::int64_t& sum) {
    app.on(source).handle([](std::int64_t n) { return std::optional(triple(n)); }).to(sum_into(sum));
  };
  suite.compare({"handler, sink", items, with_app(plain), loop, answer(expected), 1.0 / 3, true});
  suite.compare(
      {"handler that returns an optional", items, with_app(optional), loop, answer(expected), 1.0 / 3});
}

const Registered handlers("handlers", run);

}  // namespace
}  // namespace slipstream::bench
