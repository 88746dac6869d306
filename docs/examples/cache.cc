// Counts kept on disk: they go on where the run before ended.
#include "slipstream/cache.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "slipstream/slipstream.h"

using namespace slipstream;
using namespace std::chrono_literals;

absl::Status count(const std::string& folder) {
  App app;
  app.set("state.dir", folder);
  auto counts = app.cache<std::string, int>("counts");
  app.on(from(std::vector<std::string>{"fish", "phone", "fish"}))
      .handle(
          [counts](const std::string& word) { return std::pair(word, counts.get_or(word, 0).value() + 1); })
      .to(counts);

  const auto updates = app.source("updates", counts.updates());
  app.on(updates).handle([&, n = 0](const CacheUpdate<std::string, int>& u) mutable {
    std::printf("%s is now %d\n", u.key.c_str(), u.value.value());
    if (++n == 3) updates.stop();  // or the run would wait for more
  });

  if (absl::Status s = app.run(); !s.ok()) return s;

  auto all = counts.scan();
  for (const auto& [word, n] : all) std::printf("%s %d\n", word.c_str(), n);
  return all.status();
}

/// The weather at a time: the latest that is not after it.
absl::Status look_back(const std::string& folder) {
  using Key = std::pair<std::string, EventTime>;
  auto weather = Cache<Key, double>::open(folder);
  if (!weather.ok()) return weather.status();
  for (const int hour : {1, 2, 4}) {
    if (absl::Status s = weather->put({"EWR", EventTime(hour * 1h)}, hour * 10.0); !s.ok()) return s;
  }
  auto earlier =
      weather->scan({.from = Key("EWR", EventTime(3h)), .prefix = std::tuple("EWR"), .backwards = true});
  for (const auto& [key, wind] : earlier) {
    std::printf("at 3: wind %.0f\n", wind);
    break;
  }
  return earlier.status();
}

int main() {
  std::string folder = std::filesystem::temp_directory_path() / "slipstream_cache_XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) return 1;
  absl::Status status = count(folder + "/state");
  status.Update(count(folder + "/state"));
  status.Update(look_back(folder + "/weather"));
  std::filesystem::remove_all(folder);
  if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
