#pragma once
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipstream/connector.h"
#include "slipstream/csv.h"
#include "slipstream/json.h"
#include "slipstream/sink.h"
#include "slipstream/source.h"

/// Files, standard input and standard output, record by record.
///
/// Reading: plain or gzip, told apart by the first bytes (a gzip file may have several members; one that ends
/// too early is an error with the byte offset). Lines end with "\n" or "\r\n"; the last one may lack its end;
/// a byte order mark at the start is skipped. A record's offset is the number of the line it starts on, from
/// 1, so messages say "flights.csv line 1234". One file is one partition.
///
/// Writing: records go to PATH.part, which gets its final name when the run has ended well and everything is
/// on the disk. When the run fails the .part file stays for inspection; the next run replaces it. Keys,
/// timestamps and headers have no place in a line and are left out; a tombstone is an error. A value that
/// contains a line break reads back as several lines (JSON escapes them, CSV quotes them).
namespace slipstream::file {

/// One path or a list of them.
class Paths {
 public:
  Paths(const char* path) : paths_{path} {}
  Paths(std::string path) { paths_.push_back(std::move(path)); }
  Paths(std::initializer_list<std::string> paths) : paths_(paths) {}
  Paths(std::vector<std::string> paths) : paths_(std::move(paths)) {}
  const std::vector<std::string>& list() const { return paths_; }

 private:
  std::vector<std::string> paths_;
};

struct ReadOptions {
  /// A longer line (or CSV row) is an error: it is what a source may hold in memory beside its buffers.
  std::size_t max_record_bytes = std::size_t{16} << 20;
};

struct WriteOptions {
  bool overwrite = false;  ///< replace an existing file; without it an existing file is an error at open
  std::optional<bool> gzip = {};  ///< empty: as the path says, .gz or not
};

/// Every line, as UTF-8 text. (For other encodings: decoded(file::raw(path), bytes()).)
Source<std::string> lines(Paths paths, ReadOptions read = {});

/// A JSON value per line; blank lines are left out.
template <class T>
Source<T> jsonl(Paths paths, ReadOptions read = {});

/// Rows below a header line; columns are found by name, in any order (see csv_with_header). Files read by one
/// source have the same header line. Blank lines are left out; an offset is the line on which the row begins.
template <class T>
Source<T> csv(Paths paths, CsvOptions options = {}, ReadOptions read = {});

Sink<std::string> lines_sink(std::string path, WriteOptions options = {});

template <class T>
Sink<T> jsonl_sink(std::string path, WriteOptions options = {});

/// Writes the header line too, even when no record comes.
template <class T>
Sink<T> csv_sink(std::string path, WriteOptions write = {}, CsvOptions options = {});

/// How a file is cut into records.
enum class Cut {
  lines,            ///< every line, empty ones too
  non_blank_lines,  ///< lines that hold more than spaces and tabs
  csv_rows,         ///< non-blank lines, except that a field in double quotes may span several
};

struct RawOptions {
  Cut cut = Cut::lines;
  CsvOptions csv = {};
  /// Set when the first record is a header line, which must be the same in all the files and isn't handed
  /// over. Called once during open(); its error becomes open()'s, with the file's name.
  std::function<absl::Status(std::string_view header_line)> header = {};
};

/// The bytes of files, for formats of your own. open() checks every path: one that is missing, a folder or
/// not readable is an error that says so.
std::shared_ptr<RawSource> raw(Paths paths, RawOptions options = {}, ReadOptions read = {});

/// Writes each value and a line break. `header_line` is written first, if it isn't empty.
std::shared_ptr<RawSink> raw_sink(std::string path, WriteOptions options = {}, std::string header_line = {});

}  // namespace slipstream::file

namespace slipstream {

/// Standard input as one partition. A thread of its own waits for input and holds at most 1 MiB plus one
/// record. Only one source of a process may read standard input.
Source<std::string> stdin_lines(file::ReadOptions read = {});
template <class T>
Source<T> stdin_jsonl(file::ReadOptions read = {});
std::shared_ptr<RawSource> raw_stdin(file::Cut cut, file::ReadOptions read = {});

/// A line of standard output for each record, written by a thread of its own that holds at most 1 MiB. A
/// reader that went away (EPIPE) is an error of the run; no signal is raised.
Sink<std::string> stdout_lines();
template <class T>
Sink<T> stdout_jsonl();
std::shared_ptr<RawSink> raw_stdout();

// Implementation.

template <class T>
Source<T> file::jsonl(Paths paths, ReadOptions read) {
  return decoded<T>(raw(std::move(paths), {.cut = Cut::non_blank_lines}, read), json<T>());
}

template <class T>
Source<T> file::csv(Paths paths, CsvOptions options, ReadOptions read) {
  auto codec = std::make_shared<Codec<T>>();  // made when open() has read the header line
  RawOptions raw_options{.cut = Cut::csv_rows, .csv = options};
  raw_options.header = [codec, options](std::string_view header_line) {
    auto made = csv_with_header<T>(header_line, options);
    if (made.ok()) *codec = *std::move(made);
    return made.status();
  };
  Codec<T> late = slipstream::csv<T>(options);
  late.make_decoder = [codec] {
    return [codec, decode = typename Codec<T>::Decode()](std::string_view bytes, T& out) mutable {
      if (!decode) decode = codec->make_decoder();
      return decode(bytes, out);
    };
  };
  return decoded<T>(raw(std::move(paths), std::move(raw_options), read), std::move(late));
}

template <class T>
Sink<T> file::jsonl_sink(std::string path, WriteOptions options) {
  return encoded<T>(raw_sink(std::move(path), options), json<T>());
}

template <class T>
Sink<T> file::csv_sink(std::string path, WriteOptions write, CsvOptions options) {
  return encoded<T>(raw_sink(std::move(path), write, csv_header<T>(options)), slipstream::csv<T>(options));
}

template <class T>
Source<T> stdin_jsonl(file::ReadOptions read) {
  return decoded<T>(raw_stdin(file::Cut::non_blank_lines, read), json<T>());
}

template <class T>
Sink<T> stdout_jsonl() {
  return encoded<T>(raw_stdout(), json<T>());
}

}  // namespace slipstream
