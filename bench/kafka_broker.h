#pragma once
#include <memory>
#include <string>
#include <vector>

#include "bench/suite.h"
#include "slipstream/kafka.h"

namespace slipstream::bench {

/// A Kafka broker with topics, for one bench: a real one, in a process of its own, or in quick runs the
/// embedded one. Throws where there is none.
class Broker {
 public:
  Broker(const Suite& suite, const std::vector<kafka::EmbeddedBroker::Topic>& topics);
  ~Broker();
  Broker(const Broker&) = delete;
  const std::string& address() const { return address_; }

 private:
  class Real;
  std::unique_ptr<Real> real_;
  std::unique_ptr<kafka::EmbeddedBroker> embedded_;
  std::string address_;
};

}  // namespace slipstream::bench
