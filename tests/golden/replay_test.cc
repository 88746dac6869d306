#include <gtest/gtest.h>

#define TOML_HEADER_ONLY 0
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "checkpoint_programs.h"
#include "codec_programs.h"
#include "handler_programs.h"
#include "pausing_programs.h"
#include "pipe_programs.h"
#include "synchronization_program.h"
#ifdef SLIPSTREAM_KAFKA
#include "topic_programs.h"
#endif
#ifdef SLIPSTREAM_ROCKSDB
#include "cache_programs.h"
#endif

/// Every file in cases/ is an observed run of the Python package; what ours did is compared with it
/// literally, but for what stands in differences.toml, each with its reason.
namespace slipstream::test {
namespace {

namespace fs = std::filesystem;
const fs::path kFolder = fs::path(SLIPSTREAM_SOURCE_DIR) / "tests/golden";

Programs programs() {
  Programs all;
  for (const Programs& some : {handler_programs(), pipe_programs(), pausing_programs(), checkpoint_programs(),
                               synchronization_programs(), codec_programs()})
    all.insert(some.begin(), some.end());
#ifdef SLIPSTREAM_KAFKA
  const Programs topics = topic_programs();
  all.insert(topics.begin(), topics.end());
#endif
#ifdef SLIPSTREAM_ROCKSDB
  const Programs caches = cache_programs();
  all.insert(caches.begin(), caches.end());
#endif
  return all;
}

/// Whether a case is about Kafka.
[[maybe_unused]] bool is_about_topics(const std::string& name) {
  return name.starts_with("topic_") || name == "conf_merging" || name == "sink_type_error";
}

/// Whether a case is about caches.
[[maybe_unused]] bool is_about_caches(const std::string& name) {
  return name.starts_with("cache_") || name.starts_with("aggregation_") || name == "join_as_of";
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolder / "cases"))
    names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// The recording's log without what is Python's own: names of loggers, classes of exceptions.
std::string log_of(const Case& c) {
  std::string all;
  for (simdjson::dom::element line : c.file["log"].get_array())
    all += (all.empty() ? "" : ",") + object({{"level", json_of(std::string_view(line["level"]))},
                                              {"message", json_of(std::string_view(line["message"]))}});
  return "[" + all + "]";
}

/// By path in `observed`, such as "sink.end.exception" or "rows.3": what ours has there, as JSON; empty:
/// nothing.
std::map<std::string, std::string> differences_of(const std::string& name) {
  std::map<std::string, std::string> found;
  const toml::table file = toml::parse_file((kFolder / "differences.toml").string());
  for (const auto& entry : *file["difference"].as_array()) {
    const toml::table& d = *entry.as_table();
    if (d["file"].value<std::string>() == name)
      found[*d["path"].value<std::string>()] = *d["ours"].value<std::string>();
  }
  return found;
}

class Comparison {
 public:
  explicit Comparison(std::map<std::string, std::string> differences)
      : differences_(std::move(differences)) {}
  void compare(const std::string& path, simdjson::dom::element theirs, simdjson::dom::element ours) {
    if (const auto it = differences_.find(path); it != differences_.end()) {
      used_.insert(path);
      simdjson::dom::parser parser;
      EXPECT_EQ(simdjson::minify(ours), simdjson::minify(parser.parse(it->second)))
          << path << ", as differences.toml has it";
      return;
    }
    if (theirs.is_array() && ours.is_array() &&
        simdjson::dom::array(theirs).size() == simdjson::dom::array(ours).size()) {
      for (std::size_t i = 0; i < simdjson::dom::array(theirs).size(); ++i)
        compare(path + "." + std::to_string(i), theirs.at(i), ours.at(i));
      return;
    }
    if (!theirs.is_object() || !ours.is_object()) {
      EXPECT_EQ(simdjson::minify(ours), simdjson::minify(theirs)) << path;
      return;
    }
    for (const auto& [key, value] : theirs.get_object()) {
      const std::string at = path.empty() ? std::string(key) : path + "." + std::string(key);
      auto mine = ours[key];
      if (mine.error() == simdjson::SUCCESS) {
        compare(at, value, mine.value());
      } else if (differences_.contains(at) && differences_.at(at).empty()) {
        used_.insert(at);
      } else {
        ADD_FAILURE() << "ours has no " << at;
      }
    }
    for (const auto& [key, value] : ours.get_object()) {
      EXPECT_EQ(theirs[key].error(), simdjson::SUCCESS) << "only ours has " << path << "." << key;
    }
  }
  void expect_all_used() const {
    for (const auto& [path, ours] : differences_)
      EXPECT_TRUE(used_.contains(path)) << "a difference without a place: " << path;
  }

