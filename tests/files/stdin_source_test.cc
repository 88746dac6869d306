#include "connectors/file/stdin_source.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <thread>

#include "conformance/source_conformance.h"
#include "files/scratch.h"

namespace slipstream::file {
namespace {

using conformance::Collector;
using conformance::OwnedRecord;
using conformance::SourceHost;

constexpr ReadLimits kAll{std::size_t{1} << 30, std::size_t{1} << 30};

struct Pipe {
  Pipe() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) ADD_FAILURE() << "no pipe";
    read_end = Fd(fds[0]);
    write_end = Fd(fds[1]);
  }
  void write(std::string_view bytes) {
    ASSERT_EQ(::write(write_end.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  Fd read_end;
  Fd write_end;
};

TEST(StdinSource, KeepsTheSourceContract) {
  std::vector<std::unique_ptr<Pipe>> pipes;
  conformance::check_source({.make =
                                 [&] {
                                   auto& pipe = *pipes.emplace_back(std::make_unique<Pipe>());
                                   pipe.write("one\r\n\ntwo\nthree");
                                   pipe.write_end.reset();
                                   return std::make_shared<StdinSource>(pipe.read_end.get(), Cut::lines,
                                                                        ReadOptions{});
                                 },
                             .expected = {{{.value = "one", .offset = 1},
                                           {.value = "", .offset = 2},
                                           {.value = "two", .offset = 3},
                                           {.value = "three", .offset = 4}}}});
}

TEST(StdinSource, ReadsARegularFile) {
  const Scratch scratch;
  const Fd fd(::open(scratch.file("f", "{1}\n\n{2}\n").c_str(), O_RDONLY | O_CLOEXEC));
  StdinSource source(fd.get(), Cut::non_blank_lines, {});
  SourceHost host;
  ASSERT_TRUE(source.open(host.env()).ok());
  Collector out;
  ASSERT_EQ(conformance::drain(source, host, 0, kAll, out), absl::OkStatus());
  EXPECT_EQ(out.records,
            (std::vector<OwnedRecord>{{.value = "{1}", .offset = 1}, {.value = "{2}", .offset = 3}}));
}

TEST(StdinSource, IsCaughtUpOnlyWhileNothingIsUnread) {
  Pipe pipe;
  StdinSource source(pipe.read_end.get(), Cut::lines, {});
  SourceHost host;
  ASSERT_TRUE(source.open(host.env()).ok());
  Collector out;
  const auto read_until_caught_up = [&] {
    for (;;) {
      const std::uint64_t seen = host.wakes();
      auto state = source.read(0, kAll, out);
      ASSERT_TRUE(state.ok());
      if (*state == ReadState::caught_up) return;
      if (*state == ReadState::waiting) {
        ASSERT_TRUE(host.wait_for_wake(seen));
      }
    }
  };
  read_until_caught_up();
  for (const std::string line : {"a", "b"}) {
    const std::uint64_t seen = host.wakes();
    pipe.write(line + "\npart of the next");
    ASSERT_TRUE(host.wait_for_wake(seen));
    read_until_caught_up();
    ASSERT_FALSE(out.records.empty());
    EXPECT_TRUE(out.records.back().value->ends_with(line));
  }
  EXPECT_EQ(out.records.size(), 2u);
  EXPECT_TRUE(source.close().ok());
}

TEST(StdinSource, ClosesWhileItsThreadWaitsForInput) {
  Pipe pipe;
  StdinSource source(pipe.read_end.get(), Cut::lines, {});
  SourceHost host;
  ASSERT_TRUE(source.open(host.env()).ok());
  auto closed = std::async(std::launch::async, [&] { return source.close(); });
  ASSERT_EQ(closed.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_TRUE(closed.get().ok());
}

TEST(StdinSource, TakesNoMoreThanItsBudgetFromAFastWriter) {
  Pipe pipe;
  StdinSource source(pipe.read_end.get(), Cut::lines, {});
  SourceHost host;
  SourceEnv env = host.env();
  env.memory_budget = 1;
  ASSERT_TRUE(source.open(env).ok());
  ASSERT_EQ(::fcntl(pipe.write_end.get(), F_SETPIPE_SZ, 4096), 4096);
  constexpr std::int64_t kLines = 300'000;
  std::thread writer([&] {
    std::string lines;
    for (std::int64_t i = 0; i < kLines; ++i) {
      lines += "line\n";
      if (lines.size() < 4000 && i + 1 < kLines) continue;
      pipe.write(lines);
      lines.clear();
    }
    pipe.write_end.reset();
  });
  Collector out;
  EXPECT_EQ(conformance::drain(source, host, 0, {100, 1000}, out), absl::OkStatus());
  writer.join();
  ASSERT_EQ(out.records.size(), static_cast<std::size_t>(kLines));
  EXPECT_EQ(out.records.back().offset, kLines);
}

std::string message_after(std::string_view input, Cut cut, std::size_t max) {
  Pipe pipe;
  pipe.write(input);
  pipe.write_end.reset();
  StdinSource source(pipe.read_end.get(), cut, {.max_record_bytes = max});
  SourceHost host;
  EXPECT_TRUE(source.open(host.env()).ok());
  Collector out;
  return std::string(conformance::drain(source, host, 0, kAll, out).message());
}

TEST(StdinSource, SaysWhatIsWrong) {
  EXPECT_EQ(message_after("a\nbcdefg\n", Cut::lines, 5),
            "stdin line 2 is longer than max_record_bytes = 5; raise it if that is meant");
  EXPECT_EQ(message_after("a\n\"b\n", Cut::csv_rows, 5),
            "stdin line 2: the row has a quoted field that never ends; a closing \" is missing");

  const Scratch scratch;
  const Fd folder(::open(scratch.path("").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  StdinSource source(folder.get(), Cut::lines, {});
  SourceHost host;
  ASSERT_TRUE(source.open(host.env()).ok());
  Collector out;
  EXPECT_EQ(conformance::drain(source, host, 0, kAll, out).message(), "can't read stdin: Is a directory");
}

TEST(StdinSource, OnlyOneReadsTheStandardInput) {
  SourceHost host;
  StdinSource first(STDIN_FILENO, Cut::lines, {});
  StdinSource second(STDIN_FILENO, Cut::lines, {});
  ASSERT_EQ(first.open(host.env()), absl::OkStatus());
  EXPECT_EQ(second.open(host.env()),
            absl::FailedPreconditionError("another source of this process reads the standard input already; "
                                          "read it once and use that stream twice"));
  ASSERT_EQ(first.close(), absl::OkStatus());
  EXPECT_EQ(second.open(host.env()), absl::OkStatus());
}

}  // namespace
}  // namespace slipstream::file
