#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "bench/nexmark/all.h"
#include "bench/nexmark/generator.h"
#include "slipstream/testing.h"

/// Each query's results are those of the naive interpreter, whatever the parallelism.
namespace slipstream::nexmark {
namespace {

using namespace std::chrono_literals;

void write(std::string& text, const std::string& value) { text += '"' + value + "\" "; }
void write(std::string& text, std::uint64_t value) { text += std::to_string(value) + ' '; }
void write(std::string& text, EventTime value) {
  text += std::to_string(value.time_since_epoch().count()) + "us ";
}
template <HasFields Row>
void write(std::string& text, const Row& row) {
  with_fields<Row>([&](const auto&... field) { (write(text, row.*field.member), ...); });
}
template <class Row>
std::string text_of(const Row& row) {
  std::string text;
  write(text, row);
  return text;
}

using Lines = std::vector<std::string>;

/// Equal as sets; says what is on one side only, if that isn't too much.
void expect_same(const std::string& what, Lines expected, Lines got) {
  std::sort(expected.begin(), expected.end());
  std::sort(got.begin(), got.end());
  Lines missing, surplus;
  std::set_difference(expected.begin(), expected.end(), got.begin(), got.end(), std::back_inserter(missing));
  std::set_difference(got.begin(), got.end(), expected.begin(), expected.end(), std::back_inserter(surplus));
  if (missing.empty() && surplus.empty()) return;
  ADD_FAILURE() << what << ": " << got.size() << " results instead of " << expected.size() << ", "
                << missing.size() << " missing, " << surplus.size()
                << " too many\n  missing: " << (missing.empty() ? "" : missing.front())
                << "\n  too many: " << (surplus.empty() ? "" : surplus.front());
}

/// Events dealt out to so many partitions.
std::vector<std::vector<Event>> deal(const std::vector<Event>& events, std::size_t partitions) {
  std::vector<std::vector<Event>> dealt(partitions);
  for (std::size_t n = 0; n < events.size(); ++n) dealt[n % partitions].push_back(events[n]);
  return dealt;
}

template <class Row>
Lines results_of(const Query<Row>& query, const std::vector<Event>& events, std::size_t partitions,
                 int parallelism) {
  App app;
  app.set("runtime.parallelism", std::to_string(parallelism));
  app.set("runtime.threads", std::to_string(parallelism));
  Lines lines;
  query.program(app, events_of(app, from_partitions(deal(events, partitions)))).sink([&](const Row& row) {
    lines.push_back(text_of(row));
  });
  const absl::Status status = app.run();
  EXPECT_TRUE(status.ok()) << status.message();
  return lines;
}

void expect_all_as_naive(const std::vector<Event>& events) {
  for_each_query([&]<class Row>(const Query<Row>& query) {
    Lines expected;
    query.naive(events, [&](const Row& row) { expected.push_back(text_of(row)); });
    EXPECT_FALSE(expected.empty()) << query.name;
    const auto expect = [&](std::size_t partitions, int parallelism) {
      expect_same(query.name + (" with parallelism " + std::to_string(parallelism)), expected,
                  results_of(query, events, partitions, parallelism));
    };
    expect(1, 1);
    expect(1, 2);
    if (!query.is_ordered) expect(2, 2);
  });
}

/// Four windows of ten seconds, and bidders that are quiet for longer.
TEST(NexmarkQueries, ComeToWhatTheNaiveInterpreterDoes) {
  expect_all_as_naive(Generator({.between = 2ms}).events(20'000));
}
/// By up to two seconds, less than events may be late.
TEST(NexmarkQueries, DoSoWhenEventsAreOutOfOrder) {
  expect_all_as_naive(Generator({.between = 2ms, .out_of_order_group = 1'000}).events(20'000));
}
/// Of two auctions that end at once, of bids made in the same millisecond.
TEST(NexmarkQueries, DoSoWhenManyTimesAreEqual) {
  expect_all_as_naive(Generator({.between = 10us, .out_of_order_group = 1'000}).events(10'000));
}
/// Windows with two events, where auctions share the first place; the hours of more than a day.
TEST(NexmarkQueries, DoSoWhenThereIsTimeBetweenEvents) {
  expect_all_as_naive(Generator({.between = 5s}).events(20'000));
}

template <class Row>
void expect_as_naive(const Query<Row>& query, const std::vector<Event>& events, const Lines& expected) {
  Lines naively;
  query.naive(events, [&](const Row& row) { naively.push_back(text_of(row)); });
  expect_same(query.name + std::string(", naively"), expected, naively);
  expect_same(query.name, expected, results_of(query, events, 1, 1));
}
Bid bid(std::uint64_t bidder, std::uint64_t price, std::string channel, std::string url) {
  return {1, bidder, price, std::move(channel), std::move(url), EventTime(), ""};
}

TEST(NexmarkQueries, RankEqualBidsAsTheyCame) {
  expect_as_naive(
      Query<Q19Row>{"q19", q19, naive::q19},
      {bid(1, 200, "", ""), bid(2, 300, "", ""), bid(3, 200, "", ""), bid(4, 300, "", "")},
      {"1 1 200 \"\" \"\" 0us \"\" 1 ", "1 2 300 \"\" \"\" 0us \"\" 1 ", "1 1 200 \"\" \"\" 0us \"\" 2 ",
       "1 3 200 \"\" \"\" 0us \"\" 3 ", "1 4 300 \"\" \"\" 0us \"\" 2 ", "1 1 200 \"\" \"\" 0us \"\" 3 ",
       "1 3 200 \"\" \"\" 0us \"\" 4 "});
}
TEST(NexmarkQueries, FindTheChannelsIdInTheUrl) {
  expect_as_naive(
      Query<Q21Row>{"q21", q21, naive::q21},
      {bid(1, 5, "Google", ""), bid(2, 5, "x", "channel_id=7"),
       bid(3, 5, "x", "https://a/?b=c&channel_id=8&d=e"), bid(4, 5, "x", "https://a/?channel_id=9"),
       bid(5, 5, "x", "https://a/?b&channel_id=")},
      {"1 1 5 \"Google\" \"1\" ", "1 2 5 \"x\" \"7\" ", "1 3 5 \"x\" \"8\" ", "1 5 5 \"x\" \"\" "});
}

/// The time it is comes from the test: windows close when the clock says so, without another event.
TEST(NexmarkQueries, CountBidsByTheTimeItIs) {
  const std::vector<Event> events = Generator().events(5'000);
  EventTime now(1'700'000'003s);
  App app;
  const Events source = events_when_they_come(app, from(std::vector<Event>{}), [&] { return now; });
  const Stream<BidderRow> bids = q12(app, source);
  TestDriver driver(app);
  const auto got = driver.watch(bids);
  std::vector<EventTime> came;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (i % 1'000 == 0 && i > 0) {
      now += 4s;
      ASSERT_TRUE(driver.advance_time(4s).ok());
    }
    came.push_back(now);
    driver.push(source, events[i]);
    if (i % 100 == 99) {
      ASSERT_TRUE(driver.run().ok());
    }
  }
  const auto lines = [&] {
    Lines all;
    for (const BidderRow& row : got->values) all.push_back(text_of(row));
    return all;
  };
  Lines expected, first_window;
  naive::q12(events, came, [&](const BidderRow& row) {
    expected.push_back(text_of(row));
    if (row.end == EventTime(1'700'000'010s)) first_window.push_back(expected.back());
  });
  EXPECT_LT(first_window.size(), expected.size());
  expect_same("q12, when the second window is open", first_window, lines());
  ASSERT_TRUE(driver.advance_time(1s).ok());
  expect_same("q12, when it is over", expected, lines());
}

}  // namespace
}  // namespace slipstream::nexmark
