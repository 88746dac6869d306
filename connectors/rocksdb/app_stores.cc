#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "connectors/rocksdb/errors.h"
#include "connectors/rocksdb/store.h"
#include "slipstream/config.h"
#include "slipstream/detail/cache_store.h"
#include "slipstream/detail/graph.h"

namespace slipstream::rocks {
namespace {

/// The caches of an App: column families of its database, and databases of their own. They stay open when the
/// run has ended, so that the program can look at what it has made, until the App is destroyed.
class AppStores final : public detail::RunPart {
 public:
  AppStores() = default;
  ~AppStores() override {
    for (const auto& store : all_) store->close().IgnoreError();
  }
  AppStores(const AppStores&) = delete;

  std::shared_ptr<Store> add(const std::string& name, const detail::StoreOptions& options) {
    const bool has_own = !options.path.empty();
    const auto host = std::make_shared<Host>(options.now, options.log);
    auto store = std::make_shared<Store>(name, has_own ? kDefaultFamily : name,
                                         has_own ? std::make_shared<Database>(host) : shared_, options);
    keep(check(*store, name, has_own));
    if (has_own) hosts_.push_back(host);
    all_.push_back(store);
    return store;
  }

  absl::Status open(const detail::RunEnv& env) override {
    if (!mistake_.ok()) return mistake_;
    const LogHook log = [log = env.log](LogLevel level, std::string_view, std::string_view message) {
      log(level, message);
    };
    for (const auto& host : hosts_) host->lend(env.now, log);
    const auto memory = std::make_shared<const Memory>(env.config->state.memory_budget);
    if (absl::Status s = open_shared(env.config->state.dir, memory); !s.ok()) return s;
    for (const auto& store : all_) {
      if (store->database() == shared_) continue;
      if (absl::Status s = store->open_with(memory); !s.ok()) return s;
    }
    return absl::OkStatus();
  }
  void close() override {
    for (const auto& host : hosts_) host->lend({}, {});
  }

 private:
  void keep(absl::Status mistake) {
    if (mistake_.ok()) mistake_ = std::move(mistake);
  }
  absl::Status check(const Store& store, const std::string& name, bool has_own) {
    if (absl::Status s = check_name("a cache", name); !s.ok()) return s;
    if (!has_own && name == kDefaultFamily)
      return absl::InvalidArgumentError("a cache of the App's database can't be called 'default'");
    if (!names_.insert(name).second)
      return absl::InvalidArgumentError(store.title() +
                                        " is there twice in this App; copy the handle of the first instead");
    if (!has_own && (store.options().now || store.options().log))
      return absl::InvalidArgumentError(store.title() + ": options.now and log are for a cache with a path");
    const auto& options = store.options();
    return prefixed(store.title(), has_own ? check_options(options) : check_family_options(options));
  }

  absl::Status open_shared(const std::string& folder, const std::shared_ptr<const Memory>& memory) {
    std::map<std::string, detail::StoreOptions> families;
    std::string first;
    for (const auto& store : all_) {
      if (store->database() != shared_) continue;
      if (first.empty()) first = store->title();
      families[store->root()] = store->options();
    }
    if (families.empty()) return absl::OkStatus();
    if (folder.empty()) {
      return absl::InvalidArgumentError(
          first +
          " needs a place: set state.dir (--set state.dir=FOLDER, or app.set(\"state.dir\", …)), or give "
          "it a path of its own");
    }
    detail::StoreOptions options;
    options.path = folder + "/db";
    if (absl::Status s = shared_->open(options, memory, families); !s.ok())
      return prefixed(families.size() == 1 ? first : first + " and others", s);
    for (const auto& store : all_) {
      if (store->database() != shared_) continue;
      if (absl::Status s = store->attach(); !s.ok()) return s;
    }
    return absl::OkStatus();
  }

  const std::shared_ptr<Host> shared_host_ = std::make_shared<Host>();
  const std::shared_ptr<Database> shared_ = std::make_shared<Database>(shared_host_);
  std::vector<std::shared_ptr<Host>> hosts_{shared_host_};
  std::vector<std::shared_ptr<Store>> all_;
  std::set<std::string> names_;
  absl::Status mistake_;  ///< the first of the program's
};

}  // namespace
}  // namespace slipstream::rocks

namespace slipstream::detail {

std::shared_ptr<CacheStore> add_app_store(Graph& graph, const std::string& name,
                                          const StoreOptions& options) {
  for (const auto& [title, part] : graph.stores) {
    if (const auto stores = std::dynamic_pointer_cast<rocks::AppStores>(part))
      return stores->add(name, options);
  }
  auto stores = std::make_shared<rocks::AppStores>();
  graph.stores.emplace_back("cache", stores);
  return stores->add(name, options);
}

}  // namespace slipstream::detail
