#pragma once
#include <librdkafka/rdkafka.h>

#include <string>

#include "absl/status/status.h"

namespace slipstream::kafka {

absl::StatusCode code_of(rd_kafka_resp_err_t error);
/// librdkafka's description without its "Broker:" or "Local:".
std::string describe(rd_kafka_resp_err_t error);
/// "CONTEXT: DESCRIPTION" with the fitting code.
absl::Status error(rd_kafka_resp_err_t error, const std::string& context);

bool is_authentication(rd_kafka_resp_err_t error);
/// No broker answers, or none did in time.
bool is_unreachable(rd_kafka_resp_err_t error);
/// Worth asking again: leaders move, topics are being created, brokers come back.
bool is_passing(rd_kafka_resp_err_t error);

/// "'abc'", at most 64 bytes of it, with control bytes escaped.
std::string shortened(const void* data, std::size_t size);

}  // namespace slipstream::kafka
