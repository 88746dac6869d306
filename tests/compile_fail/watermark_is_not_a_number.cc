// expect: could not convert '60' from 'int' to 'slipstream::Duration'
#include "slipstream/time.h"

auto watermark = slipstream::bounded_watermark(slipstream::kMaxTime, 60);
