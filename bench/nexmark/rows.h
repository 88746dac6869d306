#pragma once
#include <cstdint>
#include <string>

#include "bench/nexmark/events.h"

/// What the queries come to.
namespace slipstream::nexmark {

/// q0 and q7.
struct BidRow {
  std::uint64_t auction = 0;
  std::uint64_t bidder = 0;
  std::uint64_t price = 0;
  EventTime at;
  std::string extra;
};
SLIPSTREAM_FIELDS(BidRow, auction, bidder, price, at, extra)

struct Q1Row {
  std::uint64_t auction = 0;
  std::uint64_t bidder = 0;
  std::uint64_t thousandths = 0;  ///< of the price converted, which is 0.908 of it
  EventTime at;
  std::string extra;
};
SLIPSTREAM_FIELDS(Q1Row, auction, bidder, thousandths, at, extra)

struct Q2Row {
  std::uint64_t auction = 0;
  std::uint64_t price = 0;
};
SLIPSTREAM_FIELDS(Q2Row, auction, price)

struct Q3Row {
  std::string name;
  std::string city;
  std::string state;
  std::uint64_t auction = 0;
};
SLIPSTREAM_FIELDS(Q3Row, name, city, state, auction)

struct Q4Row {
  std::uint64_t category = 0;
  std::uint64_t average = 0;
};
SLIPSTREAM_FIELDS(Q4Row, category, average)

struct Q5Row {
  std::uint64_t auction = 0;
  std::uint64_t bids = 0;
};
SLIPSTREAM_FIELDS(Q5Row, auction, bids)

struct Q6Row {
  std::uint64_t seller = 0;
  std::uint64_t average = 0;
};
SLIPSTREAM_FIELDS(Q6Row, seller, average)

struct Q8Row {
  std::uint64_t person = 0;
  std::string name;
  EventTime start;
};
SLIPSTREAM_FIELDS(Q8Row, person, name, start)

/// q9 and q20.
struct AuctionWithBid {
  Auction auction;
  Bid bid;
};
SLIPSTREAM_FIELDS(AuctionWithBid, auction, bid)

/// q11 and q12.
struct BidderRow {
  std::uint64_t bidder = 0;
  std::uint64_t bids = 0;
  EventTime start;
  EventTime end;
};
SLIPSTREAM_FIELDS(BidderRow, bidder, bids, start, end)

struct Q13Row {
  std::uint64_t auction = 0;
  std::uint64_t bidder = 0;
  std::uint64_t price = 0;
  EventTime at;
  std::string value;
};
SLIPSTREAM_FIELDS(Q13Row, auction, bidder, price, at, value)

struct Q14Row {
  std::uint64_t auction = 0;
  std::uint64_t bidder = 0;
  std::uint64_t thousandths = 0;
  std::string time_of_day;
  EventTime at;
  std::string extra;
  std::uint64_t letters_c = 0;
};
SLIPSTREAM_FIELDS(Q14Row, auction, bidder, thousandths, time_of_day, at, extra, letters_c)

/// How many of something there are, and of which prices: below 100, below 10,000, and above.
struct Ranks {
  std::uint64_t total = 0;
  std::uint64_t rank1 = 0;
  std::uint64_t rank2 = 0;
  std::uint64_t rank3 = 0;
};
SLIPSTREAM_FIELDS(Ranks, total, rank1, rank2, rank3)

struct Q15Row {
  EventTime day;
  Ranks bids;
  Ranks bidders;
  Ranks auctions;
};
SLIPSTREAM_FIELDS(Q15Row, day, bids, bidders, auctions)

struct Q16Row {
  std::string channel;
  EventTime day;
  EventTime minute;  ///< the last one
  Ranks bids;
  Ranks bidders;
  Ranks auctions;
};
SLIPSTREAM_FIELDS(Q16Row, channel, day, minute, bids, bidders, auctions)

struct Q17Row {
  std::uint64_t auction = 0;
  EventTime day;
  Ranks bids;
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::uint64_t average = 0;
  std::uint64_t sum = 0;
};
SLIPSTREAM_FIELDS(Q17Row, auction, day, bids, least, most, average, sum)

struct Q19Row {
  Bid bid;
  std::uint64_t rank = 0;
};
SLIPSTREAM_FIELDS(Q19Row, bid, rank)

struct Q21Row {
  std::uint64_t auction = 0;
  std::uint64_t bidder = 0;
  std::uint64_t price = 0;
  std::string channel;
  std::string channel_id;
};
SLIPSTREAM_FIELDS(Q21Row, auction, bidder, price, channel, channel_id)

struct Q22Row {
  std::uint64_t auction = 0;
  std::uint64_t bidder = 0;
  std::uint64_t price = 0;
  std::string channel;
  std::string directory1;
  std::string directory2;
  std::string directory3;
};
SLIPSTREAM_FIELDS(Q22Row, auction, bidder, price, channel, directory1, directory2, directory3)

}  // namespace slipstream::nexmark
