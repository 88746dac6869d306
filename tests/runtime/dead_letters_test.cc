#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "fakes.h"
#include "slipstream/json.h"
#include "waiting.h"

/// What is known of a record that was diverted, enough to look at it and to send it again.
namespace slipstream::test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

struct Order {
  std::string shop;
  double euros = 0;
  EventTime at;
  friend bool operator==(const Order&, const Order&) = default;
};
SLIPSTREAM_FIELDS(Order, shop, euros, at)

const EventTime kNoon = EventTime(std::chrono::hours(12));
const Order kGood{"ams", 5, kNoon};
const Order kBad{"ber", -1, kNoon};
const std::string kBadAsJson = R"({"shop":"ber","euros":-1,"at":"1970-01-01T12:00:00Z"})";

bool is_bad(const Order& o) { return o.euros < 0; }
Order refuse_bad(const Order& o) {
  if (is_bad(o)) throw std::runtime_error("negative");
  return o;
}
std::string key_or_throw(const Order& o) { return refuse_bad(o).shop; }
const auto kNothing = [](const auto&) {};

std::vector<DeadLetter> letters_of(App& app) {
  std::vector<DeadLetter> letters;
  app.dead_letters().sink([&](const DeadLetter& l) { letters.push_back(l); });
  const Ended end = run_to_end(app);
  EXPECT_TRUE(end.status.ok()) << end.status;
  return letters;
}

/// One record, with a key and a header, as a broker would have it.
class OneRecord final : public RawSource {
 public:
  explicit OneRecord(std::string value) : value_(std::move(value)) {}
  std::string name() const override { return "orders"; }
  absl::Status open(const SourceEnv&) override { return absl::OkStatus(); }
  int partition_count() const override { return 1; }
  absl::StatusOr<ReadState> read(int, const ReadLimits&, RawCollector& out) override {
    RawRecord record;
    record.key = "ber";
    record.value = value_;
    record.offset = 42;
    record.timestamp = kNoon;
    record.headers = std::make_shared<const Headers>(Headers{{"trace", "1"}});
    out.add({&record, 1});
    return ReadState::finished;
  }

 private:
  const std::string value_;
};

TEST(DeadLetters, CarryTheBytesOfWhatCanNotBeDecoded) {
  App app;
  app.source(decoded(std::make_shared<OneRecord>("\xff{"), json<Order>()))
      .on_error(ErrorPolicy::dead_letter())
      .sink(kNothing);
  const auto letters = letters_of(app);
  ASSERT_EQ(letters.size(), 1u);
  EXPECT_EQ(letters[0].value, "\xff{");
  EXPECT_EQ(letters[0].key, "ber");
  EXPECT_EQ(letters[0].time, kNoon);
  ASSERT_TRUE(letters[0].headers);
  EXPECT_THAT(*letters[0].headers, ElementsAre(Header{"trace", "1"}));
}

TEST(DeadLetters, CarryTheRecordAsJsonFromEveryOtherNode) {
  using Build = std::function<void(App&, const SourceStream<Order>&)>;
  const ErrorPolicy divert = ErrorPolicy::dead_letter();
  const std::pair<const char*, Build> nodes[] = {
      {"map", [&](App&, auto s) { s.map(refuse_bad).on_error(divert).sink(kNothing); }},
      {"retried map",
       [](App&, auto s) {
         s.map(refuse_bad)
             .on_error(ErrorPolicy::retry(2, 0s, ErrorPolicy::Action::dead_letter))
             .sink(kNothing);
       }},
      {"filter",
       [&](App&, auto s) {
         s.filter([](const Order& o) { return !is_bad(refuse_bad(o)); }).on_error(divert).sink(kNothing);
       }},
      {"flat_map",
       [&](App&, auto s) {
         s.flat_map([](const Order& o) { return std::optional(refuse_bad(o)); })
             .on_error(divert)
             .sink(kNothing);
       }},
      {"count", [&](App&, auto s) { s.key_by(key_or_throw).count("n").on_error(divert).sink(kNothing); }},
      {"window",
       [&](App&, auto s) {
         s.key_by(key_or_throw).window(tumbling(1s)).count("n").on_error(divert).sink(kNothing);
       }},
      {"left side",
       [&](App&, auto s) {
         s.key_by(&Order::shop)
             .as_of_join("join", s.key_by(&Order::shop), {},
                         [](const Order& l, const Order*) { return refuse_bad(l); })
             .on_error(divert)
             .sink(kNothing);
       }},
      {"right side",
       [&](App& app, auto s) {
         app.source(from(std::vector<Order>{}))
             .event_time(&Order::at)
             .key_by(&Order::shop)
             .as_of_join("join", s.key_by(key_or_throw), {}, [](const Order& l, const Order*) { return l; })
             .on_error(divert)
             .sink(kNothing);
       }},
      {"function sink",
       [&](App&, auto s) { s.sink([](const Order& o) { refuse_bad(o); }, {.errors = divert}); }},
      {"encoder",
       [&](App&, auto s) {
         s.sink(encoded(std::make_shared<FakeSink>(FakeSink::Options{}, std::make_shared<Journal>()),
                        json<Order>(), [](const Order& o, std::string& key) { key = key_or_throw(o); }),
                {.errors = divert});
       }},
      {"event time",
       [&](App& app, auto s) {
         s.sink(kNothing);
         app.source(from(std::vector<Order>{kGood, kBad}))
             .event_time([](const Order& o) { return refuse_bad(o).at; })
             .on_error(divert)
             .sink(kNothing);
       }},
  };
  for (const auto& [name, build] : nodes) {
    App app;
    build(app, app.source(from(std::vector<Order>{kGood, kBad, kGood})).event_time(&Order::at));
    const auto letters = letters_of(app);
    ASSERT_EQ(letters.size(), 1u) << name;
    EXPECT_EQ(letters[0].value, kBadAsJson) << name;
    Order again;
    EXPECT_TRUE(json<Order>().make_decoder()(letters[0].value, again).ok()) << name;
    EXPECT_EQ(again, kBad) << name;
  }
}

