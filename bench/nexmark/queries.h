#pragma once
#include <chrono>
#include <functional>

#include "bench/nexmark/events.h"
#include "bench/nexmark/rows.h"
#include "slipstream/slipstream.h"

/// The queries of github.com/nexmark/nexmark as programs: each makes the stream of its results. Where they
/// differ from the SQL ones is in docs/benchmarks.md.
namespace slipstream::nexmark {

using Events = SourceStream<Event>;

/// The events with their own times, late by at most four seconds, as the SQL says: for all queries but q12.
inline Events events_of(App& app, const Source<Event>& source) {
  return app.source("events", source).event_time(time_of, {.max_out_of_orderness = std::chrono::seconds(4)});
}
/// The events with the time it is when they come: for q12.
inline Events events_when_they_come(App& app, const Source<Event>& source, std::function<EventTime()> now) {
  return app.source("events", source)
      .event_time([now](const Event&) { return now(); }, {.when_quiet = WhenQuiet::advance(Duration{0})});
}

/// Bids, passed on.
Stream<BidRow> q0(App&, const Events& events);
/// Prices in another currency.
Stream<Q1Row> q1(App&, const Events& events);
/// The bids for some auctions.
Stream<Q2Row> q2(App&, const Events& events);
/// Who sells something of category 10 in some states: whenever the person and the auction came.
Stream<Q3Row> q3(App&, const Events& events);
/// The average of the winning bids of a category, whenever one of its auctions has ended.
Stream<Q4Row> q4(App&, const Events& events);
/// The auctions with the most bids of ten seconds, every two seconds.
Stream<Q5Row> q5(App&, const Events& events);
/// The average price of a seller's last ten auctions, whenever one has ended.
Stream<Q6Row> q6(App&, const Events& events);
/// The highest bids of each ten seconds.
Stream<BidRow> q7(App&, const Events& events);
/// Who came and opened an auction within the same ten seconds.
Stream<Q8Row> q8(App&, const Events& events);
/// Each auction that has ended, with its highest bid.
Stream<AuctionWithBid> q9(App&, const Events& events);
/// How many bids somebody makes before a break of ten seconds.
Stream<BidderRow> q11(App&, const Events& events);
/// How many bids somebody makes in ten seconds of the clock: of events_when_they_come().
Stream<BidderRow> q12(App&, const Events& events);
/// Bids with a text from a table of ten thousand rows.
Stream<Q13Row> q13(App&, const Events& events);
/// Bids within a price range, with what time of the day it was and a letter counted.
Stream<Q14Row> q14(App&, const Events& events);
/// Each day's bids, bidders and auctions so far, after each bid.
Stream<Q15Row> q15(App&, const Events& events);
/// The same for each channel.
Stream<Q16Row> q16(App&, const Events& events);
/// Each auction's bids of a day so far, after each bid.
Stream<Q17Row> q17(App&, const Events& events);
/// The last bid of a bidder for an auction: emits each that isn't older than the last.
Stream<Bid> q18(App&, const Events& events);
/// The ten highest bids of an auction: emits those whose rank has changed.
Stream<Q19Row> q19(App&, const Events& events);
/// Bids with their auctions, those of category 10. Bids wait for an auction to come for ten seconds.
Stream<AuctionWithBid> q20(App&, const Events& events);
/// Bids with the ids of their channels, those that have one.
Stream<Q21Row> q21(App&, const Events& events);
/// Bids with the directories of their URLs.
Stream<Q22Row> q22(App&, const Events& events);

}  // namespace slipstream::nexmark
