#pragma once
#include <algorithm>
#include <string>

#include "operator_conformance.h"

/// What the tests of windows and joins show of results.
namespace slipstream::conformance {

/// Sums that don't depend on the order; the text is in it so that a damaged record shows.
struct Summary {
  std::int64_t count = 0, sum = 0, least = INT64_MAX, largest = INT64_MIN;
  std::uint64_t texts = 0;
  void add(const Event& e) {
    ++count;
    sum += e.value;
    least = std::min(least, e.value);
    largest = std::max(largest, e.value);
    texts += detail::hash_bytes(e.text);
  }
  void merge(const Summary& o) {
    count += o.count;
    sum += o.sum;
    least = std::min(least, o.least);
    largest = std::max(largest, o.largest);
    texts += o.texts;
  }
};
SLIPSTREAM_FIELDS(Summary, count, sum, least, largest, texts)

inline std::string show(const Summary& s) {
  return text_of(s.count, s.sum, s.least, s.largest, std::to_string(s.texts));
}
inline std::string show_event(const Event& e, const RecordInfo& info) {
  return text_of(info.id, e.value, e.at, e.text);
}
inline Line late_line(const Arrival& a) {
  return {a.event.key, a.id, a.event.at, show_event(a.event, {a.event.at, a.id, nullptr})};
}

inline std::string show_value(const Summary& s) { return show(s); }
inline std::string show_value(std::int64_t n) { return text_of(n); }

template <class T>
void out_windows(Pipeline& p, const std::string& name, const Stream<Windowed<std::int64_t, T>>& windows) {
  using W = Windowed<std::int64_t, T>;
  p.out(name, windows, &W::key, [](const W& w, const RecordInfo&) {
    return text_of(w.window.start, w.window.end) + show_value(w.value);
  });
}

}  // namespace slipstream::conformance
