#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "slipstream/signal.h"

namespace slipstream::detail {

/// Pauses, resumes, seeks and stops one source by hand, from any thread: SourceStream and Proxy hold it, the
/// lanes that read the source and those that handle its messages look at it.
///
/// A seek goes like this:
/// 1. seek() notes where each partition is to go on. From then on the handlers' ports drop what they get of
///    it, and what they hold; each says so (heard()).
/// 2. The lane that reads the partition reads nothing more. Once nothing it sent is under way and all ports
///    have heard, nothing of before is left: it lets the source go there, and forgets the seek (sought()).
class SourceSwitch {
 public:
  SourceSwitch();
  ~SourceSwitch();
  /// Paused while any reason is left. The same reason counts once.
  void pause(std::string_view reason);
  /// A reason that isn't there is no mistake.
  void resume(std::string_view reason);
  /// Of one partition, beside those of the whole source.
  void pause(std::string_view reason, int partition);
  void resume(std::string_view reason, int partition);
  /// The same as pause and resume, for want of room behind the handlers. Doesn't count while ignore_room().
  void hold_back(std::string_view reason);
  void let_go(std::string_view reason);
  void stop();
  /// All partitions, or those named; all of them or, after an error, none.
  absl::Status seek(std::int64_t offset);
  absl::Status seek(const std::map<int, std::int64_t>& offsets);

  bool is_paused() const { return paused_.load(std::memory_order_acquire); }
  bool is_paused(int partition) const {
    return is_paused() || (differs_.load(std::memory_order_acquire) && is_partition_paused(partition));
  }
  /// Held back, though that may be ignored.
  bool is_held_back() const;
  /// Some partition is paused by itself, or sought.
  bool differs_by_partition() const { return differs_.load(std::memory_order_acquire); }
  bool is_stopped() const { return stopped_.load(std::memory_order_acquire); }
  Signal signal() const { return signal_.load(std::memory_order_acquire); }
  std::vector<std::string> reasons(int partition) const;

  /// How the run and its source are bound to it: set before the run's first turn, taken away at its end.
  struct Run {
    std::function<void()> changed;  ///< called after every change, by who made it
    std::string source;             ///< its name, for messages
    int partitions = 0;             ///< of the source
    absl::Status can_seek;          ///< why not, where it can't
  };
  void attach(Run run);
  void detach();
  /// Waits for attach(), at most so long. False: there was none.
  bool await_run(std::chrono::nanoseconds timeout) const;

  // For the run
  /// What was read is to be handled, though there may be no room for what comes of it: it is committed, or
  /// the run stops. Nothing is read meanwhile.
  void ignore_room(bool ignore);
  /// From now on, whatever is said later.
  void ignore_room_to_the_end();

  // For the ports of handlers
  /// A port that listens to the source; for set-up.
  std::size_t add_port();
  /// Grows with each seek.
  std::uint64_t seeks() const { return seeks_.load(std::memory_order_acquire); }
  bool is_seeking(int partition) const;
  /// Nothing is paused or sought, and nothing was since there had been so many seeks.
  bool is_plain(std::uint64_t seeks) const {
    return !is_paused() && !differs_by_partition() && this->seeks() == seeks;
  }
  /// This port has dropped what it held when there had been so many seeks.
  void heard(std::size_t port, std::uint64_t seeks);
  /// Whether the port keeps records of the source that it may still be asked to drop, and the partitions of
  /// which it has as many as it may.
  void holds(std::size_t port, bool any, std::vector<int> full);

  // For the lanes that read
  /// Some port has as much of the partition as it may hold.
  bool is_full(int partition) const {
    return any_full_.load(std::memory_order_acquire) && is_partition_full(partition);
  }
  struct Seek {
    std::int64_t offset = 0;
    std::uint64_t number = 0;  ///< of the seek() that asked for it
  };
  std::optional<Seek> pending(int partition) const;
  bool all_heard() const;
  void sought(int partition, const Seek& seek);
  /// Until it is taken back as often, the source doesn't end if it can be sought. From any thread.
  void keep_open(bool keep);
  /// Whether a lane may end that has read all of these partitions to their end and has nothing under way. A
  /// source that handlers listen to and that can be sought ends as a whole, when they have had everything:
  /// until then they may seek back.
  bool try_end(std::span<const int> partitions);
  /// Whether it is such a source.
  bool waits_to_end() const;

 private:
  struct Guarded;
  template <class Change>
  void change_reasons(const Change& change);
  bool is_partition_paused(int partition) const;
  bool is_partition_full(int partition) const;
  void changed();

  const std::unique_ptr<Guarded> guarded_;
  std::atomic<bool> paused_{false};
  std::atomic<bool> differs_{false};
  std::atomic<bool> any_full_{false};
  std::atomic<bool> stopped_{false};
  std::atomic<Signal> signal_{Signal::none};
  std::atomic<std::uint64_t> seeks_{0};
};

}  // namespace slipstream::detail
