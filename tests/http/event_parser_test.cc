#include "connectors/http/event_parser.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace slipstream::http {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

using Events = std::vector<Event>;

struct Parsed {
  Events events;
  std::string last_event_id;
  absl::Status status;
};

/// `cut` says how many bytes come next.
template <class Cut>
Parsed parse(std::string_view bytes, Cut cut, std::size_t max = 1000) {
  EventParser parser(max);
  Parsed parsed;
  while (!bytes.empty() && parsed.status.ok()) {
    const std::string piece(bytes.substr(0, cut()));
    bytes.remove_prefix(piece.size());
    parsed.status = parser.feed(piece, [&](Event e) { parsed.events.push_back(std::move(e)); });
  }
  parsed.last_event_id = parser.last_event_id();
  return parsed;
}
Parsed parse(std::string_view bytes) {
  return parse(bytes, [&] { return bytes.size(); });
}

struct Case {
  const char* name;
  std::string stream;
  Events events;
  std::string last_event_id = "";
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      // The examples of the standard, section 9.2.6.
      {"one block of three data lines",
       "data: YHOO\ndata: +2\ndata: 10\n\n",
       {{"", "message", "YHOO\n+2\n10", {}}}},
      {"a comment, an id, an id without value, and a leading space that stays",
       ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
       {{"1", "message", "first event", {}},
        {"", "message", "second event", {}},
        {"", "message", " third event", {}}}},
      {"empty data, two empty lines of data, and a block that isn't complete",
       "data\n\ndata\ndata\n\ndata:",
       {{"", "message", "", {}}, {"", "message", "\n", {}}}},
      {"a space behind the colon or none is the same",
       "data:test\n\ndata: test\n\n",
       {{"", "message", "test", {}}, {"", "message", "test", {}}}},
      {"custom types",
       "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
       {{"", "add", "73857293", {}}, {"", "remove", "2153", {}}, {"", "add", "113411", {}}}},

      {"nothing", "", {}},
      {"CR", "data: a\rdata: b\r\rdata: c\r\r", {{"", "message", "a\nb", {}}, {"", "message", "c", {}}}},
      {"CRLF",
       "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n",
       {{"", "message", "a\nb", {}}, {"", "message", "c", {}}}},
      {"all line ends mixed",
       "data: a\r\ndata: b\ndata: c\r\n\rdata: d\n\r\n",
       {{"", "message", "a\nb\nc", {}}, {"", "message", "d", {}}}},
      {"one byte order mark at the start is skipped",
       "\xEF\xBB\xBF"
       "data: a\n\n",
       {{"", "message", "a", {}}}},
      {"a second one belongs to the field's name",
       "\xEF\xBB\xBF\xEF\xBB\xBF"
       "data: a\n\ndata: b\n\n",
       {{"", "message", "b", {}}}},
      {"one in the middle belongs to the field's name",
       "data: a\n\xEF\xBB\xBF"
       "data: b\n\n",
       {{"", "message", "a", {}}}},
      {"unknown fields, other cases and spaces before the colon are ignored",
       "Data: x\ndata : y\n data: z\nfoo: bar\ndata: a\n\n",
       {{"", "message", "a", {}}}},
      {"a type without data makes no event and is forgotten",
       "event: e\n\ndata: a\n\n",
       {{"", "message", "a", {}}}},
      {"an empty type is the usual one", "event: e\nevent:\ndata: a\n\n", {{"", "message", "a", {}}}},
      {"the last type counts", "event: e\nevent: f\ndata: a\n\n", {{"", "f", "a", {}}}},
      {"an id stays for later events",
       "id: 7\ndata: a\n\ndata: b\n\n",
       {{"7", "message", "a", {}}, {"7", "message", "b", {}}},
       "7"},
      {"an id without data counts for the next request",
       "data: a\n\nid: 8\n\n",
       {{"", "message", "a", {}}},
       "8"},
      {"an id of a block that isn't complete doesn't",
       "id: 1\ndata: a\n\nid: 2\ndata: b\n",
       {{"1", "message", "a", {}}},
       "1"},
      {"an id with a NUL is ignored",
       "id: 1\ndata: a\n\nid: 2\0x\ndata: b\n\n"s,
       {{"1", "message", "a", {}}, {"1", "message", "b", {}}},
       "1"},
      {"a NUL in data stays", "data: a\0b\n\n"s, {{"", "message", "a\0b"s, {}}}},
      {"retry is digits only",
       "retry: 1000\ndata: a\n\nretry: 5x\ndata: b\n\nretry: -1\ndata: c\n\nretry:\ndata: d\n\nretry: "
       "1.5\ndata: e\n\n",
       {{"", "message", "a", 1000ms},
        {"", "message", "b", {}},
        {"", "message", "c", {}},
        {"", "message", "d", {}},
        {"", "message", "e", {}}}},
      {"retry has one leading space at most",
       "retry:  7\ndata: a\n\nretry:0\ndata: b\n\n",
       {{"", "message", "a", {}}, {"", "message", "b", 0ms}}},
      {"a huge retry is a day",
       "retry: 99999999999999999999999\ndata: a\n\nretry: 86400001\ndata: b\n\n",
       {{"", "message", "a", 24h}, {"", "message", "b", 24h}}},
      {"colons in values stay", "data: a: b: c\n\n", {{"", "message", "a: b: c", {}}}},
      {"what isn't UTF-8 is replaced",
       "data: \xF0\x9F\x98|\xC0\x80|\xED\xA0\x80|\xE2\x82\xAC\xFF\n\n",
       {{"", "message", "\uFFFD|\uFFFD\uFFFD|\uFFFD\uFFFD\uFFFD|\u20AC\uFFFD", {}}}},
  };
  return all;
}