 private:
  std::map<std::string, std::string> differences_;
  std::set<std::string> used_;
};

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, HappensHereAsInPython) {
#ifndef SLIPSTREAM_KAFKA
  if (is_about_topics(GetParam())) GTEST_SKIP() << "built without Kafka";
#endif
#ifndef SLIPSTREAM_ROCKSDB
  if (is_about_caches(GetParam())) GTEST_SKIP() << "built without RocksDB";
#endif
  const Programs all = programs();
  const auto program = all.find(GetParam());
  ASSERT_NE(program, all.end()) << "no program for cases/" << GetParam() << ".json";
  simdjson::dom::parser file_parser, our_parser, log_parser, our_log_parser;
  Case c{file_parser.load((kFolder / "cases" / (GetParam() + ".json")).string())};
  for (c.seed = 1; c.seed <= 5; ++c.seed) {
    SCOPED_TRACE("seed " + std::to_string(c.seed));
    c.log = std::make_shared<Lines>();
    const std::string ours = program->second(c);
    simdjson::dom::element observed;
    ASSERT_EQ(our_parser.parse(ours).get(observed), simdjson::SUCCESS) << ours;
    Comparison comparison(differences_of(GetParam()));
    comparison.compare("", c.file["observed"], observed);
    comparison.compare("log", log_parser.parse(log_of(c)), our_log_parser.parse(c.log->json()));
    comparison.expect_all_used();
    if (HasFailure()) break;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, Golden, testing::ValuesIn(case_names()),
                         [](const auto& info) { return info.param; });

TEST(Differences, HaveACaseAndAReason) {
  const auto names = case_names();
  const toml::table file = toml::parse_file((kFolder / "differences.toml").string());
  for (const auto& entry : *file["difference"].as_array()) {
    const toml::table& d = *entry.as_table();
    const std::string name = d["file"].value_or(std::string());
    EXPECT_TRUE(std::find(names.begin(), names.end(), name) != names.end()) << name;
    EXPECT_FALSE(d["reason"].value_or(std::string()).empty()) << name << " " << d["path"];
    EXPECT_TRUE(d["ours"].is_string()) << name << " " << d["path"];
  }
}

// ---------------------------------------------------------------- docs/from-python.md

std::vector<std::string> split(const std::string& text, const std::string& by) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t at; (at = text.find(by, from)) != text.npos; from = at + by.size())
    parts.push_back(text.substr(from, at - from));
  parts.push_back(text.substr(from));
  return parts;
}

/// The rows of the table of differences: code, theirs, ours, why.
std::vector<std::vector<std::string>> documented() {
  std::vector<std::vector<std::string>> rows;
  std::ifstream file(fs::path(SLIPSTREAM_SOURCE_DIR) / "docs/from-python.md");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("| ") || !line.ends_with(" |")) continue;
    rows.push_back(split(line.substr(2, line.size() - 4), " | "));
  }
  return rows;
}

TEST(DocumentedDifferences, EachHaveAReason) {
  const auto rows = documented();
  EXPECT_GT(rows.size(), 40u);
  for (const auto& row : rows) {
    ASSERT_EQ(row.size(), 4u) << row.front();
    EXPECT_FALSE(row.back().empty()) << row.front() << " has no reason";
  }
}

TEST(Differences, NameAQuirkTheLanguageOrADocumentedDifference) {
  std::set<std::string> codes{"as above"};
  for (const auto& row : documented()) {
    for (const std::string& code : split(row.front(), ", ")) codes.insert(code);
  }
  const toml::table file = toml::parse_file((kFolder / "differences.toml").string());
  for (const auto& entry : *file["difference"].as_array()) {
    const std::string reason = (*entry.as_table())["reason"].value_or(std::string());
    if (reason.starts_with("QUIRK") || reason.starts_with("language")) continue;
    for (const std::string& code : split(reason.substr(0, reason.find(": ")), ", "))
      EXPECT_TRUE(codes.contains(code)) << "'" << reason << "' names no difference of docs/from-python.md";
  }
}

}  // namespace
}  // namespace slipstream::test
