#pragma once
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

/// What a database consisted of when it was closed: the file FILES in its folder, with the names and sizes of
/// all others. RocksDB takes a manifest or log that was cut for one that was never longer; against this list
/// it is seen. There is none while the database is open, and so none after a crash.
namespace slipstream::rocks {

/// Of a database that is closed.
absl::Status write_inventory(const std::string& path);
/// DataLoss when the files are others than on the list or, where there is none, what every open database has
/// is missing. Of one that nobody has open.
absl::Status check_inventory(const std::string& path);
/// The database is about to change: removes the list, on the disk too, and returns it; empty: there was none.
absl::StatusOr<std::string> take_inventory(const std::string& path);
/// It didn't change after all.
void put_back_inventory(const std::string& path, const std::string& list);

/// Makes CURRENT, where it is missing, out of the newest manifest there is.
absl::Status restore_current(const std::string& path);

/// What is in the folder.
enum class Folder {
  absent,    ///< it or everything in it
  database,  ///< with the file that says which of its files are current
  headless,  ///< files of a database without that one
  foreign,   ///< something else
};
Folder look_at(const std::string& path);

}  // namespace slipstream::rocks
