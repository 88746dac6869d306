#pragma once
#include <array>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "slipstream/cache_updates.h"
#include "slipstream/codec.h"
#include "slipstream/detail/cache_store.h"
#include "slipstream/detail/coder_pool.h"
#include "slipstream/detail/state_codec.h"
#include "slipstream/detail/topic_records.h"
#include "slipstream/json.h"
#include "slipstream/ordered_key.h"

/// Caches: maps on disk (RocksDB), in the order of their keys, for handlers that need to remember.
///
///     auto counts = app.cache<std::string, int>("counts");
///     app.on(emojis)
///         .handle([counts](const std::string& emoji) {
///           return std::pair(emoji, counts.get_or(emoji, 0).value_or(0) + 1);
///         })
///         .to(counts);
///
/// What was written is there again after the process died, however it did; after the machine died, only with
/// CacheOptions::sync, or up to the last flush_wal(true).
namespace slipstream {

/// A cache that forgets: see CacheOptions::forgetful.
struct Forgetful {
  std::size_t max_bytes = 0;  ///< on disk, compressed; at least 1 MiB
};

enum class CacheAccess {
  read_write,  ///< one process at a time
  read_only,   ///< as it is when it is opened; refused while a process writes: use secondary then
  secondary,   ///< beside a process that writes; catch_up() moves on to what it has written meanwhile
};

struct CacheOptions {
  /// The folder of a database of its own. Empty: a column family of the App's database, in state.dir.
  std::string path = {};
  CacheAccess access = CacheAccess::read_write;
  bool create_if_missing = true;
  /// Waits until each write is on the disk, so that it survives a power failure. Takes milliseconds a write.
  bool sync = false;
  /// Entries are there for so long after they were written, then they are gone to every reader, snapshots
  /// too; the space is given back some time later. More than 0.
  std::optional<Duration> ttl = {};
  /// Drops what was written longest ago, read or not, when the cache becomes larger than this. forgotten()
  /// counts what was dropped. Without it, a cache keeps everything.
  std::optional<Forgetful> forgetful = {};
  /// Bytes for the block cache and the writes that aren't in files yet, for a cache opened without an App.
  /// Those of an App share state.memory_budget.
  std::size_t memory_budget = std::size_t{64} << 20;
  /// RocksDB's own options, by their names: {"compression", "kZSTD"}. Behind everything else.
  std::map<std::string, std::string> rocksdb = {};
  /// The clock of `ttl`; empty: that of the App's run, or the system's.
  std::function<EventTime()> now = {};
  /// Where messages go for a cache opened without an App.
  LogHook log = {};
};

struct CacheWriteOptions {
  std::optional<Duration> ttl = {};  ///< instead of the cache's
};

/// What a scan goes through: the keys that are not before `lower`, are before `upper` and begin with
/// `prefix`; from `from` on; backwards or not. Whatever isn't given doesn't limit it, and all combine.
template <class K>
struct Scan {
  /// The first key: this one or, if it isn't there, the next in the scan's direction. Backwards, that is the
  /// latest key that is not after it.
  std::optional<K> from = {};
  std::optional<K> lower = {};  ///< included
  std::optional<K> upper = {};  ///< excluded
  KeyPrefix<K> prefix = {};
  bool backwards = false;
};

/// Values by column, in the order of the columns' names.
template <class V>
using Entity = std::map<std::string, V>;

struct CacheFile {
  std::string path;
  std::uint64_t bytes = 0;
  int level = 0;
  std::uint64_t entries = 0;
};

namespace detail {

template <class V>
Codec<V> default_value_codec() {
  if constexpr (std::same_as<V, std::string>) {
    return text();
  } else {
    return json<V>();
  }
}

StoreOptions store_options(const CacheOptions& options);

/// What all handles of a cache share.
template <class K, class V>
struct CacheImpl {
  CacheImpl(std::shared_ptr<CacheStore> made, const Codec<V>& codec)
      : store(std::move(made)), decoders(codec.make_decoder), encoders(codec.make_encoder) {}

