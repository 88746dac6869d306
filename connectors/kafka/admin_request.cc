#include "connectors/kafka/admin_request.h"

#include "connectors/kafka/errors.h"

namespace slipstream::kafka {

absl::StatusOr<Event> ask_admin(
    Client& client, rd_kafka_admin_op_t operation, Milliseconds timeout, const std::string& context,
    const std::function<void(rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>& send) {
  const int millis = static_cast<int>(timeout.count());
  const AdminRequest request(rd_kafka_AdminOptions_new(client.get(), operation));
  char why[512] = {};
  // The broker gets most of the time, so that its answer is here before ours is over.
  rd_kafka_AdminOptions_set_request_timeout(request.get(), millis, why, sizeof why);
  rd_kafka_AdminOptions_set_operation_timeout(request.get(), millis * 3 / 4, why, sizeof why);
  const Queue answers(rd_kafka_queue_new(client.get()));
  send(request.get(), answers.get());
  Event answer(rd_kafka_queue_poll(answers.get(), millis + 1000));
  const rd_kafka_resp_err_t failed =
      answer == nullptr ? RD_KAFKA_RESP_ERR__TIMED_OUT : rd_kafka_event_error(answer.get());
  if (failed == RD_KAFKA_RESP_ERR__TIMED_OUT) {
    return absl::UnavailableError(context + ": no answer from " + client.brokers() + " within " +
                                  seconds(timeout));
  }
  if (failed)
    return absl::Status(code_of(failed), context + ": " + rd_kafka_event_error_string(answer.get()));
  return answer;
}

}  // namespace slipstream::kafka
