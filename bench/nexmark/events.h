#pragma once
#include <cstdint>
#include <string>
#include <variant>

#include "slipstream/fields.h"
#include "slipstream/time.h"

/// The online auction of the Nexmark benchmark: people sell things and bid for them. Members are those of
/// github.com/nexmark/nexmark; money is in cents.
namespace slipstream::nexmark {

struct Person {
  std::uint64_t id = 0;
  std::string name;
  std::string email;
  std::string credit_card;
  std::string city;
  std::string state;
  EventTime at;
  std::string extra;
};
SLIPSTREAM_FIELDS(Person, id, name, email, credit_card, city, state, at, extra)

struct Auction {
  std::uint64_t id = 0;
  std::string item_name;
  std::string description;
  std::uint64_t initial_bid = 0;
  std::uint64_t reserve = 0;
  EventTime at;
  EventTime expires;
  std::uint64_t seller = 0;
  std::uint64_t category = 0;
  std::string extra;
};
SLIPSTREAM_FIELDS(Auction, id, item_name, description, initial_bid, reserve, at, expires, seller, category,
                  extra)

struct Bid {
  std::uint64_t auction = 0;
  std::uint64_t bidder = 0;
  std::uint64_t price = 0;
  std::string channel;
  std::string url;
  EventTime at;
  std::string extra;
};
SLIPSTREAM_FIELDS(Bid, auction, bidder, price, channel, url, at, extra)

/// All come in one stream.
using Event = std::variant<Person, Auction, Bid>;

inline EventTime time_of(const Event& event) {
  return std::visit([](const auto& e) { return e.at; }, event);
}

}  // namespace slipstream::nexmark
