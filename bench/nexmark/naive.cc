#include "bench/nexmark/naive.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace slipstream::nexmark::naive {

namespace {

template <class Kind>
void for_each(const All& events, const std::function<void(const Kind&)>& f) {
  for (const Event& e : events) {
    if (std::holds_alternative<Kind>(e)) f(std::get<Kind>(e));
  }
}

}  // namespace

void q0(const All& events, const Emit<BidRow>& emit) {
  for_each<Bid>(events, [&](const Bid& b) { emit({b.auction, b.bidder, b.price, b.at, b.extra}); });
}

void q1(const All& events, const Emit<Q1Row>& emit) {
  for_each<Bid>(events, [&](const Bid& b) { emit({b.auction, b.bidder, b.price * 908, b.at, b.extra}); });
}

void q2(const All& events, const Emit<Q2Row>& emit) {
  for_each<Bid>(events, [&](const Bid& b) {
    if (b.auction % 123 == 0) emit({b.auction, b.price});
  });
}

void q14(const All& events, const Emit<Q14Row>& emit) {
  for_each<Bid>(events, [&](const Bid& b) {
    // 0.908 * price > 1,000,000 AND 0.908 * price < 50,000,000
    if (b.price * 908 <= 1'000'000'000 || b.price * 908 >= 50'000'000'000) return;
    const auto hour = b.at.time_since_epoch() / std::chrono::hours(1) % 24;
    std::string time_of_day = "otherTime";
    if (hour <= 6 || hour >= 20) time_of_day = "nightTime";
    if (hour >= 8 && hour <= 18) time_of_day = "dayTime";
    std::uint64_t letters_c = 0;
    for (char c : b.extra) letters_c += c == 'c' ? 1 : 0;
    emit({b.auction, b.bidder, b.price * 908, time_of_day, b.at, b.extra, letters_c});
  });
}

void q21(const All& events, const Emit<Q21Row>& emit) {
  const std::regex pattern("(&|^)channel_id=([^&]*)");
  for_each<Bid>(events, [&](const Bid& b) {
    std::string id;
    std::smatch match;
    if (b.channel == "Apple") {
      id = "0";
    } else if (b.channel == "Google") {
      id = "1";
    } else if (b.channel == "Facebook") {
      id = "2";
    } else if (b.channel == "Baidu") {
      id = "3";
    } else if (std::regex_search(b.url, match, pattern)) {
      id = match[2];
    } else {
      return;
    }
    emit({b.auction, b.bidder, b.price, b.channel, id});
  });
}

void q22(const All& events, const Emit<Q22Row>& emit) {
  for_each<Bid>(events, [&](const Bid& b) {
    std::vector<std::string> parts;
    std::istringstream url(b.url);
    for (std::string part; std::getline(url, part, '/');) parts.push_back(part);
    emit({b.auction, b.bidder, b.price, b.channel, parts.at(3), parts.at(4), parts.at(5)});
  });
}

namespace {

constexpr Duration kSecond = std::chrono::seconds(1);

/// The start of the window of ten seconds that a time is in.
EventTime window_of(EventTime time) {
  return EventTime(time.time_since_epoch() / (10 * kSecond) * (10 * kSecond));
}

}  // namespace

void q5(const All& events, const Emit<Q5Row>& emit) {
  std::map<EventTime, std::map<std::uint64_t, std::uint64_t>> windows;  // by their ends
  for_each<Bid>(events, [&](const Bid& b) {
    const EventTime second = EventTime(b.at.time_since_epoch() / (2 * kSecond) * (2 * kSecond));
    for (int i = 1; i <= 5; ++i) ++windows[second + i * 2 * kSecond][b.auction];
  });
  for (const auto& [end, auctions] : windows) {
    std::uint64_t most = 0;
    for (const auto& [auction, bids] : auctions) most = std::max(most, bids);
    for (const auto& [auction, bids] : auctions) {
      if (bids == most) emit({auction, bids});
    }
  }
}

void q7(const All& events, const Emit<BidRow>& emit) {
  std::map<EventTime, std::uint64_t> highest;
  for_each<Bid>(
      events, [&](const Bid& b) { highest[window_of(b.at)] = std::max(highest[window_of(b.at)], b.price); });
  for_each<Bid>(events, [&](const Bid& b) {
    if (b.price == highest[window_of(b.at)]) emit({b.auction, b.bidder, b.price, b.at, b.extra});
  });
}

