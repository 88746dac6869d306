#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "conformance/source_conformance.h"
#include "files/scratch.h"
#include "slipstream/file.h"

namespace slipstream::file {
namespace {

using conformance::Collector;
using conformance::OwnedRecord;
using conformance::SourceHost;

constexpr ReadLimits kAll{std::size_t{1} << 30, std::size_t{1} << 30};

absl::Status any_header(std::string_view) { return absl::OkStatus(); }

struct Reading {
  absl::Status status;
  std::vector<OwnedRecord> records;
  std::string header;
};

Reading read_all(const std::string& path, RawOptions options = {}, ReadOptions read = {},
                 ReadLimits limits = kAll) {
  SourceHost host;
  Reading reading;
  if (options.header) {
    options.header = [&reading](std::string_view line) {
      reading.header = line;
      return absl::OkStatus();
    };
  }
  const auto source = raw(path, options, read);
  reading.status = source->open(host.env());
  if (!reading.status.ok()) return reading;
  Collector out;
  reading.status = conformance::drain(*source, host, 0, limits, out);
  reading.records = std::move(out.records);
  EXPECT_TRUE(source->close().ok());
  return reading;
}

using Lines = std::vector<std::pair<std::int64_t, std::string>>;

Lines lines_of(const Reading& reading) {
  Lines lines;
  for (const OwnedRecord& r : reading.records) lines.emplace_back(r.offset, r.value.value_or("(no value)"));
  return lines;
}

struct CutCase {
  const char* name;
  std::string content;
  RawOptions options;
  Lines expected;
};

TEST(FileSource, CutsRecords) {
  const CutCase cases[] = {
      {"empty file", "", {}, {}},
      {"one line", "a\n", {}, {{1, "a"}}},
      {"last line without its end", "a\nb", {}, {{1, "a"}, {2, "b"}}},
      {"CRLF", "a\r\nb\r\n", {}, {{1, "a"}, {2, "b"}}},
      {"mixed ends", "a\nb\r\nc\r", {}, {{1, "a"}, {2, "b"}, {3, "c"}}},
      {"a carriage return inside", "a\rb\n", {}, {{1, "a\rb"}}},
      {"empty lines are lines", "\n\na\n\n", {}, {{1, ""}, {2, ""}, {3, "a"}, {4, ""}}},
      {"zero bytes", std::string("a\0b\n", 4), {}, {{1, std::string("a\0b", 3)}}},
      {"byte order mark",
       "\xEF\xBB\xBF"
       "a\n",
       {},
       {{1, "a"}}},
      {"only a byte order mark", "\xEF\xBB\xBF", {}, {}},
      {"half a byte order mark", "\xEF\xBB", {}, {{1, "\xEF\xBB"}}},
      {"blank lines left out",
       "\n{1}\n \t\r\n{2}\n\n",
       {.cut = Cut::non_blank_lines},
       {{2, "{1}"}, {4, "{2}"}}},
      {"rows", "1,2\n3,4\n", {.cut = Cut::csv_rows}, {{1, "1,2"}, {2, "3,4"}}},
      {"a quoted field over lines",
       "1,\"a\nb\r\nc\",x\n2,y\n",
       {.cut = Cut::csv_rows},
       {{1, "1,\"a\nb\r\nc\",x"}, {4, "2,y"}}},
      {"doubled quotes",
       "\"a\"\"\nb\"\"\"\n2\n",
       {.cut = Cut::csv_rows},
       {{1, "\"a\"\"\nb\"\"\""}, {3, "2"}}},
      {"a quote inside a plain field",
       "5\" disk,1\n2,3\n",
       {.cut = Cut::csv_rows},
       {{1, "5\" disk,1"}, {2, "2,3"}}},
      {"separators inside quotes",
       "\"a,\n,b\",c\nd\n",
       {.cut = Cut::csv_rows},
       {{1, "\"a,\n,b\",c"}, {3, "d"}}},
      {"text after a closing quote",
       "\"a\"x,\"b\nc\"\nd\n",
       {.cut = Cut::csv_rows},
       {{1, "\"a\"x,\"b\nc\""}, {3, "d"}}},
      {"another separator",
       "a;\"b\n\"\n,\"c;d\n",
       {.cut = Cut::csv_rows, .csv = {.separator = ';'}},
       {{1, "a;\"b\n\""}, {3, ",\"c;d"}}},
      {"quotes at the end of the file", "a,\"b\"", {.cut = Cut::csv_rows}, {{1, "a,\"b\""}}},
      {"header", "x,y\r\n1,2\n", {.cut = Cut::csv_rows, .header = any_header}, {{2, "1,2"}}},
      {"header over lines", "x,\"y\nz\"\n1,2\n", {.cut = Cut::csv_rows, .header = any_header}, {{3, "1,2"}}},
      {"only a header", "x,y", {.cut = Cut::csv_rows, .header = any_header}, {}},
  };
  const Scratch scratch;
  for (const CutCase& c : cases) {
    SCOPED_TRACE(c.name);
    for (const std::string& content : {c.content, gzipped(c.content)}) {
      const std::string path = scratch.file("f", content);
      for (const std::size_t records : {std::size_t{1}, std::size_t{2}, kAll.max_records}) {
        const Reading reading = read_all(path, c.options, {}, {records, kAll.max_bytes});
        EXPECT_EQ(reading.status, absl::OkStatus());
        EXPECT_EQ(lines_of(reading), c.expected);
      }
    }
  }
}

TEST(FileSource, ShowsTheHeaderLine) {
  const Scratch scratch;
  const RawOptions csv{.cut = Cut::csv_rows, .header = any_header};
  EXPECT_EQ(read_all(scratch.file("a.csv",
                                  "\xEF\xBB\xBF"
                                  "x,\"y\n\"\r\n1,2\n"),
                     csv)
                .header,
            "x,\"y\n\"");
}

TEST(FileSource, KeepsTheSourceContract) {
  const Scratch scratch;
  const std::string a = scratch.file("a", "one\n\nthree\n");
  const std::string b = scratch.file("b", "");
  const std::string c = scratch.file("c", gzipped("eins\nzwei\n") + gzipped("drei\nvier"));
  conformance::check_source(
      {.make =
           [&] {
             return raw({a, b, c}, {});
           },
       .expected = {
           {{.value = "one", .offset = 1}, {.value = "", .offset = 2}, {.value = "three", .offset = 3}},
           {},
           {{.value = "eins", .offset = 1},
            {.value = "zwei", .offset = 2},
            {.value = "drei", .offset = 3},
            {.value = "vier", .offset = 4}}}});
}

TEST(FileSource, NamesItselfAndItsRecords) {
  EXPECT_EQ(raw("a.csv", {})->name(), "file a.csv");
  EXPECT_EQ(raw({"a.csv", "b.csv", "c.csv"}, {})->name(), "files a.csv and 2 more");
  EXPECT_EQ(raw({"a.csv", "b.csv"}, {})->position(1, 1234), "b.csv line 1234");
}

TEST(FileSource, AnswersAllKindsOfPaths) {
  EXPECT_EQ(Paths("a").list(), std::vector<std::string>{"a"});
  EXPECT_EQ(Paths({"a", "b"}).list(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(Paths(std::vector<std::string>{"a", "b", "c"}).list().size(), 3u);
}

struct ErrorCase {
  const char* name;
  std::string content;
  RawOptions options;
  std::size_t records_before;
  absl::StatusCode code;
  std::string message;
};

TEST(FileSource, SaysWhatIsWrongWithAFile) {
  const RawOptions csv{.cut = Cut::csv_rows, .header = any_header};
  const std::string packed = gzipped("a\nb\n");
  std::string damaged = packed;
  damaged[damaged.size() - 8] ^= 1;  // the checksum
  const ErrorCase cases[] = {
      {"too long",
       "a\n1234567890123\nb\n",
       {},
       1,
       absl::StatusCode::kResourceExhausted,
       "f line 2 is longer than max_record_bytes = 12; raise it if that is meant"},
      {"row too long", "h\na\n\"b\nc\nd\n1234567\n8\n9\n", csv, 1, absl::StatusCode::kResourceExhausted,
       "f line 3 is longer than max_record_bytes = 12; raise it, or look for a missing closing \""},
      {"quote left open", "h\na\nb,\"c\nd\n", csv, 1, absl::StatusCode::kDataLoss,
       "f line 3: the row has a quoted field that never ends; a closing \" is missing"},
      {"no header", "", csv, 0, absl::StatusCode::kInvalidArgument,
       "f is empty: its first line should name the columns"},
      {"truncated gzip",
       packed.substr(0, packed.size() - 5),
       {},
       2,
       absl::StatusCode::kDataLoss,
       "f is truncated: its gzip data ends too early, at byte 19"},
      {"only a gzip header",
       packed.substr(0, 4),
       {},
       0,
       absl::StatusCode::kDataLoss,
       "f is truncated: its gzip data ends too early, at byte 4"},
      {"truncated second member",
       packed + packed.substr(0, 11),
       {},
       2,
       absl::StatusCode::kDataLoss,
       "f is truncated: its gzip data ends too early, at byte 35"},
      {"damaged gzip",
       damaged,
       {},
       0,
       absl::StatusCode::kDataLoss,
       "f: damaged gzip data at byte 20 (incorrect data check)"},
      {"something after gzip",
       packed + "hello",
       {},
       2,
       absl::StatusCode::kDataLoss,
       "f: damaged gzip data at byte 26 (incorrect header check)"},
  };
  const Scratch scratch;
  for (const ErrorCase& c : cases) {
    SCOPED_TRACE(c.name);
    const Reading reading = read_all(scratch.file("f", c.content), c.options, {.max_record_bytes = 12});
    EXPECT_EQ(reading.status.code(), c.code);
    EXPECT_EQ(scratch.without_folder({reading.status.message().data(), reading.status.message().size()}),
              c.message);
    EXPECT_EQ(reading.records.size(), c.records_before);
  }
}

TEST(FileSource, ReadsPaddedGzip) {
  const Scratch scratch;
  const std::string path = scratch.file("f.gz", gzipped("a\n") + std::string(1000, '\0'));
  EXPECT_EQ(lines_of(read_all(path)), (Lines{{1, "a"}}));
}

TEST(FileSource, TakesALineAsLongAsTheLimit) {
  const Scratch scratch;
  const std::string line(12, 'x');
  EXPECT_EQ(lines_of(read_all(scratch.file("f", line + "\r\n" + line), {}, {.max_record_bytes = 12})),
            (Lines{{1, line}, {2, line}}));
  const std::string longest(300'000, 'y');
  EXPECT_EQ(lines_of(read_all(scratch.file("g", longest), {}, {.max_record_bytes = SIZE_MAX})),
            (Lines{{1, longest}}));
}

std::string open_error_of(const Scratch& scratch, Paths paths, RawOptions options = {}) {
  SourceHost host;
  const absl::Status status = raw(std::move(paths), options)->open(host.env());
  return scratch.without_folder({status.message().data(), status.message().size()});
}

TEST(FileSource, SaysWhyAPathCannotBeRead) {
  const Scratch scratch;
  scratch.file("flights.csv", "a\n");
  ASSERT_EQ(::mkdir(scratch.path("data").c_str(), 0700), 0);
  ASSERT_EQ(::mkfifo(scratch.path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(open_error_of(scratch, scratch.path("flihgts.csv")),
            "can't read flihgts.csv: there is no such file; did you mean 'flights.csv'?");
  EXPECT_EQ(open_error_of(scratch, scratch.path("else")), "can't read else: there is no such file");
  EXPECT_EQ(open_error_of(scratch, scratch.path("none/flights.csv")),
            "can't read none/flights.csv: there is no folder none");
  EXPECT_EQ(open_error_of(scratch, scratch.path("data")),
            "can't read data: it is a folder; name the files in it");
  EXPECT_EQ(open_error_of(scratch, scratch.path("fifo")),
            "can't read fifo: it is not a regular file; to read a pipe, connect it to standard input");
  EXPECT_EQ(open_error_of(scratch, scratch.path("flights.csv/x")),
            "can't read flights.csv/x: Not a directory");
  EXPECT_EQ(open_error_of(scratch, std::vector<std::string>{}), "a source of files was given no path");
}

TEST(FileSource, SaysThatReadingIsNotPermitted) {
  const Scratch scratch;
  const std::string path = scratch.file("secret", "a\n");
  ASSERT_EQ(::chmod(path.c_str(), 0), 0);
  ASSERT_EQ(::chmod(scratch.path("").c_str(), 0755), 0);
  const uid_t user = ::geteuid();
  constexpr uid_t kNobody = 65534;
  if (user == 0) {  // root may read everything
    ASSERT_EQ(::seteuid(kNobody), 0);
  }
  const std::string message = open_error_of(scratch, path);
  ASSERT_EQ(::seteuid(user), 0);
  EXPECT_EQ(message, "can't read secret: Permission denied");
}

TEST(FileSource, RefusesFilesWithDifferentHeaders) {
  const Scratch scratch;
  const RawOptions csv{.cut = Cut::csv_rows, .header = any_header};
  const std::string a = scratch.file("a.csv", "x,y\n1,2\n");
  const std::string b = scratch.file("b.csv", "y,x\n1,2\n");
  EXPECT_EQ(open_error_of(scratch, {a, b}, csv),
            "b.csv has the header line 'y,x', but a.csv has 'x,y'; files read by one source have the same "
            "columns in "
            "the same order");
  EXPECT_EQ(open_error_of(scratch, {a, a}, csv), "");
  const RawOptions picky{.cut = Cut::csv_rows, .header = [](std::string_view) {
                           return absl::InvalidArgumentError("no column 'z'");
                         }};
  EXPECT_EQ(open_error_of(scratch, a, picky), "a.csv: no column 'z'");
}

// The naive model: whole content, one character at a time.
Lines naive_rows(const std::string& content, Cut cut) {
  Lines rows;
  std::string row;
  std::int64_t line = 1;
  std::int64_t first = 1;
  bool quoted = false;
  bool field_start = true;
  const auto end_row = [&] {
    if (row.ends_with('\r')) row.pop_back();
    if (cut == Cut::lines || row.find_first_not_of(" \t\r") != row.npos) rows.emplace_back(first, row);
    row.clear();
    first = line;
    field_start = true;
  };
  for (std::size_t i = 0; i < content.size(); ++i) {
    const char c = content[i];
    if (c == '\n') ++line;
    if (cut == Cut::csv_rows && quoted) {
      row += c;
      if (c == '"' && i + 1 < content.size() && content[i + 1] == '"')
        row += content[++i];
      else if (c == '"')
        quoted = false;
      field_start = false;
    } else if (c == '\n') {
      end_row();
    } else {
      if (c == '"' && field_start) quoted = true;
      field_start = c == ',';
      row += c;
    }
  }
  if (!row.empty()) end_row();
  return rows;
}

TEST(FileSource, EqualsANaiveSplitter) {
  const Scratch scratch;
  for (std::uint32_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const Cut cut = static_cast<Cut>(random() % 3);
    std::string content;
    const std::size_t fields = random() % 60;
    for (std::size_t i = 0; i < fields; ++i) {
      std::string field;
      for (std::size_t n = random() % 12; n > 0; --n) field += "ab,\"\r\n \t"[random() % 8];
      if (cut == Cut::csv_rows) {
        std::string quoted = "\"";
        for (const char c : field) quoted.append(c == '"' ? 2 : 1, c);
        field = random() % 2 ? quoted + "\"" : std::string(random() % 5, 'x');
      }
      content += field;
      content += random() % 3 == 0 ? "\n" : random() % 3 == 0 ? "\r\n" : ",";
    }
    if (random() % 10 == 0) content.insert(content.size() / 2, std::string(200'000, 'l'));
    const std::string stored = random() % 2 ? gzipped(content.substr(0, content.size() / 3)) +
                                                  gzipped(content.substr(content.size() / 3))
                                            : content;
    const ReadLimits limits{1 + random() % 20, 1 + random() % 200};
    const Reading reading = read_all(scratch.file("f", stored), {.cut = cut}, {}, limits);
    ASSERT_EQ(reading.status, absl::OkStatus());
    ASSERT_EQ(lines_of(reading), naive_rows(content, cut)) << testing::PrintToString(content);
  }
}

}  // namespace
}  // namespace slipstream::file
