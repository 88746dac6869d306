#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bench/nexmark/each.h"
#include "bench/nexmark/queries.h"

/// Queries that join two streams.
namespace slipstream::nexmark {

namespace {

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

}  // namespace

Stream<Q3Row> q3(App&, const Events& events) {
  const auto sales = some<Auction>(events, [](const Auction& a) -> std::optional<Sale> {
    if (a.category != 10) return std::nullopt;
    return Sale{a.id, a.seller};
  });
  const auto sellers = some<Person>(events, [](const Person& p) -> std::optional<Seller> {
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

Stream<AuctionWithBid> q20(App&, const Events& events) {
  const auto bids = each<Bid>(events, [](const Bid& b) { return b; });
  const auto auctions = some<Auction>(
      events, [](const Auction& a) { return a.category == 10 ? std::optional(a) : std::nullopt; });
  return bids.key_by(&Bid::auction)
      .interval_join("bids with auctions", auctions.key_by(&Auction::id),
                     {.lower = Duration::min(), .upper = std::chrono::seconds(10)},
                     [](const Bid& bid, const Auction& auction) {
                       return AuctionWithBid{auction, bid};
                     });
}

namespace {

struct SideRow {
  std::uint64_t key = 0;
  std::string value;
};
SLIPSTREAM_FIELDS(SideRow, key, value)

}  // namespace

Stream<Q13Row> q13(App& app, const Events& events) {
  std::vector<SideRow> table;
  for (std::uint64_t key = 0; key < 10'000; ++key) table.push_back({key, std::to_string(key)});
  const auto side =
      app.source("side input", from(std::move(table))).event_time([](const SideRow&) { return EventTime(); });
  return each<Bid>(events, bid_part)
      .key_by([](const BidPart& b) { return b.auction % 10'000; })
      .as_of_join("bids with the side input", side.key_by(&SideRow::key), {},
                  [](const BidPart& b, const SideRow* row) {
                    return Q13Row{b.auction, b.bidder, b.price, b.at, row ? row->value : std::string()};
                  });
}

}  // namespace slipstream::nexmark
