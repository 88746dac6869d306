#pragma once
#include <string>

#include "absl/status/status.h"
#include "slipstream/detail/graph.h"

namespace slipstream::runtime {

/// The graph in graphviz's language: a box for each stage, what is chained in it inside.
std::string to_dot(const detail::Graph& graph);

/// Writes the picture: DOT to standard output when `file` is empty, else to the file; a file that ends in
/// .svg or .png is drawn by graphviz's `dot`, which must be installed.
absl::Status write_picture(const detail::Graph& graph, const std::string& file);

}  // namespace slipstream::runtime
