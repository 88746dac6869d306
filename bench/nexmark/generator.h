#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/nexmark/events.h"

/// Nexmark's events, with the proportions and distributions of the generator of github.com/nexmark/nexmark
/// and its default settings. Each event is made of its number alone, so every run has the same ones.
namespace slipstream::nexmark {

class Random;

struct GeneratorOptions {
  Duration between{100};  ///< two events; more than 0
  /// Inside groups of so many, events come in another order. 1: in order of time.
  std::uint64_t out_of_order_group = 1;
};

class Generator {
 public:
  explicit Generator(GeneratorOptions options = {});
  /// The n-th event to come, n = 0, 1, … From 2015-07-15T00:00Z on, in milliseconds.
  Event event(std::uint64_t n) const;
  std::vector<Event> events(std::size_t count) const;

 private:
  struct Channel {
    std::string name, url;
  };

  EventTime time(std::uint64_t n) const;
  Person person(std::uint64_t n, Random& random) const;
  Auction auction(std::uint64_t n, Random& random) const;
  Bid bid(std::uint64_t n, Random& random) const;
  std::string extra(Random& random, std::size_t size, std::size_t average) const;

  GeneratorOptions options_;
  std::string letters_;
  std::vector<Channel> channels_;  ///< the hot ones first
};

}  // namespace slipstream::nexmark
