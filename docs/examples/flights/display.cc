#include "docs/examples/flights/display.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "docs/examples/flights/text.h"

namespace flights {
namespace {

using namespace std::chrono_literals;
using slipstream::Metrics;
using slipstream::NodeMetrics;

constexpr int kBarWidth = 48;
constexpr auto kRedraw = 100ms;
constexpr auto kLineEvery = 1s;

std::int64_t count(std::uint64_t n) { return static_cast<std::int64_t>(n); }

std::int64_t records_into(const Metrics& metrics, const std::string& node) {
  const NodeMetrics* found = metrics.node(node);
  return found ? count(found->in) : 0;
}

bool has_ended(const Metrics& metrics, const std::string& node) {
  const NodeMetrics* found = metrics.node(node);
  return found && found->watermark == slipstream::kMaxTime;
}

FeedProgress measure(const Metrics& metrics, const std::string& source) {
  FeedProgress feed;
  if (const NodeMetrics* node = metrics.node(source)) {
    feed.out_of_order = count(node->out_of_order);
    feed.watermark = node->watermark;
  }
  for (const slipstream::PartitionMetrics& partition : metrics.partitions) {
    if (partition.source != source) continue;
    feed.read += count(partition.records);
    feed.per_partition.push_back(count(partition.records));
    if (partition.gates.empty() || partition.state == "finished") continue;
    feed.waiting += 1;
    for (const std::string& gate : partition.gates) {
      if (feed.waits_for.find(gate) == std::string::npos)
        feed.waits_for += (feed.waits_for.empty() ? "" : " and ") + gate;
    }
  }
  return feed;
}

struct Colors {
  const char* read = "";
  const char* faint = "";
  const char* alarm = "";
  const char* strong = "";
  const char* none = "";
};
Colors colors(bool wanted) {
  return wanted ? Colors{"\033[36m", "\033[2m", "\033[33m", "\033[1m", "\033[0m"} : Colors{};
}

std::string bar(const char* name, const FeedProgress& feed, const Colors& c) {
  const auto columns = [&](std::int64_t n) {
    return static_cast<int>(n * kBarWidth / std::max<std::int64_t>(1, feed.total));
  };
  const int read = columns(feed.read);
  const int sent = std::max(read, columns(feed.sent));
  return text("%-10s", name) + c.read + repeated("━", read) + c.none + c.faint + repeated("─", sent - read) +
         c.none + std::string(static_cast<std::size_t>(kBarWidth - sent), ' ') +
         right(to_text(feed.watermark), 20);
}

std::string row(const char* name, const FeedProgress& feed) {
  return text("%-10s", name) + right(grouped(feed.sent), 9) + right(grouped(feed.read), 12) +
         right(grouped(feed.sent - feed.read), 12) +
         right(grouped(static_cast<std::int64_t>(feed.per_second)), 12) +
         right(grouped(feed.out_of_order), 16);
}

std::string waiting(const Progress& p) {
  if (p.flights.waiting == 0) return "";
  return std::to_string(p.flights.waiting) + " of " + std::to_string(p.flights.per_partition.size()) +
         " wait for " + p.flights.waits_for + (p.is_holding_weather ? ", which is held back" : "");
}

std::string partitions(const FeedProgress& feed, std::size_t begin, std::size_t end) {
  std::string line(10, ' ');
  for (std::size_t i = begin; i < std::min(end, feed.per_partition.size()); ++i) {
    line += right(grouped(feed.per_partition[i]), i == begin ? 9 : 8);
  }
  return line;
}

std::string short_text(const FeedProgress& feed) {
  return grouped(feed.read) + " read, lag " + grouped(feed.sent - feed.read) + ", to " +
         to_text(feed.watermark) + ", " + grouped(static_cast<std::int64_t>(feed.per_second)) + "/s, " +
         grouped(feed.out_of_order) + " out of order";
}

}  // namespace

Progress measure(const Metrics& metrics, const Sent& sent) {
  Progress p;
  p.flights = measure(metrics, "flights");
  p.weather = measure(metrics, "weather");
  p.flights.sent = sent.flights;
  p.weather.sent = sent.weather;
  p.is_holding_weather = sent.is_holding_weather;
  p.day_rows = records_into(metrics, "carrier_day.csv");
  p.day_late = records_into(metrics, "late for carrier day");
  p.join_rows = records_into(metrics, "flight_weather.csv");
  p.join_late = records_into(metrics, "late for flight weather");
  p.has_ended = has_ended(metrics, "carrier_day.csv") && has_ended(metrics, "flight_weather.csv");
  if (const NodeMetrics* join = metrics.node("flight weather")) {
    p.join_held = count(join->held);
    p.join_held_peak = count(join->held_peak);
  }
  return p;
}

std::vector<std::string> draw(const Progress& p, bool color) {
  const Colors c = colors(color);
  const std::string gates = p.flights.waiting > 0 ? c.alarm + waiting(p) + c.none : "none waits";
  return {
      c.strong + text("%6.1f s  ", p.elapsed.count()) +
          "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec            watermark" + c.none,
      bar("flights", p.flights, c),
      bar("weather", p.weather, c),
      "",
      c.strong + std::string("               sent        read         lag   records/s    out of order") +
          c.none,
      row("flights", p.flights),
      row("weather", p.weather),
      "",
      c.strong + std::string("flights read per partition: ") + c.none + gates,
      partitions(p.flights, 0, 8),
      partitions(p.flights, 8, 16),
      "",
      "carrier days   " + right(grouped(p.day_rows), 9) + " rows   late " + grouped(p.day_late),
      "flight weather " + right(grouped(p.join_rows), 9) + " rows   late " + grouped(p.join_late) +
          "   waiting for weather " + grouped(p.join_held) + ", peak " + grouped(p.join_held_peak),
  };
}

std::string describe(const Progress& p) {
  std::string line = text("%6.1f s  ", p.elapsed.count()) + "flights " + short_text(p.flights) +
                     " | weather " + short_text(p.weather) + " | late " + grouped(p.day_late) + " (days) " +
                     grouped(p.join_late) + " (join) | join holds " + grouped(p.join_held) + ", peak " +
                     grouped(p.join_held_peak);
  if (p.flights.waiting == 0) return line;
  line += "\n          flights: " + waiting(p) + "; read per partition";
  for (const std::int64_t read : p.flights.per_partition) line += " " + std::to_string(read);
  return line;
}

Display::Display(std::FILE* out)
    : out_(out),
      is_terminal_(::isatty(::fileno(out)) == 1),
      color_(is_terminal_ && std::getenv("NO_COLOR") == nullptr) {}

void Display::start(std::function<Progress()> look) {
  look_ = std::move(look);
  is_running_ = true;
  thread_ = std::jthread([this](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, stop, kRedraw, [&] { return stop.stop_requested(); })) look_once(false);
  });
}

