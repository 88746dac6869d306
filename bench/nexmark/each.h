#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <variant>

#include "bench/nexmark/queries.h"

/// What several queries need.
namespace slipstream::nexmark {

constexpr Duration kWindow = std::chrono::seconds(10);

/// What `f` makes of each event of one kind.
template <class Kind, class F>
auto each(const Events& events, F f) {
  using Out = std::optional<std::invoke_result_t<const F&, const Kind&>>;
  return events.flat_map([f](const Event& event) {
    const Kind* one = std::get_if<Kind>(&event);
    return one ? Out(f(*one)) : Out();
  });
}
/// What `f` makes of some events of one kind: it returns an optional.
template <class Kind, class F>
auto some(const Events& events, F f) {
  using Out = std::invoke_result_t<const F&, const Kind&>;
  return events.flat_map([f](const Event& event) {
    const Kind* one = std::get_if<Kind>(&event);
    return one ? Out(f(*one)) : Out();
  });
}

inline BidRow bid_row(const Bid& b) { return {b.auction, b.bidder, b.price, b.at, b.extra}; }

/// A bid without its texts.
struct BidPart {
  std::uint64_t auction = 0;
  std::uint64_t bidder = 0;
  std::uint64_t price = 0;
  EventTime at;
};
SLIPSTREAM_FIELDS(BidPart, auction, bidder, price, at)
inline BidPart bid_part(const Bid& b) { return {b.auction, b.bidder, b.price, b.at}; }

inline EventTime day_of(EventTime time) { return std::chrono::floor<std::chrono::days>(time); }

}  // namespace slipstream::nexmark
