#include "bench/suite.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "bench/svg.h"

namespace slipstream::bench {
namespace {

constexpr double kSeconds = 1;  // that a run takes at least

std::map<std::string, std::vector<std::function<void(Suite&)>>>& benches() {
  static std::map<std::string, std::vector<std::function<void(Suite&)>>> all;
  return all;
}

std::string number(double value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6).ptr};
}

std::string text_of(const Answer& answer) {
  return std::to_string(answer.count) + " results with the checksum " + std::to_string(answer.checksum);
}

/// Names are ours: letters, digits, spaces and the like.
std::string quoted(const std::string& text) { return '"' + text + '"'; }

std::string first_value(const char* file, std::string_view key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key)) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

void print_machine() {
  std::printf("%u threads of %s, %s of memory\n", std::thread::hardware_concurrency(),
              first_value("/proc/cpuinfo", "model name").c_str(),
              first_value("/proc/meminfo", "MemTotal").c_str());
}

}  // namespace

void check_ok(const absl::Status& status) {
  if (!status.ok()) throw std::runtime_error(std::string(status.message()));
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

const Suite::Unit Suite::kSpeed{"items/s", "per_second", true};
const Suite::Unit Suite::kDelay{"us", "us", false};

void Suite::check(const std::string& name, const Answer& answer, const Answer& expected) const {
  if (answer == expected) return;
  throw std::runtime_error(name + " came to " + text_of(answer) + " instead of " + text_of(expected));
}

void Suite::compare(const Comparison& c) {
  const auto pass = [&](const char* who, const Work& work) {
    const Pass done = work();
    check(c.name + ", " + who, done.answer, c.expected);
    return done;
  };
  pass("the limit", c.limit);
  pass("ours", c.ours);
  if (quick()) return answers_rightly(c.name);
  const auto rate = [&](const char* who, const Work& work) {
    double seconds = 0;
    double items = 0;
    while (seconds < kSeconds) {
      seconds += pass(who, work).seconds;
      items += c.items;
    }
    return items / seconds;
  };
  Row& row = compare(
      c.name, kSpeed, c.target, [&] { return rate("ours", c.ours); },
      [&] { return rate("the limit", c.limit); });
  if (c.counts) {
    set_counting(true);
    const Counts n = pass("ours", c.ours).counts;
    set_counting(false);
    const std::pair<const char*, std::uint64_t> each[] = {
        {"allocations", n.allocations}, {"locks", n.locks}, {"clock_reads", n.clock_reads}};
    std::printf("%-36s", "  of ours, per item:");
    for (const auto& [what, count] : each) {
      const double per_item = static_cast<double>(count) / c.items;
      std::printf(" %s %.6f", what, per_item);
      row.numbers.emplace_back(std::string(what) + "_per_item", per_item);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}

void Suite::compare(const Delays& d) {
  if (quick()) {
    d.limit();
    d.ours();
    return answers_rightly(d.name);
  }
  compare(d.name, kDelay, d.target, d.ours, d.limit);
}

Suite::Row& Suite::compare(const std::string& name, const Unit& unit, std::optional<double> target,
                           const std::function<double()>& run_ours,
                           const std::function<double()>& run_limit) {
  std::vector<double> ours, limit, ratios;
  for (int i = 0; i < options_.pairs; ++i) {
    limit.push_back(run_limit());
    ours.push_back(run_ours());
    ratios.push_back(unit.more_is_better ? ours.back() / limit.back() : limit.back() / ours.back());
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  ratios_.push_back({name, median(ratios), *least, *most, target});
  if (std::exchange(head_, &unit) != &unit) {
    std::printf("%-36s %14s %14s %7s %15s %7s\n", "", (std::string("limit, ") + unit.text).c_str(),
                (std::string("ours, ") + unit.text).c_str(), "ratio", "min … max", "target");
  }
  std::printf("%-36s %14.0f %14.0f %7.2f %6.2f … %6.2f %7s\n", name.c_str(), median(limit), median(ours),
              median(ratios), *least, *most, target ? number(*target).c_str() : "");
  std::fflush(stdout);
  Row& row = rows_.emplace_back(Row{name,
                                    {{"ratio", median(ratios)},
                                     {"min", *least},
                                     {"max", *most},
                                     {std::string("ours_") + unit.key, median(ours)},
                                     {std::string("limit_") + unit.key, median(limit)}}});
  if (target) row.numbers.emplace_back("target", *target);
  return row;
}

void Suite::answers_rightly(const std::string& name) {
  std::printf("%-36s answers rightly\n", name.c_str());
  rows_.push_back({name, {}});
}

void Suite::report(const Measurement& m) {
  std::printf("%-36s %14s %s", m.name.c_str(), number(m.value).c_str(), m.unit.c_str());
  Row row{m.name, {{"value", m.value}}, {{"unit", m.unit}}};
  if (m.published > 0) {
    std::printf(", published elsewhere: %s", number(m.published).c_str());
    row.numbers.emplace_back("published", m.published);
  }
  std::printf("\n");
  std::fflush(stdout);
  rows_.push_back(std::move(row));
}

void Suite::draw(const Chart& chart) {
  if (!options_.svg.empty() && !quick())
    write_svg(options_.svg + "/" + chart.file + ".svg", lines_svg(chart));
}

void Suite::finish(const std::string& bench) {
  if (!options_.svg.empty() && !ratios_.empty()) {
    std::vector<Bar> bars;
    for (const Ratio& r : ratios_) bars.push_back({r.name, r.median, r.least, r.most, r.target});
    write_svg(options_.svg + "/" + bench + ".svg", bars_svg(bench + ": speed beside the limit", bars));
  }
  ratios_.clear();
  head_ = nullptr;
}

void Suite::write_json() const {
  if (options_.json.empty()) return;
  std::ofstream out(options_.json);
  out << "[\n";
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Row& row = rows_[i];
    out << "  {\"name\": " << quoted(row.name);
    for (const auto& [key, value] : row.numbers) out << ", " << quoted(key) << ": " << number(value);
    for (const auto& [key, value] : row.texts) out << ", " << quoted(key) << ": " << quoted(value);
    out << (i + 1 < rows_.size() ? "},\n" : "}\n");
  }
  out << "]\n";
  if (!out.flush()) throw std::runtime_error("can't write " + options_.json);
}

Registered::Registered(const std::string& name, std::function<void(Suite&)> run) {
  benches()[name].push_back(std::move(run));
}

namespace {

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view arg = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 < argc) return argv[++i];
      throw std::runtime_error(std::string(arg) + " needs a value");
    };
    if (arg == "--quick") {
      options.quick = true;
    } else if (arg == "--pairs") {
      options.pairs = std::max(1, std::atoi(value().c_str()));
    } else if (arg == "--json") {
      options.json = value();
    } else if (arg == "--svg") {
      options.svg = value();
    } else if (benches().contains(std::string(arg))) {
      options.names.emplace_back(arg);
    } else {
      std::string all;
      for (const auto& [name, parts] : benches()) all += " " + name;
      throw std::runtime_error("no benchmark or option " + std::string(arg) + "; there are:" + all +
                               " and --quick, --pairs N, --json FILE, --svg DIR");
    }
  }
  return options;
}

int run(int argc, char** argv) {
  Options options = parse(argc, argv);
  if (options.names.empty()) {
    for (const auto& [name, parts] : benches()) options.names.push_back(name);
  }
  print_machine();
  Suite suite(options);
  for (const std::string& name : options.names) {
    std::printf("== %s\n", name.c_str());
    std::fflush(stdout);
    for (const auto& part : benches().at(name)) part(suite);
    suite.finish(name);
  }
  suite.write_json();
  return 0;
}

}  // namespace
}  // namespace slipstream::bench

int main(int argc, char** argv) {
  try {
    return slipstream::bench::run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench: %s\n", e.what());
    return 1;
  }
}
