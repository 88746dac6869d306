#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <random>
#include <sstream>

#include "conformance/sink_conformance.h"
#include "conformance/source_conformance.h"
#include "files/scratch.h"
#include "slipstream/file.h"

namespace slipstream::file {
namespace {

using conformance::SinkHost;

std::vector<std::string> lines_of(const std::string& path) {
  conformance::SourceHost host;
  const auto source = raw(path, {});
  EXPECT_EQ(source->open(host.env()), absl::OkStatus());
  conformance::Collector out;
  EXPECT_EQ(conformance::drain(*source, host, 0, {1u << 30, 1u << 30}, out), absl::OkStatus());
  std::vector<std::string> lines;
  for (auto& r : out.records) lines.push_back(*r.value);
  return lines;
}

absl::Status put(RawSink& sink, SinkHost& host, const std::vector<std::string>& values) {
  std::vector<OutRecord> records;
  for (const std::string& v : values) records.emplace_back().value = v;
  return conformance::write_all(sink, host, records);
}

/// A whole run.
absl::Status write_file(const std::string& path, const std::vector<std::string>& values,
                        WriteOptions options = {}, std::string header = {}) {
  SinkHost host;
  const auto sink = raw_sink(path, options, std::move(header));
  if (absl::Status s = sink->open(host.env()); !s.ok()) return s;
  if (absl::Status s = put(*sink, host, values); !s.ok()) return s;
  if (absl::Status s = conformance::deliver(*sink, host, values.size()); !s.ok()) return s;
  if (absl::Status s = sink->finish(); !s.ok()) return s;
  return sink->close();
}

TEST(FileSink, KeepsTheSinkContract) {
  const Scratch scratch;
  for (const std::string suffix : {".txt", ".gz"}) {
    int n = 0;
    const auto path = [&] { return scratch.path(std::to_string(n) + suffix); };
    conformance::check_sink(
        {.make = [&] { return ++n, raw_sink(path()); }, .written = [&] { return lines_of(path()); }});
  }
}

TEST(FileSink, AppearsUnderItsNameOnlyWhenTheRunEndedWell) {
  const Scratch scratch;
  const std::string path = scratch.path("out.txt");
  SinkHost host;
  const auto sink = raw_sink(path);
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  ASSERT_EQ(put(*sink, host, {"a", "b"}), absl::OkStatus());
  ASSERT_EQ(conformance::deliver(*sink, host, 2), absl::OkStatus());
  EXPECT_EQ(content_of(path + ".part"), "a\nb\n") << "delivered means written to the file";
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_EQ(sink->finish(), absl::OkStatus());
  ASSERT_EQ(sink->close(), absl::OkStatus());
  EXPECT_EQ(content_of(path), "a\nb\n");
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
  EXPECT_TRUE(host.logged().empty());
}

TEST(FileSink, LeavesThePartOfAFailedRunAndReplacesItInTheNext) {
  const Scratch scratch;
  const std::string path = scratch.path("out.txt");
  SinkHost host;
  const auto failed = raw_sink(path);
  ASSERT_EQ(failed->open(host.env()), absl::OkStatus());
  ASSERT_EQ(put(*failed, host, {"from the failed run", "more"}), absl::OkStatus());
  ASSERT_EQ(conformance::deliver(*failed, host, 2), absl::OkStatus());
  ASSERT_EQ(failed->close(), absl::OkStatus());
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_EQ(content_of(path + ".part"), "from the failed run\nmore\n");
  ASSERT_EQ(host.logged().size(), 1u);
  EXPECT_EQ(scratch.without_folder(host.logged()[0]),
            "the run did not end well: what was written stays in out.txt.part");

  ASSERT_EQ(write_file(path, {"new"}), absl::OkStatus());
  EXPECT_EQ(content_of(path), "new\n");
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));
}

TEST(FileSink, WritesTheHeaderEvenWithoutRecords) {
  const Scratch scratch;
  ASSERT_EQ(write_file(scratch.path("a.csv"), {}, {}, "x,y"), absl::OkStatus());
  EXPECT_EQ(content_of(scratch.path("a.csv")), "x,y\n");
  ASSERT_EQ(write_file(scratch.path("b.csv"), {"1,2"}, {}, "x,y"), absl::OkStatus());
  EXPECT_EQ(content_of(scratch.path("b.csv")), "x,y\n1,2\n");
  ASSERT_EQ(write_file(scratch.path("c.csv.gz"), {}, {}, "x,y"), absl::OkStatus());
  EXPECT_EQ(lines_of(scratch.path("c.csv.gz")), std::vector<std::string>{"x,y"});
}

TEST(FileSink, PacksAsTheSuffixOrTheOptionSays) {
  const Scratch scratch;
  const auto is_gzip = [](const std::string& path) { return content_of(path).starts_with("\x1f\x8b"); };
  ASSERT_EQ(write_file(scratch.path("a"), {"x"}, {.gzip = true}), absl::OkStatus());
  ASSERT_EQ(write_file(scratch.path("b.gz"), {"x"}), absl::OkStatus());
  ASSERT_EQ(write_file(scratch.path("c.gz"), {"x"}, {.gzip = false}), absl::OkStatus());
  EXPECT_TRUE(is_gzip(scratch.path("a")));
  EXPECT_TRUE(is_gzip(scratch.path("b.gz")));
  EXPECT_EQ(content_of(scratch.path("c.gz")), "x\n");
  for (const char* name : {"a", "b.gz", "c.gz"})
    EXPECT_EQ(lines_of(scratch.path(name)), std::vector<std::string>{"x"});
}

