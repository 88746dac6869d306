#pragma once
#include <string>
#include <string_view>

#include "bench/bare_kafka.h"
#include "bench/suite.h"
#include "bench/workload.h"
#include "slipstream/json.h"

namespace slipstream::bench::by_hand {

/// K2 with the bare client, until read() ends: bids are decoded, converted, encoded and written. Calls `each`
/// after every one.
template <class Each>
void convert_all(bare::Reader& reader, bare::Writer& writer, const Codec<Bid>& bids, Each each) {
  const auto decode = bids.make_decoder();
  const auto encode = json<Converted>().make_encoder();
  std::string text;
  reader.read(
      [&](int, std::string_view, std::string_view value) {
        Bid bid;
        check_ok(decode(value, bid));
        text.clear();
        check_ok(encode(convert(bid), text));
        writer.write({}, text);
        each();
      },
      [&] { writer.poll(); });
  writer.flush();
}

}  // namespace slipstream::bench::by_hand
