#include "bench/nexmark/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace slipstream::nexmark {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

template <class T>
std::vector<T> all_of_kind(const std::vector<Event>& events) {
  std::vector<T> all;
  for (const Event& e : events) {
    if (const T* one = std::get_if<T>(&e)) all.push_back(*one);
  }
  return all;
}

/// Made once: 1,000 persons, 3,000 auctions, 46,000 bids.
const std::vector<Event>& some() {
  static const std::vector<Event> events = Generator().events(50'000);
  return events;
}
template <class T, class F>
double part_of(const std::vector<T>& all, F holds) {
  double n = 0;
  for (const T& one : all) n += holds(one) ? 1 : 0;
  return n / static_cast<double>(all.size());
}

TEST(Generator, MakesOnePersonThreeAuctionsAnd46BidsOfEachFiftyEvents) {
  for (std::size_t n = 0; n < some().size(); ++n) {
    const std::size_t which = n % 50;
    EXPECT_EQ(some()[n].index(), which == 0 ? 0 : which < 4 ? 1 : 2) << n;
  }
}

TEST(Generator, MakesAnEventOfItsNumberAlone) {
  const auto bid = std::get<Bid>(Generator().event(12'345));
  EXPECT_EQ(bid.auction, 1670u);
  EXPECT_EQ(bid.bidder, 1201u);
  EXPECT_EQ(bid.price, 1139u);
  EXPECT_EQ(bid.channel, "Baidu");
  EXPECT_EQ(bid.url, "https://www.nexmark.com/___/geex/nwr/item.htm?query=1");
  EXPECT_EQ(bid.at, EventTime(1'436'918'401s + 234ms));
  EXPECT_EQ(bid.extra, "tmjlbbonncyfqhvealtigygwcdheucqycimjcqtxzlmkdrmefmnnbnql");
  EXPECT_EQ(std::get<Bid>(some()[12'345]).extra, bid.extra);
}

TEST(Generator, NumbersPersonsAndAuctionsFrom1000On) {
  std::uint64_t id = 1000;
  for (const Person& p : all_of_kind<Person>(some())) EXPECT_EQ(p.id, id++);
  id = 1000;
  for (const Auction& a : all_of_kind<Auction>(some())) EXPECT_EQ(a.id, id++);
}

TEST(Generator, ComesInOrderOfTimeAtTheGivenRate) {
  EXPECT_EQ(time_of(some()[0]), EventTime(1'436'918'400s));
  EXPECT_EQ(time_of(some()[49'999]), EventTime(1'436'918'404s + 999ms));
  const Generator slow({.between = 1ms});
  EXPECT_EQ(time_of(slow.event(49'999)), EventTime(1'436'918'449s + 999ms));
}

TEST(Generator, ShufflesInsideOfGroupsOnly) {
  const Generator shuffled({.out_of_order_group = 100});
  std::map<EventTime, int> in_order, out_of_order;
  bool is_shuffled = false;
  for (std::uint64_t n = 700; n < 800; ++n) {
    ++in_order[time_of(some()[n])];
    ++out_of_order[time_of(shuffled.event(n))];
    is_shuffled |= time_of(some()[n]) != time_of(shuffled.event(n));
  }
  EXPECT_EQ(in_order, out_of_order);
  EXPECT_TRUE(is_shuffled);
}

TEST(Generator, GivesHalfOfTheBidsToTheHotAuction) {
  std::uint64_t newest = 0;
  double hot = 0;
  double bids = 0;
  for (const Event& e : some()) {
    if (const auto* a = std::get_if<Auction>(&e)) newest = a->id;
    const auto* b = std::get_if<Bid>(&e);
    if (!b) continue;
    ++bids;
    if (b->auction == newest / 100 * 100) {
      ++hot;
    } else {
      // About a hundred are in flight, and ten that don't exist yet are bid for.
      EXPECT_THAT(b->auction, AllOf(Ge(std::max<std::uint64_t>(1000, newest - 100)), Le(newest + 10)));
    }
  }
  EXPECT_NEAR(hot / bids, 0.5, 0.02);
}

TEST(Generator, GivesThreeQuartersToHotBiddersAndSellers) {
  std::uint64_t newest = 0;
  double of_bids = 0;
  double of_auctions = 0;
  for (const Event& e : some()) {
    if (const auto* p = std::get_if<Person>(&e)) newest = p->id;
    if (const auto* b = std::get_if<Bid>(&e)) of_bids += b->bidder == newest / 100 * 100 + 1 ? 1 : 0;
    if (const auto* a = std::get_if<Auction>(&e)) of_auctions += a->seller == newest / 100 * 100 ? 1 : 0;
  }
  EXPECT_NEAR(of_bids / 46'000, 0.75, 0.02);
  EXPECT_NEAR(of_auctions / 3'000, 0.75, 0.03);
}

TEST(Generator, SpreadsPricesEvenlyOverSixPowersOfTen) {
  const auto bids = all_of_kind<Bid>(some());
  for (int power = 2; power < 8; ++power) {
    const double least = std::pow(10, power);
    EXPECT_NEAR(part_of(bids,
                        [&](const Bid& b) {
                          const auto price = static_cast<double>(b.price);
                          return price >= least && price < least * 10;
                        }),
                1.0 / 6, 0.01)
        << power;
  }
}

TEST(Generator, HasFourHotChannelsAndTenThousandOthers) {
  const auto bids = all_of_kind<Bid>(some());
  for (const char* name : {"Google", "Facebook", "Baidu", "Apple"}) {
    EXPECT_NEAR(part_of(bids, [&](const Bid& b) { return b.channel == name; }), 1.0 / 8, 0.01) << name;
  }
  const auto is_cold = [](const Bid& b) { return b.channel.starts_with("channel-"); };
  EXPECT_NEAR(part_of(bids, is_cold), 0.5, 0.02);
  EXPECT_NEAR(part_of(bids, [](const Bid& b) { return b.url.find("&channel_id=") != std::string::npos; }),
              0.45, 0.02);
  for (const Bid& b : bids) {
    EXPECT_THAT(b.url, testing::StartsWith("https://www.nexmark.com/"));
    EXPECT_THAT(b.url, HasSubstr("/item.htm?query=1"));
    if (b.channel == "channel-1" && b.url.ends_with("&channel_id=2147483648")) return;
  }
  ADD_FAILURE() << "no bid through channel-1";
}

TEST(Generator, LetsAuctionsEndWhenAboutAHundredOthersHaveBegun) {
  const auto auctions = all_of_kind<Auction>(some());
  double sum = 0;
  for (const Auction& a : auctions) {
    EXPECT_GT(a.expires, a.at);
    EXPECT_LE(a.expires, a.at + 334ms);
    EXPECT_THAT(a.category, AllOf(Ge(10u), Le(14u)));
    EXPECT_GT(a.reserve, a.initial_bid);
    sum += static_cast<double>((a.expires - a.at).count());
  }
  EXPECT_NEAR(sum / static_cast<double>(auctions.size()), 166'600, 5'000);
  for (std::uint64_t category = 10; category < 15; ++category) {
    EXPECT_NEAR(part_of(auctions, [&](const Auction& a) { return a.category == category; }), 0.2, 0.03);
  }
}

TEST(Generator, MakesRecordsOfTheUsualSizes) {
  double person = 0;
  double auction = 0;
  double bid = 0;
  for (const Person& p : all_of_kind<Person>(some())) {
    person += static_cast<double>(8 + p.name.size() + p.email.size() + p.credit_card.size() + p.city.size() +
                                  p.state.size() + p.extra.size());
    EXPECT_EQ(p.credit_card.size(), 19u);
  }
  for (const Auction& a : all_of_kind<Auction>(some()))
    auction += static_cast<double>(48 + a.item_name.size() + a.description.size() + a.extra.size());
  for (const Bid& b : all_of_kind<Bid>(some())) bid += static_cast<double>(32 + b.extra.size());
  EXPECT_NEAR(person / 1'000, 200, 2);
  EXPECT_NEAR(auction / 3'000, 500, 5);
  EXPECT_NEAR(bid / 46'000, 100, 1);
}

}  // namespace
}  // namespace slipstream::nexmark
