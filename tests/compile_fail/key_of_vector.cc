// expect: a key is a number, bool, enum, string, chrono type
#include <vector>

#include "slipstream/detail/key_bytes.h"

void key(const std::vector<int>& key, std::string& out) { slipstream::detail::append_key_bytes(key, out); }
