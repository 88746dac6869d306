#include "runtime/graph_picture.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>
#include <string_view>

namespace slipstream::runtime {
namespace {

using detail::Node;
using detail::Role;

/// Text inside the quotes of a DOT string.
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    c == '\n' ? out += "\\n" : out += c;
  }
  return out;
}

const char* shape_of(const Node& node) {
  switch (node.role) {
    case Role::source:
      return "cds";
    case Role::sink:
      return "note";
    case Role::keyed:
      return "box3d";
    case Role::serial:
      return "box";
    case Role::chained:
      return "box";
  }
  return "box";
}

std::string label(const Node& node) {
  if (node.role == Role::source && node.source)
    return quoted("source\n" + (node.named ? node.name : node.source->name()));
  return quoted(node.named || node.role == Role::sink ? node.kind + "\n" + node.name : node.kind);
}

absl::Status file_error(const std::string& what) {
  return absl::FailedPreconditionError(what + ": " + std::strerror(errno));
}

bool ends_with(const std::string& text, const char* end) {
  const std::size_t n = std::strlen(end);
  return text.size() >= n && text.compare(text.size() - n, n, end) == 0;
}

}  // namespace

std::string to_dot(const detail::Graph& graph) {
  std::string dot = "digraph slipstream {\n  rankdir=LR;\n  node [fontname=\"sans-serif\"];\n";
  for (const auto& node : graph.nodes) {
    dot += "  n" + std::to_string(node->id) + " [shape=" + shape_of(*node) + ", label=\"" + label(*node) +
           "\"];\n";
  }
  for (const auto& node : graph.nodes) {
    for (const auto& port : node->inputs) {
      for (const detail::Input& input : port) {
        const bool exchange = node->role == Role::keyed;
        dot += "  n" + std::to_string(input.from->id) + " -> n" + std::to_string(node->id) +
               (exchange ? " [label=\"by key\"]" : "") + ";\n";
      }
    }
    for (const auto& dependency : node->dependencies) {
      for (const Node* other : dependency.on) {
        dot += "  n" + std::to_string(other->id) + " -> n" + std::to_string(node->id) +
               " [style=dashed, label=\"holds back\"];\n";
      }
    }
  }
  return dot + "}\n";
}

absl::Status write_picture(const detail::Graph& graph, const std::string& file) {
  const std::string dot = to_dot(graph);
  if (file.empty()) {
    std::fputs(dot.c_str(), stdout);
    return absl::OkStatus();
  }
  const bool svg = ends_with(file, ".svg");
  const bool drawn = svg || ends_with(file, ".png");
  std::string command = "dot -T" + std::string(svg ? "svg" : "png") + " -o '";
  for (char c : file) command += c == '\'' ? "'\\''" : std::string(1, c);
  std::FILE* out = drawn ? popen((command + "'").c_str(), "w") : std::fopen(file.c_str(), "w");
  if (!out) return file_error("can't write " + file);
  std::fputs(dot.c_str(), out);
  const int result = drawn ? pclose(out) : std::fclose(out);
  if (result == 0) return absl::OkStatus();
  if (drawn)
    return absl::FailedPreconditionError(
        "can't draw " + file +
        ": graphviz's dot failed; is graphviz installed? --graph=FILE.dot needs nothing");
  return file_error("can't write " + file);
}

}  // namespace slipstream::runtime
