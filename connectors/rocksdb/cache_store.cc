#include "slipstream/detail/cache_store.h"

#include <memory>
#include <utility>

#include "connectors/rocksdb/errors.h"
#include "connectors/rocksdb/store.h"
#include "slipstream/cache.h"

namespace slipstream::detail {

absl::Status CacheStore::error(std::string_view key, const absl::Status& what) const {
  return rocks::prefixed(title() + ", key " + ordered_key_text(key), what);
}

StoreOptions store_options(const CacheOptions& options) {
  return {.path = options.path,
          .read_only = options.access == CacheAccess::read_only,
          .secondary = options.access == CacheAccess::secondary,
          .create_if_missing = options.create_if_missing,
          .sync = options.sync,
          .ttl = options.ttl,
          .forget_beyond = options.forgetful ? std::optional(options.forgetful->max_bytes) : std::nullopt,
          .memory_budget = options.memory_budget,
          .rocksdb = options.rocksdb,
          .now = options.now,
          .log = options.log};
}

absl::StatusOr<std::shared_ptr<CacheStore>> make_store(const std::string& name, const StoreOptions& options) {
  auto store = std::make_shared<rocks::Store>(
      name, rocks::kDefaultFamily,
      std::make_shared<rocks::Database>(std::make_shared<rocks::Host>(options.now, options.log)), options);
  if (options.path.empty()) return absl::InvalidArgumentError(store->title() + ": a path is needed");
  if (absl::Status s = rocks::check_options(options); !s.ok()) return rocks::prefixed(store->title(), s);
  return store;
}

}  // namespace slipstream::detail