  using Decode = typename Codec<V>::Decode;
  absl::Status decode(Decode& decoder, std::string_view key, bool is_entity, std::string_view bytes, V& out) {
    if (is_entity)
      return store->error(key, absl::FailedPreconditionError("it has columns: use get_entity(), entities()"));
    return say(key, decoder(bytes, out));
  }
  absl::Status decode(Decode& decoder, std::string_view key, bool is_entity, std::string_view bytes,
                      Entity<V>& out) {
    out.clear();
    if (!is_entity) return decode(decoder, key, false, bytes, out[""]);
    std::map<std::string, std::string> columns;
    if (!load(bytes, columns) || !bytes.empty())
      return store->error(key, absl::DataLossError("its columns can't be read"));
    for (const auto& [name, value] : columns) {
      if (absl::Status s = within("column '" + name + "'", decoder(value, out[name])); !s.ok())
        return say(key, s);
    }
    return absl::OkStatus();
  }
  absl::Status encode(const V& value, std::string& out) { return (*encoders.take())(value, out); }
  absl::Status encode(const Entity<V>& columns, std::string& out) {
    std::map<std::string, std::string> bytes;
    for (const auto& [name, value] : columns) {
      if (absl::Status s = within("column '" + name + "'", encode(value, bytes[name])); !s.ok()) return s;
    }
    detail::store(bytes, out);
    return absl::OkStatus();
  }
  absl::Status say(std::string_view key, const absl::Status& what) const {
    return what.ok() ? what : store->error(key, what);
  }
  template <class Value>
  absl::Status put(std::string_view key, const Value& value, const CacheWriteOptions& options) {
    std::string encoded;
    return put(key, value, options, encoded);
  }
  template <class Value>
  absl::Status put(std::string_view key, const Value& value, const CacheWriteOptions& options,
                   std::string& encoded) {
    encoded.clear();
    if (absl::Status s = encode(value, encoded); !s.ok()) return say(key, s);
    return store->put(key, encoded, std::same_as<Value, Entity<V>>, options.ttl);
  }
  /// What is written is published, too, of each key in the order in which it is written. `writer`: null when
  /// it is no handler; then it is to wait for room in `full`.
  absl::Status update(CacheUpdate<K, V> change, HandlerOperator* writer,
                      std::vector<std::shared_ptr<Room>>& full) {
    const std::string key = ordered_key(change.key);
    Writing& mine = writing[std::hash<std::string>()(key) % writing.size()];
    const MutexLock one_at_a_time(mine.mutex);
    absl::Status s = change.value ? put(key, *change.value, {}, mine.encoded) : store->remove(key);
    if (s.ok()) updates->call({change, false, writer, full}, {change, true, writer, full});
    return s;
  }
  void update_or_throw(CacheUpdate<K, V> change, HandlerOperator& writer) {
    std::vector<std::shared_ptr<Room>> none;
    if (absl::Status s = update(std::move(change), &writer, none); !s.ok())
      throw std::runtime_error(std::string(s.message()));
  }

  const std::shared_ptr<CacheStore> store;
  CoderPool<Decode> decoders;
  CoderPool<typename Codec<V>::Encode> encoders;
  const std::shared_ptr<UpdateSubscribers<K, V>> updates = std::make_shared<UpdateSubscribers<K, V>>();
  std::atomic<int> listeners{0};  ///< sources of updates that were made
  struct Writing {
    Mutex mutex;
    std::string encoded SLIPSTREAM_GUARDED_BY(mutex);
  };
  /// By key: whoever writes and publishes it has one.
  std::array<Writing, 64> writing;
};

}  // namespace detail

/// What a scan finds, entry by entry, as it was when the scan was made: an input range, read once, by one
/// thread at a time. It ends early when something goes wrong: look at status() after the loop. An error
/// nobody looked at is logged.
///
///     auto recent = cache.scan({.from = now, .backwards = true});
///     for (const auto& [time, weather] : recent) …
///     if (!recent.status().ok()) …
template <class Entry>
class [[nodiscard]] CacheRange {
 public:
  using Decode = std::function<absl::Status(const detail::StoreScan::Entry&, Entry&)>;
  CacheRange(std::unique_ptr<detail::StoreScan> scan, Decode decode)
      : scan_(std::move(scan)), decode_(std::move(decode)) {}

  class iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Entry;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    const Entry& operator*() const { return range_->entry_; }
    const Entry* operator->() const { return &range_->entry_; }
    iterator& operator++() {
      range_->advance();
      return *this;
    }
    void operator++(int) { range_->advance(); }
    bool operator==(std::default_sentinel_t) const { return range_->is_done_; }

   private:
    friend class CacheRange;
    explicit iterator(CacheRange* range) : range_(range) {}
    CacheRange* range_ = nullptr;
  };

