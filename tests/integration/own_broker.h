#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <utility>

namespace slipstream::test {

/// A real broker of a test's own, which may be killed and started again with all its data. address() is
/// empty, and the test has failed, when it can't be started.
class OwnBroker {
 public:
  /// Lines for server.properties, without single quotes. It listens at `port` and, for itself, at the next
  /// one.
  using Properties = std::function<std::string(int port)>;

  /// `scram`: a user, as in broker/start-broker.sh.
  explicit OwnBroker(Properties properties = {}, std::string scram = "")
      : properties_(std::move(properties)), scram_(std::move(scram)) {
    std::string pattern = testing::TempDir() + "broker-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::random_device random;
    // As in broker/fixture.sh: the broker can't pick a port by itself.
    for (int i = 0; i < 5 && address_.empty(); ++i) {
      port_ = 20'000 + static_cast<int>(random() % 12'000);
      if (launch()) address_ = "127.0.0.1:" + std::to_string(port_);
    }
    EXPECT_NE(address_, "") << "no real broker: leave this test out with ./dev test --no-broker";
  }
  OwnBroker(const OwnBroker&) = delete;
  ~OwnBroker() {
    stop("");
    std::filesystem::remove_all(folder_);
  }

  const std::string& address() const { return address_; }
  int port() const { return port_; }
  /// As a power cut would.
  void die() { stop("-9"); }
  void start_again() { EXPECT_TRUE(launch()); }

 private:
  bool launch() {
    const std::string command = "KAFKA_HEAP=384m KAFKA_SCRAM='" + scram_ + "' KAFKA_EXTRA='" +
                                (properties_ ? properties_(port_) : "") +
                                "' " SLIPSTREAM_SOURCE_DIR "/tests/integration/broker/start-broker.sh " +
                                folder_ + " " + std::to_string(port_) + " >/dev/null";
    return std::system(command.c_str()) == 0;
  }
  void stop(const std::string& how) {
    const std::string command =
        SLIPSTREAM_SOURCE_DIR "/tests/integration/broker/stop-broker.sh " + folder_ + " " + how;
    EXPECT_EQ(std::system(command.c_str()), 0);
  }

  const Properties properties_;
  const std::string scram_;
  std::string folder_;
  int port_ = 0;
  std::string address_;
};

}  // namespace slipstream::test
