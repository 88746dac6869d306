#pragma once
#include "bench/nexmark/naive.h"
#include "bench/nexmark/queries.h"

namespace slipstream::nexmark {

/// A query, and what it must come to.
template <class Row>
struct Query {
  const char* name;
  Stream<Row> (*program)(App&, const Events&);
  void (*naive)(const naive::All&, const naive::Emit<Row>&);
  /// The results depend on the order in which the events of a key come: partitions that are read side by side
  /// would change them.
  bool is_ordered = false;
};

/// Calls visit(Query<Row>) for each but q12, whose results depend on when it runs.
template <class Visit>
void for_each_query(Visit&& visit) {
  visit(Query<BidRow>{"q0", q0, naive::q0});
  visit(Query<Q1Row>{"q1", q1, naive::q1});
  visit(Query<Q2Row>{"q2", q2, naive::q2});
  visit(Query<Q3Row>{"q3", q3, naive::q3});
  visit(Query<Q4Row>{"q4", q4, naive::q4});
  visit(Query<Q5Row>{"q5", q5, naive::q5});
  visit(Query<Q6Row>{"q6", q6, naive::q6});
  visit(Query<BidRow>{"q7", q7, naive::q7});
  visit(Query<Q8Row>{"q8", q8, naive::q8});
  visit(Query<AuctionWithBid>{"q9", q9, naive::q9});
  visit(Query<BidderRow>{"q11", q11, naive::q11});
  visit(Query<Q13Row>{"q13", q13, naive::q13});
  visit(Query<Q14Row>{"q14", q14, naive::q14});
  visit(Query<Q15Row>{"q15", q15, naive::q15, true});
  visit(Query<Q16Row>{"q16", q16, naive::q16, true});
  visit(Query<Q17Row>{"q17", q17, naive::q17, true});
  visit(Query<Bid>{"q18", q18, naive::q18, true});
  visit(Query<Q19Row>{"q19", q19, naive::q19, true});
  visit(Query<AuctionWithBid>{"q20", q20, naive::q20});
  visit(Query<Q21Row>{"q21", q21, naive::q21});
  visit(Query<Q22Row>{"q22", q22, naive::q22});
}

}  // namespace slipstream::nexmark
