#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "slipstream/metrics.h"

namespace flights {

/// What one feed has come to at one time.
struct FeedProgress {
  std::int64_t total = 0;
  std::int64_t sent = 0;
  std::int64_t read = 0;
  double per_second = 0;  ///< read
  std::int64_t out_of_order = 0;
  slipstream::EventTime watermark = slipstream::kMinTime;
  std::vector<std::int64_t> per_partition = {};  ///< read
  int waiting = 0;                               ///< partitions that aren't read because of a gate
  std::string waits_for = {};                    ///< the gates' reasons
};
struct Progress {
  std::chrono::duration<double> elapsed{0};
  FeedProgress flights;
  FeedProgress weather;
  bool is_holding_weather = false;
  std::int64_t day_rows = 0;
  std::int64_t day_late = 0;
  std::int64_t join_rows = 0;
  std::int64_t join_late = 0;
  std::int64_t join_held = 0;
  std::int64_t join_held_peak = 0;
  bool has_ended = false;  ///< all results are there
};

/// What the producer adds to the metrics.
struct Sent {
  std::int64_t flights = 0;
  std::int64_t weather = 0;
  bool is_holding_weather = false;
};
Progress measure(const slipstream::Metrics& metrics, const Sent& sent);

/// The picture of a run: 14 lines for a terminal 80 columns wide.
std::vector<std::string> draw(const Progress& progress, bool color);
/// The same on a line, and a second one with the partitions' counts while flights wait.
std::string describe(const Progress& progress);

/// Shows how a run goes, from a thread of its own: redrawn in place ten times a second on a terminal, a line
/// each second elsewhere.
class Display {
 public:
  explicit Display(std::FILE* out);

  /// `look` is called from the thread until finish().
  void start(std::function<Progress()> look);
  /// Takes a last look; nothing is drawn over afterwards.
  void finish();
  /// A line that stays. From any thread.
  void say(std::string_view line);

 private:
  void look_once(bool is_last);
  void redraw(const std::vector<std::string>& lines);
  void clear();

  std::FILE* const out_;
  const bool is_terminal_;
  const bool color_;
  std::function<Progress()> look_;
  std::mutex mutex_;  // guards what follows, and out_
  std::condition_variable_any changed_;
  std::vector<Progress> history_;  // of the last second
  int drawn_ = 0;                  // lines on the terminal that a redraw goes over
  std::chrono::duration<double> last_line_{0};
  bool is_running_ = false;
  std::jthread thread_;
};

}  // namespace flights
