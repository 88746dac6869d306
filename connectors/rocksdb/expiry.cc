#include "connectors/rocksdb/expiry.h"

#include <string>
#include <utility>

#include "connectors/rocksdb/record.h"

namespace slipstream::rocks {
namespace {

class ExpiryFilter final : public rocksdb::CompactionFilter {
 public:
  explicit ExpiryFilter(EventTime now) : now_(now) {}
  const char* Name() const override { return "slipstream.expiry"; }
  bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& stored, std::string*, bool*) const override {
    const auto record = read_record(stored.ToStringView());
    return record && record->is_expired(now_);
  }

 private:
  const EventTime now_;
};

class ExpiryFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  explicit ExpiryFilterFactory(std::shared_ptr<const Host> host) : host_(std::move(host)) {}
  const char* Name() const override { return "slipstream.expiry"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<ExpiryFilter>(host_->now());
  }

 private:
  const std::shared_ptr<const Host> host_;
};

}  // namespace

std::shared_ptr<rocksdb::CompactionFilterFactory> expiry_filter(std::shared_ptr<const Host> host) {
  return std::make_shared<ExpiryFilterFactory>(std::move(host));
}

}  // namespace slipstream::rocks
