#pragma once
#include "absl/status/status.h"

namespace slipstream::detail {

/// How programs of this project end: App::main and the tool.
enum ExitCode {
  kExitOk = 0,
  kExitNotDrained = 1,    ///< stopped before everything that was read was finished
  kExitUsage = 2,         ///< a mistake in arguments, configuration or the graph
  kExitRecord = 4,        ///< a record that can't be processed, under the policy `fail`
  kExitBroker = 5,        ///< a broker that can't be reached or that refuses us
  kExitInterrupted = 130  ///< a second interrupt
};

/// DeadlineExceeded: not drained. Unavailable, Unauthenticated, PermissionDenied: broker. InvalidArgument,
/// NotFound, AlreadyExists, FailedPrecondition, OutOfRange, Unimplemented: usage. Any other error: a
/// record's.
ExitCode exit_code(const absl::Status& status);

}  // namespace slipstream::detail
