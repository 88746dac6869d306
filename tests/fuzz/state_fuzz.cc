#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "slipstream/detail/state_codec.h"
#include "slipstream/time.h"

namespace {

struct Line {
  std::string item;
  std::uint32_t count = 0;
};
SLIPSTREAM_FIELDS(Line, item, count)

struct Order {
  std::int64_t id = 0;
  bool paid = false;
  std::optional<double> discount;
  std::vector<Line> lines;
  std::map<std::string, std::vector<slipstream::EventTime>> times;
};
SLIPSTREAM_FIELDS(Order, id, paid, discount, lines, times)

}  // namespace

/// Whatever bytes can be loaded are a value: stored and loaded again it stays the same.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view in(reinterpret_cast<const char*>(data), size);
  Order order;
  if (!slipstream::detail::load(in, order)) return 0;
  std::string stored, again;
  slipstream::detail::store(order, stored);
  std::string_view rest = stored;
  if (!slipstream::detail::load(rest, order) || !rest.empty()) __builtin_trap();
  slipstream::detail::store(order, again);
  if (again != stored) __builtin_trap();
  return 0;
}
