#include "slipstream/detail/nearest.h"

#include <algorithm>
#include <utility>

namespace slipstream::detail {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_letter(char a, char b) { return lower(a) == lower(b); }

/// Insertions, deletions, replacements and swaps of neighbours, each at a cost of 1.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last, last, row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last = std::exchange(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped =
          i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]);
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

/// One typing mistake in three letters is a slip; more is another word.
std::size_t farthest_meant(std::string_view wanted) { return std::max<std::size_t>(1, wanted.size() / 3); }

/// Half of a name is what people remember: "orders" for "prod.orders".
bool is_part(std::string_view wanted, std::string_view name) {
  if (wanted.size() < 3) return false;
  return std::search(name.begin(), name.end(), wanted.begin(), wanted.end(), same_letter) != name.end();
}

}  // namespace

std::vector<std::string> nearest_names(std::string_view wanted, std::span<const std::string> known,
                                       std::size_t at_most) {
  std::vector<std::pair<std::size_t, const std::string*>> near;
  const std::size_t limit = farthest_meant(wanted);
  for (const std::string& name : known) {
    const std::size_t d = distance(wanted, name);
    if (d <= limit) {
      near.emplace_back(d, &name);
    } else if (is_part(wanted, name)) {
      near.emplace_back(limit + 1, &name);
    }
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (near.size() > at_most) near.resize(at_most);
  std::vector<std::string> names;
  for (const auto& [_, name] : near) names.push_back(*name);
  return names;
}

std::string did_you_mean(std::string_view wanted, std::span<const std::string> known, std::size_t at_most) {
  const std::vector<std::string> names = nearest_names(wanted, known, at_most);
  if (names.empty()) return "";
  std::string text = "; did you mean ";
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += "'" + names[i] + "'";
  }
  return text + "?";
}

}  // namespace slipstream::detail
