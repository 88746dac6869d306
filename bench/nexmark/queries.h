#pragma once
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench/nexmark/events.h"
#include "bench/nexmark/rows.h"
#include "slipstream/slipstream.h"

/// The queries of github.com/nexmark/nexmark as programs: each makes the stream of its results. Where they
/// differ from the SQL ones is in docs/benchmarks.md.
namespace slipstream::nexmark {

using Events = SourceStream<Event>;

/// How late an event may be, as the queries in SQL have it.
constexpr Duration kLateness = std::chrono::seconds(4);
constexpr Duration kWindow = std::chrono::seconds(10);
constexpr Duration kTick{1};  ///< the least difference of times

inline Events events_of(App& app, const Source<Event>& source) {
  return app.source("events", source).event_time(time_of, {.max_out_of_orderness = kLateness});
}

/// What `f` makes of each event of one kind: a value, or an optional where not all of them count.
template <class Kind, class F>
auto each(const Events& events, F f) {
  using Result = std::invoke_result_t<const F&, const Kind&>;
  using Out = std::conditional_t<detail::Optional<Result>, Result, std::optional<Result>>;
  return events.flat_map([f](const Event& event) {
    const Kind* one = std::get_if<Kind>(&event);
    return one ? Out(f(*one)) : Out();
  });
}

inline std::uint64_t thousandths_of_euros(std::uint64_t price) { return price * 908; }
inline EventTime day_of(EventTime time) { return std::chrono::floor<std::chrono::days>(time); }

// ---------------------------------------------------------------- one bid after the other

inline BidRow bid_row(const Bid& b) { return {b.auction, b.bidder, b.price, b.at, b.extra}; }

/// Bids, passed on.
inline Stream<BidRow> q0(App&, const Events& events) { return each<Bid>(events, bid_row); }

/// Prices in another currency.
inline Stream<Q1Row> q1(App&, const Events& events) {
  return each<Bid>(events, [](const Bid& b) {
    return Q1Row{b.auction, b.bidder, thousandths_of_euros(b.price), b.at, b.extra};
  });
}

/// The bids for some auctions.
inline Stream<Q2Row> q2(App&, const Events& events) {
  return each<Bid>(events, [](const Bid& b) -> std::optional<Q2Row> {
    if (b.auction % 123 != 0) return std::nullopt;
    return Q2Row{b.auction, b.price};
  });
}

/// Bids within a price range, with what time of the day it was and a letter counted.
inline Stream<Q14Row> q14(App&, const Events& events) {
  return each<Bid>(events, [](const Bid& b) -> std::optional<Q14Row> {
    const std::uint64_t price = thousandths_of_euros(b.price);
    if (price <= 1'000'000'000 || price >= 50'000'000'000) return std::nullopt;
    const auto hour = std::chrono::floor<std::chrono::hours>(b.at - day_of(b.at)).count();
    const char* time_of_day = hour >= 8 && hour <= 18   ? "dayTime"
                              : hour <= 6 || hour >= 20 ? "nightTime"
                                                        : "otherTime";
    const auto letters_c = std::count(b.extra.begin(), b.extra.end(), 'c');
    return Q14Row{
        b.auction, b.bidder, price, time_of_day, b.at, b.extra, static_cast<std::uint64_t>(letters_c)};
  });
}

/// The value of channel_id in a URL.
inline std::optional<std::string> channel_id_in(std::string_view url) {
  constexpr std::string_view kName = "channel_id=";
  std::size_t at = url.starts_with(kName) ? 0 : url.find("&channel_id=");
  if (at == url.npos) return std::nullopt;
  if (url[at] == '&') ++at;
  at += kName.size();
  return std::string(url.substr(at, url.find('&', at) - at));
}
inline std::string in_small_letters(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}
/// A channel's id: known ones have one, others say it in the URL.
inline std::optional<std::string> channel_id_of(const Bid& b) {
  static constexpr std::string_view kKnown[] = {"apple", "google", "facebook", "baidu"};
  const std::string channel = in_small_letters(b.channel);
  const auto known = std::find(std::begin(kKnown), std::end(kKnown), channel);
  if (known != std::end(kKnown)) return std::to_string(known - std::begin(kKnown));
  return channel_id_in(b.url);
}

/// Bids with the ids of their channels, those that have one.
inline Stream<Q21Row> q21(App&, const Events& events) {
  return each<Bid>(events, [](const Bid& b) -> std::optional<Q21Row> {
    std::optional<std::string> id = channel_id_of(b);
    if (!id) return std::nullopt;
    return Q21Row{b.auction, b.bidder, b.price, b.channel, std::move(*id)};
  });
}

/// The parts 3, 4 and 5 of what slashes separate.
inline std::array<std::string, 3> directories_of(std::string_view url) {
  std::array<std::string, 3> directories;
  for (int part = 0; part < 6; ++part) {
    const std::size_t slash = url.find('/');
    if (part >= 3) directories[static_cast<std::size_t>(part) - 3] = url.substr(0, slash);
    if (slash == url.npos) break;
    url.remove_prefix(slash + 1);
  }
  return directories;
}
/// Bids with the directories of their URLs.
inline Stream<Q22Row> q22(App&, const Events& events) {
  return each<Bid>(events, [](const Bid& b) {
    auto [first, second, third] = directories_of(b.url);
    return Q22Row{b.auction,        b.bidder,          b.price,         b.channel,
                  std::move(first), std::move(second), std::move(third)};
  });
}

// ---------------------------------------------------------------- windows

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

/// The auctions with the most bids of ten seconds, every two seconds.
inline Stream<Q5Row> q5(App&, const Events& events) {
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

/// The highest bids of each ten seconds.
inline Stream<BidRow> q7(App&, const Events& events) {
  return each<Bid>(events, bid_row)
      .key_by([](const BidRow& b) { return detail::window_start(b.at, tumbling(kWindow)); })
      .window(tumbling(kWindow))
      .aggregate<Highest>("highest bids")
      .flat_map([](const Windowed<EventTime, Highest>& w) { return w.value.bids; });
}

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

/// Who came and opened an auction within the same ten seconds.
inline Stream<Q8Row> q8(App&, const Events& events) {
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

inline BidderRow bidder_row(const Windowed<std::uint64_t, std::int64_t>& w) {
  return {w.key, static_cast<std::uint64_t>(w.value), w.window.start, w.window.end};
}
inline auto by_bidder(const Events& events) {
  return each<Bid>(events, [](const Bid& b) { return b.bidder; }).key_by([](std::uint64_t bidder) {
    return bidder;
  });
}

/// How many bids somebody makes before a break of ten seconds.
inline Stream<BidderRow> q11(App&, const Events& events) {
  return by_bidder(events).window(session(kWindow)).count("bids of a session").map(bidder_row);
}

/// The events as they come, with the time it is then.
template <class Clock>
Events events_when_they_come(App& app, const Source<Event>& source, Clock now) {
  return app.source("events", source)
      .event_time([now](const Event&) -> EventTime { return now(); },
                  {.when_quiet = WhenQuiet::advance(Duration{0})});
}
/// How many bids somebody makes in ten seconds of the clock: of events_when_they_come().
inline Stream<BidderRow> q12(App&, const Events& events) {
  return by_bidder(events).window(tumbling(kWindow)).count("bids of ten seconds").map(bidder_row);
}

// ---------------------------------------------------------------- joins

struct Seller {
  std::uint64_t id = 0;
  std::string name, city, state;
};
SLIPSTREAM_FIELDS(Seller, id, name, city, state)
struct Sale {
  std::uint64_t auction = 0;
  std::uint64_t seller = 0;
};
SLIPSTREAM_FIELDS(Sale, auction, seller)

/// Who sells something of category 10 in some states: whenever the person and the auction came.
inline Stream<Q3Row> q3(App&, const Events& events) {
  const auto sales = each<Auction>(events, [](const Auction& a) -> std::optional<Sale> {
    if (a.category != 10) return std::nullopt;
    return Sale{a.id, a.seller};
  });
  const auto sellers = each<Person>(events, [](const Person& p) -> std::optional<Seller> {
    if (p.state != "OR" && p.state != "ID" && p.state != "CA") return std::nullopt;
    return Seller{p.id, p.name, p.city, p.state};
  });
  return sales.key_by(&Sale::seller)
      .interval_join("local sales", sellers.key_by(&Seller::id),
                     {.lower = Duration::min(), .upper = Duration::max()},
                     [](const Sale& sale, const Seller& seller) {
                       return Q3Row{seller.name, seller.city, seller.state, sale.auction};
                     });
}

/// Bids with their auctions, those of category 10. Bids wait for an auction to come for ten seconds.
inline Stream<AuctionWithBid> q20(App&, const Events& events) {
  const auto bids = each<Bid>(events, [](const Bid& b) { return b; });
  const auto auctions = each<Auction>(
      events, [](const Auction& a) { return a.category == 10 ? std::optional(a) : std::nullopt; });
  return bids.key_by(&Bid::auction)
      .interval_join("bids with auctions", auctions.key_by(&Auction::id),
                     {.lower = Duration::min(), .upper = std::chrono::seconds(10)},
                     [](const Bid& bid, const Auction& auction) {
                       return AuctionWithBid{auction, bid};
                     });
}

struct BidPart {
  std::uint64_t auction = 0;
  std::uint64_t bidder = 0;
  std::uint64_t price = 0;
  EventTime at;
};
SLIPSTREAM_FIELDS(BidPart, auction, bidder, price, at)
struct SideRow {
  std::uint64_t key = 0;
  std::string value;
};
SLIPSTREAM_FIELDS(SideRow, key, value)

/// Bids with a text from a table of ten thousand rows.
inline Stream<Q13Row> q13(App& app, const Events& events) {
  std::vector<SideRow> table;
  for (std::uint64_t key = 0; key < 10'000; ++key) table.push_back({key, std::to_string(key)});
  const auto side =
      app.source("side input", from(std::move(table))).event_time([](const SideRow&) { return EventTime(); });
  return each<Bid>(events,
                   [](const Bid& b) {
                     return BidPart{b.auction, b.bidder, b.price, b.at};
                   })
      .key_by([](const BidPart& b) { return b.auction % 10'000; })
      .as_of_join("bids with the side input", side.key_by(&SideRow::key), {},
                  [](const BidPart& b, const SideRow* row) {
                    return Q13Row{b.auction, b.bidder, b.price, b.at, row ? row->value : std::string()};
                  });
}

// ---------------------------------------------------------------- running aggregates

inline int rank_of(std::uint64_t price) { return price < 10'000 ? 1 : price < 1'000'000 ? 2 : 3; }
inline std::uint64_t& of_rank(Ranks& ranks, int rank) {
  return rank == 1 ? ranks.rank1 : rank == 2 ? ranks.rank2 : ranks.rank3;
}
inline void count(Ranks& ranks, std::uint64_t price) {
  ++ranks.total;
  ++of_rank(ranks, rank_of(price));
}

/// How many different ones there are, altogether and of each rank.
struct Distinct {
  std::unordered_map<std::uint64_t, std::uint8_t> ranks_of;  ///< a bit for each rank it was seen in
  Ranks ranks;
  void add(std::uint64_t id, std::uint64_t price) {
    const int rank = rank_of(price);
    std::uint8_t& seen = ranks_of[id];
    if (seen == 0) ++ranks.total;
    if ((seen >> rank & 1) == 0) ++of_rank(ranks, rank);
    seen = static_cast<std::uint8_t>(seen | 1 << rank);
  }
};
SLIPSTREAM_FIELDS(Distinct, ranks_of, ranks)
struct Report {
  EventTime minute;
  Ranks bids;
  Distinct bidders;
  Distinct auctions;
  void add(const BidPart& b) {
    minute = std::max<EventTime>(minute, std::chrono::floor<std::chrono::minutes>(b.at));
    count(bids, b.price);
    bidders.add(b.bidder, b.price);
    auctions.add(b.auction, b.price);
  }
};
SLIPSTREAM_FIELDS(Report, minute, bids, bidders, auctions)

/// Each day's bids, bidders and auctions so far, after each bid.
inline Stream<Q15Row> q15(App&, const Events& events) {
  return each<Bid>(events,
                   [](const Bid& b) {
                     return BidPart{b.auction, b.bidder, b.price, b.at};
                   })
      .key_by([](const BidPart& b) { return day_of(b.at); })
      // An aggregate would emit all of its state.
      .process<Report, Q15Row>("report of the day", [](const BidPart& b, Report& report, auto& context) {
        report.add(b);
        context.emit({context.key(), report.bids, report.bidders.ranks, report.auctions.ranks});
      });
}

struct ChannelBid {
  std::string channel;
  BidPart bid;
};
SLIPSTREAM_FIELDS(ChannelBid, channel, bid)

/// The same for each channel.
inline Stream<Q16Row> q16(App&, const Events& events) {
  return each<Bid>(events,
                   [](const Bid& b) {
                     return ChannelBid{b.channel, {b.auction, b.bidder, b.price, b.at}};
                   })
      .key_by([](const ChannelBid& b) { return std::pair(b.channel, day_of(b.bid.at)); })
      .process<Report, Q16Row>("report of a channel", [](const ChannelBid& b, Report& report, auto& context) {
        report.add(b.bid);
        context.emit({b.channel, context.key().second, report.minute, report.bids, report.bidders.ranks,
                      report.auctions.ranks});
      });
}

struct Prices {
  Ranks bids;
  std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t most = 0;
  std::uint64_t sum = 0;
  void add(const BidPart& b) {
    count(bids, b.price);
    least = std::min(least, b.price);
    most = std::max(most, b.price);
    sum += b.price;
  }
};
SLIPSTREAM_FIELDS(Prices, bids, least, most, sum)

/// Each auction's bids of a day so far, after each bid.
inline Stream<Q17Row> q17(App&, const Events& events) {
  using Key = std::pair<std::uint64_t, EventTime>;
  return each<Bid>(events,
                   [](const Bid& b) {
                     return BidPart{b.auction, b.bidder, b.price, b.at};
                   })
      .key_by([](const BidPart& b) { return Key(b.auction, day_of(b.at)); })
      .aggregate<Prices>("prices of an auction")
      .map([](const Keyed<Key, Prices>& k) {
        const Prices& p = k.value;
        return Q17Row{k.key.first, k.key.second, p.bids, p.least, p.most, p.sum / p.bids.total, p.sum};
      });
}

/// The last bid of a bidder for an auction: emits each that isn't older than the last.
inline Stream<Bid> q18(App&, const Events& events) {
  return each<Bid>(events, [](const Bid& b) { return b; })
      .key_by([](const Bid& b) { return std::pair(b.bidder, b.auction); })
      .process<EventTime, Bid>("last bids", [](const Bid& b, EventTime& last, auto& context) {
        if (b.at < last) return;
        last = b.at;
        context.emit(b);
      });
}

struct TopTen {
  std::vector<Bid> bids;  ///< the highest first; of equal ones the first to come
};
SLIPSTREAM_FIELDS(TopTen, bids)

/// The ten highest bids of an auction: emits those whose rank has changed.
inline Stream<Q19Row> q19(App&, const Events& events) {
  return each<Bid>(events, [](const Bid& b) { return b; })
      .key_by(&Bid::auction)
      .process<TopTen, Q19Row>("ten highest bids", [](const Bid& b, TopTen& top, auto& context) {
        const auto place = std::upper_bound(top.bids.begin(), top.bids.end(), b,
                                            [](const Bid& x, const Bid& y) { return x.price > y.price; });
        std::size_t rank = static_cast<std::size_t>(place - top.bids.begin());
        if (rank == 10) return;
        top.bids.insert(place, b);
        if (top.bids.size() > 10) top.bids.pop_back();
        for (; rank < top.bids.size(); ++rank) context.emit({top.bids[rank], rank + 1});
      });
}

// ---------------------------------------------------------------- auctions that have ended

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

inline Stream<AuctionWithBid> q9(App&, const Events& events) {
  return winning_bids(
             events, [](const Auction& a) { return a; }, [](const Bid& b) { return b; })
      .map([](const Won<Auction, Bid>& won) {
        return AuctionWithBid{won.auction, won.bid};
      });
}

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
inline Stream<Sold> sold(const Events& events) {
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

/// The average of the winning bids of a category, whenever one of its auctions has ended.
inline Stream<Q4Row> q4(App&, const Events& events) {
  return in_order_of_end<AveragePrice, Q4Row>("average of a category", sold(events), &Sold::category,
                                              [](const Sold& s, const AveragePrice& a) {
                                                return Q4Row{s.category, a.sum / a.count};
                                              });
}

struct LastTen {
  std::vector<std::uint64_t> prices;
  void add(const Sold& s) {
    if (prices.size() == 10) prices.erase(prices.begin());
    prices.push_back(s.price);
  }
};
SLIPSTREAM_FIELDS(LastTen, prices)

/// The average price of a seller's last ten auctions, whenever one has ended.
inline Stream<Q6Row> q6(App&, const Events& events) {
  return in_order_of_end<LastTen, Q6Row>(
      "average of a seller", sold(events), &Sold::seller, [](const Sold& s, const LastTen& last) {
        const std::uint64_t sum = std::accumulate(last.prices.begin(), last.prices.end(), std::uint64_t{0});
        return Q6Row{s.seller, sum / last.prices.size()};
      });
}

}  // namespace slipstream::nexmark
