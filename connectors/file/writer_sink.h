#pragma once
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "connectors/file/output.h"
#include "slipstream/connector.h"

namespace slipstream::file {

/// Writes records as lines to an Output from a thread of its own, so a slow disk or a full pipe holds up no
/// lane.
class WriterSink final : public RawSink {
 public:
  WriterSink(std::unique_ptr<Output> output, std::string header_line);
  ~WriterSink() override;

  std::string name() const override { return output_->name(); }
  absl::Status open(const SinkEnv& env) override;
  absl::StatusOr<std::size_t> write(std::span<const OutRecord> records) override;
  absl::StatusOr<std::uint64_t> delivered() override;
  absl::Status flush() override;
  absl::Status finish() override;
  absl::Status close() override;

 private:
  enum class Phase { running, draining, stopping };

  void run();
  void stop(Phase phase);
  bool has_work() const { return !pending_.empty() || flush_; }
  absl::Status write_out(bool sync);

  const std::unique_ptr<Output> output_;
  const std::string header_line_;
  SinkEnv env_;                   // constant while open
  std::size_t buffer_bytes_ = 0;  // constant while open
  std::thread thread_;
  std::string writing_;  // of the thread

  std::mutex mutex_;  // guards what follows
  std::condition_variable work_;
  std::string pending_;
  std::size_t in_write_ = 0;  // bytes of writing_
  std::uint64_t taken_ = 0;
  std::uint64_t delivered_ = 0;
  absl::Status failed_;
  Phase phase_ = Phase::running;
  bool flush_ = false;
};

}  // namespace slipstream::file
