#include "bench/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <fstream>
#include <stdexcept>

namespace slipstream::bench {
namespace {

constexpr const char* kColours[] = {"#2a6f97", "#c1553b", "#5a8f3c", "#7d5ba6", "#a07f2c", "#444444"};

[[gnu::format(printf, 1, 2)]] std::string format(const char* form, ...) {
  char text[512];
  va_list args;
  va_start(args, form);
  std::vsnprintf(text, sizeof text, form, args);
  va_end(args);
  return text;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else
      out += c;
  }
  return out;
}

std::string text(double x, double y, const char* anchor, const std::string& what) {
  return format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor) + escaped(what) +
         "</text>\n";
}
std::string line(double x1, double y1, double x2, double y2, const char* colour, double width) {
  return format(
      "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" stroke-width=\"%.1f\"/>\n", x1, y1,
      x2, y2, colour, width);
}
std::string document(double width, double height, const std::string& inside) {
  return format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
             "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" "
             "fill=\"white\"/>\n",
             width, height) +
         inside + "</svg>\n";
}

/// 1234567 as 1.2M.
std::string brief(double value) {
  static constexpr std::pair<double, const char*> kUnits[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
  for (const auto& [size, unit] : kUnits) {
    if (value >= size) return format("%.3g%s", value / size, unit);
  }
  return format("%.3g", value);
}

/// A logarithmic axis from pixel `from` to pixel `to`, with a tick at each power of ten inside.
class Axis {
 public:
  Axis(double least, double most, double from, double to)
      : least_(std::log10(least)), most_(std::log10(std::max(most, least * 1.01))), from_(from), to_(to) {}
  double at(double value) const {
    return from_ + (to_ - from_) * (std::log10(value) - least_) / (most_ - least_);
  }
  std::vector<double> ticks() const {
    std::vector<double> all;
    const bool is_short = most_ - least_ < 2;
    for (double power = std::floor(least_); power <= most_; ++power) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor != 1 && !is_short) continue;
        const double tick = factor * std::pow(10, power);
        if (std::log10(tick) >= least_ - 1e-9 && std::log10(tick) <= most_ + 1e-9) all.push_back(tick);
      }
    }
    return all;
  }

 private:
  double least_, most_, from_, to_;
};

}  // namespace

std::string bars_svg(const std::string& title, const std::vector<Bar>& bars) {
  constexpr double kLeft = 260, kWidth = 360, kHeight = 26, kTop = 40;
  double most = 1;
  for (const Bar& b : bars) most = std::max({most, b.most, b.target.value_or(0)});
  const auto x = [&](double value) { return kLeft + kWidth * value / most; };
  const double bottom = kTop + kHeight * static_cast<double>(bars.size());
  std::string inside = text(10, 22, "start", title) + line(x(1), kTop - 6, x(1), bottom, "#999999", 1) +
                       text(x(1), kTop - 9, "middle", "the limit");
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const Bar& b = bars[i];
    const double y = kTop + kHeight * static_cast<double>(i);
    const double middle = y + kHeight / 2;
    inside += text(kLeft - 8, middle + 4, "end", b.name);
    inside += format("<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", kLeft,
                     y + 4, x(b.value) - kLeft, kHeight - 8, kColours[0]);
    inside += line(x(b.least), middle, x(b.most), middle, "black", 1.5);
    if (b.target) inside += line(x(*b.target), y + 1, x(*b.target), y + kHeight - 1, kColours[1], 2);
    inside += text(x(most) + 8, middle + 4, "start", format("%.2f", b.value));
  }
  return document(kLeft + kWidth + 60, bottom + 12, inside);
}

std::string lines_svg(const Chart& chart) {
  constexpr double kLeft = 70, kRight = 520, kTop = 40, kBottom = 320;
  double x_least = INFINITY, x_most = 0, y_least = INFINITY, y_most = 0;
  for (const Curve& curve : chart.curves) {
    for (const auto& [x, y] : curve.points) {
      x_least = std::min(x_least, x), x_most = std::max(x_most, x);
      y_least = std::min(y_least, y), y_most = std::max(y_most, y);
    }
  }
  const Axis x(x_least, x_most, kLeft, kRight);
  const Axis y(y_least / 1.5, y_most * 1.5, kBottom, kTop);
  std::string inside = text(10, 22, "start", chart.title) +
                       text((kLeft + kRight) / 2, kBottom + 36, "middle", chart.x) +
                       text(kLeft - 6, kTop - 6, "end", chart.y);
  for (const double tick : x.ticks()) {
    inside += line(x.at(tick), kTop, x.at(tick), kBottom, "#dddddd", 1) +
              text(x.at(tick), kBottom + 16, "middle", brief(tick));
  }
  for (const double tick : y.ticks()) {
    inside += line(kLeft, y.at(tick), kRight, y.at(tick), "#dddddd", 1) +
              text(kLeft - 6, y.at(tick) + 4, "end", brief(tick));
  }
  for (std::size_t i = 0; i < chart.curves.size(); ++i) {
    const Curve& curve = chart.curves[i];
    const char* const colour = kColours[i % (sizeof kColours / sizeof *kColours)];
    std::string path;
    for (const auto& [px, py] : curve.points) path += format("%.1f,%.1f ", x.at(px), y.at(py));
    inside += format("<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour) + path +
              "\"/>\n";
    for (const auto& [px, py] : curve.points)
      inside += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", x.at(px), y.at(py), colour);
    const double row = kTop + 18 * static_cast<double>(i);
    inside +=
        line(kRight + 12, row, kRight + 30, row, colour, 2) + text(kRight + 36, row + 4, "start", curve.name);
  }
  return document(kRight + 230, kBottom + 50, inside);
}

void write_svg(const std::string& file, const std::string& svg) {
  std::ofstream out(file);
  if (!(out << svg).flush()) throw std::runtime_error("can't write " + file);
}

}  // namespace slipstream::bench
