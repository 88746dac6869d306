#pragma once
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "slipstream/connector.h"

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

/// How a file is cut into records.
enum class Cut {
  lines,            ///< every line, empty ones too
  non_blank_lines,  ///< lines that hold more than spaces and tabs
  csv_rows,         ///< non-blank lines, except that a field in double quotes may span several
};

/// The bytes of files. For formats of your own: decoded(file::raw(path, Cut::lines), my_codec).
class RawFiles : public RawSource {
 public:
  /// The first line, where the file has a header; valid after open().
  virtual const std::string& header_line() const = 0;
};

struct RawOptions {
  Cut cut = Cut::lines;
  char separator = ',';  ///< between CSV fields
  bool header = false;  ///< the first record is a header line, the same in all the files, and not handed over
};

/// open() checks every path: one that is missing, a folder or not readable is an error that says so.
std::shared_ptr<RawFiles> raw(Paths paths, RawOptions options, ReadOptions read = {});

/// Writes each value and a line break. `header_line` is written first, if it isn't empty.
std::shared_ptr<RawSink> raw_sink(std::string path, WriteOptions options = {}, std::string header_line = {});

}  // namespace slipstream::file

namespace slipstream {

/// Standard input as one partition of lines. A thread of its own waits for input and holds at most 1 MiB plus
/// one record. Only one source of a process may read standard input.
std::shared_ptr<RawSource> raw_stdin(file::Cut cut, file::ReadOptions options = {});

/// Writes each value and a line break to standard output, from a thread of its own that holds at most 1 MiB.
/// A reader that went away (EPIPE) is an error of the run; no signal is raised.
std::shared_ptr<RawSink> raw_stdout();

}  // namespace slipstream