void q8(const All& events, const Emit<Q8Row>& emit) {
  std::set<std::pair<std::uint64_t, EventTime>> sellers;
  for_each<Auction>(events, [&](const Auction& a) { sellers.insert({a.seller, window_of(a.at)}); });
  for_each<Person>(events, [&](const Person& p) {
    if (sellers.contains({p.id, window_of(p.at)})) emit({p.id, p.name, window_of(p.at)});
  });
}

void q11(const All& events, const Emit<BidderRow>& emit) {
  std::map<std::uint64_t, std::vector<EventTime>> bidders;
  for_each<Bid>(events, [&](const Bid& b) { bidders[b.bidder].push_back(b.at); });
  for (auto& [bidder, times] : bidders) {
    std::sort(times.begin(), times.end());
    std::size_t first = 0;
    for (std::size_t i = 1; i <= times.size(); ++i) {
      if (i < times.size() && times[i] - times[i - 1] < 10 * kSecond) continue;
      emit({bidder, i - first, times[first], times[i - 1] + 10 * kSecond});
      first = i;
    }
  }
}

void q12(const All& events, const std::vector<EventTime>& came, const Emit<BidderRow>& emit) {
  std::map<std::pair<EventTime, std::uint64_t>, std::uint64_t> windows;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (const Bid* b = std::get_if<Bid>(&events[i])) ++windows[{window_of(came[i]), b->bidder}];
  }
  for (const auto& [window, bids] : windows)
    emit({window.second, bids, window.first, window.first + 10 * kSecond});
}

void q3(const All& events, const Emit<Q3Row>& emit) {
  std::map<std::uint64_t, Person> persons;
  for_each<Person>(events, [&](const Person& p) { persons[p.id] = p; });
  for_each<Auction>(events, [&](const Auction& a) {
    const auto seller = persons.find(a.seller);
    if (a.category != 10 || seller == persons.end()) return;
    const Person& p = seller->second;
    if (p.state == "OR" || p.state == "ID" || p.state == "CA") emit({p.name, p.city, p.state, a.id});
  });
}

namespace {

std::map<std::uint64_t, Auction> auctions_of(const All& events) {
  std::map<std::uint64_t, Auction> auctions;
  for_each<Auction>(events, [&](const Auction& a) { auctions[a.id] = a; });
  return auctions;
}

}  // namespace

void q20(const All& events, const Emit<AuctionWithBid>& emit) {
  const auto auctions = auctions_of(events);
  for_each<Bid>(events, [&](const Bid& b) {
    const auto found = auctions.find(b.auction);
    if (found == auctions.end() || found->second.category != 10) return;
    if (found->second.at <= b.at + 10 * kSecond) emit({found->second, b});
  });
}

