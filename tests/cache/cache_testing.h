#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "slipstream/cache.h"

namespace slipstream {

/// A folder that ends with the test.
class TestFolder {
 public:
  TestFolder() {
    std::string path = std::filesystem::temp_directory_path() / "slipstream_cache_XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) std::abort();
    path_ = path;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

template <class K, class V, class... More>
Cache<K, V> open_cache(const std::string& path, const More&... more) {
  auto cache = Cache<K, V>::open(path, more...);
  if (!cache.ok()) {
    ADD_FAILURE() << cache.status();
    std::abort();
  }
  return *std::move(cache);
}

/// All that the scan finds; fails the test when it ends with an error.
template <class Range>
auto all_of(Range range) {
  using Entry = std::remove_cvref_t<decltype(*range.begin())>;
  std::vector<Entry> entries;
  for (const auto& entry : range) entries.push_back(entry);
  EXPECT_TRUE(range.status().ok()) << range.status();
  return entries;
}

/// What an error says; empty for none.
inline std::string text_of(const absl::Status& status) { return std::string(status.message()); }
template <class T>
std::string text_of(const absl::StatusOr<T>& result) {
  return text_of(result.status());
}

}  // namespace slipstream
