#include "docs/examples/flights/live.h"

#include "docs/examples/flights/text.h"
#include "slipstream/json.h"

namespace flights {
namespace {

using slipstream::json;
using ByName = slipstream::Keyed<std::string, Tally>;

FeedNews news_of(const FeedProgress& feed) {
  return {feed.total, feed.sent, feed.read, feed.out_of_order, to_text(feed.watermark)};
}

News news_of(const Progress& p) {
  News news;
  news.seconds = p.elapsed.count();
  news.flights = news_of(p.flights);
  news.weather = news_of(p.weather);
  news.carrier_days = p.day_rows;
  news.joined = p.join_rows;
  news.late = p.join_late;
  news.held = p.join_held;
  news.waiting = p.flights.waiting;
  news.waits_for = p.flights.waits_for;
  news.has_ended = p.has_ended;
  return news;
}

std::string day_of(const CarrierDay& row) { return to_text(row.window_start).substr(0, 10); }

}  // namespace

void Tally::add(const CarrierDay& row) {
  on_day = row.window_start == day ? on_day + row.flights : row.flights;
  day = row.window_start;
  flights += row.flights;
  departed += row.departed;
  delay_sum += row.delay_sum;
}

Live::Live(slipstream::App& app, const Program& program, int port)
    : endpoint_({.port = port, .page = kPage}), news_(app.proxy<News>("news")) {
  const auto key = [](const ByName& row, std::string& out) { out = row.key; };
  program.carrier_days.key_by(&CarrierDay::carrier)
      .aggregate<Tally>("carriers so far")
      .sink(endpoint_.events<ByName>("carrier", json<ByName>(), key));
  program.carrier_days.key_by(&day_of)
      .aggregate<Tally>("days so far")
      .sink(endpoint_.events<ByName>("day", json<ByName>(), key));
  news_.stream().sink(
      endpoint_.events<News>("news", json<News>(), [](const News&, std::string& out) { out = "newest"; }));
}

void Live::show(const Progress& progress) {
  if (has_ended_) return;
  news_.publish(news_of(progress));
  has_ended_ = progress.has_ended;
  if (has_ended_) news_.close();
}

}  // namespace flights