  iterator begin() {
    advance();
    return iterator(this);
  }
  std::default_sentinel_t end() const { return {}; }
  absl::Status status() const { return scan_->status(); }

 private:
  void advance() {
    is_done_ = !scan_->next([this](const detail::StoreScan::Entry& at) { return decode_(at, entry_); });
  }
  std::unique_ptr<detail::StoreScan> scan_;
  Decode decode_;
  Entry entry_{};
  bool is_done_ = false;
};

/// The reading half of caches and their snapshots. From any thread.
template <class K, class V>
class CacheReader {
  static_assert(
      OrderedKey<K>,
      "a cache's keys are texts, Bytes, numbers, bools, enums, EventTime, durations, pairs, tuples and "
      "structs with SLIPSTREAM_FIELDS of these, or a variant of different kinds of them");

 public:
  /// Empty when the key isn't there.
  absl::StatusOr<std::optional<V>> get(const K& key) const { return read<V>(key); }
  absl::StatusOr<V> get_or(const K& key, V fallback) const {
    auto found = get(key);
    if (!found.ok()) return found.status();
    return *found ? **std::move(found) : std::move(fallback);
  }
  /// In the order of `keys`, all of one moment. Faster than one after the other.
  absl::StatusOr<std::vector<std::optional<V>>> get_many(const std::vector<K>& keys) const {
    std::vector<std::string> bytes;
    for (const K& key : keys) bytes.push_back(detail::ordered_key(key));
    std::vector<std::optional<detail::StoredValue>> found;
    if (absl::Status s = impl_->store->get_many(bytes, at_.get(), found); !s.ok()) return s;
    const auto decoder = impl_->decoders.take();
    std::vector<std::optional<V>> values(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!found[i]) continue;
      absl::Status s =
          impl_->decode(*decoder, bytes[i], found[i]->is_entity, found[i]->bytes, values[i].emplace());
      if (!s.ok()) return s;
    }
    return values;
  }
  /// Also true where get() can't decode the value.
  absl::StatusOr<bool> contains(const K& key) const {
    detail::StoredValue ignored;
    return impl_->store->get(detail::ordered_key(key), at_.get(), ignored);
  }
  /// The columns written by put_entity(); a value written by put() is the column "".
  absl::StatusOr<std::optional<Entity<V>>> get_entity(const K& key) const { return read<Entity<V>>(key); }

  /// Keys and values. A key with columns ends it with an error: entities() goes through those.
  CacheRange<std::pair<K, V>> scan(const Scan<K>& scan = {}) const { return range<V>(scan); }
  /// Reads no values.
  CacheRange<K> keys(const Scan<K>& scan = {}) const {
    return CacheRange<K>(store_scan(scan), [impl = impl_](const detail::StoreScan::Entry& at, K& out) {
      return key(*impl, at, out);
    });
  }
  CacheRange<std::pair<K, Entity<V>>> entities(const Scan<K>& scan = {}) const {
    return range<Entity<V>>(scan);
  }

 protected:
  using Impl = detail::CacheImpl<K, V>;
  explicit CacheReader(std::shared_ptr<Impl> impl, std::shared_ptr<const detail::StoreSnapshot> at = {})
      : impl_(std::move(impl)), at_(std::move(at)) {}
  ~CacheReader() = default;
  CacheReader(const CacheReader&) = default;
  CacheReader(CacheReader&&) noexcept = default;
  CacheReader& operator=(const CacheReader&) = default;
  CacheReader& operator=(CacheReader&&) noexcept = default;

  std::shared_ptr<Impl> impl_;
  std::shared_ptr<const detail::StoreSnapshot> at_;

 private:
  template <class Value>
  absl::StatusOr<std::optional<Value>> read(const K& key) const {
    const std::string bytes = detail::ordered_key(key);
    detail::StoredValue found;
    const absl::StatusOr<bool> is_there = impl_->store->get(bytes, at_.get(), found);
    if (!is_there.ok()) return is_there.status();
    std::optional<Value> value;
    if (!*is_there) return value;
    absl::Status s =
        impl_->decode(*impl_->decoders.take(), bytes, found.is_entity, found.bytes, value.emplace());
    if (!s.ok()) return s;
    return value;
  }
  std::unique_ptr<detail::StoreScan> store_scan(const Scan<K>& scan) const {
    const auto bytes = [](const std::optional<K>& key) {
      return key ? std::optional(detail::ordered_key(*key)) : std::nullopt;
    };
    return impl_->store->scan(
        {bytes(scan.from), bytes(scan.lower), bytes(scan.upper), scan.prefix.bytes(), scan.backwards},
        at_.get());
  }
  static absl::Status key(const Impl& impl, const detail::StoreScan::Entry& at, K& out) {
    if (detail::read_ordered_key(at.key, out)) return absl::OkStatus();
    return impl.store->error(at.key, absl::DataLossError("the key isn't of the type this cache has"));
  }
  /// What a scan reads entries with; keeps what they come from.
  template <class Value>
  class Reader {
    using Lent = typename decltype(Impl::decoders)::Lent;

   public:
    Reader(std::shared_ptr<Impl> impl, std::shared_ptr<const detail::StoreSnapshot> at)
        : impl_(std::move(impl)), at_(std::move(at)), decoder_(new Lent(impl_->decoders.take())) {}
    absl::Status operator()(const detail::StoreScan::Entry& at, std::pair<K, Value>& out) const {
      if (absl::Status s = key(*impl_, at, out.first); !s.ok()) return s;
      return impl_->decode(**decoder_, at.key, at.is_entity, at.bytes, out.second);
    }

   private:
    std::shared_ptr<Impl> impl_;
    std::shared_ptr<const detail::StoreSnapshot> at_;
    std::shared_ptr<Lent> decoder_;
  };
  template <class Value>
  CacheRange<std::pair<K, Value>> range(const Scan<K>& scan) const {
    return CacheRange<std::pair<K, Value>>(store_scan(scan), Reader<Value>(impl_, at_));
  }
};

