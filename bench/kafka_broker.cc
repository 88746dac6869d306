#include "bench/kafka_broker.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

namespace slipstream::bench {

/// Kafka as the tests run it, in a folder of its own until this is destroyed.
class Broker::Real {
 public:
  Real() : folder_(std::filesystem::temp_directory_path() / ("bench-broker-" + std::to_string(::getpid()))) {
    run("start");
    std::ifstream(folder_ / "address") >> address_;
    if (address_.empty()) throw std::runtime_error("no Kafka broker: see the messages above");
  }
  ~Real() {
    try {
      run("stop");
      std::filesystem::remove_all(folder_);
    } catch (...) {  // it isn't worth losing the results
    }
  }
  Real(const Real&) = delete;
  const std::string& address() const { return address_; }

 private:
  void run(const char* what) {
    const std::string command = std::string(SLIPSTREAM_SOURCE_DIR "/tests/integration/broker/fixture.sh ") +
                                what + " '" + folder_.string() + "' >/dev/null";
    if (std::system(command.c_str()) != 0) throw std::runtime_error("failed: " + command);
  }
  std::filesystem::path folder_;
  std::string address_;
};

Broker::Broker(const Suite& suite, const std::vector<kafka::EmbeddedBroker::Topic>& topics) {
  if (suite.quick()) {
    auto started = kafka::EmbeddedBroker::start(topics);
    check_ok(started.status());
    embedded_ = std::make_unique<kafka::EmbeddedBroker>(*std::move(started));
    address_ = embedded_->bootstrap();
    return;
  }
  real_ = std::make_unique<Real>();
  address_ = real_->address();
  std::vector<kafka::NewTopic> wanted;
  for (const auto& topic : topics) wanted.push_back({.name = topic.name, .partitions = topic.partitions});
  auto admin = kafka::Admin::connect({.brokers = address_});
  check_ok(admin.status());
  check_ok(admin->create_topics(wanted));
  // Asks until the broker leads all partitions; the bare client asks once.
  for (const auto& topic : topics) check_ok(admin->watermarks(topic.name).status());
}

Broker::~Broker() = default;

}  // namespace slipstream::bench
