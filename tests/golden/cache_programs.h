#pragma once
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <random>
#include <variant>

#include "checkpoint_programs.h"
#include "replay.h"
#include "slipstream/cache.h"
#include "slipstream/json.h"

/// Caches: by hand, behind handlers, as a source, and what the cookbook keeps in them.
namespace slipstream::test {

using namespace std::chrono_literals;

/// A folder that ends with the program.
class Folder {
 public:
  Folder() {
    std::string path = std::filesystem::temp_directory_path() / "slipstream_golden_XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    path_ = path;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  template <class K, class V, class... Codec>
  Cache<K, V> open(const std::string& name = "cache", const Codec&... codec) const {
    return Cache<K, V>::open(path_ + "/" + name, codec...).value();
  }
  /// What a Status says, without where the folder is.
  std::string raises(const absl::Status& status) const {
    std::string message(status.message());
    for (std::size_t at; (at = message.find(path_)) != message.npos;)
      message.replace(at, path_.size(), "FOLDER");
    return object({{"raises", object({{"message", json_of(message)}})}});
  }

 private:
  std::string path_;
};

inline std::string returns(const std::string& json) { return object({{"returns", json}}); }

/// [key, value] of all that a scan finds, or the keys or values alone.
enum class Part { items, keys, values };
template <class Range>
std::string list_of(Range range, Part part = Part::items) {
  std::string all;
  for (const auto& [key, value] : range) {
    const std::string one = part == Part::keys     ? json_of(key)
                            : part == Part::values ? json_of(value)
                                                   : "[" + json_of(key) + "," + json_of(value) + "]";
    all += (all.empty() ? "" : ",") + one;
  }
  EXPECT_TRUE(range.status().ok()) << range.status();
  return "[" + all + "]";
}

// ---------------------------------------------------------------- by hand

/// Values of any type, as their JSON.
struct AnyJson {
  std::string text;
};
inline std::string json_of(const AnyJson& value) { return value.text; }
inline std::string json_of(const Entity<AnyJson>& columns) {
  std::vector<std::pair<std::string, AnyJson>> pairs(columns.begin(), columns.end());
  return json_of(pairs);
}
inline Codec<AnyJson> any_json() {
  return {.name = "any JSON",
          .make_decoder =
              [] {
                return [](std::string_view bytes, AnyJson& out) {
                  out.text = bytes;
                  return absl::OkStatus();
                };
              },
          .make_encoder =
              [] {
                return [](const AnyJson& value, std::string& out) {
                  out = value.text;
                  return absl::OkStatus();
                };
              }};
}
inline std::string or_null(const std::optional<AnyJson>& value) { return value ? value->text : "null"; }

inline std::string cache_basics(const Case&) {
  const Folder folder;
  std::vector<std::pair<std::string, std::string>> o;
  const auto note = [&](std::string name, std::string json) {
    o.emplace_back(std::move(name), std::move(json));
  };
  const auto list = [](const std::vector<std::optional<AnyJson>>& values, const std::string& missing) {
    std::string all;
    for (const auto& value : values) all += (all.empty() ? "" : ",") + (value ? value->text : missing);
    return "[" + all + "]";
  };
  const auto cache = folder.open<std::string, AnyJson>("cache", any_json());
  const auto get = [&](const std::string& key) { return or_null(cache.get(key).value()); };
  const auto contains = [&](const std::string& key) {
    return cache.contains(key).value() ? "true" : "false";
  };
  const auto put = [&](const std::string& key, std::string json) {
    EXPECT_TRUE(cache.put(key, {std::move(json)}).ok());
  };

  note("missing", returns(get("missing")));
  note("get_default", returns(cache.get_or("missing", {"7"}).value().text));
  note("get_no_default", returns(get("missing")));
  put("a", "1");
  note("contains", std::string("[") + contains("a") + "," + contains("missing") + "]");
  put("b", R"({"x":[1,2.5,null,true,"é"]})");
  note("value_roundtrip", get("b"));
  put("c", "\"three\"");
  note("list_of_keys", returns(list(cache.get_many({"a", "missing", "c"}).value(), "null")));
  note("get_list_default", returns(list(cache.get_many({"a", "missing"}).value(), "0")));
  EXPECT_TRUE(cache.remove("a").ok());
  note("after_delete", "[" + get("a") + "," + contains("a") + "]");
  EXPECT_TRUE(cache.remove("a").ok());
  note("delete_missing", returns("null"));
  put("b", "9");
  note("put", get("b"));
  EXPECT_TRUE(cache.remove_range("a", "c").ok());
  note("after_delete_range_a_to_c_excl", list_of(cache.scan()));
  put("n", "null");
  note("null_value", returns(get("n")));
  note("null_value_contains", std::string("[") + contains("n") + "," + get("n") + "]");
  EXPECT_TRUE(cache.put_entity("e", {{"p", {"1"}}, {"q", {"\"two\""}}}).ok());
  note("entity", returns(json_of(cache.get_entity("e").value().value())));
  note("entity_missing", returns(cache.get_entity("missing").value() ? "{}" : "null"));
  note("columns", returns(list_of(cache.entities(), Part::values)));
  note("entities", returns(list_of(cache.entities())));
  EXPECT_TRUE(cache.close().ok());
  note("set_after_close", folder.raises(cache.put("a", {"1"})));
  note("get_after_close", folder.raises(cache.get("a").status()));
  return object(o);
}

/// Once: what happens doesn't depend on the seed.
inline std::string cache_forgets_old_keys(const Case&) {
  static const std::string observed = [] {
    const Folder folder;
    const auto cache = folder.open<std::string, std::string>("cache", bytes());
    std::mt19937 random(1);
    std::string value(1000, ' ');
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(cache.put("keep" + std::to_string(i), "kept").ok());
    for (int i = 0; i < 60'000; ++i) {
      for (char& c : value) c = static_cast<char>(random());
      EXPECT_TRUE(cache.put("k" + std::to_string(i), value).ok());
    }
    EXPECT_TRUE(cache.flush().ok());
    EXPECT_TRUE(cache.compact().ok());
    int kept = 0, later = 0;
    for (const std::string& key : cache.keys()) ++(key.starts_with("keep") ? kept : later);
    return object({{"of_the_first_100_keys_left", json_of(kept)},
                   {"of_the_60000_later_keys_all_left", later == 60'000 ? "true" : "false"}});
  }();
  return observed;
}

using MixedKey = std::variant<Bytes, std::string, std::int64_t, double, bool>;

inline MixedKey mixed_key(simdjson::dom::element typed) {
  const std::string_view type = typed.at(0);
  const simdjson::dom::element value = typed.at(1);
  if (type == "int") return std::int64_t(value);
  if (type == "float") return double(value);
  if (type == "bool") return bool(value);
  if (type == "str") return std::string(std::string_view(value));
  std::string_view text;
  if (value["$bytes"].get(text) == simdjson::SUCCESS) return Bytes{std::string(text)};
  return Bytes{std::string(
      1, static_cast<char>(std::stoi(std::string(std::string_view(value["$bytes_hex"])), nullptr, 16)))};
}
inline std::string typed_json(const MixedKey& key) {
  struct {
    std::string operator()(const Bytes& b) const {
      const bool is_text = static_cast<unsigned char>(b.data.front()) < 0x80;
      return "\"bytes\"," +
             object({{is_text ? "$bytes" : "$bytes_hex", is_text ? json_of(b.data) : "\"ff\""}});
    }
    std::string operator()(const std::string& s) const { return "\"str\"," + json_of(s); }
    std::string operator()(std::int64_t n) const { return "\"int\"," + json_of(n); }
    std::string operator()(double d) const { return "\"float\"," + json_of(d); }
    std::string operator()(bool b) const { return std::string("\"bool\",") + (b ? "true" : "false"); }
  } const write;
  return "[" + std::visit(write, key) + "]";
}
template <class K>
std::string in_order(const Folder& folder, const std::string& name, const std::vector<K>& keys) {
  const auto cache = folder.open<K, int>(name);
  for (const K& key : keys) EXPECT_TRUE(cache.put(key, 0).ok());
  return list_of(cache.scan(), Part::keys);
}

inline std::string cache_key_order(const Case& c) {
  const Folder folder;
  const auto cache = folder.open<MixedKey, int>();
  int written = 0;
  for (auto key : c.file["input"]["keys_in_write_order"].get_array())
    EXPECT_TRUE(cache.put(mixed_key(key), written++).ok());
  std::vector<MixedKey> forwards, backwards;
  std::string in_order_of_all;
  for (const MixedKey& key : cache.keys()) {
    forwards.push_back(key);
    in_order_of_all += (in_order_of_all.empty() ? "" : ",") + typed_json(key);
  }
  for (const MixedKey& key : cache.keys({.backwards = true})) backwards.push_back(key);
  const bool is_reverse = std::equal(forwards.begin(), forwards.end(), backwards.rbegin(), backwards.rend());
  const auto stored = static_cast<int>(forwards.size());

  EXPECT_TRUE(cache.put(std::int64_t{10}, 10).ok());
  EXPECT_TRUE(cache.put(10.0, 17).ok());
  const std::vector<int> two{cache.get(std::int64_t{10}).value().value(), cache.get(10.0).value().value()};
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  return object({{"keys_forwards", "[" + in_order_of_all + "]"},
                 {"keys_backwards_is_reverse", is_reverse ? "true" : "false"},
                 {"n_written", json_of(written)},
                 {"n_stored", json_of(stored)},
                 {"ints_negative_and_positive",
                  in_order<std::int64_t>(folder, "integers", {5, -5, 0, 1000, -1000, kMax, -kMax - 1})},
                 {"floats", in_order<double>(folder, "floats", {1.0, -1.0, 0.5, 1e300, -1e300, 1e-300})},
                 {"int_and_equal_float_are_two_keys", json_of(two)}});
}

inline std::string cache_mutation_while_iterating(const Case&) {
  const Folder folder;
  const auto cache = folder.open<std::string, int>();
  for (const char* key : {"a", "b", "c"}) EXPECT_TRUE(cache.put(key, 1).ok());
  auto before = cache.scan();
  auto it = before.begin();
  std::vector<std::pair<std::string, int>> seen{*it};
  EXPECT_TRUE(cache.put("bb", 2).ok() && cache.put("b", 3).ok() && cache.remove("c").ok());
  while (++it != before.end()) seen.push_back(*it);
  return object({{"iteration_started_before", json_of(seen)}, {"fresh_iteration", list_of(cache.scan())}});
}

/// A recorded query as a scan.
template <class K, class Read>
Scan<K> scan_of(simdjson::dom::element query, const Read& read) {
  Scan<K> scan;
  simdjson::dom::element given;
  if (query["from_key"].get(given) == simdjson::SUCCESS) scan.from = read(given);
  if (query["backwards"].get(given) == simdjson::SUCCESS) scan.backwards = bool(given);
  if constexpr (std::same_as<K, std::string>) {
    if (query["prefix"].get(given) == simdjson::SUCCESS) scan.prefix = read(given);
  }
  return scan;
}

inline std::string cache_range_and_prefix(const Case& c) {
  const Folder folder;
  const auto texts = folder.open<std::string, int>("texts");
  const auto numbers = folder.open<int, int>("numbers");
  const auto keys = c.texts("string_keys");
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_TRUE(texts.put(keys[i], static_cast<int>(i)).ok());
  for (const int n : c.numbers("integer_keys")) EXPECT_TRUE(numbers.put(n, n).ok());
  std::string text_rows, number_rows;
  for (auto row : c.file["observed"]["strings"].get_array()) {
    const auto scan = scan_of<std::string>(
        row["query"], [](simdjson::dom::element e) { return std::string(std::string_view(e)); });
    text_rows += (text_rows.empty() ? "" : ",") + object({{"query", simdjson::minify(row["query"].value())},
                                                          {"keys", list_of(texts.scan(scan), Part::keys)},
                                                          {"values", list_of(texts.scan(scan), Part::values)},
                                                          {"items", list_of(texts.scan(scan))}});
  }
  for (auto row : c.file["observed"]["integers"].get_array()) {
    const auto read = [](simdjson::dom::element e) { return static_cast<int>(std::int64_t(e)); };
    const bool has_prefix = row["query"]["prefix"].error() == simdjson::SUCCESS;
    number_rows +=
        (number_rows.empty() ? "" : ",") +
        object({{"query", simdjson::minify(row["query"].value())},
                {"keys",
                 has_prefix ? "null" : list_of(numbers.scan(scan_of<int>(row["query"], read)), Part::keys)}});
  }
  return object({{"prefix_supported", "true"},
                 {"strings", "[" + text_rows + "]"},
                 {"integers", "[" + number_rows + "]"}});
}

// ---------------------------------------------------------------- behind handlers

/// Counts messages in a cache.
inline auto counting(const Cache<std::string, int>& counts) {
  return [counts](const std::string& m) { return std::pair(m, counts.get_or(m, 0).value() + 1); };
}

inline std::string cache_sink(const Case& c) {
  const Folder folder;
  Replay r(c);
  const auto counts = folder.open<std::string, int>();
  r.app.on(from(c.texts())).handle(counting(counts)).to(counts, r.sink("print"));
  const std::string end = r.run();
  const std::string items = list_of(counts.scan());
  EXPECT_TRUE(counts.close().ok());
  return object({{"end", end},
                 {"trace", r.trace()},
                 {"items_in_key_order", items},
                 {"after_reopen", list_of(folder.open<std::string, int>().scan())}});
}

inline std::string cache_as_source(const Case& c) {
  const Folder folder;
  Replay r(c);
  const auto cache = folder.open<std::string, int>();
  std::vector<std::pair<std::string, int>> messages;
  for (auto m : c.file["input"]["messages"].get_array())
    messages.emplace_back(std::string_view(m.at(0)), static_cast<int>(std::int64_t(m.at(1))));
  r.app.on(from(every(10ms, messages)))
      .handle([cache](const std::pair<std::string, int>& m) {
        EXPECT_TRUE(cache.put("silent", m.second).ok());
        return m;
      })
      .to(cache);
  r.app.on(cache)
      .handle([](const CacheUpdate<std::string, int>& m) { return std::pair(m.key, m.value.value()); })
      .to(r.sink("print"));
  const std::string end = r.run(500ms);
  return object({{"end", end}, {"trace", r.trace()}, {"items", list_of(cache.scan())}});
}

// ---------------------------------------------------------------- aggregations and joins

inline std::string aggregation_fold(const Case& c) {
  const Folder folder;
  Replay r(c);
  const auto counts = folder.open<std::string, int>();
  r.app.on(from(c.texts())).handle(counting(counts)).to(counts, r.sink("update"));
  const std::string end = r.run();
  Counts all;
  for (const auto& [key, n] : counts.scan()) all[key] = n;
  return object({{"end", end}, {"trace", r.trace()}, {"cache", json_of(all)}});
}

struct EmojiAt {
  std::string emoji;
  double at = 0;
};
SLIPSTREAM_FIELDS(EmojiAt, emoji, at)

inline std::vector<EmojiAt> emojis(const Case& c) {
  std::vector<EmojiAt> all;
  for (auto e : c.file["input"]["events"].get_array())
    all.push_back({std::string(std::string_view(e.at(0))), double(e.at(1))});
  return all;
}
inline Counts counts_of(const std::vector<EmojiAt>& events) {
  Counts counts;
  for (const EmojiAt& e : events) ++counts[e.emoji];
  return counts;
}

inline std::string aggregation_sliding(const Case& c) {
  const Folder folder;
  Replay r(c);
  const auto recent = folder.open<std::string, std::vector<EmojiAt>>();
  r.app.on(from(emojis(c)))
      .handle([recent](const EmojiAt& e) {
        std::vector<EmojiAt> events = recent.get_or("events", {}).value();
        events.push_back(e);
        std::erase_if(events, [&](const EmojiAt& old) { return e.at - old.at > 3.0; });
        EXPECT_TRUE(recent.put("events", events).ok());
        return "[" + json_of(e.at) + "," + json_of(counts_of(events)) + "]";
      })
      .to([&](const std::string& json) { r.note_json("sink:print", json); });
  return r.observed();
}

inline std::string aggregation_tumbling(const Case& c) {
  const Folder folder;
  Replay r(c);
  const auto windows = folder.open<double, Counts>();
  r.app.on(from(emojis(c)))
      .handle([windows](const EmojiAt& e) -> Generator<std::pair<double, Counts>> {
        for (const auto& [start, counts] : windows.scan()) {
          if (start + 2.0 > e.at) break;
          co_yield std::pair(start, counts);
          EXPECT_TRUE(windows.remove(start).ok());
        }
        const double start = std::floor(e.at / 2.0) * 2.0;
        Counts counts = windows.get_or(start, {}).value();
        ++counts[e.emoji];
        EXPECT_TRUE(windows.put(start, counts).ok());
      })
      .to([&](const std::pair<double, Counts>& window) {
        r.note_json("sink:print", "[" + json_of(window.first) + "," + json_of(window.first + 2.0) + "," +
                                      json_of(window.second) + "]");
      });
  const std::string end = r.run();
  return object({{"end", end}, {"trace", r.trace()}, {"left_open", list_of(windows.scan())}});
}

inline std::vector<std::pair<EventTime, std::string>> told_at(simdjson::dom::element rows) {
  std::vector<std::pair<EventTime, std::string>> all;
  for (auto row : rows.get_array())
    all.emplace_back(time_of(std::string_view(row.at(0)["$datetime"])), std::string_view(row.at(1)));
  return all;
}
inline double posix(EventTime t) { return static_cast<double>(t.time_since_epoch() / 1s); }

/// Each a moment behind its tick, so that what happens at the same tick elsewhere is there.
template <class T>
AsyncGenerator<T> just_after_every(Duration pause, std::vector<T> values) {
  co_await sleep(1ms);
  for (T& value : values) {
    co_await sleep(pause);
    co_yield std::move(value);
  }
}

inline std::string join_as_of(const Case& c) {
  using Told = std::pair<EventTime, std::string>;
  const auto joined = [&](const char* name, bool weather_is_known) {
    const Folder folder;
    Replay r(c);
    const auto recorded = c.file["observed"][name];
    const auto weather = folder.open<double, std::string>();
    const auto reports = told_at(c.file["input"]["weather"]);
    r.app.on(weather_is_known ? from(reports) : from(every(10ms, reports)))
        .handle([](const Told& w) { return std::pair(posix(w.first), w.second); })
        .to(weather);
    r.app.on(from(just_after_every(weather_is_known ? 20ms : 10ms, told_at(recorded["activities"]))))
        .handle([weather](const Told& a) {
          for (const auto& [time, w] : weather.scan({.from = posix(a.first), .backwards = true}))
            return json_of("The weather during " + a.second + " was " + w);
          return json_of(std::pair<std::string_view, std::string_view>(a.second, "?"));
        })
        .to([&](const std::string& json) { r.note_json("sink:print", json); });
    const std::string end = r.run();
    std::vector<std::pair<std::string, std::string>> all;
    for (const char* given : {"activities", "weather_delay_s", "activity_delay_s"})
      all.emplace_back(given, simdjson::minify(recorded[given].value()));
    all.emplace_back("end", end);
    all.emplace_back("trace", r.trace());
    all.emplace_back("cache_keys", list_of(weather.scan(), Part::keys));
    return object(all);
  };
  return object({{"cookbook", joined("cookbook", false)}, {"weather_first", joined("weather_first", true)}});
}

inline Programs cache_programs() {
  return {{"cache_as_source", cache_as_source},
          {"cache_basics", cache_basics},
          {"cache_forgets_old_keys", cache_forgets_old_keys},
          {"cache_key_order", cache_key_order},
          {"cache_mutation_while_iterating", cache_mutation_while_iterating},
          {"cache_range_and_prefix", cache_range_and_prefix},
          {"cache_sink", cache_sink},
          {"aggregation_fold", aggregation_fold},
          {"aggregation_sliding", aggregation_sliding},
          {"aggregation_tumbling", aggregation_tumbling},
          {"join_as_of", join_as_of}};
}

}  // namespace slipstream::test
