#include "bench/nexmark/generator.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <string_view>
#include <utility>

namespace slipstream::nexmark {

/// SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t x = state_ += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
  }
  /// 0 … n - 1.
  std::uint64_t below(std::uint64_t n) { return next() % n; }
  template <class Choices>
  const auto& one_of(const Choices& choices) {
    return choices[below(std::size(choices))];
  }
  /// 1.00 to 1,000,000.00, as many from each power of ten to the next.
  std::uint64_t price() {
    const double uniform = static_cast<double>(next() >> 11) * 0x1p-53;
    return static_cast<std::uint64_t>(std::llround(std::pow(10.0, uniform * 6) * 100));
  }
  /// 3 to most - 1 letters, one in thirteen of which is `special`.
  std::string word(std::size_t most, char special = ' ') {
    std::string text(3 + below(most - 3), special);
    for (char& c : text) {
      if (below(13) != 0) c = letter();
    }
    const std::size_t first = text.find_first_not_of(' ');
    if (first == std::string::npos) return {};
    return text.substr(first, text.find_last_not_of(' ') + 1 - first);
  }
  char letter() { return static_cast<char>('a' + below(26)); }

 private:
  std::uint64_t state_;
};

namespace {

constexpr std::uint64_t kPersons = 1, kAuctions = 3, kBids = 46;
constexpr std::uint64_t kAll = kPersons + kAuctions + kBids;
constexpr std::uint64_t kFirstId = 1000;  // of persons and of auctions
constexpr std::uint64_t kInFlight = 100;  // auctions that are bid for
constexpr std::uint64_t kActivePersons = 1000;
constexpr std::uint64_t kAhead = 10;      // ids of persons and auctions to come that are used already
constexpr std::uint64_t kHotEvery = 100;  // one in so many persons and auctions is hot until the next one is
constexpr std::uint32_t kColdChannels = 10'000;
constexpr EventTime kStart{std::chrono::sys_days(std::chrono::year(2015) / 7 / 15)};

/// How many persons or auctions there are when event n has come.
std::uint64_t persons(std::uint64_t n) { return n / kAll * kPersons + std::min(n % kAll + 1, kPersons); }
std::uint64_t auctions(std::uint64_t n) {
  const std::uint64_t since = n % kAll + 1;
  return n / kAll * kAuctions + (since <= kPersons ? 0 : std::min(since - kPersons, kAuctions));
}
std::uint64_t hot(std::uint64_t count) {
  return (std::max<std::uint64_t>(count, 1) - 1) / kHotEvery * kHotEvery;
}

std::uint64_t any_person(std::uint64_t n, Random& random) {
  const std::uint64_t active = std::min(persons(n), kActivePersons);
  return kFirstId + persons(n) - active + random.below(active + kAhead);
}
std::uint64_t any_auction(std::uint64_t n, Random& random) {
  const std::uint64_t in_flight = std::min(auctions(n), kInFlight + 1);
  return kFirstId + auctions(n) - in_flight + random.below(in_flight + kAhead);
}

std::string url(Random& random) {
  std::string text = "https://www.nexmark.com/";
  for (int i = 0; i < 3; ++i) text += random.word(5, '_') + '/';
  return text + "item.htm?query=1";
}
/// A channel's id: its number's bits the other way round, as a positive 32-bit number.
std::int64_t reversed(std::uint32_t number) {
  std::uint32_t result = 0;
  for (int bit = 0; bit < 32; ++bit) result |= (number >> bit & 1u) << (31 - bit);
  return std::abs(static_cast<std::int64_t>(static_cast<std::int32_t>(result)));
}

}  // namespace

Generator::Generator(GeneratorOptions options) : options_(options) {
  Random random(~std::uint64_t{0});
  letters_.resize(std::size_t{1} << 16);
  for (char& c : letters_) c = random.letter();
  for (const char* name : {"Google", "Facebook", "Baidu", "Apple"}) channels_.push_back({name, url(random)});
  for (std::uint32_t i = 0; i < kColdChannels; ++i) {
    std::string where = url(random);
    if (random.below(10) > 0) where += "&channel_id=" + std::to_string(reversed(i));
    channels_.push_back({"channel-" + std::to_string(i), std::move(where)});
  }
}

