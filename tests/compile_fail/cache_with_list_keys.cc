// expect: a cache's keys are texts, Bytes, numbers, bools, enums, EventTime, durations, pairs, tuples and structs
#include <vector>

#include "slipstream/cache.h"

slipstream::Cache<std::vector<int>, int>* cache() { return new slipstream::Cache<std::vector<int>, int>(); }
