#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "bench/nexmark/each.h"
#include "bench/nexmark/queries.h"

/// Queries that look at one bid after the other.
namespace slipstream::nexmark {

namespace {

std::uint64_t thousandths_of_euros(std::uint64_t price) { return price * 908; }

}  // namespace

Stream<BidRow> q0(App&, const Events& events) { return each<Bid>(events, bid_row); }

Stream<Q1Row> q1(App&, const Events& events) {
  return each<Bid>(events, [](const Bid& b) {
    return Q1Row{b.auction, b.bidder, thousandths_of_euros(b.price), b.at, b.extra};
  });
}

Stream<Q2Row> q2(App&, const Events& events) {
  return some<Bid>(events, [](const Bid& b) -> std::optional<Q2Row> {
    if (b.auction % 123 != 0) return std::nullopt;
    return Q2Row{b.auction, b.price};
  });
}

Stream<Q14Row> q14(App&, const Events& events) {
  return some<Bid>(events, [](const Bid& b) -> std::optional<Q14Row> {
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

namespace {

/// The value of channel_id in a URL.
std::optional<std::string> channel_id_in(std::string_view url) {
  constexpr std::string_view kName = "channel_id=";
  std::size_t at = url.starts_with(kName) ? 0 : url.find("&channel_id=");
  if (at == url.npos) return std::nullopt;
  if (url[at] == '&') ++at;
  at += kName.size();
  return std::string(url.substr(at, url.find('&', at) - at));
}
std::string in_small_letters(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}
/// A channel's id: known ones have one, others say it in the URL.
std::optional<std::string> channel_id_of(const Bid& b) {
  static constexpr std::string_view kKnown[] = {"apple", "google", "facebook", "baidu"};
  const std::string channel = in_small_letters(b.channel);
  const auto known = std::find(std::begin(kKnown), std::end(kKnown), channel);
  if (known != std::end(kKnown)) return std::to_string(known - std::begin(kKnown));
  return channel_id_in(b.url);
}

}  // namespace

Stream<Q21Row> q21(App&, const Events& events) {
  return some<Bid>(events, [](const Bid& b) -> std::optional<Q21Row> {
    std::optional<std::string> id = channel_id_of(b);
    if (!id) return std::nullopt;
    return Q21Row{b.auction, b.bidder, b.price, b.channel, std::move(*id)};
  });
}

namespace {

/// The parts 3, 4 and 5 of what slashes separate.
std::array<std::string, 3> directories_of(std::string_view url) {
  std::array<std::string, 3> directories;
  for (int part = 0; part < 6; ++part) {
    const std::size_t slash = url.find('/');
    if (part >= 3) directories[static_cast<std::size_t>(part) - 3] = url.substr(0, slash);
    if (slash == url.npos) break;
    url.remove_prefix(slash + 1);
  }
  return directories;
}

}  // namespace

Stream<Q22Row> q22(App&, const Events& events) {
  return each<Bid>(events, [](const Bid& b) {
    auto [first, second, third] = directories_of(b.url);
    return Q22Row{b.auction,        b.bidder,          b.price,         b.channel,
                  std::move(first), std::move(second), std::move(third)};
  });
}

}  // namespace slipstream::nexmark