/// A cache as it was at one moment. Give it up when it isn't needed any more: until then nothing that was
/// overwritten or removed gives its space back. Reading is FailedPrecondition once the cache is closed.
template <class K, class V>
class CacheSnapshot : public CacheReader<K, V> {
 private:
  template <class, class>
  friend class Cache;
  using CacheReader<K, V>::CacheReader;
};

/// Exclusive use of a key among those that ask for it, until it is destroyed. May move to another thread.
class [[nodiscard]] CacheTransaction {
 public:
  explicit CacheTransaction(std::unique_ptr<detail::KeyHold> hold) : hold_(std::move(hold)) {}

 private:
  std::unique_ptr<detail::KeyHold> hold_;
};

class CacheBatch;
template <class K, class V>
class CacheFileWriter;

/// A map on disk, made by App::cache() or open(). A small value that may be copied; copies are the same
/// cache. From any thread; a write is seen by every read that begins after it. The bytes of keys are those of
/// ordered_key.h, those of values the codec's.
///
/// Functions return FailedPrecondition before the App runs and after close(), DataLoss when what is stored
/// can't be read, and InvalidArgument when a value can't be encoded; the message names the cache and the key.
template <class K, class V>
class Cache : public CacheReader<K, V> {
 public:
  using Types = detail::TopicTypes<K, V>;
  using Options = CacheOptions;

  /// A cache without an App, of the database in the folder `path`, which is made if it isn't there.
  /// DataLoss: it is damaged, and the message says what to do. FailedPrecondition: another process has it
  /// open.
  static absl::StatusOr<Cache> open(const std::string& path, const CacheOptions& options = {}) {
    return open(path, detail::default_value_codec<V>(), options);
  }
  static absl::StatusOr<Cache> open(const std::string& path, const Codec<V>& codec,
                                    CacheOptions options = {}) {
    options.path = path;
    auto store = detail::make_store(path, detail::store_options(options));
    if (!store.ok()) return store.status();
    if (absl::Status s = (*store)->open(); !s.ok()) return s;
    return Cache(std::make_shared<Impl>(*std::move(store), codec));
  }
  /// Waits for what is under way in other threads, ends snapshots and scans, writes what is in memory to
  /// files and closes the database. Not from within a codec of a scan: it would wait for itself.
  absl::Status close() const { return store().close(); }
  std::string path() const { return store().path(); }

