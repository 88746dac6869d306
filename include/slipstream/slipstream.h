#pragma once

/// The stream door: App, streams, in-memory sources, callable sinks. Connectors and codecs have headers of
/// their own: kafka.h, http.h, redis.h, file.h, timer.h, json.h, csv.h; tests use testing.h.
#include "slipstream/app.h"
#include "slipstream/error_policy.h"
#include "slipstream/fields.h"
#include "slipstream/generator.h"
#include "slipstream/record.h"
#include "slipstream/sink.h"
#include "slipstream/source.h"
#include "slipstream/stream.h"
#include "slipstream/time.h"
#include "slipstream/window.h"
