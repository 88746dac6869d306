#include "slipstream/detail/graph.h"

#include <algorithm>
#include <set>

#include "slipstream/record.h"

namespace slipstream {

std::string to_string(const RecordId& id) {
  std::string text = "source " + std::to_string(id.source) + " partition " + std::to_string(id.partition) +
                     " offset " + std::to_string(id.offset);
  if (id.n > 0) text += " output " + std::to_string(id.n);
  return text;
}

namespace detail {

Node& Graph::add(std::string kind, Role role, std::string_view name, const std::source_location& where) {
  nodes.push_back(std::make_unique<Node>());
  Node& node = *nodes.back();
  node.id = static_cast<std::uint32_t>(nodes.size() - 1);
  node.role = role;
  if (role == Role::source) node.source_switch = std::make_shared<SourceSwitch>();
  std::string_view file = where.file_name();
  file.remove_prefix(file.find_last_of('/') + 1);  // npos + 1 is 0
  node.location = std::string(file) + ":" + std::to_string(where.line());
  node.named = !name.empty() || role == Role::keyed;  // state is found again by its node's name
  node.name = node.named ? std::string(name) : kind + " at " + node.location;
  node.kind = std::move(kind);
  return node;
}

std::string Graph::unused_name(const std::string& name) const {
  const auto is_used = [&](const std::string& wanted) {
    return std::any_of(nodes.begin(), nodes.end(), [&](const auto& node) { return node->name == wanted; });
  };
  std::string free = name;
  for (int n = 2; is_used(free); ++n) free = name + " " + std::to_string(n);
  return free;
}

std::vector<Node*> sources_of(const std::vector<Input>& inputs) {
  std::set<Node*> seen;
  std::vector<Node*> sources;
  std::vector<Node*> next;
  for (const Input& input : inputs) next.push_back(input.from);
  while (!next.empty()) {
    Node* node = next.back();
    next.pop_back();
    if (!seen.insert(node).second) continue;
    if (node->role == Role::source) sources.push_back(node);
    for (const auto& port : node->inputs) {
      for (const Input& input : port) next.push_back(input.from);
    }
  }
  return sources;
}

}  // namespace detail
}  // namespace slipstream