  absl::Status put(const K& key, const V& value, const CacheWriteOptions& options = {}) const {
    return impl_->put(detail::ordered_key(key), value, options);
  }
  /// Replaces what is there, columns or value.
  absl::Status put_entity(const K& key, const Entity<V>& columns,
                          const CacheWriteOptions& options = {}) const {
    return impl_->put(detail::ordered_key(key), columns, options);
  }
  /// OK also when the key isn't there.
  absl::Status remove(const K& key) const { return store().remove(detail::ordered_key(key)); }
  /// From `begin` on, up to and without `end`.
  absl::Status remove_range(const K& begin, const K& end) const {
    return store().remove_range(detail::ordered_key(begin), detail::ordered_key(end));
  }
  /// A source of what is written through to(cache) and publish() from the run's start on; what put(),
  /// remove() and the like do isn't published, nor is that something expires. Each call makes another source,
  /// with its own queue. app.on(cache) listens to one with the default options, the same for all handlers. A
  /// run doesn't end while it has such a source: stop() the source, or the run; what waits then is dropped.
  /// Listeners aren't part of the message whose handler wrote: its offset may be committed before they are.
  Source<CacheUpdate<K, V>> updates(const CacheUpdatesOptions& options = {}) const {
    const int n = ++impl_->listeners;
    return Source<CacheUpdate<K, V>>(std::make_shared<detail::UpdateSource<K, V>>(
        "updates of " + store().title() + (n == 1 ? "" : " " + std::to_string(n)), impl_->updates, options));
  }
  /// Writes, or removes where there is no value, and publishes that, from outside of handlers: returns when
  /// every listener of WhenSlow::block has room again. In a handler it doesn't wait; use to(cache) there.
  absl::Status publish(const CacheUpdate<K, V>& update) const {
    std::vector<std::shared_ptr<detail::Room>> full;
    absl::Status s = impl_->update(update, nullptr, full);
    for (const auto& room : full) room->wait();
    return s;
  }

  /// False: it isn't there. True: it may be. Cheaper than contains(); never looks into files.
  absl::StatusOr<bool> may_exist(const K& key) const { return store().may_exist(detail::ordered_key(key)); }

  absl::StatusOr<CacheSnapshot<K, V>> snapshot() const {
    auto at = store().snapshot();
    if (!at.ok()) return at.status();
    return CacheSnapshot<K, V>(impl_, *std::move(at));
  }
  /// Waits until nobody else has this very key, then has it:
  ///
  ///     auto hold = cache.transaction(key);
  ///     if (!hold.ok()) return hold.status();
  ///     …get, put…
  ///
  /// Only those who ask wait: reads and writes without a transaction don't. Among the threads of this
  /// process. FailedPrecondition: this thread has the key already.
  absl::StatusOr<CacheTransaction> transaction(const K& key) const {
    auto hold = store().hold(detail::ordered_key(key));
    if (!hold.ok()) return hold.status();
    return CacheTransaction(*std::move(hold));
  }

  /// Column families: further caches in this one's database, that a CacheBatch may change together. Those of
  /// an App's cache, too, are this cache's own. AlreadyExists and NotFound where the name says so. Each call
  /// makes a handle with updates of its own: copy it where others are to listen.
  template <class K2 = K, class V2 = V>
  absl::StatusOr<Cache<K2, V2>> create_family(
      const std::string& name, const CacheOptions& options = {},
      const Codec<V2>& codec = detail::default_value_codec<V2>()) const {
    return typed<K2, V2>(store().create_family(name, detail::store_options(options)), codec);
  }
  template <class K2 = K, class V2 = V>
  absl::StatusOr<Cache<K2, V2>> family(const std::string& name, const CacheOptions& options = {},
                                       const Codec<V2>& codec = detail::default_value_codec<V2>()) const {
    return typed<K2, V2>(store().family(name, detail::store_options(options)), codec);
  }
  /// With all that is in it. Its handles are closed.
  absl::Status drop_family(const std::string& name) const { return store().drop_family(name); }
  absl::StatusOr<std::vector<std::string>> families() const { return store().families(); }