Event Generator::event(std::uint64_t n) const {
  const std::uint64_t group = options_.out_of_order_group;
  n = n / group * group + n * 953 % group;
  Random random(n);
  const std::uint64_t which = n % kAll;
  if (which < kPersons) return person(n, random);
  if (which < kPersons + kAuctions) return auction(n, random);
  return bid(n, random);
}

std::vector<Event> Generator::events(std::size_t count) const {
  std::vector<Event> all;
  all.reserve(count);
  for (std::size_t n = 0; n < count; ++n) all.push_back(event(n));
  return all;
}

EventTime Generator::time(std::uint64_t n) const {
  return kStart + std::chrono::floor<std::chrono::milliseconds>(n * options_.between);
}

Person Generator::person(std::uint64_t n, Random& random) const {
  static constexpr std::string_view kFirst[] = {"Peter", "Paul",  "Luke",  "John",   "Saul",  "Vicky",
                                                "Kate",  "Julie", "Sarah", "Deiter", "Walter"};
  static constexpr std::string_view kLast[] = {"Shultz", "Abrams", "Spencer", "White", "Bartels",
                                               "Walton", "Smith",  "Jones",   "Noris"};
  static constexpr std::string_view kCities[] = {"Phoenix",  "Los Angeles", "San Francisco", "Boise",
                                                 "Portland", "Bend",        "Redmond",       "Seattle",
                                                 "Kent",     "Cheyenne"};
  static constexpr std::string_view kStates[] = {"AZ", "CA", "ID", "OR", "WA", "WY"};
  Person p;
  p.id = kFirstId + persons(n) - 1;
  p.name = std::string(random.one_of(kFirst)) + ' ' + std::string(random.one_of(kLast));
  p.email = random.word(7) + '@' + random.word(5) + ".com";
  for (int i = 0; i < 4; ++i) {
    if (i > 0) p.credit_card += ' ';
    for (int digit = 0; digit < 4; ++digit) p.credit_card += static_cast<char>('0' + random.below(10));
  }
  p.city = random.one_of(kCities);
  p.state = random.one_of(kStates);
  p.at = time(n);
  p.extra =
      extra(random,
            8 + p.name.size() + p.email.size() + p.credit_card.size() + p.city.size() + p.state.size(), 200);
  return p;
}

Auction Generator::auction(std::uint64_t n, Random& random) const {
  Auction a;
  a.id = kFirstId + auctions(n) - 1;
  a.seller = random.below(4) > 0 ? kFirstId + hot(persons(n)) : any_person(n, random);
  a.category = 10 + random.below(5);
  a.initial_bid = random.price();
  a.at = time(n);
  const auto until_replaced =
      std::chrono::duration_cast<std::chrono::milliseconds>(time(n + kInFlight * kAll / kAuctions) - a.at)
          .count();
  a.expires = a.at + std::chrono::milliseconds(1 + random.below(std::max<std::uint64_t>(
                                                       1, 2 * static_cast<std::uint64_t>(until_replaced))));
  a.item_name = random.word(20);
  a.description = random.word(100);
  a.reserve = a.initial_bid + random.price();
  a.extra = extra(random, 48 + a.item_name.size() + a.description.size(), 500);
  return a;
}

/// Hot bidders are others than hot sellers. (The original adds the first id twice to a bidder.)
Bid Generator::bid(std::uint64_t n, Random& random) const {
  Bid b;
  b.auction = random.below(2) > 0 ? kFirstId + hot(auctions(n)) : any_auction(n, random);
  b.bidder = random.below(4) > 0 ? kFirstId + hot(persons(n)) + 1 : any_person(n, random);
  b.price = random.price();
  const Channel& channel = channels_[random.below(2) > 0 ? random.below(4) : 4 + random.below(kColdChannels)];
  b.channel = channel.name;
  b.url = channel.url;
  b.at = time(n);
  b.extra = extra(random, 32, 100);
  return b;
}

/// Letters, as many as bring a record of `size` bytes to `average` on average.
std::string Generator::extra(Random& random, std::size_t size, std::size_t average) const {
  if (size >= average) return {};
  const std::size_t missing = average - size;
  const std::size_t spread = (missing + 2) / 5;
  const std::size_t length = missing - spread + (spread == 0 ? 0 : random.below(2 * spread));
  return letters_.substr(random.below(letters_.size() - length), length);
}

}  // namespace slipstream::nexmark