void q13(const All& events, const Emit<Q13Row>& emit) {
  for_each<Bid>(events, [&](const Bid& b) {
    emit({b.auction, b.bidder, b.price, b.at, std::to_string(b.auction % 10'000)});
  });
}

namespace {

/// Each auction with its winning bid, in the order of their ends.
std::vector<AuctionWithBid> winning_bids(const All& events) {
  const auto auctions = auctions_of(events);
  std::map<std::uint64_t, std::vector<Bid>> bids;
  for_each<Bid>(events, [&](const Bid& b) {
    const auto a = auctions.find(b.auction);
    if (a != auctions.end() && b.at >= a->second.at && b.at <= a->second.expires)
      bids[b.auction].push_back(b);
  });
  std::vector<AuctionWithBid> won;
  for (auto& [auction, offers] : bids) {
    std::stable_sort(offers.begin(), offers.end(), [](const Bid& x, const Bid& y) {
      return x.price > y.price || (x.price == y.price && x.at < y.at);
    });
    won.push_back({auctions.at(auction), offers.front()});
  }
  std::stable_sort(won.begin(), won.end(), [](const AuctionWithBid& x, const AuctionWithBid& y) {
    return x.auction.expires < y.auction.expires;
  });
  return won;
}

}  // namespace

void q9(const All& events, const Emit<AuctionWithBid>& emit) {
  for (const AuctionWithBid& won : winning_bids(events)) emit(won);
}

void q4(const All& events, const Emit<Q4Row>& emit) {
  std::map<std::uint64_t, std::vector<std::uint64_t>> prices;
  for (const AuctionWithBid& won : winning_bids(events)) {
    std::vector<std::uint64_t>& all = prices[won.auction.category];
    all.push_back(won.bid.price);
    std::uint64_t sum = 0;
    for (std::uint64_t price : all) sum += price;
    emit({won.auction.category, sum / all.size()});
  }
}

void q6(const All& events, const Emit<Q6Row>& emit) {
  std::map<std::uint64_t, std::vector<std::uint64_t>> prices;
  for (const AuctionWithBid& won : winning_bids(events)) {
    std::vector<std::uint64_t>& all = prices[won.auction.seller];
    all.push_back(won.bid.price);
    const std::size_t last = std::min<std::size_t>(10, all.size());
    std::uint64_t sum = 0;
    for (std::size_t i = all.size() - last; i < all.size(); ++i) sum += all[i];
    emit({won.auction.seller, sum / last});
  }
}

namespace {

EventTime day_of(EventTime time) {
  return EventTime(time.time_since_epoch() / (86'400 * kSecond) * (86'400 * kSecond));
}
EventTime minute_of(EventTime time) {
  return EventTime(time.time_since_epoch() / (60 * kSecond) * (60 * kSecond));
}

/// count(*) with and without filters by price.
struct Counts {
  std::uint64_t total = 0, low = 0, middle = 0, high = 0;
  void add(std::uint64_t price) {
    ++total;
    if (price < 10'000) ++low;
    if (price >= 10'000 && price < 1'000'000) ++middle;
    if (price >= 1'000'000) ++high;
  }
  operator Ranks() const { return {total, low, middle, high}; }
};
/// count(distinct …) with and without filters by price.
struct Sets {
  std::set<std::uint64_t> total, low, middle, high;
  void add(std::uint64_t id, std::uint64_t price) {
    total.insert(id);
    if (price < 10'000) low.insert(id);
    if (price >= 10'000 && price < 1'000'000) middle.insert(id);
    if (price >= 1'000'000) high.insert(id);
  }
  operator Ranks() const { return {total.size(), low.size(), middle.size(), high.size()}; }
};
struct Statistics {
  Counts bids;
  Sets bidders, auctions;
  EventTime minute;
  void add(const Bid& b) {
    bids.add(b.price);
    bidders.add(b.bidder, b.price);
    auctions.add(b.auction, b.price);
    minute = std::max(minute, minute_of(b.at));
  }
};

}  // namespace

void q15(const All& events, const Emit<Q15Row>& emit) {
  std::map<EventTime, Statistics> days;
  for_each<Bid>(events, [&](const Bid& b) {
    Statistics& s = days[day_of(b.at)];
    s.add(b);
    emit({day_of(b.at), s.bids, s.bidders, s.auctions});
  });
}

void q16(const All& events, const Emit<Q16Row>& emit) {
  std::map<std::pair<std::string, EventTime>, Statistics> channels;
  for_each<Bid>(events, [&](const Bid& b) {
    Statistics& s = channels[{b.channel, day_of(b.at)}];
    s.add(b);
    emit({b.channel, day_of(b.at), s.minute, s.bids, s.bidders, s.auctions});
  });
}

void q17(const All& events, const Emit<Q17Row>& emit) {
  std::map<std::pair<std::uint64_t, EventTime>, Q17Row> auctions;
  std::map<std::pair<std::uint64_t, EventTime>, Counts> counts;
  for_each<Bid>(events, [&](const Bid& b) {
    const auto [row, is_new] = auctions.try_emplace({b.auction, day_of(b.at)});
    Q17Row& r = row->second;
    Counts& c = counts[{b.auction, day_of(b.at)}];
    c.add(b.price);
    r.auction = b.auction;
    r.day = day_of(b.at);
    r.bids = c;
    r.least = is_new ? b.price : std::min(r.least, b.price);
    r.most = std::max(r.most, b.price);
    r.sum += b.price;
    r.average = r.sum / c.total;
    emit(r);
  });
}

void q18(const All& events, const Emit<Bid>& emit) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, EventTime> last;
  for_each<Bid>(events, [&](const Bid& b) {
    EventTime& newest = last[{b.bidder, b.auction}];
    newest = std::max(newest, b.at);
    if (newest == b.at) emit(b);
  });
}

void q19(const All& events, const Emit<Q19Row>& emit) {
  std::map<std::uint64_t, std::vector<Bid>> tops;
  for_each<Bid>(events, [&](const Bid& b) {
    std::vector<Bid>& top = tops[b.auction];
    std::vector<Bid> now = top;
    now.push_back(b);
    std::stable_sort(now.begin(), now.end(), [](const Bid& x, const Bid& y) { return x.price > y.price; });
    if (now.size() > 10) now.pop_back();
    for (std::size_t i = 0; i < now.size(); ++i) {
      const bool is_same = i < top.size() && top[i].price == now[i].price && top[i].at == now[i].at &&
                           top[i].bidder == now[i].bidder && top[i].extra == now[i].extra;
      if (!is_same) emit({now[i], i + 1});
    }
    top = now;
  });
}

}  // namespace slipstream::nexmark::naive
