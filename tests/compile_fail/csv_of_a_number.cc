// expect: a CSV row is a struct: describe its fields with SLIPSTREAM_FIELDS
#include "slipstream/csv.h"

auto codec = slipstream::csv<int>();