  /// Writes what is in memory to files.
  absl::Status flush() const { return store().flush(); }
  /// Hands the log of recent writes to the operating system and, with `sync`, waits until it is on the disk.
  absl::Status flush_wal(bool sync = true) const { return store().flush_wal(sync); }
  /// Rewrites the files of these keys (of all), without what was overwritten, removed or has expired.
  absl::Status compact() const { return store().compact({}, {}); }
  absl::Status compact(const K& begin, const K& end) const {
    return store().compact(detail::ordered_key(begin), detail::ordered_key(end));
  }
  /// Reads every file and compares the checksums. DataLoss: it is damaged.
  absl::Status verify() const { return store().verify(); }
  /// Of CacheAccess::secondary: sees from now on what the other process had written by now.
  absl::Status catch_up() const { return store().catch_up(); }
  /// RocksDB's own options that may be changed while it is open.
  absl::Status set_options(const std::map<std::string, std::string>& options) const {
    return store().set_options(options);
  }
  /// RocksDB's own properties, such as "rocksdb.estimate-num-keys". NotFound: there is no such property.
  absl::StatusOr<std::string> property(const std::string& name) const { return store().property(name); }
  absl::StatusOr<std::vector<CacheFile>> live_files() const {
    auto files = store().live_files();
    if (!files.ok()) return files.status();
    std::vector<CacheFile> out;
    for (detail::StoreFile& f : *files) out.push_back({std::move(f.path), f.bytes, f.level, f.entries});
    return out;
  }
  /// Rises with every write to the database.
  absl::StatusOr<std::uint64_t> latest_sequence_number() const { return store().latest_sequence_number(); }
  /// Of a forgetful cache: how many entries it has dropped since it was opened. One that was overwritten
  /// before counts as often as it was written.
  std::uint64_t forgotten() const { return store().forgotten(); }

  /// Writes a file of entries for ingest().
  absl::StatusOr<CacheFileWriter<K, V>> file_writer(const std::string& path) const {
    auto writer = store().file_writer(path);
    if (!writer.ok()) return writer.status();
    return CacheFileWriter<K, V>(impl_, *std::move(writer));
  }
  /// Takes in files of entries, which replace those that are there: all of them or none. Copies the files;
  /// with `move` they are moved.
  absl::Status ingest(const std::vector<std::string>& paths, bool move = false) const {
    return store().ingest(paths, move);
  }

  // For handler.h and the library
  using Impl = detail::CacheImpl<K, V>;
  explicit Cache(std::shared_ptr<Impl> impl) : CacheReader<K, V>(std::move(impl)) {}
  const std::shared_ptr<Impl>& impl() const { return impl_; }
  template <class Out>
  static constexpr bool takes() {
    if constexpr (detail::TupleLike<Out>) {
      return std::tuple_size_v<Out> == 2 && Types::template takes<Out>();
    } else {
      return Types::template takes<Out>();
    }
  }
  template <class Out>
  static CacheUpdate<K, V> update(Out&& out) {
    auto record = Types::record(std::forward<Out>(out));
    return {std::move(*record.key), std::move(record.value)};
  }

 private:
  friend class CacheBatch;
  using CacheReader<K, V>::impl_;
  template <class K2, class V2>
  static absl::StatusOr<Cache<K2, V2>> typed(absl::StatusOr<std::shared_ptr<detail::CacheStore>> store,
                                             const Codec<V2>& codec) {
    if (!store.ok()) return store.status();
    return Cache<K2, V2>(std::make_shared<detail::CacheImpl<K2, V2>>(*std::move(store), codec));
  }
  detail::CacheStore& store() const { return *impl_->store; }
};

/// Changes that are made together: all or none, also after a crash. The caches must be column families of one
/// database. Not thread-safe.
///
///     CacheBatch batch;
///     batch.put(balances, from, a - amount).put(balances, to, b + amount).remove(pending, id);
///     if (absl::Status s = batch.write(); !s.ok()) …
class CacheBatch {
 public:
  template <class K, class V>
  CacheBatch& put(const Cache<K, V>& cache, const std::type_identity_t<K>& key,
                  const std::type_identity_t<V>& value, const CacheWriteOptions& options = {}) {
    return add_value(cache, detail::StoreChange::Kind::put, key, value, options);
  }
  template <class K, class V>
  CacheBatch& put_entity(const Cache<K, V>& cache, const std::type_identity_t<K>& key,
                         const Entity<std::type_identity_t<V>>& columns,
                         const CacheWriteOptions& options = {}) {
    return add_value(cache, detail::StoreChange::Kind::put_entity, key, columns, options);
  }
  template <class K, class V>
  CacheBatch& remove(const Cache<K, V>& cache, const std::type_identity_t<K>& key) {
    changes_.push_back(
        {cache.impl_->store, detail::StoreChange::Kind::remove, detail::ordered_key(key), {}, {}});
    return *this;
  }
  template <class K, class V>
  CacheBatch& remove_range(const Cache<K, V>& cache, const std::type_identity_t<K>& begin,
                           const std::type_identity_t<K>& end) {
    changes_.push_back({cache.impl_->store,
                        detail::StoreChange::Kind::remove_range,
                        detail::ordered_key(begin),
                        detail::ordered_key(end),
                        {}});
    return *this;
  }
  /// InvalidArgument when a value couldn't be encoded or the caches are of several databases; nothing is
  /// written then. Empty afterwards when it was written.
  absl::Status write() {
    if (!bad_.ok() || changes_.empty()) return bad_;
    absl::Status s = changes_.front().store->write(changes_);
    if (s.ok()) changes_.clear();
    return s;
  }
  bool empty() const { return changes_.empty(); }

