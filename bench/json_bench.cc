#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "simdjson.h"
#include "slipstream/json.h"

/// Decoding one record of ~70 bytes: our codec beside the same record read by hand with simdjson.
namespace {

constexpr std::string_view kBid = R"({"auction":1234,"bidder":43210,"price":5000,"ts":1700000000000})";

struct Bid {
  std::int64_t auction = 0;
  std::int64_t bidder = 0;
  std::int64_t price = 0;
  std::int64_t ts = 0;
  friend bool operator==(const Bid&, const Bid&) = default;
};
SLIPSTREAM_FIELDS(Bid, auction, bidder, price, ts)

constexpr Bid kExpected{1234, 43210, 5000, 1700000000000};

void DecodeBid(benchmark::State& state) {
  const auto decode = slipstream::json<Bid>().make_decoder();
  Bid bid;
  for (auto _ : state) {
    if (!decode(kBid, bid).ok()) return state.SkipWithError("not decoded");
    benchmark::DoNotOptimize(bid);
  }
  if (!(bid == kExpected)) state.SkipWithError("wrong answer");
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kBid.size()));
}
BENCHMARK(DecodeBid);

bool decode_by_hand(simdjson::ondemand::parser& parser, std::string& buffer, std::string_view text,
                    Bid& bid) {
  std::memcpy(buffer.data(), text.data(), text.size());
  simdjson::ondemand::document document;
  if (parser.iterate(buffer.data(), text.size(), buffer.size()).get(document)) return false;
  return !document["auction"].get_int64().get(bid.auction) &&
         !document["bidder"].get_int64().get(bid.bidder) && !document["price"].get_int64().get(bid.price) &&
         !document["ts"].get_int64().get(bid.ts);
}

void DecodeBidByHand(benchmark::State& state) {
  simdjson::ondemand::parser parser;
  std::string buffer(1024, '\0');
  Bid bid;
  for (auto _ : state) {
    if (!decode_by_hand(parser, buffer, kBid, bid)) return state.SkipWithError("not decoded");
    benchmark::DoNotOptimize(bid);
  }
  if (!(bid == kExpected)) state.SkipWithError("wrong answer");
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kBid.size()));
}
BENCHMARK(DecodeBidByHand);

void EncodeBid(benchmark::State& state) {
  const auto encode = slipstream::json<Bid>().make_encoder();
  std::string out;
  for (auto _ : state) {
    out.clear();
    if (!encode(kExpected, out).ok()) return state.SkipWithError("not encoded");
    benchmark::DoNotOptimize(out);
  }
  if (out != kBid) state.SkipWithError("wrong answer");
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kBid.size()));
}
BENCHMARK(EncodeBid);

}  // namespace
