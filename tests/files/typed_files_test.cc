#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "connectors/file/fd.h"
#include "files/scratch.h"
#include "slipstream/file.h"
#include "slipstream/slipstream.h"

namespace slipstream::file {

struct Flight {
  std::string carrier;
  std::int64_t number = 0;
  std::optional<double> delay;
  friend bool operator==(const Flight&, const Flight&) = default;
};
SLIPSTREAM_FIELDS(Flight, carrier, number, delay)

namespace {

const std::vector<Flight> kFlights = {
    {"UA", 1545, 2.5}, {"a \"b\",\nc", 2, std::nullopt}, {"", -3, -1.0}, {"\xC3\xBC", 4, 0.0}};

template <class T>
absl::Status write(const Sink<T>& sink, const std::vector<T>& values) {
  App app;
  app.source(from(values)).sink(sink);
  return app.run();
}

template <class T>
struct ReadBack {
  absl::Status status;
  std::vector<T> values;
  std::vector<std::int64_t> offsets;
};

template <class T>
ReadBack<T> read(const Source<T>& source) {
  ReadBack<T> back;
  App app;
  app.source("in", source).sink([&](const T& value, const RecordInfo& info) {
    back.values.push_back(value);
    back.offsets.push_back(info.id.offset);
  });
  back.status = app.run();
  return back;
}

TEST(TypedFiles, GiveBackWhatTheyTook) {
  const Scratch scratch;
  for (const std::string suffix : {"", ".gz"}) {
    const std::string csv_path = scratch.path("flights.csv" + suffix);
    ASSERT_EQ(write(csv_sink<Flight>(csv_path), kFlights), absl::OkStatus());
    const auto rows = read(csv<Flight>(csv_path));
    EXPECT_EQ(rows.status, absl::OkStatus());
    EXPECT_EQ(rows.values, kFlights);
    EXPECT_EQ(rows.offsets, (std::vector<std::int64_t>{2, 3, 5, 6}));

    const std::string json_path = scratch.path("flights.jsonl" + suffix);
    ASSERT_EQ(write(jsonl_sink<Flight>(json_path), kFlights), absl::OkStatus());
    const auto values = read(jsonl<Flight>(json_path));
    EXPECT_EQ(values.status, absl::OkStatus());
    EXPECT_EQ(values.values, kFlights);
    EXPECT_EQ(values.offsets, (std::vector<std::int64_t>{1, 2, 3, 4}));

    const std::vector<std::string> lines_written = {"one", "", "three"};
    const std::string lines_path = scratch.path("lines" + suffix);
    ASSERT_EQ(write(lines_sink(lines_path), lines_written), absl::OkStatus());
    EXPECT_EQ(read(lines(lines_path)).values, lines_written);
  }
  EXPECT_EQ(content_of(scratch.path("flights.csv")),
            "carrier,number,delay\nUA,1545,2.5\n\"a \"\"b\"\",\nc\",2,\n,-3,-1\n\xC3\xBC,4,0\n");
}

TEST(TypedFiles, FindColumnsByNameInEveryFile) {
  const Scratch scratch;
  const std::string a = scratch.file("a.csv", "delay;origin;number;carrier\r\n1.5;EWR;1;UA\r\n");
  const std::string b = scratch.file("b.csv", "delay;origin;number;carrier\n;JFK;2;B6");
  auto rows = read(csv<Flight>({a, b}, {.separator = ';'}));
  EXPECT_EQ(rows.status, absl::OkStatus());
  std::sort(rows.values.begin(), rows.values.end(),
            [](const Flight& x, const Flight& y) { return x.number < y.number; });
  EXPECT_EQ(rows.values, (std::vector<Flight>{{"UA", 1, 1.5}, {"B6", 2, std::nullopt}}));
}

std::string error_of(const Scratch& scratch, const absl::Status& status) {
  return scratch.without_folder(std::string(status.message()));
}

TEST(TypedFiles, SayWhichLineCannotBeDecoded) {
  const Scratch scratch;
  const auto bad_row =
      read(csv<Flight>(scratch.file("f.csv", "carrier,number,delay\n\"U\nA\",1,\nB6,many,\n")));
  EXPECT_EQ(error_of(scratch, bad_row.status),
            "in: f.csv line 4: number (column 2): expected an integer from -9223372036854775808 to "
            "9223372036854775807, found \"many\"");
  const auto bad_json = read(jsonl<Flight>(scratch.file("f.jsonl", "\n{\"carrier\":\"UA\"}\n")));
  EXPECT_EQ(error_of(scratch, bad_json.status),
            "in: f.jsonl line 2: number: missing, and not a std::optional");
  const auto bad_line = read(lines(scratch.file("f.txt", "a\nb\xFF\n")));
  EXPECT_EQ(error_of(scratch, bad_line.status), "in: f.txt line 2: not UTF-8 at byte 1 of \"b\\xff\"");
}

TEST(TypedFiles, SayWhichColumnAHeaderLacks) {
  const Scratch scratch;
  const auto rows = read(csv<Flight>(scratch.file("f.csv", "carier,number,delay\nUA,1,\n")));
  EXPECT_EQ(error_of(scratch, rows.status),
            "in: f.csv: CSV header: no column \"carrier\"; did you mean 'carier'?");
}

TEST(TypedFiles, SayWhatStopsARun) {
  const Scratch scratch;
  EXPECT_EQ(error_of(scratch, read(lines(scratch.path("none"))).status),
            "in: can't read none: there is no such file");
  EXPECT_EQ(error_of(scratch, read(lines(scratch.path("none in it"))).status),
            "in: can't read none in it: there is no such file")
      << "the source's name is there by chance";
  const std::string packed = gzipped("a\nb\n");
  EXPECT_EQ(error_of(scratch, read(lines(scratch.file("f.gz", packed.substr(0, 20)))).status),
            "in: f.gz is truncated: its gzip data ends too early, at byte 20");
  EXPECT_EQ(error_of(scratch, write(lines_sink(scratch.path("none/f")), {"a"})),
            "file none/f: can't write none/f.part: there is no folder none");
}

TEST(TypedFiles, AFailedRunLeavesNoFileUnderItsName) {
  const Scratch scratch;
  const std::string in = scratch.file("in.jsonl", "{\"carrier\":\"UA\",\"number\":1}\n[]\n");
  const std::string out = scratch.path("out.jsonl");
  App app;
  app.source(jsonl<Flight>(in)).sink(jsonl_sink<Flight>(out));
  EXPECT_FALSE(app.run().ok());
  EXPECT_FALSE(std::filesystem::exists(out));
  EXPECT_TRUE(std::filesystem::exists(out + ".part"));
}

/// Puts another file in the place of a standard descriptor.
class Redirected {
 public:
  Redirected(int fd, const std::string& path, int flags) : fd_(fd), before_(::dup(fd)) {
    const Fd other(::open(path.c_str(), flags | O_CLOEXEC, 0600));
    if (::dup2(other.get(), fd_) < 0) ADD_FAILURE() << "can't redirect " << fd_;
  }
  ~Redirected() { ::dup2(before_.get(), fd_); }

