#pragma once
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "connectors/file/output.h"
#include "slipstream/connector.h"
#include "slipstream/detail/io_thread.h"
#include "slipstream/detail/mutex.h"

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

  struct Work {
    bool sync = false;
    std::uint64_t upto = 0;  // records that are delivered when it is done
  };

  absl::StatusOr<std::size_t> take(std::span<const OutRecord> records);
  void stop(Phase phase);
  void run();
  bool has_work() const SLIPSTREAM_REQUIRES(mutex_) { return !pending_.empty() || flush_; }
  std::optional<Work> next_work();
  absl::Status write_out(const Work& work);
  void done(const Work& work, const absl::Status& status);

  const std::unique_ptr<Output> output_;
  const std::string header_line_;
  SinkEnv env_;                   // constant while open
  std::size_t buffer_bytes_ = 0;  // constant while open
  std::thread thread_;
  std::string writing_;  // of the thread

  detail::Mutex mutex_;
  std::condition_variable work_;
  std::string pending_ SLIPSTREAM_GUARDED_BY(mutex_);
  std::size_t in_write_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;  // bytes of writing_
  std::uint64_t taken_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
  std::uint64_t delivered_ SLIPSTREAM_GUARDED_BY(mutex_) = 0;
  absl::Status failed_ SLIPSTREAM_GUARDED_BY(mutex_);
  Phase phase_ SLIPSTREAM_GUARDED_BY(mutex_) = Phase::running;
  bool flush_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
};

}  // namespace slipstream::file
