#include "connectors/http_endpoint/event_log.h"

#include <gmock/gmock.h>

#include <map>
#include <random>

#include "connectors/http/event_parser.h"
#include "connectors/http_endpoint/event_text.h"

namespace slipstream::http::endpoint {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<Event> parse(std::string_view text) {
  EventParser parser(std::size_t{1} << 20);
  std::vector<Event> events;
  EXPECT_EQ(parser.feed(text, [&](Event e) { events.push_back(std::move(e)); }), absl::OkStatus());
  return events;
}

/// "type:data" of each.
std::vector<std::string> shown(const std::vector<Event>& events) {
  std::vector<std::string> lines;
  for (const Event& e : events) lines.push_back(e.event + ":" + e.data);
  return lines;
}

struct Reader {
  explicit Reader(EventLog& its_log, std::string_view last_id = {}) : log(its_log) {
    resumed = log.begin(last_id, cursor, hello);
  }
  /// At most so many more events.
  std::vector<std::string> take(std::size_t most = 1000) {
    std::string text = std::exchange(hello, "");
    for (std::size_t i = 0; i < most; ++i) {
      const Text next = log.next(cursor);
      if (next == nullptr) break;
      text += *next;
    }
    const auto events = parse(text);
    for (const Event& e : events) id = e.id.empty() ? id : e.id;
    return shown(events);
  }
  EventLog& log;
  Cursor cursor;
  std::string hello;
  bool resumed = false;
  std::string id;
};

EndpointStats stats(const EventLog& log) {
  EndpointStats s;
  log.add_stats(s);
  return s;
}

/// Keeps about `events` short ones.
EndpointOptions keeping(std::size_t events, SlowClient slow = SlowClient::latest) {
  EndpointOptions options;
  options.recent_bytes = events * 160;
  options.slow_client = slow;
  return options;
}

TEST(EventText, IsReadAsItWasWritten) {
  for (const std::string data :
       {"", "one", "two\nlines", "\n", "ends\n", ": no comment", " leading", "data: x"}) {
    std::string text;
    append_event("e-1", "counts", data, text);
    const auto events = parse(text);
    ASSERT_EQ(events.size(), 1u) << data;
    EXPECT_EQ(events[0], (Event{.id = "e-1", .event = "counts", .data = data, .retry = {}}));
  }
  std::string text;
  append_event("", "message", "a\r\nb\rc", text);
  EXPECT_EQ(text, "data: a\ndata: b\ndata: c\n\n");
}

TEST(EventLog, GivesNewClientsTheLatestOfEachKeyAndThenWhatComes) {
  EventLog log(keeping(100), "e");
  log.append("n", "a", "1");
  log.append("n", "b", "2");
  log.append("other", "a", "3");
  log.append("n", std::nullopt, "without a key");
  log.append("n", "a", "4");
  Reader reader(log);
  EXPECT_THAT(reader.take(), ElementsAre("snapshot:{\"complete\":true}", "n:2", "other:3", "n:4"));
  log.append("n", "b", "5");
  log.append("n", std::nullopt, "6");
  EXPECT_THAT(reader.take(), ElementsAre("n:5", "n:6"));
  EXPECT_THAT(reader.take(), IsEmpty());
  EXPECT_EQ(stats(log).skipped, 0u) << "a snapshot leaves nothing out";
}

TEST(EventLog, GoesOnBehindAnEventThatIsStillThere) {
  EventLog log(keeping(100), "e");
  for (const char* data : {"1", "2", "3"}) log.append("n", "a", data);
  Reader reader(log, "e-1");
  EXPECT_TRUE(reader.resumed);
  EXPECT_THAT(reader.take(), ElementsAre("n:2", "n:3"));
  EXPECT_EQ(reader.id, "e-3");
  Reader up_to_date(log, "e-3");
  EXPECT_TRUE(up_to_date.resumed);
  EXPECT_THAT(up_to_date.take(), IsEmpty());
  for (const char* id : {"e-4", "f-1", "e-", "e-x", "e-1x", "e--1", "1", "e-99999999999999999999", ""}) {
    Reader other(log, id);
    EXPECT_FALSE(other.resumed) << id;
    EXPECT_THAT(other.take(), ElementsAre("snapshot:{\"complete\":true}", "n:3")) << id;
  }
}

TEST(EventLog, StartsAfreshWhenTheEventIsGone) {
  EventLog log(keeping(2), "e");
  for (const char* data : {"1", "2", "3", "4", "5"}) log.append("n", data, data);
  Reader reader(log, "e-1");
  EXPECT_FALSE(reader.resumed);
  EXPECT_EQ(reader.take().size(), 6u) << "a snapshot of five keys";
}

TEST(EventLog, WithoutSnapshotsTellsThatEventsAreMissing) {
  EndpointOptions options = keeping(2);
  options.latest_bytes = 0;
  EventLog log(options, "e");
  for (const char* data : {"1", "2", "3", "4", "5"}) log.append("n", data, data);
  EXPECT_THAT(Reader(log).take(), IsEmpty());
  EXPECT_THAT(Reader(log, "e-1").take(), ElementsAre("gap:{\"missed\":4}"));
  EXPECT_THAT(Reader(log, "f-1").take(), ElementsAre("gap:{\"missed\":null}"));
  Reader slow(log, "e-5");
  for (const char* data : {"6", "7", "8", "9"}) log.append("n", data, data);
  EXPECT_THAT(slow.take(), ElementsAre("gap:{\"missed\":2}", "n:8", "n:9"));
}

TEST(EventLog, GivesASlowClientTheLatestOfEachKey) {
  EventLog log(keeping(3), "e");
  Reader reader(log);
  EXPECT_THAT(reader.take(), ElementsAre("snapshot:{\"complete\":true}"));
  for (int i = 0; i < 10; ++i) log.append("n", i % 2 == 0 ? "even" : "odd", std::to_string(i));
  log.append("n", "seldom", "x");
  for (int i = 10; i < 20; ++i) log.append("n", i % 2 == 0 ? "even" : "odd", std::to_string(i));
  EXPECT_TRUE(log.has_lost(reader.cursor));
  EXPECT_THAT(reader.take(), ElementsAre("n:x", "n:17", "n:18", "n:19"));
  EXPECT_EQ(stats(log).skipped, 17u);
  EXPECT_EQ(stats(log).sent, 4u);
}

TEST(EventLog, TellsASlowClientWhatIsLostForGood) {
  EventLog log(keeping(3), "e");
  Reader reader(log);
  reader.take();
  log.append("n", std::nullopt, "lost");
  for (int i = 0; i < 9; ++i) log.append("n", "a", std::to_string(i));
  EXPECT_THAT(reader.take(), ElementsAre("gap:{\"missed\":7}", "n:6", "n:7", "n:8"));
  for (int i = 0; i < 9; ++i) log.append("n", "a", std::to_string(i));
  EXPECT_THAT(reader.take(), ElementsAre("n:6", "n:7", "n:8")) << "told once";
}

TEST(EventLog, LetsASlowClientGoOnWithWhatIsThere) {
  EventLog log(keeping(3, SlowClient::skip), "e");
  Reader reader(log);
  reader.take();
  for (int i = 0; i < 10; ++i) log.append("n", std::to_string(i), std::to_string(i));
  EXPECT_THAT(reader.take(), ElementsAre("gap:{\"missed\":7}", "n:7", "n:8", "n:9"));
  EXPECT_EQ(stats(log).skipped, 7u);
}

TEST(EventLog, TellsOfDeletionsThoseWhoKnewTheKey) {
  EventLog log(keeping(2), "e");
  log.append("n", "a", "1");
  Reader slow(log);
  slow.take();
  log.append("n", "a", std::nullopt);
  for (int i = 0; i < 9; ++i) log.append("n", "b", std::to_string(i));
  EXPECT_THAT(Reader(log).take(), ElementsAre("snapshot:{\"complete\":true}", "n:8"));
  log.forget_deleted(slow.cursor.seen);
  EXPECT_THAT(slow.take(), ElementsAre("n deleted:a", "n:7", "n:8"));
  const std::size_t before = log.bytes();
  log.forget_deleted(slow.cursor.seen);
  EXPECT_LT(log.bytes(), before) << "nobody needs it any more";
  EXPECT_THAT(Reader(log).take(), ElementsAre("snapshot:{\"complete\":true}", "n:8"));
}

TEST(EventLog, StaysWithinItsBounds) {
  EndpointOptions options = keeping(10);
  options.latest_bytes = 2000;
  EventLog log(options, "e");
  for (int i = 0; i < 1000; ++i) log.append("n", std::to_string(i), std::to_string(i));
  EXPECT_LE(log.bytes(), options.recent_bytes + options.latest_bytes);
  auto told = Reader(log).take();
  EXPECT_EQ(told.at(0), "snapshot:{\"complete\":false}");
  EXPECT_EQ(told.back(), "n:999");
  EXPECT_GT(told.size(), 5u);
  log.append("n", "large", std::string(10'000, 'x'));
  EXPECT_THAT(Reader(log, "e-1000").take(), ElementsAre("n:" + std::string(10'000, 'x')))
      << "one event is there, however large";
}

/// What a page knows after the events it was given.
void apply(const Event& e, std::map<std::string, std::string>& known) {
  if (e.event == "snapshot") known.clear();
  if (e.event == "n") known[e.data.substr(0, e.data.find('='))] = e.data;
  if (e.event == "n deleted") known.erase(e.data);
}

TEST(EventLog, EveryClientEndsUpKnowingWhatThereIs) {
  for (std::uint32_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    EventLog log(keeping(1 + random() % 8), "e");
    std::map<std::string, std::string> model;
    struct Page {
      std::map<std::string, std::string> known;
      Cursor cursor;
      std::string id;
    };
    std::vector<Page> pages(4);
    const auto read = [&](Page& page, const std::string& text) {
      for (const Event& e : parse(text)) {
        apply(e, page.known);
        if (!e.id.empty()) page.id = e.id;
      }
    };
    const auto connect = [&](Page& page) {
      std::string hello;
      page.cursor = {};
      log.begin(page.id, page.cursor, hello);
      read(page, hello);
    };
    for (Page& page : pages) connect(page);
    for (int i = 0; i < 300; ++i) {
      const std::string key = "k" + std::to_string(random() % 6);
      if (random() % 4 == 0) {
        log.append("n", key, std::nullopt);
        model.erase(key);
      } else {
        log.append("n", key, key + "=" + std::to_string(i));
        model[key] = key + "=" + std::to_string(i);
      }
      Page& page = pages[random() % pages.size()];
      for (std::size_t n = random() % 20; n > 0; --n) {
        if (const Text text = log.next(page.cursor)) read(page, *text);
      }
      if (random() % 30 == 0) connect(pages[random() % pages.size()]);
      std::uint64_t least = log.newest();
      for (const Page& p : pages) least = std::min(least, p.cursor.seen);
      log.forget_deleted(least);
    }
    for (Page& page : pages) {
      while (const Text text = log.next(page.cursor)) read(page, *text);
      EXPECT_EQ(page.known, model);
    }
  }
}

}  // namespace
}  // namespace slipstream::http::endpoint