 private:
  const int fd_;
  const Fd before_;
};

TEST(StandardStreams, AreSourcesAndSinks) {
  const Scratch scratch;
  const std::string in =
      scratch.file("in", "{\"carrier\":\"UA\",\"number\":1}\n\n{\"carrier\":\"B6\",\"number\":2}");
  const std::string out = scratch.path("out");
  std::fflush(stdout);
  const Redirected stdin_file(STDIN_FILENO, in, O_RDONLY);
  {
    const Redirected stdout_file(STDOUT_FILENO, out, O_WRONLY | O_CREAT);
    App app;
    app.source(stdin_jsonl<Flight>()).sink(stdout_jsonl<Flight>());
    EXPECT_EQ(app.run(), absl::OkStatus());
  }
  EXPECT_EQ(content_of(out), "{\"carrier\":\"UA\",\"number\":1}\n{\"carrier\":\"B6\",\"number\":2}\n");

  const Redirected stdin_again(STDIN_FILENO, out, O_RDONLY);
  const std::string copy = scratch.path("copy");
  {
    const Redirected stdout_file(STDOUT_FILENO, copy, O_WRONLY | O_CREAT);
    App app;
    app.source(stdin_lines()).sink(stdout_lines());
    EXPECT_EQ(app.run(), absl::OkStatus());
  }
  EXPECT_EQ(content_of(copy), content_of(out));
}

}  // namespace
}  // namespace slipstream::file