TEST(FileSink, GzipGivesBackWhatItTook) {
  const Scratch scratch;
  for (std::uint32_t seed = 0; seed < 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::vector<std::string> values(random() % 2000);
    for (std::string& v : values) {
      for (std::size_t n = random() % (seed == 3 ? 20'000 : 200); n > 0; --n)
        v += static_cast<char>(32 + random() % 95);
    }
    const std::string path = scratch.path(std::to_string(seed) + ".gz");
    ASSERT_EQ(write_file(path, values), absl::OkStatus());
    EXPECT_EQ(lines_of(path), values);
  }
}

TEST(FileSink, GzipDeliversWithoutAFlushOnceMuchIsHeld) {
  const Scratch scratch;
  SinkHost host;
  const auto sink = raw_sink(scratch.path("a.gz"));
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  const std::string line(100'000, 'x');
  for (int i = 0; i < 40; ++i) ASSERT_EQ(put(*sink, host, {line}), absl::OkStatus());
  for (std::uint64_t delivered = 0; delivered == 0;) {
    const std::uint64_t seen = host.wakes();
    auto now = sink->delivered();
    ASSERT_TRUE(now.ok());
    delivered = *now;
    if (delivered == 0) {
      ASSERT_TRUE(host.wait_for_wake(seen));
    }
  }
  EXPECT_EQ(sink->close(), absl::OkStatus());
}

TEST(FileSink, ReplacesAFileOnlyWhenAskedAndKeepsItsMode) {
  const Scratch scratch;
  const std::string path = scratch.file("out.txt", "old");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  const absl::Status refused = write_file(path, {"new"});
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(scratch.without_folder(std::string(refused.message())),
            "can't write out.txt: it exists already; remove it or set .overwrite");
  EXPECT_EQ(content_of(path), "old");
  EXPECT_FALSE(std::filesystem::exists(path + ".part"));

  ASSERT_EQ(write_file(path, {"new"}, {.overwrite = true}), absl::OkStatus());
  EXPECT_EQ(content_of(path), "new\n");
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST(FileSink, DoesNotReplaceAFileThatCameIntoBeingDuringTheRun) {
  const Scratch scratch;
  const std::string path = scratch.path("out.txt");
  SinkHost host;
  const auto sink = raw_sink(path);
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  ASSERT_EQ(put(*sink, host, {"mine"}), absl::OkStatus());
  scratch.file("out.txt", "theirs");
  const absl::Status status = sink->finish();
  EXPECT_EQ(scratch.without_folder(std::string(status.message())),
            "can't write out.txt: it came into being during the run; the result is in out.txt.part");
  EXPECT_EQ(sink->close(), absl::OkStatus());
  EXPECT_EQ(content_of(path), "theirs");
  EXPECT_EQ(content_of(path + ".part"), "mine\n");
}

TEST(FileSink, KeepsASecondWriterOut) {
  const Scratch scratch;
  SinkHost host;
  const auto first = raw_sink(scratch.path("out.txt"));
  ASSERT_EQ(first->open(host.env()), absl::OkStatus());
  EXPECT_EQ(
      scratch.without_folder(std::string(raw_sink(scratch.path("out.txt"))->open(host.env()).message())),
      "can't write out.txt: another sink or program is writing out.txt.part");
  EXPECT_EQ(first->close(), absl::OkStatus());
}

std::string open_error_of(const Scratch& scratch, const std::string& path, WriteOptions options = {}) {
  SinkHost host;
  return scratch.without_folder(std::string(raw_sink(path, options)->open(host.env()).message()));
}

TEST(FileSink, SaysWhyAPathCannotBeWritten) {
  const Scratch scratch;
  scratch.file("file", "");
  ASSERT_EQ(::mkdir(scratch.path("folder").c_str(), 0700), 0);
  EXPECT_EQ(open_error_of(scratch, scratch.path("none/out.txt")),
            "can't write none/out.txt.part: there is no folder none");
  EXPECT_EQ(open_error_of(scratch, scratch.path("folder"), {.overwrite = true}),
            "can't write folder: it is a folder");
  EXPECT_EQ(open_error_of(scratch, scratch.path("file/x")), "can't write file/x: Not a directory");
  EXPECT_EQ(open_error_of(scratch, "/dev/null", {.overwrite = true}),
            "can't write /dev/null: it is not a regular file");
  EXPECT_EQ(open_error_of(scratch, ""), "a file sink was given an empty path");
}

TEST(FileSink, RefusesTombstones) {
  const Scratch scratch;
  SinkHost host;
  const auto sink = raw_sink(scratch.path("out.txt"));
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  const OutRecord tombstone;
  EXPECT_EQ(scratch.without_folder(std::string(sink->write({&tombstone, 1}).status().message())),
            "file out.txt: a tombstone (a record without a value) has no place among lines; filter it out "
            "before this "
            "sink");
  EXPECT_EQ(sink->close(), absl::OkStatus());
}

// The limit stands for a full disk: write() fails in the same place.
TEST(FileSink, ReportsAFailedWriteAndRaisesNoSignal) {
  const Scratch scratch;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{10'000, before.rlim_max};
  SinkHost host;
  const auto sink = raw_sink(scratch.path("out.txt"));
  ASSERT_EQ(sink->open(host.env()), absl::OkStatus());
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  absl::Status status = put(*sink, host, std::vector<std::string>(2000, "0123456789"));
  if (status.ok()) status = conformance::deliver(*sink, host, 2000);
  const absl::Status finish = sink->finish();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(scratch.without_folder(std::string(status.message())),
            "can't write out.txt.part: File too large");
  EXPECT_EQ(finish, status) << "an incomplete file doesn't get its name";
  EXPECT_EQ(sink->close(), absl::OkStatus());
  EXPECT_FALSE(std::filesystem::exists(scratch.path("out.txt")));
}

}  // namespace
}  // namespace slipstream::file