void Display::finish() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  const std::lock_guard lock(mutex_);
  look_once(true);
  is_running_ = false;
}

void Display::say(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (is_running_) clear();
  std::fprintf(out_, "%.*s\n", static_cast<int>(line.size()), line.data());
  std::fflush(out_);
}

void Display::clear() {
  if (drawn_ > 0) std::fprintf(out_, "\033[%dA\033[J", drawn_);
  drawn_ = 0;
}

void Display::look_once(bool is_last) {
  Progress now = look_();
  history_.push_back(now);
  while (history_.size() > 2 && now.elapsed - history_[1].elapsed > 1s) history_.erase(history_.begin());
  const Progress& before = history_.front();
  const double seconds = std::max(1e-3, (now.elapsed - before.elapsed).count());
  now.flights.per_second = static_cast<double>(now.flights.read - before.flights.read) / seconds;
  now.weather.per_second = static_cast<double>(now.weather.read - before.weather.read) / seconds;
  if (is_terminal_) {
    redraw(draw(now, color_));
  } else if (is_last || now.elapsed - last_line_ >= kLineEvery) {
    last_line_ = now.elapsed;
    std::fprintf(out_, "%s\n", describe(now).c_str());
    std::fflush(out_);
  }
}

/// In one write, so that nothing half-drawn shows.
void Display::redraw(const std::vector<std::string>& lines) {
  std::string all = "\033[?7l";  // a narrow terminal cuts lines off instead of wrapping them
  if (drawn_ > 0) all += "\033[" + std::to_string(drawn_) + "A";
  for (const std::string& line : lines) all += line + "\033[K\n";
  all += "\033[?7h";
  drawn_ = static_cast<int>(lines.size());
  std::fwrite(all.data(), 1, all.size(), out_);
  std::fflush(out_);
}

}  // namespace flights
