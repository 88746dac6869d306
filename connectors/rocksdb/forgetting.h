#pragma once
#include <rocksdb/listener.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "slipstream/detail/mutex.h"

namespace slipstream::rocks {

/// Counts what forgetful column families drop. From any thread.
class Forgetting final : public rocksdb::EventListener {
 public:
  std::uint64_t dropped(const std::string& family) const;
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& job) override;

 private:
  mutable detail::Mutex mutex_;
  std::map<std::string, std::uint64_t> dropped_ SLIPSTREAM_GUARDED_BY(mutex_);
};

}  // namespace slipstream::rocks
