#pragma once
#include <functional>
#include <vector>

#include "bench/nexmark/events.h"
#include "bench/nexmark/rows.h"

/// What the queries must come to, the slow and obvious way: all events are there, in the order they come in.
namespace slipstream::nexmark::naive {

using All = std::vector<Event>;
template <class Row>
using Emit = std::function<void(const Row&)>;

void q0(const All& events, const Emit<BidRow>& emit);
void q1(const All& events, const Emit<Q1Row>& emit);
void q2(const All& events, const Emit<Q2Row>& emit);
void q3(const All& events, const Emit<Q3Row>& emit);
void q4(const All& events, const Emit<Q4Row>& emit);
void q5(const All& events, const Emit<Q5Row>& emit);
void q6(const All& events, const Emit<Q6Row>& emit);
void q7(const All& events, const Emit<BidRow>& emit);
void q8(const All& events, const Emit<Q8Row>& emit);
void q9(const All& events, const Emit<AuctionWithBid>& emit);
void q11(const All& events, const Emit<BidderRow>& emit);
/// With the time it was when each event came.
void q12(const All& events, const std::vector<EventTime>& came, const Emit<BidderRow>& emit);
void q13(const All& events, const Emit<Q13Row>& emit);
void q14(const All& events, const Emit<Q14Row>& emit);
void q15(const All& events, const Emit<Q15Row>& emit);
void q16(const All& events, const Emit<Q16Row>& emit);
void q17(const All& events, const Emit<Q17Row>& emit);
void q18(const All& events, const Emit<Bid>& emit);
void q19(const All& events, const Emit<Q19Row>& emit);
void q20(const All& events, const Emit<AuctionWithBid>& emit);
void q21(const All& events, const Emit<Q21Row>& emit);
void q22(const All& events, const Emit<Q22Row>& emit);

}  // namespace slipstream::nexmark::naive
