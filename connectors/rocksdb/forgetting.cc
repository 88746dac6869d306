#include "connectors/rocksdb/forgetting.h"

#include <rocksdb/table_properties.h>

namespace slipstream::rocks {

std::uint64_t Forgetting::dropped(const std::string& family) const {
  const detail::MutexLock lock(mutex_);
  const auto found = dropped_.find(family);
  return found == dropped_.end() ? 0 : found->second;
}

void Forgetting::OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo& job) {
  if (job.compaction_reason != rocksdb::CompactionReason::kFIFOMaxSize || !job.status.ok()) return;
  std::uint64_t entries = 0;
  for (const std::string& file : job.input_files) {
    const auto properties = job.table_properties.find(file);
    if (properties != job.table_properties.end())
      entries += properties->second->num_entries - properties->second->num_deletions;
  }
  const detail::MutexLock lock(mutex_);
  dropped_[job.cf_name] += entries;
}

}  // namespace slipstream::rocks
