#define XXH_INLINE_ALL
#include <xxhash.h>

#include "slipstream/detail/hash.h"

namespace slipstream::detail {

std::uint64_t hash_bytes(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

}  // namespace slipstream::detail
