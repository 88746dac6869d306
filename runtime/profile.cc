#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "slipstream/metrics.h"

namespace slipstream {
namespace {

using std::chrono::nanoseconds;

/// The nodes that share lanes, as one. Times are a lane's.
struct Stage {
  std::string name;     ///< of the node at its head
  std::string busiest;  ///< the node that most of its work is done in
  nanoseconds busiest_time{-1};
  nanoseconds busy{0};
  nanoseconds waiting{0};
  nanoseconds blocked{0};
  std::string blocked_by;
  std::vector<std::string> from;  ///< stages
};
using Stages = std::map<std::string, Stage>;

Stages stages_of(const Metrics& metrics) {
  std::map<std::string, std::string> stage_of;
  for (const NodeMetrics& node : metrics.nodes) stage_of[node.name] = node.stage;
  Stages stages;
  for (const NodeMetrics& node : metrics.nodes) {
    Stage& stage = stages[node.stage];
    stage.name = node.stage;
    stage.busy += node.busiest;
    if (node.busiest > stage.busiest_time) {
      stage.busiest = node.name;
      stage.busiest_time = node.busiest;
    }
    if (node.stage != node.name) continue;
    stage.waiting = node.waiting / std::max(1, node.lanes);
    stage.blocked = node.blocked / std::max(1, node.lanes);
    stage.blocked_by = node.mostly_blocked_by;
    for (const std::string& from : node.from) stage.from.push_back(stage_of[from]);
  }
  return stages;
}

/// The stage to look at when this one isn't busy; null when the reason lies outside of the program.
const Stage* next_to_blame(const Stages& stages, const Stage& stage) {
  const auto find = [&](const std::string& name) {
    const auto at = stages.find(name);
    return at == stages.end() ? nullptr : &at->second;
  };
  if (stage.blocked > stage.waiting) return find(stage.blocked_by);
  const Stage* busiest = nullptr;
  for (const std::string& name : stage.from) {
    const Stage* const from = find(name);
    if (from && (!busiest || from->busy + from->blocked > busiest->busy + busiest->blocked)) busiest = from;
  }
  return busiest;
}

/// The stage that this one's time is due to; itself when it works most of the time.
const Stage& to_blame(const Stages& stages, const Stage& stage) {
  const Stage* at = &stage;
  for (std::set<const Stage*> seen; seen.insert(at).second;) {
    if (at->busy >= std::max(at->waiting, at->blocked)) break;
    const Stage* const next = next_to_blame(stages, *at);
    if (!next) break;
    at = next;
  }
  return *at;
}

std::string percent(nanoseconds part, nanoseconds whole) {
  const double share =
      whole.count() > 0 ? 100.0 * static_cast<double>(part.count()) / static_cast<double>(whole.count()) : 0;
  char text[16];
  std::snprintf(text, sizeof text, "%.0f %%", std::min(share, 100.0));
  return text;
}

using Row = std::vector<std::string>;

std::size_t width_of(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// The first and last column to the left, the others to the right.
std::string table(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], width_of(row[c]));
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      const std::string padding(widths[c] - width_of(row[c]), ' ');
      const bool is_left = c == 0 || c + 1 == row.size();
      line += "  " + (is_left ? row[c] + padding : padding + row[c]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace

std::string profile_text(const Metrics& metrics, nanoseconds elapsed) {
  const Stages stages = stages_of(metrics);
  std::vector<Row> rows = {{"node", "lanes", "records in", "busy", "waiting", "blocked", "waits for"}};
  const Stage* slowest = nullptr;
  for (const NodeMetrics& node : metrics.nodes) {
    Row row = {node.name, std::to_string(node.lanes), std::to_string(node.in),
               percent(node.busy / std::max(1, node.lanes), elapsed)};
    if (node.stage == node.name) {
      const Stage& stage = stages.at(node.name);
      const Stage& blamed = to_blame(stages, stage);
      if (!slowest || stage.busy > slowest->busy) slowest = &stage;
      row.push_back(percent(stage.waiting, elapsed));
      row.push_back(percent(stage.blocked, elapsed));
      row.push_back(&blamed != &stage                            ? blamed.busiest
                    : stage.busy < stage.waiting + stage.blocked ? "what comes from outside"
                                                                 : "");
    } else {
      row.insert(row.end(), {"", "", "with " + node.stage});
    }
    rows.push_back(std::move(row));
  }
  char head[64];
  std::snprintf(head, sizeof head, "where the time went, of %.1f s:\n",
                std::chrono::duration<double>(elapsed).count());
  std::string text = head + table(rows);
  if (!slowest) return text;
  const Stage& blamed = to_blame(stages, *slowest);
  text += blamed.busy >= std::max(blamed.waiting, blamed.blocked)
              ? "'" + blamed.busiest + "' sets the pace\n"
              : "no node sets the pace: '" + blamed.name + "' waits for what comes from outside\n";
  return text;
}

}  // namespace slipstream
