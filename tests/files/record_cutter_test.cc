#include "connectors/file/record_cutter.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

namespace slipstream::file {
namespace {

using Rows = std::vector<std::pair<std::int64_t, std::string>>;

/// Feeds `content` in the given pieces.
Rows cut(const std::string& content, Cut how, const std::vector<std::size_t>& pieces,
         RecordCutter::Next& stopped_by) {
  RecordCutter cutter(how, {}, 1000);
  Rows rows;
  RecordCutter::Record record;
  std::size_t at = 0;
  for (std::size_t i = 0;; ++i) {
    while ((stopped_by = cutter.next(record)) == RecordCutter::Next::record)
      rows.emplace_back(record.line, record.bytes);
    if (stopped_by != RecordCutter::Next::starved || cutter.ended()) return rows;
    if (at == content.size()) {
      cutter.end();
      continue;
    }
    const std::size_t n = std::min(pieces[i % pieces.size()], content.size() - at);
    std::memcpy(cutter.room().data(), content.data() + at, n);
    cutter.filled(n);
    at += n;
  }
}

TEST(RecordCutter, GivesTheSameRecordsHoweverTheBytesArrive) {
  for (std::uint32_t seed = 0; seed < 2000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::string content;
    for (std::size_t n = random() % 80; n > 0; --n) content += "a,\"\"\r\n\n\xEF\xBB\xBF"[random() % 10];
    const Cut how = static_cast<Cut>(random() % 3);
    RecordCutter::Next whole_stop;
    RecordCutter::Next pieces_stop;
    const Rows whole = cut(content, how, {content.size()}, whole_stop);
    const Rows pieces = cut(content, how, {1 + random() % 3, 1 + random() % 9, 1}, pieces_stop);
    ASSERT_EQ(whole, pieces) << testing::PrintToString(content);
    ASSERT_EQ(whole_stop, pieces_stop);
  }
}

TEST(RecordCutter, HoldsNoMoreThanTheLimitAndItsRoom) {
  RecordCutter cutter(Cut::lines, {}, 1000);
  RecordCutter::Record record;
  for (int i = 0;; ++i) {
    ASSERT_LT(i, 2) << "a line without an end is refused as soon as it is too long";
    const std::span<char> room = cutter.room();
    std::memset(room.data(), 'x', 600);
    cutter.filled(600);
    if (cutter.next(record) == RecordCutter::Next::too_long) break;
  }
  EXPECT_EQ(cutter.line(), 1);
}

}  // namespace
}  // namespace slipstream::file
