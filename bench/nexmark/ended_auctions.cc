#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

#include "bench/nexmark/each.h"
#include "bench/nexmark/queries.h"

/// Queries about auctions that have ended, each with its highest bid.
namespace slipstream::nexmark {

namespace {

constexpr Duration kTick{1};  ///< the least difference of times

/// An event that says something about one auction.
template <class AuctionPart, class Offer>
struct AuctionEvent {
  std::uint64_t id = 0;
  std::optional<AuctionPart> auction;
  std::optional<Offer> bid;
};
SLIPSTREAM_TEMPLATE_FIELDS((class AuctionPart, class Offer), (AuctionEvent<AuctionPart, Offer>), id, auction,
                           bid)

template <class AuctionPart, class Offer>
struct Won {
  AuctionPart auction;
  Offer bid;
};

/// An auction and its best bid so far.
template <class AuctionPart, class Offer>
struct Bidding {
  std::optional<AuctionPart> auction;
  std::optional<Offer> best;
  std::vector<Offer> early;  ///< came before the auction did
  void offer(const Offer& bid) {
    if (bid.at < auction->at || bid.at > auction->expires) return;
    if (!best || bid.price > best->price || (bid.price == best->price && bid.at < best->at)) best = bid;
  }
};
SLIPSTREAM_TEMPLATE_FIELDS((class AuctionPart, class Offer), (Bidding<AuctionPart, Offer>), auction, best,
                           early)

/// Each auction with the highest of the bids made before it expired, the earliest of equal ones, once it is
/// known. The two functions pick what is needed of auctions and bids.
template <class PickAuction, class PickBid>
auto winning_bids(const Events& events, PickAuction pick_auction, PickBid pick_bid) {
  using AuctionPart = std::invoke_result_t<const PickAuction&, const Auction&>;
  using Offer = std::invoke_result_t<const PickBid&, const Bid&>;
  using About = AuctionEvent<AuctionPart, Offer>;
  using State = Bidding<AuctionPart, Offer>;
  using Result = Won<AuctionPart, Offer>;
  return events
      .flat_map([=](const Event& e) -> std::optional<About> {
        if (const auto* a = std::get_if<Auction>(&e)) return About{a->id, pick_auction(*a), std::nullopt};
        if (const auto* b = std::get_if<Bid>(&e)) return About{b->auction, std::nullopt, pick_bid(*b)};
        return std::nullopt;
      })
      .key_by(&About::id)
      .template process<State, Result>(
          "winning bids",
          [](const About& e, State& state, auto& context) {
            if (e.auction) {
              state.auction = e.auction;
              for (const Offer& bid : state.early) state.offer(bid);
              state.early.clear();
              context.set_timer(e.auction->expires + kTick);
            } else if (state.auction) {
              state.offer(*e.bid);
            } else {
              // For an auction that is over, or one that comes until this time has passed.
              state.early.push_back(*e.bid);
              context.set_timer(e.bid->at + kTick);
            }
          },
          [](EventTime time, State& state, auto& context) {
            if (state.auction) {
              if (time <= state.auction->expires) return;
              if (state.best) context.emit({*state.auction, *state.best});
              context.forget();
              return;
            }
            std::erase_if(state.early, [&](const Offer& bid) { return bid.at < time; });
            if (state.early.empty()) context.forget();
          });
}

}  // namespace

Stream<AuctionWithBid> q9(App&, const Events& events) {
  return winning_bids(
             events, [](const Auction& a) { return a; }, [](const Bid& b) { return b; })
      .map([](const Won<Auction, Bid>& won) {
        return AuctionWithBid{won.auction, won.bid};
      });
}

namespace {

struct Lot {
  std::uint64_t id = 0;
  std::uint64_t seller = 0;
  std::uint64_t category = 0;
  EventTime at;
  EventTime expires;
};
SLIPSTREAM_FIELDS(Lot, id, seller, category, at, expires)
struct Price {
  std::uint64_t price = 0;
  EventTime at;
};
SLIPSTREAM_FIELDS(Price, price, at)

/// An auction that has ended.
struct Sold {
  EventTime at;
  std::uint64_t id = 0;
  std::uint64_t seller = 0;
  std::uint64_t category = 0;
  std::uint64_t price = 0;
};
SLIPSTREAM_FIELDS(Sold, at, id, seller, category, price)

Stream<Sold> sold(const Events& events) {
  return winning_bids(
             events,
             [](const Auction& a) {
               return Lot{a.id, a.seller, a.category, a.at, a.expires};
             },
             [](const Bid& b) {
               return Price{b.price, b.at};
             })
      .map([](const Won<Lot, Price>& won) {
        const Lot& lot = won.auction;
        return Sold{lot.expires, lot.id, lot.seller, lot.category, won.bid.price};
      });
}

template <class State>
struct InOrder {
  std::vector<Sold> waiting;
  State state;
};
SLIPSTREAM_TEMPLATE_FIELDS((class State), (InOrder<State>), waiting, state)

/// Adds the auctions of a key to a State in the order in which they ended, however they come from different
/// lanes, and emits row(auction, state) after each.
template <class State, class Row, class Key>
Stream<Row> in_order_of_end(std::string_view name, const Stream<Sold>& auctions, Key key,
                            Row (*row)(const Sold&, const State&)) {
  return auctions.key_by(key).template process<InOrder<State>, Row>(
      name,
      [](const Sold& auction, InOrder<State>& keyed, auto& context) {
        keyed.waiting.push_back(auction);
        context.set_timer(context.time() + kTick);
      },
      [row](EventTime time, InOrder<State>& keyed, auto& context) {
        std::vector<Sold>& waiting = keyed.waiting;
        const auto due = std::partition(waiting.begin(), waiting.end(),
                                        [&](const Sold& s) { return s.at + kTick < time; });
        std::sort(waiting.begin(), due,
                  [](const Sold& x, const Sold& y) { return std::tie(x.at, x.id) < std::tie(y.at, y.id); });
        for (auto next = waiting.begin(); next != due; ++next) {
          keyed.state.add(*next);
          context.emit(row(*next, keyed.state));
        }
        waiting.erase(waiting.begin(), due);
      });
}

struct AveragePrice {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  void add(const Sold& s) {
    ++count;
    sum += s.price;
  }
};
SLIPSTREAM_FIELDS(AveragePrice, count, sum)

}  // namespace

Stream<Q4Row> q4(App&, const Events& events) {
  return in_order_of_end<AveragePrice, Q4Row>("average of a category", sold(events), &Sold::category,
                                              [](const Sold& s, const AveragePrice& a) {
                                                return Q4Row{s.category, a.sum / a.count};
                                              });
}

namespace {

struct LastTen {
  std::vector<std::uint64_t> prices;
  void add(const Sold& s) {
    if (prices.size() == 10) prices.erase(prices.begin());
    prices.push_back(s.price);
  }
};
SLIPSTREAM_FIELDS(LastTen, prices)

}  // namespace

Stream<Q6Row> q6(App&, const Events& events) {
  return in_order_of_end<LastTen, Q6Row>(
      "average of a seller", sold(events), &Sold::seller, [](const Sold& s, const LastTen& last) {
        const std::uint64_t sum = std::accumulate(last.prices.begin(), last.prices.end(), std::uint64_t{0});
        return Q6Row{s.seller, sum / last.prices.size()};
      });
}

}  // namespace slipstream::nexmark
