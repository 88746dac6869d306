#pragma once
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "connectors/kafka/client.h"

namespace slipstream::kafka {

/// Sends what `send` sends and waits for its answer. Errors begin with `context`.
absl::StatusOr<Event> ask_admin(Client& client, rd_kafka_admin_op_t operation, Milliseconds timeout,
                                const std::string& context,
                                const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send);

}  // namespace slipstream::kafka