TEST(EventParser, ReadsWhatTheStandardDescribes) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    const Parsed parsed = parse(c.stream);
    EXPECT_EQ(parsed.status, absl::OkStatus());
    EXPECT_EQ(parsed.events, c.events);
    EXPECT_EQ(parsed.last_event_id, c.last_event_id);
  }
}

TEST(EventParser, DoesNotCareWhereTheStreamIsCut) {
  std::mt19937 random(1);
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(parse(c.stream, [] { return 1; }).events, c.events) << "byte by byte";
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(parse(c.stream, [&] { return 1 + random() % 9; }).events, c.events) << "cut " << i;
    }
  }
}

TEST(EventParser, HandsAnEventOverAtItsEmptyLineAndNotLater) {
  Events events;
  EventParser parser(1000);
  const auto feed = [&](std::string_view bytes) {
    ASSERT_EQ(parser.feed(bytes, [&](Event e) { events.push_back(std::move(e)); }), absl::OkStatus());
  };
  feed("data: a\r\n\r");
  EXPECT_EQ(events, (Events{{"", "message", "a", {}}})) << "without waiting for the line feed";
  feed("\ndata: b\n");
  EXPECT_EQ(events.size(), 1u) << "that line feed was no empty line";
  feed("\n");
  EXPECT_EQ(events.size(), 2u);
}

TEST(EventParser, ForgetsAtARestartWhatIsIncomplete) {
  Events events;
  EventParser parser(1000, "first");
  const auto feed = [&](std::string_view bytes) {
    ASSERT_EQ(parser.feed(bytes, [&](Event e) { events.push_back(std::move(e)); }), absl::OkStatus());
  };
  feed("retry: 5\nid: lost\nevent: lost\ndata: lost\ndata: lo");
  parser.restart();
  EXPECT_EQ(parser.last_event_id(), "first");
  EXPECT_EQ(parser.retry(), 5ms) << "what the server said counts at once";
  feed(
      "\xEF\xBB\xBF"
      "data: a\n\n");
  EXPECT_EQ(events, (Events{{"first", "message", "a", {}}}));
}

TEST(EventParser, RefusesLinesAndEventsBeyondTheLimit) {
  const auto status = [](const std::string& stream, std::size_t max) {
    return parse(
               stream, [] { return 7; }, max)
        .status;
  };
  EXPECT_EQ(status("data: 1234\n\n", 10), absl::OkStatus());
  EXPECT_EQ(status("data: 12345\n\n", 10),
            absl::ResourceExhaustedError(
                "a line is longer than 10B; if such events are right, raise max_event_bytes"));
  EXPECT_EQ(status(":" + std::string(11, 'x'), 10).code(), absl::StatusCode::kResourceExhausted)
      << "comments too, and before their end";
  EXPECT_EQ(status("data:1234\ndata:67890\n\n", 10), absl::OkStatus());
  EXPECT_EQ(status("data:1234\ndata:67890\ndata\n\n", 10),
            absl::ResourceExhaustedError(
                "an event is longer than 10B; if such events are right, raise max_event_bytes"));
}

TEST(EventParser, HasNoLimitForTheStreamAsAWhole) {
  std::string stream;
  for (int i = 0; i < 100; ++i) stream += "data: 1234\n\n: 12345678\n";
  EXPECT_EQ(parse(
                stream, [] { return 100; }, 10)
                .events.size(),
            100u);
}

}  // namespace
}  // namespace slipstream::http
