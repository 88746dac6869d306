#pragma once
#include <optional>
#include <string>
#include <vector>

#include "bench/suite.h"

/// Charts for the documentation.
namespace slipstream::bench {

struct Bar {
  std::string name;
  double value, least, most;
  std::optional<double> target;
};

/// A bar from 0 to each value, with a line from its least to its most and a mark at its target.
std::string bars_svg(const std::string& title, const std::vector<Bar>& bars);
std::string lines_svg(const Chart& chart);
/// Throws when the file can't be written.
void write_svg(const std::string& file, const std::string& svg);

}  // namespace slipstream::bench
