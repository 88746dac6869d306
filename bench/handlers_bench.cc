#include <cstdint>
#include <functional>
#include <vector>

#include "bench/side_by_side.h"
#include "slipstream/handler.h"
#include "slipstream/slipstream.h"

/// A plain handler and its sink, beside a loop that calls two std::functions.
namespace slipstream::bench {
namespace {

constexpr std::int64_t kMessages = 5'000'000;

std::int64_t triple(std::int64_t n) { return 3 * n + 1; }

void run() {
  std::vector<std::int64_t> messages(kMessages);
  std::int64_t expected = 0;
  for (std::int64_t i = 0; i < kMessages; ++i) {
    messages[static_cast<std::size_t>(i)] = i;
    expected += triple(i);
  }
  const auto with_app =
      [&](const std::function<void(App&, const Source<std::int64_t>&, std::int64_t&)>& add) {
        std::int64_t sum = 0;
        App app;
        add(app, from(messages), sum);
        return app.run().ok() ? sum : -1;
      };
  const Work loop = [&] {
    std::int64_t sum = 0;
    const std::vector<std::int64_t> copy = messages;  // as the source has one
    const std::function<std::int64_t(std::int64_t)> handler = triple;
    const std::function<void(std::int64_t)> sink = [&sum](std::int64_t n) { sum += n; };
    for (const std::int64_t n : copy) sink(handler(n));
    return sum;
  };
  const auto sum_into = [](std::int64_t& sum) { return [&sum](std::int64_t n) { sum += n; }; };
  compare({.name = "handler, sink",
           .items = kMessages,
           .ours =
               [&] {
                 return with_app([&](App& app, const auto& source, std::int64_t& sum) {
                   app.on(source).handle(triple).to(sum_into(sum));
                 });
               },
           .limit = loop,
           .expected = expected,
           .most = 3});
  compare({.name = "handler that returns an optional",
           .items = kMessages,
           .ours =
               [&] {
                 return with_app([&](App& app, const auto& source, std::int64_t& sum) {
                   app.on(source)
                       .handle([](std::int64_t n) { return std::optional(triple(n)); })
                       .to(sum_into(sum));
                 });
               },
           .limit = loop,
           .expected = expected,
           .most = 3});
}

}  // namespace
}  // namespace slipstream::bench

int main() { slipstream::bench::run(); }
