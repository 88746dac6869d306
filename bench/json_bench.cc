#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "bench/suite.h"
#include "bench/workload.h"
#include "simdjson.h"
#include "slipstream/detail/hash.h"
#include "slipstream/json.h"

/// Decoding and encoding one record of ~70 bytes: our codec beside the same by hand, with simdjson and with
/// appended text.
namespace slipstream::bench {
namespace {

constexpr std::string_view kText = R"({"auction":1234,"bidder":43210,"price":5000,"ts":1700000000000})";
constexpr Bid kBid{1234, 43210, 5000, 1700000000000};

bool decode_by_hand(simdjson::ondemand::parser& parser, std::string& buffer, std::string_view text,
                    Bid& bid) {
  std::memcpy(buffer.data(), text.data(), text.size());
  simdjson::ondemand::document document;
  if (parser.iterate(buffer.data(), text.size(), buffer.size()).get(document)) return false;
  return !document["auction"].get_uint64().get(bid.auction) &&
         !document["bidder"].get_uint64().get(bid.bidder) && !document["price"].get_uint64().get(bid.price) &&
         !document["ts"].get_int64().get(bid.ts);
}

void encode_by_hand(const Bid& bid, std::string& out) {
  out += "{\"auction\":";
  out += std::to_string(bid.auction);
  out += ",\"bidder\":";
  out += std::to_string(bid.bidder);
  out += ",\"price\":";
  out += std::to_string(bid.price);
  out += ",\"ts\":";
  out += std::to_string(bid.ts);
  out += '}';
}

/// Decodes the text again and again; all fields of all bids are summed up.
template <class Decode>
Work decoding(std::size_t times, const Decode& decode) {
  return [times, &decode] {
    return timed([&] {
      Answer answer;
      for (std::size_t i = 0; i < times; ++i) {
        Bid bid;
        answer.count += decode(kText, bid);
        answer.checksum += bid.auction + bid.bidder + bid.price + static_cast<std::uint64_t>(bid.ts);
      }
      return answer;
    });
  };
}
/// Encodes bids of different prices; the hashes of all texts are summed up.
template <class Encode>
Work encoding(std::size_t times, const Encode& encode) {
  return [times, &encode] {
    return timed([&] {
      Answer answer;
      std::string out;
      Bid bid = kBid;
      for (std::size_t i = 0; i < times; ++i) {
        bid.price = i;
        out.clear();
        encode(bid, out);
        answer.count += out.size();
        answer.checksum += detail::hash_bytes(out);
      }
      return answer;
    });
  };
}

void run(Suite& suite) {
  const std::size_t times = suite.size<std::size_t>(2'000'000, 1'000);
  const auto items = static_cast<double>(times);
  const auto decoder = json<Bid>().make_decoder();
  const auto decode = [&](std::string_view text, Bid& bid) { return decoder(text, bid).ok(); };
  simdjson::ondemand::parser parser;
  std::string buffer(1024, '\0');
  const auto by_hand = [&](std::string_view text, Bid& bid) {
    return decode_by_hand(parser, buffer, text, bid);
  };
  const std::uint64_t sum = kBid.auction + kBid.bidder + kBid.price + static_cast<std::uint64_t>(kBid.ts);
  suite.compare({"decode JSON",
                 items,
                 decoding(times, decode),
                 decoding(times, by_hand),
                 {times, times * sum},
                 {},
                 true});

  const auto encoder = json<Bid>().make_encoder();
  const auto encode = [&](const Bid& bid, std::string& out) {
    if (!encoder(bid, out).ok()) out.clear();
  };
  std::string text;
  encode_by_hand(kBid, text);
  if (text != kText) throw std::runtime_error("encoded by hand: " + text);
  const Work limit = encoding(times, encode_by_hand);
  suite.compare({"encode JSON", items, encoding(times, encode), limit, limit().answer, {}, true});
}

const Registered json_bench("json", run);

}  // namespace
}  // namespace slipstream::bench
