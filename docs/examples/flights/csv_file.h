#pragma once
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "slipstream/file.h"
#include "slipstream/slipstream.h"

namespace flights {

/// All rows of a CSV file, plain or gzip.
template <class T>
absl::StatusOr<std::vector<T>> read_csv(const std::string& path) {
  std::vector<T> rows;
  slipstream::App app;
  app.source(slipstream::file::csv<T>(path)).sink([&rows](const T& row) { rows.push_back(row); });
  if (absl::Status status = app.run(); !status.ok()) return status;
  return rows;
}

}  // namespace flights