 private:
  template <class K, class V, class Value>
  CacheBatch& add_value(const Cache<K, V>& cache, detail::StoreChange::Kind kind, const K& key,
                        const Value& value, const CacheWriteOptions& options) {
    detail::StoreChange change{cache.impl_->store, kind, detail::ordered_key(key), {}, options.ttl};
    if (absl::Status s = cache.impl_->encode(value, change.value); !s.ok() && bad_.ok())
      bad_ = cache.impl_->say(change.key, s);
    changes_.push_back(std::move(change));
    return *this;
  }
  std::vector<detail::StoreChange> changes_;
  absl::Status bad_;  ///< the first value that couldn't be encoded
};

/// Made by Cache::file_writer(): a file that Cache::ingest() takes in, of this cache or any with the same
/// types. Not thread-safe.
template <class K, class V>
class CacheFileWriter {
 public:
  /// InvalidArgument unless the key is after the one before.
  absl::Status put(const K& key, const V& value, const CacheWriteOptions& options = {}) {
    const std::string bytes = detail::ordered_key(key);
    std::string encoded;
    if (absl::Status s = impl_->encode(value, encoded); !s.ok()) return impl_->say(bytes, s);
    return writer_->put(bytes, encoded, options.ttl);
  }
  /// The file is whole. InvalidArgument when nothing was put.
  absl::Status finish() { return writer_->finish(); }

 private:
  friend class Cache<K, V>;
  CacheFileWriter(std::shared_ptr<detail::CacheImpl<K, V>> impl,
                  std::unique_ptr<detail::StoreFileWriter> writer)
      : impl_(std::move(impl)), writer_(std::move(writer)) {}
  std::shared_ptr<detail::CacheImpl<K, V>> impl_;
  std::unique_ptr<detail::StoreFileWriter> writer_;
};

// Databases that are not open.

/// Reads every file of the database and compares checksums. NotFound: there is none. DataLoss: what is
/// damaged.
absl::Status verify_cache(const std::string& path);
/// Makes a damaged database one that opens, with what is readable of it: files that are damaged anywhere are
/// put aside as a whole, in its folder `lost`; after a crash, what wasn't in files yet may be lost too, and
/// keys that were removed may be back. Copy the folder first. Nothing is lost where only CURRENT was missing.
absl::Status repair_cache(const std::string& path);
/// Removes the database, and nothing else from its folder. OK when there is none.
absl::Status destroy_cache(const std::string& path);

/// One entry of dump_cache(), valid during the call.
struct CacheDumpEntry {
  std::string_view family;  ///< "default" for the cache itself
  std::string_view key;     ///< as JSON: see detail::ordered_key_json
  std::string_view value;   ///< the codec's bytes
  std::string_view column;  ///< of put_entity()
  bool is_column = false;
};
/// Calls each(entry) for all that is stored, one column family after the other, in the order of the keys,
/// until it returns an error. Expired entries are left out.
absl::Status dump_cache(const std::string& path,
                        const std::function<absl::Status(const CacheDumpEntry&)>& each);

template <class K, class V>
Cache<K, V> App::cache(const std::string& name, const typename Cache<K, V>::Options& options) {
  return cache<K, V>(name, detail::default_value_codec<V>(), options);
}
template <class K, class V>
Cache<K, V> App::cache(const std::string& name, const Codec<V>& codec,
                       const typename Cache<K, V>::Options& options) {
  return Cache<K, V>(std::make_shared<detail::CacheImpl<K, V>>(
      detail::add_app_store(*graph_, name, detail::store_options(options)), codec));
}

}  // namespace slipstream
