#pragma once
#include <condition_variable>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "connectors/file/interruptible_wait.h"
#include "connectors/file/record_cutter.h"
#include "slipstream/detail/io_thread.h"
#include "slipstream/detail/mutex.h"

namespace slipstream::file {

/// Records from a descriptor that may block: a thread of its own reads into a bounded buffer.
class StdinSource final : public RawSource {
 public:
  /// `fd` is borrowed.
  StdinSource(int fd, Cut cut, ReadOptions options);
  ~StdinSource() override;

  std::string name() const override { return "stdin"; }
  std::string position(int, std::int64_t offset) const override {
    return "stdin line " + std::to_string(offset);
  }
  int partition_count() const override { return 1; }
  absl::Status open(const SourceEnv& env) override;
  absl::StatusOr<ReadState> read(int partition, const ReadLimits& limits, RawCollector& out) override;
  absl::Status close() override;

 private:
  enum class Input { fetching, quiet, ended };

  absl::Status take_stdin();
  void stop_thread();
  void run();
  bool wait_for_input();
  void take_input(const char* bytes, ssize_t n, int error);
  void set_input(Input input);
  std::optional<ReadState> take_pending();
  void feed_cutter();

  const int fd_;
  const Cut cut_;
  const ReadOptions options_;
  SourceEnv env_;                 // constant while open
  std::size_t buffer_bytes_ = 0;  // constant while open
  InterruptibleWait wait_;
  std::thread thread_;
  bool has_stdin_ = false;  // it is the one source of the process that may read it

  // Of the reading lane.
  RecordCutter cutter_;
  std::vector<RawRecord> batch_;
  std::string arrived_;
  absl::Status read_error_;

  detail::Mutex mutex_;
  std::condition_variable room_;
  std::string pending_ SLIPSTREAM_GUARDED_BY(mutex_);
  absl::Status failed_ SLIPSTREAM_GUARDED_BY(mutex_);
  Input input_ SLIPSTREAM_GUARDED_BY(mutex_) = Input::fetching;
  bool stopping_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
  bool reader_waits_ SLIPSTREAM_GUARDED_BY(mutex_) = false;
};

}  // namespace slipstream::file
