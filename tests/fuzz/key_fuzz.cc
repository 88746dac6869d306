#include <cstdio>
#include <cstdlib>
#include <tuple>
#include <variant>

#include "slipstream/ordered_key.h"

/// Whatever bytes are read as a key: they are read to their end and no further, and what was read is written
/// as these very bytes.
namespace slipstream {
namespace {

struct Inner {
  std::optional<int> number;
  std::string text;
};
SLIPSTREAM_FIELDS(Inner, number, text)

template <class K>
void check(std::string_view bytes) {
  K key{};
  if (!detail::read_ordered_key(bytes, key) || detail::ordered_key(key) == bytes) return;
  std::fprintf(stderr, "read and written, the bytes are others: %s\n",
               detail::ordered_key_json(bytes).c_str());
  std::abort();
}

}  // namespace
}  // namespace slipstream

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slipstream;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  using Any = std::variant<std::monostate, Bytes, std::string, std::pair<int, Inner>, std::int64_t, double,
                           bool, EventTime>;
  check<Any>(bytes);
  check<std::tuple<Any, std::optional<Inner>, float>>(bytes);
  check<std::string>(bytes);
  check<std::uint8_t>(bytes);
  check<std::pair<std::string, std::chrono::sys_seconds>>(bytes);
  if (detail::ordered_key_json(bytes).empty()) std::abort();
  return 0;
}
