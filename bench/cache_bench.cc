#include "slipstream/cache.h"

#include <rocksdb/db.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/suite.h"
#include "bench/workload.h"
#include "connectors/rocksdb/options.h"
#include "slipstream/handler.h"
#include "slipstream/slipstream.h"

/// Putting, getting, scanning and publishing in a cache, beside RocksDB alone with the same options.
namespace slipstream::bench {
namespace {

namespace fs = std::filesystem;
using TextCache = Cache<std::string, std::string>;

constexpr double kTarget = 1 / 1.3;
constexpr std::size_t kBudget = std::size_t{64} << 20;

/// Texts of 16 and 100 characters in no order, and how they are added up.
struct Entries {
  explicit Entries(std::size_t count) : keys(count), values(1024) {
    for (std::size_t i = 0; i < count; ++i) {
      char text[17];
      std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(mix64(i)));
      keys[i] = text;
    }
    for (std::size_t v = 0; v < values.size(); ++v) {
      for (std::size_t i = 0; i < 100; ++i) values[v] += static_cast<char>(' ' + 1 + mix64(v * 100 + i) % 90);
    }
    for (std::size_t i = 0; i < count; ++i) add(keys[i], value(i), all);
  }
  const std::string& value(std::size_t i) const { return values[i % values.size()]; }
  /// The i-th to look for: another order than that of the keys.
  std::size_t nth(std::size_t i) const { return (i * 1'000'003) % keys.size(); }
  static void add(std::string_view key, std::string_view value, Answer& answer) {
    ++answer.count;
    answer.checksum +=
        static_cast<unsigned char>(key[15]) * static_cast<std::uint64_t>(value[value.size() / 2]);
  }
  std::vector<std::string> keys, values;
  Answer all;
};

std::string new_folder() {
  std::string path = fs::temp_directory_path() / "slipstream_bench_XXXXXX";
  if (::mkdtemp(path.data()) == nullptr) throw std::runtime_error("can't make " + path);
  return path;
}
/// A folder that ends with the scope.
struct Folder {
  const std::string path = new_folder();
  ~Folder() { fs::remove_all(path); }
};

void check_ok(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

/// RocksDB as a cache has it, without what a cache adds.
class Bare {
 public:
  explicit Bare(const std::string& path) : memory_(std::make_shared<const rocks::Memory>(kBudget)) {
    detail::StoreOptions options;
    options.path = path;
    options.memory_budget = kBudget;
    auto family = rocks::family_options(options, *memory_, std::make_shared<rocks::Host>(), {}).value();
    family.compaction_filter_factory = nullptr;  // it looks for expiry times, which these values don't have
    const rocksdb::Options all(rocks::database_options(options, *memory_).value(), family);
    rocksdb::DB* db = nullptr;
    check_ok(rocksdb::DB::Open(all, path, &db));
    db_.reset(db);
  }
  rocksdb::DB& operator*() const { return *db_; }
  rocksdb::DB* operator->() const { return db_.get(); }

 private:
  const std::shared_ptr<const rocks::Memory> memory_;
  std::unique_ptr<rocksdb::DB> db_;
};
TextCache open_cache(const std::string& path) {
  return TextCache::open(path, {.memory_budget = kBudget}).value();
}

Answer scan(const Bare& db) {
  Answer answer;
  const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator({}));
  for (it->SeekToFirst(); it->Valid(); it->Next())
    Entries::add(it->key().ToStringView(), it->value().ToStringView(), answer);
  check_ok(it->status());
  return answer;
}
Answer scan(const TextCache& cache) {
  Answer answer;
  auto all = cache.scan();
  for (const auto& [key, value] : all) Entries::add(key, value, answer);
  bench::check_ok(all.status());
  return answer;
}

/// Puts everything with put(db, i) into a database that is opened for it; what is there is looked at then.
template <class Open, class Put>
Work putting(const Entries& entries, Open open, Put put) {
  return [&entries, open, put] {
    const Folder folder;
    auto db = open(folder.path);
    Pass pass = timed([&] {
      for (std::size_t i = 0; i < entries.keys.size(); ++i) put(db, i);
      return Answer{};
    });
    pass.answer = scan(db);
    return pass;
  };
}
/// Looks for everything with get(i, value).
template <class Get>
Work getting(const Entries& entries, Get get) {
  return [&entries, get] {
    return timed([&] {
      Answer answer;
      for (std::size_t i = 0; i < entries.keys.size(); ++i) {
        const std::size_t n = entries.nth(i);
        get(entries.keys[n], answer);
      }
      return answer;
    });
  };
}

/// A handler writes everything to the cache, another one listens until it has had it all.
Pass publish(const Entries& entries) {
  const Folder folder;
  const auto cache = open_cache(folder.path);
  App app;
  app.on(generate([i = std::size_t{0}, n = entries.keys.size()]() mutable {
       return i < n ? std::optional(i++) : std::nullopt;
     }))
      .handle([&](std::size_t i) { return std::pair(entries.keys[i], entries.value(i)); })
      .to(cache);
  Answer heard;
  const auto updates = app.source("updates", cache.updates());
  app.on(updates).handle([&](const CacheUpdate<std::string, std::string>& update) {
    Entries::add(update.key, *update.value, heard);
    if (heard.count == entries.keys.size()) updates.stop();
  });
  return timed([&] {
    bench::check_ok(app.run());
    return heard;
  });
}

double resident() {
  std::ifstream in("/proc/self/statm");
  double pages = 0;
  in >> pages >> pages;
  return pages * 4096;
}

/// What a cache of twice its budget takes while it is written and read. Throws when RocksDB itself counts
/// more than the budget.
void report_memory(Suite& suite, const Entries& entries) {
  const Folder folder;
  const double before = resident();
  const auto cache = open_cache(folder.path);
  double counted = 0;
  const auto look = [&] {
    counted = std::max(counted, std::stod(cache.property("rocksdb.block-cache-usage").value()));
  };
  for (std::size_t i = 0; i < entries.keys.size(); ++i) {
    bench::check_ok(cache.put(entries.keys[i], entries.value(i)));
    if (i % 10'000 == 0) look();
  }
  for (std::size_t i = 0; i < entries.keys.size(); ++i) {
    bench::check_ok(cache.get(entries.keys[entries.nth(i)]).status());
    if (i % 10'000 == 0) look();
  }
  const double budget = static_cast<double>(kBudget);
  if (counted > budget)
    throw std::runtime_error("the cache counts " + std::to_string(counted) + " bytes of blocks and writes");
  suite.report({"cache: blocks and writes, of a budget of 64", counted / (1 << 20), "MiB"});
  suite.report({"cache: growth of the process", (resident() - before) / (1 << 20), "MiB"});
}

void run(Suite& suite) {
  const Entries entries(suite.size<std::size_t>(1'000'000, 2'000));
  const auto items = static_cast<double>(entries.keys.size());
  report_memory(suite, entries);

  const auto open_bare = [](const std::string& path) { return Bare(path); };
  const Work bare_puts = putting(entries, open_bare, [&](const Bare& db, std::size_t i) {
    check_ok(db->Put({}, entries.keys[i], entries.value(i)));
  });
  const Work puts = putting(entries, open_cache, [&](const TextCache& cache, std::size_t i) {
    bench::check_ok(cache.put(entries.keys[i], entries.value(i)));
  });
  suite.compare({"cache put", items, puts, bare_puts, entries.all, kTarget});
  suite.compare({"cache write, publish, listen", items, [&] { return publish(entries); }, bare_puts,
                 entries.all, kTarget});

  const Folder bare_folder, folder;
  const Bare bare(bare_folder.path);
  const TextCache cache = open_cache(folder.path);
  for (std::size_t i = 0; i < entries.keys.size(); ++i) {
    check_ok(bare->Put({}, entries.keys[i], entries.value(i)));
    bench::check_ok(cache.put(entries.keys[i], entries.value(i)));
  }
  check_ok(bare->CompactRange({}, nullptr, nullptr));
  bench::check_ok(cache.compact());
  const Work bare_gets = getting(entries, [&](const std::string& key, Answer& answer) {
    rocksdb::PinnableSlice value;
    check_ok(bare->Get({}, bare->DefaultColumnFamily(), key, &value));
    Entries::add(key, value.ToStringView(), answer);
  });
  const Work gets = getting(entries, [&](const std::string& key, Answer& answer) {
    Entries::add(key, cache.get(key).value().value(), answer);
  });
  suite.compare({"cache get", items, gets, bare_gets, entries.all, kTarget});
  suite.compare({"cache scan", items, [&] { return timed([&] { return scan(cache); }); },
                 [&] { return timed([&] { return scan(bare); }); }, entries.all, kTarget});
}

const Registered cache_bench("cache", run);

}  // namespace
}  // namespace slipstream::bench
