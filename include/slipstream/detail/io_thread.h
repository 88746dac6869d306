#pragma once
#include <functional>
#include <thread>

namespace slipstream::detail {

/// Starts a thread that takes no signals: they belong to the program's own threads. A write to a pipe or
/// socket without a reader fails with EPIPE there, because its SIGPIPE stays blocked and ends with the
/// thread.
std::thread start_io_thread(std::function<void()> body);

}  // namespace slipstream::detail
