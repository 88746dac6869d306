#pragma once
#include "replay.h"

namespace slipstream::test {

/// Lists are added by putting one behind the other, as in Python.
struct Listed {
  std::vector<int> items;
  friend Listed operator+(Listed a, const Listed& b) {
    a.items.insert(a.items.end(), b.items.begin(), b.items.end());
    return a;
  }
};
inline std::string json_of(const Listed& l) { return json_of(l.items); }
inline Pipe<std::pair<int, int>, Listed> listed(Incoming<std::pair<int, int>> in) {
  while (auto m = co_await in) {
    Listed both;
    both.items.push_back(m->first);
    both.items.push_back(m->second);
    co_yield both;
  }
}

inline std::string pipe(const Case& c) {
  const auto through = [&](auto... pipes) {
    Replay r(c);
    const auto piped = [](auto on, auto... rest) {
      const auto next = [](const auto& self, auto at, auto first, auto... more) {
        if constexpr (sizeof...(more) == 0) {
          return at.pipe(first);
        } else {
          return self(self, at.pipe(first), more...);
        }
      };
      if constexpr (sizeof...(rest) == 0) {
        return on;
      } else {
        return next(next, on, rest...);
      }
    };
    piped(r.app.on(from(c.numbers())), pipes...)
        .handle([](const auto& m) { return std::optional(m); })
        .to(r.sink("print"));
    return r.observed();
  };
  return object({{"none", through()},
                 {"pairwise", through(pairwise<int>)},
                 {"accumulate", through(accumulate<int>)},
                 {"accumulate,pairwise", through(accumulate<int>, pairwise<int>)},
                 {"pairwise,accumulate", through(pairwise<int>, listed, accumulate<Listed>)}});
}

inline std::string pipe_shared_source(const Case& c) {
  Replay r(c);
  std::vector<int> plain, sum;
  std::vector<std::pair<int, int>> pairs;
  const auto source = from(c.numbers());
  const auto same = [](const auto& m) { return m; };
  const auto keep = [](auto& all) { return [&all](const auto& m) { all.push_back(m); }; };
  r.app.on(source).handle(same).to(r.sink("plain"), keep(plain));
  r.app.on(source)
      .pipe(pairwise<int>)
      .handle([](const std::pair<int, int>& p) { return p; })
      .to(r.sink("pairs"), keep(pairs));
  r.app.on(source).pipe(accumulate<int>).handle(same).to(r.sink("sum"), keep(sum));
  const std::string end = r.run();
  return object({{"end", end},
                 {"trace", r.trace()},
                 {"by_sink", object({{"sink:plain", json_of(plain)},
                                     {"sink:sum", json_of(sum)},
                                     {"sink:pairs", json_of(pairs)}})}});
}

inline Pipe<int, int> two(Incoming<int> in) {
  for (int i = 0; i < 2; ++i) {
    if (auto m = co_await in) co_yield *m;
  }
}
inline std::string pipe_that_ends_early(const Case& c) {
  Replay r(c);
  const auto source = from(c.numbers());
  const auto same = [](int m) { return m; };
  r.app.on(source).handle(same).to(r.sink("plain"));
  r.app.on(source).pipe(two).handle(same).to(r.sink("two"));
  return r.observed(std::chrono::seconds(1));
}

inline Programs pipe_programs() {
  return {{"pipe", pipe},
          {"pipe_shared_source", pipe_shared_source},
          {"pipe_that_ends_early", pipe_that_ends_early}};
}

}  // namespace slipstream::test
