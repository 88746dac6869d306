#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <sstream>
#include <thread>

#include "conformance/sink_conformance.h"
#include "connectors/file/writer_sink.h"
#include "files/scratch.h"

namespace slipstream::file {
namespace {

using conformance::SinkHost;

std::shared_ptr<RawSink> sink_to(int fd) { return std::make_shared<WriterSink>(stdout_output(fd), ""); }

/// Reads everything that is written into a pipe.
class PipeReader {
 public:
  PipeReader() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) ADD_FAILURE() << "no pipe";
    read_end_ = Fd(fds[0]);
    write_end_ = Fd(fds[1]);
    thread_ = std::thread([this] {
      char buffer[4096];
      for (ssize_t n; (n = ::read(read_end_.get(), buffer, sizeof buffer)) > 0;) {
        text_.append(buffer, static_cast<std::size_t>(n));
      }
    });
  }
  ~PipeReader() { (void)text(); }
  int fd() const { return write_end_.get(); }
  const std::string& text() {
    write_end_.reset();
    if (thread_.joinable()) thread_.join();
    return text_;
  }

 private:
  Fd read_end_;
  Fd write_end_;
  std::string text_;
  std::thread thread_;
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(StdoutSink, KeepsTheSinkContractOnAPipe) {
  std::vector<std::unique_ptr<PipeReader>> pipes;
  conformance::check_sink(
      {.make = [&] { return sink_to(pipes.emplace_back(std::make_unique<PipeReader>())->fd()); },
       .written = [&] { return split(pipes.back()->text()); },
       .values = {"one", "", std::string(10'000, 'x'), "four"}});
}

TEST(StdoutSink, KeepsTheSinkContractOnAFile) {
  const Scratch scratch;
  std::vector<Fd> files;
  const auto path = [&] { return scratch.path(std::to_string(files.size())); };
  conformance::check_sink({.make =
                               [&] {
                                 files.emplace_back();
                                 files.back() =
                                     Fd(::open(path().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
                                 return sink_to(files.back().get());
                               },
                           .written = [&] { return split(content_of(path())); }});
}

absl::Status write_until_error(RawSink& sink, SinkHost& host) {
  const std::string value(1000, 'x');
  OutRecord record;
  record.value = value;
  for (std::uint64_t n = 1; n < 10'000; ++n) {
    if (absl::Status s = conformance::write_all(sink, host, {&record, 1}); !s.ok()) return s;
    if (absl::Status s = conformance::deliver(sink, host, n); !s.ok()) return s;
  }
  return absl::OkStatus();
}

TEST(StdoutSink, AReaderThatWentAwayIsAnErrorAndNoSignal) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  Fd read_end(fds[0]);
  const Fd write_end(fds[1]);
  SinkHost host;
  const auto sink = sink_to(write_end.get());
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  read_end.reset();
  ASSERT_EQ(::signal(SIGPIPE, SIG_DFL) == SIG_ERR, false);  // would end the test
  EXPECT_EQ(write_until_error(*sink, host).message(),
            "can't write stdout: the program that read it has ended");
  EXPECT_FALSE(sink->finish().ok());
  EXPECT_EQ(sink->close(), absl::OkStatus());
}

TEST(StdoutSink, SaysThatTheDeviceIsFull) {
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  SinkHost host;
  const auto sink = sink_to(full.get());
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  const absl::Status status = write_until_error(*sink, host);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "can't write stdout: No space left on device");
  EXPECT_EQ(sink->close(), absl::OkStatus());
}

TEST(StdoutSink, SaysThatStdoutIsClosed) {
  SinkHost host;
  EXPECT_EQ(sink_to(-1)->open(host.env()).message(), "can't write stdout: Bad file descriptor");
}

TEST(StdoutSink, IsFullForNowWhenNobodyReadsAndClosesAllTheSame) {
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const Fd read_end(fds[0]);
  const Fd write_end(fds[1]);
  SinkHost host;
  const auto sink = sink_to(write_end.get());
  ASSERT_EQ(sink->open(host.env(100'000)), absl::OkStatus());
  const std::string value(1000, 'x');
  std::vector<OutRecord> records(1000);
  for (OutRecord& r : records) r.value = value;
  auto taken = sink->write(records);
  ASSERT_TRUE(taken.ok());
  EXPECT_LE(*taken, 101u) << "no more than its budget and one record";
  auto closed = std::async(std::launch::async, [&] { return sink->close(); });
  ASSERT_EQ(closed.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(closed.get(), absl::OkStatus());
}

}  // namespace
}  // namespace slipstream::file
