#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "bench/nexmark/each.h"
#include "bench/nexmark/queries.h"

/// Queries that emit a new result for each bid.
namespace slipstream::nexmark {

namespace {

int rank_of(std::uint64_t price) { return price < 10'000 ? 1 : price < 1'000'000 ? 2 : 3; }
std::uint64_t& of_rank(Ranks& ranks, int rank) {
  return rank == 1 ? ranks.rank1 : rank == 2 ? ranks.rank2 : ranks.rank3;
}
void count(Ranks& ranks, std::uint64_t price) {
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

}  // namespace

Stream<Q15Row> q15(App&, const Events& events) {
  return each<Bid>(events, bid_part)
      .key_by([](const BidPart& b) { return day_of(b.at); })
      // An aggregate would emit all of its state.
      .process<Report, Q15Row>("report of the day", [](const BidPart& b, Report& report, auto& context) {
        report.add(b);
        context.emit({context.key(), report.bids, report.bidders.ranks, report.auctions.ranks});
      });
}

namespace {

struct ChannelBid {
  std::string channel;
  BidPart bid;
};
SLIPSTREAM_FIELDS(ChannelBid, channel, bid)

}  // namespace

Stream<Q16Row> q16(App&, const Events& events) {
  return each<Bid>(events,
                   [](const Bid& b) {
                     return ChannelBid{b.channel, bid_part(b)};
                   })
      .key_by([](const ChannelBid& b) { return std::pair(b.channel, day_of(b.bid.at)); })
      .process<Report, Q16Row>("report of a channel", [](const ChannelBid& b, Report& report, auto& context) {
        report.add(b.bid);
        context.emit({b.channel, context.key().second, report.minute, report.bids, report.bidders.ranks,
                      report.auctions.ranks});
      });
}

namespace {

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

}  // namespace

Stream<Q17Row> q17(App&, const Events& events) {
  using Key = std::pair<std::uint64_t, EventTime>;
  return each<Bid>(events, bid_part)
      .key_by([](const BidPart& b) { return Key(b.auction, day_of(b.at)); })
      .aggregate<Prices>("prices of an auction")
      .map([](const Keyed<Key, Prices>& k) {
        const Prices& p = k.value;
        return Q17Row{k.key.first, k.key.second, p.bids, p.least, p.most, p.sum / p.bids.total, p.sum};
      });
}

Stream<Bid> q18(App&, const Events& events) {
  return each<Bid>(events, [](const Bid& b) { return b; })
      .key_by([](const Bid& b) { return std::pair(b.bidder, b.auction); })
      .process<EventTime, Bid>("last bids", [](const Bid& b, EventTime& last, auto& context) {
        if (b.at < last) return;
        last = b.at;
        context.emit(b);
      });
}

namespace {

struct TopTen {
  std::vector<Bid> bids;  ///< the highest first; of equal ones the first to come
};
SLIPSTREAM_FIELDS(TopTen, bids)

}  // namespace

Stream<Q19Row> q19(App&, const Events& events) {
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

}  // namespace slipstream::nexmark
