// expect: from 'int' to 
#include "slipstream/time.h"

auto watermark = slipstream::bounded_watermark(slipstream::kMaxTime, 60);
