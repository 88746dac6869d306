#include <chrono>
#include <cstdint>
#include <functional>
#include <ratio>
#include <string>
#include <vector>

#include "bench/nexmark/each.h"
#include "bench/nexmark/queries.h"

/// Queries over windows.
namespace slipstream::nexmark {

namespace {

/// An auction with how many bids it has in a window.
using Counted = Windowed<std::uint64_t, std::int64_t>;

/// The auctions with the most bids of a window.
struct Hottest {
  std::int64_t bids = 0;
  std::vector<std::uint64_t> auctions;
  void add(const Counted& counted) {
    if (counted.value < bids) return;
    if (counted.value > bids) auctions.clear();
    bids = counted.value;
    auctions.push_back(counted.key);
  }
};
SLIPSTREAM_FIELDS(Hottest, bids, auctions)

}  // namespace

Stream<Q5Row> q5(App&, const Events& events) {
  const Duration hop = std::chrono::seconds(2);
  return each<Bid>(events, [](const Bid& b) { return b.auction; })
      .key_by([](std::uint64_t auction) { return auction; })
      .window(hopping(kWindow, hop))
      .count("bids of an auction")
      // Counts carry their window's last instant, so those of one window meet in one of a hop.
      .key_by([](const Counted& c) { return c.window.end; })
      .window(tumbling(hop))
      .aggregate<Hottest>("hottest auctions")
      .flat_map([](const Windowed<EventTime, Hottest>& w) {
        std::vector<Q5Row> rows;
        for (const std::uint64_t auction : w.value.auctions)
          rows.push_back({auction, static_cast<std::uint64_t>(w.value.bids)});
        return rows;
      });
}

namespace {

/// Which ten seconds a bid is in.
EventTime window_of(EventTime time) {
  return std::chrono::floor<std::chrono::duration<std::int64_t, std::ratio<10>>>(time);
}

/// The bids with the highest price.
struct Highest {
  std::vector<BidRow> bids;
  void add(const BidRow& bid) {
    if (!bids.empty() && bid.price < bids.front().price) return;
    if (!bids.empty() && bid.price > bids.front().price) bids.clear();
    bids.push_back(bid);
  }
};
SLIPSTREAM_FIELDS(Highest, bids)

}  // namespace

Stream<BidRow> q7(App&, const Events& events) {
  return each<Bid>(events, bid_row)
      .key_by([](const BidRow& b) { return window_of(b.at); })
      .window(tumbling(kWindow))
      .aggregate<Highest>("highest bids")
      .flat_map([](const Windowed<EventTime, Highest>& w) { return w.value.bids; });
}

namespace {

struct Newcomer {
  std::uint64_t id = 0;
  std::string name;
};
SLIPSTREAM_FIELDS(Newcomer, id, name)
struct NewcomerName {
  std::string name;
  void add(const Newcomer& person) { name = person.name; }
};
SLIPSTREAM_FIELDS(NewcomerName, name)

}  // namespace

Stream<Q8Row> q8(App&, const Events& events) {
  using Person8 = Windowed<std::uint64_t, NewcomerName>;
  using Seller8 = Windowed<std::uint64_t, std::int64_t>;
  const auto persons = each<Person>(events,
                                    [](const Person& p) {
                                      return Newcomer{p.id, p.name};
                                    })
                           .key_by(&Newcomer::id)
                           .window(tumbling(kWindow))
                           .aggregate<NewcomerName>("new persons");
  const auto sellers = each<Auction>(events, [](const Auction& a) { return a.seller; })
                           .key_by([](std::uint64_t seller) { return seller; })
                           .window(tumbling(kWindow))
                           .count("auctions of a seller");
  // Results of the same window carry the same time.
  return persons.key_by(&Person8::key)
      .interval_join("new sellers", sellers.key_by(&Seller8::key), {},
                     [](const Person8& person, const Seller8&) {
                       return Q8Row{person.key, person.value.name, person.window.start};
                     });
}

namespace {

BidderRow bidder_row(const Windowed<std::uint64_t, std::int64_t>& w) {
  return {w.key, static_cast<std::uint64_t>(w.value), w.window.start, w.window.end};
}
auto by_bidder(const Events& events) {
  return each<Bid>(events, [](const Bid& b) { return b.bidder; }).key_by([](std::uint64_t bidder) {
    return bidder;
  });
}

}  // namespace

Stream<BidderRow> q11(App&, const Events& events) {
  return by_bidder(events).window(session(kWindow)).count("bids of a session").map(bidder_row);
}

Stream<BidderRow> q12(App&, const Events& events) {
  return by_bidder(events).window(tumbling(kWindow)).count("bids of ten seconds").map(bidder_row);
}

}  // namespace slipstream::nexmark
