#pragma once
#include <stdexcept>

#include "replay.h"
#include "slipstream/timer.h"

/// Sources, handlers and sinks.
namespace slipstream::test {

using namespace std::chrono_literals;

inline std::string hello(const Case& c) {
  Replay r(c);
  r.app.on(from(c.texts()))
      .handle([](const std::string& m) -> Generator<std::string> { co_yield "Hello " + m + "!"; })
      .to(r.sink("print"));
  return r.observed();
}

inline std::string timer_source(const Case& c) {
  Replay r(c);
  std::string times;
  r.app.on(timer(50ms, {.count = 5}))
      .handle([&, n = 0]() mutable {
        const auto hundredths = r.passed() / 10ms;
        times += (times.empty() ? "0." : ",0.") + std::string(hundredths < 10 ? "0" : "") +
                 std::to_string(hundredths);
        return ++n;
      })
      .to(r.sink("print"));
  const std::string end = r.run();
  return object({{"end", end},
                 {"trace", r.trace()},
                 {"tick_times_rounded_s", "[" + times + "]"},
                 {"nondeterministic", "[\"tick_times_rounded_s\"]"}});
}

inline AsyncGenerator<std::string> second_source(std::vector<std::string> values) {
  co_await sleep(20ms);
  for (std::string& v : values) {
    co_await sleep(40ms);
    co_yield std::move(v);
  }
}
inline std::string iterable_sources_interleave(const Case& c) {
  Replay r(c);
  const auto same = [](const auto& m) { return m; };
  r.app.on(from(every(40ms, c.numbers("A")))).handle(same).to(r.sink("A"));
  r.app.on(from(second_source(c.texts("B")))).handle(same).to(r.sink("B"));
  return r.observed();
}

inline std::string sources_that_never_wait(const Case& c) {
  Replay r(c);
  std::vector<int> numbers(20'000);
  for (int i = 0; i < 20'000; ++i) numbers[static_cast<std::size_t>(i)] = i;
  int events = 0, expected_a = 0, expected_b = 0;
  r.app.on(from(numbers)).handle([&](int n) { events += n == expected_a++; });
  r.app.on(from(numbers)).handle([&](int n) { events += n == expected_b++; });
  const std::string end = r.run();
  return object({{"end", end}, {"events", json_of(events)}});
}

inline std::string shared_source(const Case& c) {
  Replay r(c);
  const auto source = from(every(1ms, c.numbers()));
  r.app.on(source).handle([&](int n) {
    r.note("first", n);
    r.note("first done", n);
  });
  r.app.on(source).handle([&](int n) { r.note("second", n); });
  return r.observed();
}

inline Generator<std::string> zero_and_even(int n) {
  if (n == 0) co_yield "zero: " + std::to_string(n);
  if (n % 2 == 0) co_yield "even: " + std::to_string(n);
}
inline std::string yield_and_return(const Case& c) {
  const auto with_sink = [&](auto f) {
    Replay r(c);
    r.app.on(from(c.numbers())).handle(f).to(r.sink("print"));
    return r.observed();
  };
  // Coroutines and functions look alike from outside; the asynchronous kinds have no counterpart of their
  // own.
  const auto generator = [](int n) { return zero_and_even(n); };
  const auto function = [](int n) { return n * 10; };
  Replay nothing(c);
  nothing.app.on(from(c.numbers())).handle([](int) {});
  return object({{"generator", with_sink(generator)},
                 {"async_generator", with_sink(generator)},
                 {"function", with_sink(function)},
                 {"coroutine", with_sink(function)},
                 {"returns_nothing", nothing.observed()},
                 {"returns_list", with_sink([](int n) { return std::pair(n, n); })}});
}

inline std::string stream_arguments(const Case& c) {
  Replay r(c);
  const auto source = from(c.numbers());
  r.app.on(source)
      .handle([](int m, const HandlerContext& context) {
        return object({{"env", json_of(*context.values.get<std::string>("env"))},
                       {"n", json_of(*context.values.get<int>("n"))}})
            .insert(0, "[" + json_of(m) + ",")
            .append("]");
      })
      .to([&](const std::string& json) { r.note_json("sink:a", json); });
  r.app.on(source).handle([](int m) { return m; }).to(r.sink("b"));
  Values values;
  values.set("env", std::string("DEV")).set("n", 1);
  r.app.graph()->values = std::make_shared<const Values>(values);
  return r.observed();
}

inline AsyncGenerator<int> breaking_source(std::vector<int> values) {
  co_await sleep(1ms);
  co_yield values[0];
  throw std::runtime_error("source broke");
}
inline Pipe<int, int> breaking_pipe(Incoming<int> in) {
  co_await in;
  throw std::runtime_error("pipe broke");
}
inline std::string handler_and_sink_errors(const Case& c) {
  const auto broken = [&](std::string_view what) {
    Replay r(c);
    const std::string cause = std::string(what) + " broke";
    const auto numbers = what == "source" ? from(breaking_source(c.numbers())) : from(c.numbers());
    const auto handle = [&](int n) {
      r.note("handler", n);
      if (what == "handler") throw std::runtime_error(cause);
      return n;
    };
    const auto sink = [&](int n) {
      r.note("sink", n);
      if (what == "sink") throw std::runtime_error(cause);
    };
    if (what == "pipe") {
      r.app.on(numbers).pipe(breaking_pipe).handle(handle).named("it").to(sink);
    } else {
      r.app.on(numbers).handle(handle).named("it").to(sink);
    }
    r.app.on(from(every(300ms, c.numbers("other")))).handle([&](int n) { r.note("other", n); });
    r.app.at_exit([&] { r.note("exit hook"); });
    const std::string end = r.run();
    return object({{"end", end}, {"trace", r.trace()}, {"log", r.log()}});
  };
  return object({{"handler", broken("handler")},
                 {"sink", broken("sink")},
                 {"source", broken("source")},
                 {"pipe", broken("pipe")}});
}

inline std::string stream_ends_and_exit_hooks(const Case& c) {
  Replay nothing(c);
  Replay normal(c);
  normal.app.on(from(c.numbers())).handle([&](int n) { normal.note("handled", n); });
  normal.app.at_exit([&] { normal.note("exit hook"); });
  const std::string nothing_bound = nothing.observed();
  return object({{"nothing_bound", nothing_bound}, {"normal", normal.observed()}});
}

inline Programs handler_programs() {
  return {{"hello", hello},
          {"timer_source", timer_source},
          {"iterable_sources_interleave", iterable_sources_interleave},
          {"sources_that_never_wait", sources_that_never_wait},
          {"shared_source", shared_source},
          {"yield_and_return", yield_and_return},
          {"stream_arguments", stream_arguments},
          {"handler_and_sink_errors", handler_and_sink_errors},
          {"stream_ends_and_exit_hooks", stream_ends_and_exit_hooks}};
}

}  // namespace slipstream::test