struct Opaque {
  int n = 0;
};
struct Tree {
  int n = 0;
  std::vector<Tree> kids;
};
SLIPSTREAM_FIELDS(Tree, n, kids)

template <class T>
std::string value_of_a_bad(T record) {
  App app;
  app.source(from(std::vector<T>{std::move(record)}))
      .map([](const T&) -> int { throw std::runtime_error("bad"); })
      .on_error(ErrorPolicy::dead_letter())
      .sink(kNothing);
  const auto letters = letters_of(app);
  return letters.size() == 1 ? letters[0].value : "not one letter";
}

TEST(DeadLetters, CarryWhatJsonCanWrite) {
  EXPECT_EQ(value_of_a_bad(7), "7");
  EXPECT_EQ(value_of_a_bad(std::string("a \"b\"")), R"("a \"b\"")");
  EXPECT_EQ(value_of_a_bad(Keyed<std::string, std::int64_t>{"a", 3}), R"({"key":"a","value":3})");
  EXPECT_EQ(value_of_a_bad(Tree{1, {{2, {}}}}), R"({"n":1,"kids":[{"n":2,"kids":[]}]})");
  EXPECT_EQ(value_of_a_bad(Opaque{7}), "") << "not described";
  EXPECT_EQ(value_of_a_bad(std::string("\xff")), "") << "not text";
  EXPECT_EQ(value_of_a_bad(Order{"ams", std::numeric_limits<double>::quiet_NaN(), kNoon}), "") << "no number";
}

TEST(DeadLetters, HaveWhatIsKnownOfThemAsHeadersInASink) {
  Headers headers;
  std::optional<OutRecord> seen;
  std::string key, value;
  FakeSink::Options options{.name = "dead orders"};
  options.on_offer = [&](std::span<const OutRecord> records) {
    seen = records[0];
    key = *records[0].key;
    value = *records[0].value;
    headers = *records[0].headers;
    return absl::OkStatus();
  };
  App app;
  app.source("orders", decoded(std::make_shared<OneRecord>("{]"), json<Order>()))
      .on_error(ErrorPolicy::dead_letter())
      .sink(kNothing);
  app.dead_letters().sink(encoded(std::make_shared<FakeSink>(options, std::make_shared<Journal>()),
                                  dead_letter_value(),
                                  [](const DeadLetter& l, std::string& k) { k = l.key; }));
  const Ended end = run_to_end(app);
  ASSERT_TRUE(end.status.ok()) << end.status;
  ASSERT_TRUE(seen);
  EXPECT_EQ(key, "ber");
  EXPECT_EQ(value, "{]");
  EXPECT_EQ(seen->timestamp, kNoon);
  ASSERT_EQ(headers.size(), 7u);
  EXPECT_THAT(
      std::vector<Header>(headers.begin(), headers.begin() + 6),
      ElementsAre(Header{"trace", "1"}, Header{"slipstream.node", "orders"},
                  Header{"slipstream.source", "orders"}, Header{"slipstream.partition", "0"},
                  Header{"slipstream.offset", "42"}, Header{"slipstream.time", "1970-01-01T12:00:00Z"}));
  EXPECT_EQ(headers[6], (Header{"slipstream.error", "not JSON at byte 1, near \"]\""}));
}

TEST(DeadLetters, HaveNoTimeHeaderWithoutATime) {
  Headers headers;
  App app;
  app.source("rows", from(std::vector<int>{1}))
      .map([](int) -> int { throw std::runtime_error("bad"); })
      .named("parse")
      .on_error(ErrorPolicy::dead_letter())
      .sink(kNothing);
  app.dead_letters().sink([&](const DeadLetter&, const RecordInfo& info) { headers = *info.headers; });
  ASSERT_TRUE(run_to_end(app).status.ok());
  EXPECT_THAT(headers, ElementsAre(Header{"slipstream.node", "parse"}, Header{"slipstream.source", "rows"},
                                   Header{"slipstream.partition", "0"}, Header{"slipstream.offset", "0"},
                                   Header{"slipstream.error", "bad"}));
}

}  // namespace
}  // namespace slipstream::test
